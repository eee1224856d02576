//! Forecasts against those of statsforecast, measures against those of utilsforecast.
//!
//! `tests/data/forecast_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use mercer_algorithms::forecast::{Method, forecast, measures};
use serde_json::Value;

fn golden(part: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("golden/forecast.json")).unwrap();
    file[part].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn methods_for_intermittent_demand() {
    let cases = golden("intermittent");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let series = numbers(&case["series"]);
        for (method, tolerance) in [
            (Method::Croston, 1e-9),
            (Method::Sba, 1e-9),
            (Method::Tsb, 1e-9),
            // The optimiser of the other side stops early.
            (Method::Ses, 1e-4),
        ] {
            let expected = case[method.name()].as_f64().unwrap();
            let found = forecast(method, &series, 7, 3);
            for value in &found {
                let is_close = (value - expected).abs() <= tolerance * expected;
                assert!(is_close, "{}: {found:?} {expected}", method.name());
            }
        }
    }
}

#[test]
fn theta() {
    let cases = golden("theta");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let series = numbers(&case["series"]);
        let season = case["season"].as_u64().unwrap() as usize;
        let expected = numbers(&case["theta"]);
        let found = forecast(Method::Theta, &series, season, expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 2e-4 * expected, "{season}: {found} {expected}");
        }
    }
}

#[test]
fn measures_of_accuracy() {
    let file: Value = serde_json::from_str(include_str!("golden/forecast.json")).unwrap();
    let golden = &file["measures"];
    let [history, actual, forecast] =
        ["history", "actual", "forecast"].map(|name| numbers(&golden[name]));
    let scaled = |error: f64, scale: Option<f64>| error / scale.unwrap();
    let quantiles = actual.iter().zip(&forecast);
    let pinball: f64 = quantiles.map(|(y, f)| measures::pinball(*y, *f, 0.835)).sum();
    let squared = measures::squared_error(&actual, &forecast);
    for (name, found) in [
        ("smape", measures::smape(&actual, &forecast)),
        (
            "mase",
            scaled(
                measures::absolute_error(&actual, &forecast),
                measures::seasonal_scale(&history, 7),
            ),
        ),
        ("rmsse", scaled(squared, measures::squared_scale(&history)).sqrt()),
        ("pinball", pinball / actual.len() as f64),
    ] {
        let expected = golden[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
    }
}
