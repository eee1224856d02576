//! Factorizations against those of implicit.
//!
//! `tests/data/factors_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use mercer_algorithms::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::factors::{FactorMatrix, FactorSpec, fold_in, gramian, half_step, loss},
};
use serde_json::Value;

fn numbers<T>(value: &Value, convert: impl Fn(f64) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(|number| convert(number.as_f64().unwrap())).collect()
}

fn cases() -> Vec<Value> {
    let cases: Value = serde_json::from_str(include_str!("golden/factors.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 2);
    cases.clone()
}

fn spec(case: &Value) -> FactorSpec {
    let alpha = case["alpha"].as_f64().unwrap();
    FactorSpec {
        dimensions: case["dimensions"].as_u64().unwrap() as usize,
        iterations: 0,
        unobserved_weight: 1.0 / (alpha - 1.0),
        regularization: case["regularization"].as_f64().unwrap() / alpha,
        frequency_exponent: 0.0,
        // Enough to solve the equations.
        steps: 60,
        seed: 0,
        explicit: false,
    }
}

fn whole(dimensions: usize, factors: &[f32]) -> FactorMatrix<'_> {
    FactorMatrix::new(dimensions, [factors]).unwrap()
}

fn users(case: &Value) -> CsrBuf {
    CsrBuf {
        offsets: numbers(&case["offsets"], |number| number as u64),
        columns: numbers(&case["columns"], |number| number as u32),
        values: None,
    }
}

fn transposed(matrix: &CsrBuf, items: usize) -> CsrBuf {
    let mut transposed = CsrBuf::new(false);
    for item in 0..items as u32 {
        let mut users = Vec::new();
        for (user, bounds) in (0..).zip(matrix.offsets.windows(2)) {
            if matrix.columns[bounds[0] as usize..bounds[1] as usize].contains(&item) {
                users.push((user, 1.0));
            }
        }
        transposed.push_row(&mut users);
    }
    transposed
}

#[test]
fn losses_are_those_of_implicit() {
    for case in cases() {
        let spec = spec(&case);
        let matrix = users(&case);
        let items = case["items"].as_u64().unwrap() as usize;
        let columns = transposed(&matrix, items);
        let (by_user, count) = (matrix.view(items).unwrap(), matrix.offsets.len() - 1);
        let by_item = columns.view(count).unwrap();
        let solve = |fixed: &[f32], matrix, previous: &[f32]| {
            let fixed = whole(spec.dimensions, fixed);
            let gramian = gramian(&fixed, &Unattended).unwrap();
            half_step(&spec, &fixed, &gramian, matrix, previous, &Unattended).unwrap()
        };
        let mut item_factors = numbers(&case["start"], |number| number as f32);
        let mut user_factors = Vec::new();
        for golden in numbers(&case["losses"], |number| number) {
            user_factors = solve(&item_factors, &by_user, &user_factors);
            item_factors = solve(&user_factors, &by_item, &item_factors);
            let users = whole(spec.dimensions, &user_factors);
            let items = whole(spec.dimensions, &item_factors);
            let found = loss(&spec, &users, &items, &[by_user], &Unattended).unwrap();
            assert!((found - golden).abs() <= 5e-7 * golden, "{found}, not {golden}");
        }
    }
}

#[test]
fn users_fold_in_as_implicit_recalculates_them() {
    for case in cases() {
        let spec = spec(&case);
        let matrix = users(&case);
        let items = numbers(&case["item_factors"], |number| number as f32);
        let items = whole(spec.dimensions, &items);
        let gramian = gramian(&items, &Unattended).unwrap();
        let matrix = matrix.view(items.rows()).unwrap();
        let golden = numbers(&case["folded"], |number| number);
        assert_eq!(golden.len(), matrix.rows() * spec.dimensions);
        for (user, golden) in golden.chunks(spec.dimensions).enumerate() {
            let rows = matrix.columns(user);
            let found = fold_in(&spec, &items, &gramian, rows, &vec![1.0; rows.len()]);
            let size = golden.iter().fold(0f64, |size, value| size.max(value.abs()));
            for (found, golden) in found.iter().zip(golden) {
                let difference = (f64::from(*found) - golden).abs();
                assert!(difference <= 1e-5 * size, "user {user}: {found}, not {golden}");
            }
        }
    }
}
