//! Orders against stockpyl, scipy and published values.
//!
//! `tests/data/inventory_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use mercer_algorithms::{
    forecast::{Forecast, Spread},
    inventory::{CumulativeDemand, LeadTime, LeadTimeDemand, lot, newsvendor, safety_stock},
    stats::normal,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/inventory.json")).unwrap()
}

fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().unwrap_or_else(|| panic!("{name} of {case}"))
}

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    case[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[track_caller]
fn near(found: f64, expected: f64, relative: f64) {
    let allowed = relative * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= allowed, "{found} is not {expected}");
}

#[test]
fn lots_equal_stockpyl() {
    for case in golden()["lots"].as_array().unwrap() {
        let of = |name| number(case, name);
        let (order, demand, holding) = (of("order_cost"), of("demand"), of("holding_cost"));
        let quantity = lot::economic_order_quantity(order, demand, holding).unwrap();
        near(quantity, of("quantity"), 1e-12);
        near(lot::cost(quantity, order, demand, holding), of("cost"), 1e-12);
        let (quantity, short) =
            lot::with_backorders(order, demand, holding, of("backorder_cost")).unwrap();
        near(quantity, of("with_backorders"), 1e-12);
        near(short, of("short"), 1e-12);
        let produced =
            lot::economic_production_quantity(order, demand, holding, of("production")).unwrap();
        near(produced, of("production_quantity"), 1e-12);
    }
    // Snyder and Shen, example 3.1 and 3.5.
    near(lot::economic_order_quantity(8.0, 1_300.0, 0.225).unwrap(), 304.0467800264368, 1e-14);
    let (quantity, short) = lot::with_backorders(8.0, 1_300.0, 0.225, 5.0).unwrap();
    near(quantity, 310.81255515896464, 1e-14);
    near(short, 0.0430622009569378, 1e-14);
    assert_eq!(lot::economic_order_quantity(8.0, 1_300.0, 0.0), None);
    assert_eq!(lot::economic_production_quantity(8.0, 1_300.0, 0.225, 1_300.0), None);
    assert_eq!(lot::with_backorders(8.0, 1_300.0, 0.225, 0.0), None);
}

#[test]
fn seasons_equal_stockpyl() {
    let golden = golden();
    for case in golden["seasons"]["cases"].as_array().unwrap() {
        let of = |name| number(case, name);
        let (short, over) = (of("stockout_cost"), of("holding_cost"));
        let ratio = short / (short + over);
        near(newsvendor::normal_quantity(ratio, of("mean"), of("deviation")), of("normal"), 1e-9);
        assert_eq!(newsvendor::poisson_quantity(ratio, of("mean")), of("poisson"));
    }
    let case = &golden["seasons"]["explicit"];
    let of = |name| number(case, name);
    let ratio = newsvendor::critical_ratio(of("price"), of("cost"), of("salvage"), 0.0).unwrap();
    let quantity = newsvendor::normal_quantity(ratio, of("mean"), of("deviation"));
    near(quantity, of("quantity"), 1e-9);
    // With goodwill g: (r - c + g) / (r - v + g).
    near(newsvendor::critical_ratio(5.0, 2.0, 0.5, 1.5).unwrap(), 4.5 / 6.0, 1e-15);
    assert_eq!(newsvendor::critical_ratio(5.0, 2.0, 2.0, 0.0), None);
    assert_eq!(newsvendor::critical_ratio(1.0, 2.0, 0.5, 0.5), Some(0.0));
}

#[test]
fn safety_stocks_equal_scipy() {
    let golden = golden();
    for pair in golden["loss"].as_array().unwrap() {
        near(normal::loss(pair[0].as_f64().unwrap()), pair[1].as_f64().unwrap(), 1e-9);
    }
    for case in golden["fill_rates"].as_array().unwrap() {
        let of = |name| number(case, name);
        let found = safety_stock::for_fill_rate(of("rate"), of("deviation"), of("quantity"));
        near(found, of("safety_stock"), 1e-8);
    }
    near(safety_stock::for_cycle_service(0.95, 10.0), 16.448536269514722, 1e-12);
}

/// Independent normal days.
struct Normal {
    mean: f64,
    deviation: f64,
}

impl CumulativeDemand for Normal {
    fn mean(&self, days: f64) -> f64 {
        self.mean * days
    }

    fn deviation(&self, days: f64) -> f64 {
        self.deviation * days.sqrt()
    }

    fn quantiles(&self, days: &[f64], levels: &[f64]) -> Vec<f64> {
        let mut quantiles = Vec::with_capacity(days.len() * levels.len());
        for &days in days {
            let (mean, deviation) = (self.mean(days), self.deviation(days));
            for &level in levels {
                quantiles.push((mean + deviation * normal::quantile(level)).max(0.0));
            }
        }
        quantiles
    }
}

#[test]
fn demand_of_a_random_lead_time_equals_scipy() {
    for case in golden()["mixtures"].as_array().unwrap() {
        let of = |name| number(case, name);
        let lead_time = LeadTime::new(of("lead_time"), of("lead_time_deviation"));
        let (daily, spread, review) = (of("daily"), of("spread"), of("review"));
        let counts = case["family"] == "negative-binomial";
        let demand = if counts {
            let spread = Spread::NegativeBinomial { variance_ratio: spread };
            LeadTimeDemand::new(&Forecast::new(vec![daily; 7], 7, spread), &lead_time, review)
        } else {
            LeadTimeDemand::new(&Normal { mean: daily, deviation: spread }, &lead_time, review)
        };
        near(demand.mean(), of("mean"), 1e-9);
        near(demand.deviation(), of("deviation"), 1e-9);
        for (level, expected) in numbers(case, "levels").into_iter().zip(numbers(case, "quantiles"))
        {
            // Counts jump by a whole unit.
            let allowed = if counts { 1.0 } else { 0.03 * of("deviation") };
            let found = demand.quantile(level);
            assert!((found - expected).abs() <= allowed, "{level}: {found} {expected} {case}");
        }
    }
}
