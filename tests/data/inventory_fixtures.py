"""Writes algorithms/tests/golden/inventory.json: orders by other people's code.

    pip install stockpyl==1.0.2 scipy==1.14.1 "numpy<2"
    python tests/data/inventory_fixtures.py

Lot sizes and single-period orders come from stockpyl. Demand during a gamma lead time comes from
scipy's quadrature over the lead time, for normal and for negative binomial demand; safety stocks
for fill rates from scipy's root finder.
"""

import json
import pathlib

import numpy as np
from scipy import integrate, optimize, stats
from stockpyl.eoq import (
    economic_order_quantity,
    economic_order_quantity_with_backorders,
    economic_production_quantity,
)
from stockpyl.newsvendor import (
    newsvendor_normal,
    newsvendor_normal_explicit,
    newsvendor_poisson,
)


def lots():
    cases = []
    for cost, holding, demand, backorder, rate in [
        (8, 0.225, 1300, 5, 1800),
        (20, 0.6, 36.5, 2.4, 50),
        (1000, 12, 1e6, 40, 4e6),
    ]:
        quantity, total = economic_order_quantity(cost, holding, demand)
        with_backorders, short, _ = economic_order_quantity_with_backorders(
            cost, holding, backorder, demand
        )
        production, _ = economic_production_quantity(cost, holding, demand, rate)
        cases.append(
            {
                "order_cost": cost,
                "holding_cost": holding,
                "demand": demand,
                "backorder_cost": backorder,
                "production": rate,
                "quantity": quantity,
                "cost": total,
                "with_backorders": with_backorders,
                "short": short,
                "production_quantity": production,
            }
        )
    return cases


def seasons():
    cases = []
    for holding, stockout, mean, deviation in [(0.18, 0.70, 50, 8), (1, 9, 20, 6), (5, 1, 7, 2)]:
        cases.append(
            {
                "holding_cost": holding,
                "stockout_cost": stockout,
                "mean": mean,
                "deviation": deviation,
                "normal": newsvendor_normal(holding, stockout, mean, deviation)[0],
                "poisson": newsvendor_poisson(holding, stockout, mean)[0],
            }
        )
    revenue, cost, salvage = 5.0, 2.0, 0.5
    explicit = newsvendor_normal_explicit(revenue, cost, salvage, 50, 8)
    return {
        "cases": cases,
        "explicit": {
            "price": revenue,
            "cost": cost,
            "salvage": salvage,
            "mean": 50,
            "deviation": 8,
            "quantity": explicit[0],
        },
    }


def loss(z):
    return stats.norm.pdf(z) - z * stats.norm.sf(z)


def fill_rates():
    cases = []
    for rate, deviation, quantity in [
        (0.95, 8.0, 30.0),
        (0.99, 8.0, 30.0),
        (0.9, 20.0, 10.0),
        (0.999, 3.0, 2.0),
        (0.8, 1.0, 40.0),
    ]:
        lot = quantity / deviation
        factor = optimize.brentq(
            lambda z: loss(z) - loss(z + lot) - lot * (1 - rate), -lot - 30, 10, xtol=1e-13
        )
        cases.append(
            {
                "rate": rate,
                "deviation": deviation,
                "quantity": quantity,
                "safety_stock": factor * deviation,
            }
        )
    return cases


LEVELS = [0.5, 0.8, 0.9, 0.95, 0.975, 0.99]


def mixtures():
    """Demand of a gamma lead time and a review period."""
    cases = []
    for family, daily, spread, lead, lead_deviation, review in [
        ("normal", 10.0, 4.0, 7.0, 2.0, 0.0),
        ("normal", 10.0, 4.0, 7.0, 2.0, 7.0),
        ("normal", 120.0, 30.0, 30.0, 12.0, 14.0),
        ("negative-binomial", 0.3, 1.8, 7.0, 2.0, 7.0),
        ("negative-binomial", 2.5, 3.0, 14.0, 5.0, 7.0),
    ]:
        shape = (lead / lead_deviation) ** 2
        time = stats.gamma(shape, scale=lead / shape)

        def cumulative(units, days):
            if family == "normal":
                return stats.norm.cdf(units, daily * days, spread * np.sqrt(days))
            size = daily * days / (spread - 1)
            return stats.nbinom.cdf(np.floor(units), size, 1 / spread)

        def below(units):
            # Probabilities of the lead time are the variable of integration.
            value, _ = integrate.quad(
                lambda p: cumulative(units, review + time.ppf(p)), 0, 1, limit=400, epsabs=1e-9
            )
            return value

        mean = daily * (lead + review)
        per_day = spread**2 if family == "normal" else spread * daily
        variance = per_day * (lead + review) + daily**2 * lead_deviation**2
        quantiles = []
        for level in LEVELS:
            if family == "normal":
                top = mean + 12 * np.sqrt(variance)
                quantiles.append(optimize.brentq(lambda x: below(x) - level, 0, top, xtol=1e-8))
            else:
                units = 0
                while below(units) < level:
                    units += 1
                quantiles.append(units)
        cases.append(
            {
                "family": family,
                "daily": daily,
                "spread": spread,
                "lead_time": lead,
                "lead_time_deviation": lead_deviation,
                "review": review,
                "mean": mean,
                "deviation": float(np.sqrt(variance)),
                "levels": LEVELS,
                "quantiles": [float(quantile) for quantile in quantiles],
            }
        )
    return cases


def main():
    golden = {
        "loss": [[z, loss(z)] for z in (-2.0, -0.5, 0.0, 1.0, 2.5, 5.0)],
        "lots": lots(),
        "seasons": seasons(),
        "fill_rates": fill_rates(),
        "mixtures": mixtures(),
    }
    path = pathlib.Path(__file__).parents[2] / "algorithms/tests/golden/inventory.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
