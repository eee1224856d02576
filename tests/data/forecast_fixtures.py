"""Writes algorithms/tests/golden/forecast.json: forecasts by other people's code.

    pip install statsforecast==2.1.1 utilsforecast==0.2.17 numpy==2.4.6
    python tests/data/forecast_fixtures.py

The intermittent series and AirPassengers with statsforecast's CrostonClassic, CrostonSBA, TSB,
its optimised exponential smoothing and Theta; random series, with TSB at unequal parameters; and
measures of accuracy with utilsforecast.
"""

import json
import pathlib

import numpy as np
import pandas as pd
import utilsforecast.losses as losses
from statsforecast.models import TSB, CrostonClassic, CrostonSBA, Theta
from statsforecast.models import _optimized_ses_forecast
from statsforecast.utils import AirPassengers

SPARSE = [0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 4, 0, 0, 0, 1, 0, 0, 6, 0]


def mean(model, series, horizon=1):
    return [float(value) for value in model.forecast(np.asarray(series, float), horizon)["mean"]]


def intermittent(series):
    series = np.asarray(series, float)
    return {
        "series": series.tolist(),
        "croston": mean(CrostonClassic(), series)[0],
        "sba": mean(CrostonSBA(), series)[0],
        "tsb": mean(TSB(0.1, 0.1), series)[0],
        "tsb_unequal": mean(TSB(0.3, 0.05), series)[0],
        "ses": float(_optimized_ses_forecast(series, bounds=(0.01, 0.99))[0]),
    }


def theta(series, season, horizon):
    series = np.asarray(series, float)
    path = mean(Theta(season_length=season), series, horizon)
    return {"series": series.tolist(), "season": season, "theta": path}


def measures(random):
    history = np.round(random.gamma(2, 5, 80), 2)
    actual = np.round(random.gamma(2, 5, 14), 2)
    forecast = np.round(actual + random.normal(0, 4, 14), 2)
    train = pd.DataFrame({"unique_id": "a", "ds": range(80), "y": history})
    test = pd.DataFrame({"unique_id": "a", "ds": range(80, 94), "y": actual, "f": forecast})
    one = lambda frame: float(frame["f"].iloc[0])
    return {
        "history": history.tolist(),
        "actual": actual.tolist(),
        "forecast": forecast.tolist(),
        # There as a share of 1, here of 200.
        "smape": 200 * one(losses.smape(test, ["f"])),
        "mase": one(losses.mase(test, ["f"], seasonality=7, train_df=train)),
        "rmsse": one(losses.rmsse(test, ["f"], seasonality=1, train_df=train)),
        "pinball": one(losses.quantile_loss(test, {"f": "f"}, q=0.835)),
    }


def main():
    random = np.random.default_rng(20260101)
    sparse = [SPARSE]
    for probability in (0.2, 0.5):
        demand = random.random(90) < probability
        sparse.append((demand * random.integers(1, 9, 90)).tolist())
    weeks = np.arange(140)
    weekly = 40 + 0.1 * weeks + 12 * np.sin(2 * np.pi * weeks / 7) + random.normal(0, 3, 140)
    walk = 100 + random.normal(0, 2, 60).cumsum()
    golden = {
        "intermittent": [intermittent(series) for series in sparse],
        "theta": [
            theta(AirPassengers, 12, 6),
            theta(np.round(weekly, 3), 7, 14),
            theta(np.round(walk, 3), 1, 5),
        ],
        "measures": measures(random),
    }
    path = pathlib.Path(__file__).parents[2] / "algorithms/tests/golden/forecast.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
