//! Regressions, pooling and optima against other people's code and closed forms.
//!
//! `tests/data/price_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use mercer_algorithms::{
    learn::regression::{Covariance, Fit, FitError, least_squares, poisson},
    price::{
        demand::{Demand, Form, Objective, Optimum},
        estimate::{Estimate, Measured, Method, Settings, estimate},
        pool::between_variance,
        weekly::Week,
    },
};
use ndarray::{Array1, Array2};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/price.json")).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    let difference = (found - expected).abs();
    assert!(difference <= tolerance * expected.abs().max(1.0), "{found}, not {expected}");
}

/// One regression as the fixtures name it, of the response that it takes.
type Regression = dyn Fn(&Array2<f64>, &Array1<f64>, Covariance) -> Result<Fit, FitError>;

#[test]
fn regressions_equal_statsmodels() {
    let golden = golden();
    let cases = golden["regressions"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let units: Array1<f64> = numbers(&case["units"]).into();
        let columns = case["columns"].as_u64().unwrap() as usize;
        let shape = (units.len(), columns);
        let design = Array2::from_shape_vec(shape, numbers(&case["design"])).unwrap();
        let (name, fit): (&str, &Regression) = if case["poisson"].is_object() {
            ("poisson", &|design, units, kind| poisson(design.view(), units.view(), kind))
        } else {
            ("least_squares", &|design, units, kind| {
                least_squares(design.view(), units.mapv(f64::ln).view(), kind)
            })
        };
        let expected = &case[name];
        for (kind, key) in [(Covariance::Hc1, "HC1"), (Covariance::Hc3, "HC3")] {
            let found = fit(&design, &units, kind).unwrap();
            let coefficients = numbers(&expected["coefficients"]);
            let errors = numbers(&expected[key]);
            for column in 0..columns {
                assert_close(found.coefficients[column], coefficients[column], 1e-8);
                assert_close(found.standard_error(column), errors[column], 1e-8);
                let conventional = numbers(&expected["conventional"])[column];
                let larger = errors[column].max(conventional);
                assert_close(found.cautious_error(column), larger, 1e-8);
            }
        }
    }
}

/// The design that an estimate makes of weeks is the one of the fixtures.
#[test]
fn estimates_equal_statsmodels() {
    let golden = golden();
    let mut methods = Vec::new();
    for case in golden["regressions"].as_array().unwrap() {
        let columns = [&case["units"], &case["price"], &case["promoted"]].map(numbers);
        let weeks: Vec<Week> = (0..columns[0].len())
            .map(|week| Week {
                index: 1_000 + week as u32,
                units: columns[0][week],
                price: columns[1][week],
                promoted_share: columns[2][week],
            })
            .collect();
        let settings = Settings { min_weeks: 12, poisson_zero_share: 0.0 };
        let Estimate { elasticity, promotion, method } = estimate(&weeks, &settings).unwrap();
        methods.push(method);
        let expected = match method {
            Method::LogLog => &case["least_squares"],
            Method::Poisson => &case["poisson"],
        };
        let coefficients = numbers(&expected["coefficients"]);
        let errors = ["HC3", "conventional"].map(|kind| numbers(&expected[kind]));
        for (found, column) in [(elasticity, 1), (promotion.unwrap(), 2)] {
            assert_close(found.value, coefficients[column], 1e-8);
            let larger = errors[0][column].max(errors[1][column]);
            assert_close(found.standard_error, larger, 1e-8);
        }
    }
    assert_eq!(methods, [Method::LogLog, Method::LogLog, Method::Poisson, Method::Poisson]);
}

#[test]
fn variance_between_items_equals_statsmodels() {
    let golden = golden();
    let pools = golden["pools"].as_array().unwrap();
    assert_eq!(pools.len(), 2);
    for pool in pools {
        let (values, errors) = (numbers(&pool["values"]), numbers(&pool["errors"]));
        let estimates: Vec<Measured> = values
            .into_iter()
            .zip(errors)
            .map(|(value, standard_error)| Measured { value, standard_error })
            .collect();
        let expected = pool["between_variance"].as_f64().unwrap();
        assert!(expected > 0.1);
        assert_close(between_variance(&estimates), expected, 1e-7);
    }
}

/// Textbook optima, by hand.
#[test]
fn optima_in_closed_form() {
    let profit = Objective::Profit { unit_cost: 6.0 };
    let at = |form, elasticity, objective| {
        Demand { form, price: 10.0, units: 100.0, elasticity }.optimum(objective)
    };
    let constant = Form::ConstantElasticity;
    // c e / (1 + e); near -1 it explodes, 21 times the cost at -1.05.
    assert_eq!(at(constant, -2.0, profit), Optimum::At(12.0));
    assert_eq!(at(constant, -3.0, profit), Optimum::At(9.0));
    let Optimum::At(price) = at(constant, -1.05, profit) else { panic!("an optimum") };
    assert_close(price, 21.0 * 6.0, 1e-9);
    assert_eq!(at(constant, -1.0, profit), Optimum::Rising);
    assert_eq!(at(constant, -0.5, profit), Optimum::Rising);
    assert_eq!(at(constant, -2.0, Objective::Revenue), Optimum::Falling);
    assert_eq!(at(constant, -1.0, Objective::Revenue), Optimum::Flat);
    assert_eq!(at(constant, -0.5, Objective::Revenue), Optimum::Rising);
    // (p0 (1 - 1/e) + c) / 2
    assert_eq!(at(Form::Linear, -2.0, profit), Optimum::At(10.5));
    assert_eq!(at(Form::Linear, -2.0, Objective::Revenue), Optimum::At(7.5));
    assert_eq!(at(Form::Linear, -0.5, profit), Optimum::At(18.0));
    // c - p0 / e
    assert_eq!(at(Form::SemiLog, -2.0, profit), Optimum::At(11.0));
    assert_eq!(at(Form::SemiLog, -0.5, Objective::Revenue), Optimum::At(20.0));
}
