"""Writes algorithms/tests/golden/price.json: regressions and pooling by other people's code.

    pip install statsmodels==0.15.0 numpy==2.4.6
    python tests/data/price_fixtures.py

Synthetic weeks of a product with promotions, a trend and a season. Least squares and the Poisson
regression, with their robust standard errors, are statsmodels' OLS and GLM; the variance between
items is that of combine_effects with method "iterated", which is Paule and Mandel's.
"""

import json
import pathlib

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.meta_analysis import combine_effects


def weeks(seed, count, level, zeros):
    random = np.random.default_rng(seed)
    week = np.arange(count)
    promoted = (random.random(count) < 0.25) * random.uniform(0.3, 1.0, count)
    price = 2.5 * (1 - 0.2 * promoted) * np.exp(0.12 * random.standard_normal(count))
    years = week * 7.0 / 365.25
    mean = np.exp(
        level
        - 2.2 * np.log(price)
        + 0.4 * promoted
        + 0.1 * years
        + 0.3 * np.sin(2 * np.pi * years)
        + 0.3 * random.standard_normal(count)
    )
    units = random.poisson(mean).astype(float)
    if not zeros:
        units = np.maximum(units, 1.0)
    columns = [np.ones(count), np.log(price), promoted, years]
    if count >= 52:
        columns += [np.sin(2 * np.pi * years), np.cos(2 * np.pi * years)]
    return np.column_stack(columns), units, price, promoted


def numbers(values):
    return [float(f"{value:.15g}") for value in np.ravel(values)]


def regression(seed, count, level, zeros):
    design, units, price, promoted = weeks(seed, count, level, zeros)
    case = {
        "columns": design.shape[1],
        "units": numbers(units),
        "price": numbers(price),
        "promoted": numbers(promoted),
        "design": numbers(design),
    }
    if zeros:
        model = sm.GLM(units, design, family=sm.families.Poisson())
        fit = model.fit(tol=1e-14, maxiter=200)
        # GLM knows HC0 only. At the fixed point the Poisson regression is a weighted regression
        # of its working response, of which statsmodels knows them all.
        working = np.log(fit.mu) + (units - fit.mu) / fit.mu
        weighted = sm.WLS(working, design, weights=fit.mu).fit()
        robust = model.fit(tol=1e-14, maxiter=200, cov_type="HC0")
        assert np.allclose(weighted.HC0_se, robust.bse, rtol=1e-8)
        case["poisson"] = {
            "coefficients": numbers(fit.params),
            "HC1": numbers(weighted.HC1_se),
            "HC3": numbers(weighted.HC3_se),
            # Quasi-Poisson: scaled by Pearson's statistic, which is at least 1 here.
            "conventional": numbers(fit.bse * np.sqrt(fit.pearson_chi2 / fit.df_resid)),
        }
        assert fit.pearson_chi2 > fit.df_resid
    else:
        fit = sm.OLS(np.log(units), design).fit()
        case["least_squares"] = {
            "coefficients": numbers(fit.params),
            "HC1": numbers(fit.HC1_se),
            "HC3": numbers(fit.HC3_se),
            "conventional": numbers(fit.bse),
        }
    return case


def pool(seed, count, spread):
    random = np.random.default_rng(seed)
    errors = random.uniform(0.2, 1.2, count)
    values = -1.8 + spread * random.standard_normal(count) + errors * random.standard_normal(count)
    found = combine_effects(values, errors**2, method_re="iterated", atol=1e-14)
    return {
        "values": numbers(values),
        "errors": numbers(errors),
        "between_variance": float(found.tau2),
        "mean": float(found.mean_effect_re),
    }


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "algorithms/tests/golden/price.json"
    golden = {
        "regressions": [
            regression(1, 60, 5.0, False),
            regression(2, 20, 4.0, False),
            regression(3, 60, 2.2, True),
            regression(4, 24, 2.5, True),
        ],
        "pools": [pool(5, 40, 0.7), pool(6, 8, 1.5)],
    }
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
