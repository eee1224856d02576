//! Similar users and the statistics of experiments against scikit-learn, statsmodels and scipy.
//!
//! `tests/data/users_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use mercer_algorithms::{
    control::Unattended,
    experiment::{OffPolicy, sample_ratio},
    linalg::sparse::CsrBuf,
    recommend::{
        score::Profile,
        users::{UserIndex, UserMoments, UserSearch, UserSimilarity},
    },
    stats::{Interval, Mean, Rate, mean_difference, rate_difference},
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/users.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    let bound = tolerance * expected.abs().max(1.0);
    assert!((found - expected).abs() <= bound, "{what}: {found}, not {expected}");
}

fn within(found: Interval, expected: &Value, tolerance: f64, what: &str) {
    let expected = numbers(expected);
    near(found.low, expected[0], tolerance, what);
    near(found.high, expected[1], tolerance, what);
}

/// Pairs of item and value by user.
fn rows(case: &Value) -> Vec<Vec<(u32, f32)>> {
    let mut rows = Vec::new();
    for row in case["rows"].as_array().unwrap() {
        let pairs = row.as_array().unwrap().iter().map(numbers);
        rows.push(pairs.map(|pair| (pair[0] as u32, pair[1] as f32)).collect());
    }
    rows
}

#[test]
fn users_are_as_alike_as_scikit_learn_says() {
    for case in golden()["users"].as_array().unwrap() {
        let items = case["items"].as_u64().unwrap() as usize;
        let k = case["k"].as_u64().unwrap() as usize;
        let weighted = case["weighted"].as_bool().unwrap();
        let rows = rows(case);
        let mut by_user = CsrBuf::new(weighted);
        let mut by_item = vec![Vec::new(); items];
        for (user, row) in (0..).zip(&rows) {
            by_user.push_row(&mut row.clone());
            for &(item, value) in row {
                by_item[item as usize].push((user, value));
            }
        }
        let mut columns = CsrBuf::new(weighted);
        by_item.iter_mut().for_each(|column| columns.push_row(column));
        let parts = [by_user.view(items).unwrap()];
        let columns = [columns.view(rows.len()).unwrap()];
        let moments = UserMoments::new(&parts, &Unattended).unwrap();
        let same: Vec<u32> = (0..items as u32).collect();
        let index = UserIndex::new(&parts, &columns, &moments, &same, &same).unwrap();
        let mut search = UserSearch::default();
        for similarity in UserSimilarity::ALL {
            let golden = case[similarity.name()].as_array().unwrap();
            assert_eq!(golden.len(), rows.len());
            for ((user, row), golden) in (0..).zip(&rows).zip(golden) {
                let (items, weights): (Vec<u32>, Vec<f32>) = row.iter().copied().unzip();
                let profile = Profile { rows: &items, weights: &weights };
                let found =
                    search.similar_users(&index, similarity, profile, Some(user), k, usize::MAX);
                let similar = golden["similar"].as_array().unwrap();
                assert_eq!(found.len(), similar.len(), "{similarity} of {user}");
                for (found, expected) in found.iter().zip(similar) {
                    near(found.similarity, numbers(expected)[1], 1e-5, similarity.name());
                }
                let Some(scores) = golden["scores"].as_array() else { continue };
                for expected in similar {
                    let expected = numbers(expected);
                    let found = found.iter().find(|found| f64::from(found.user) == expected[0]);
                    assert_eq!(f64::from(found.unwrap().common), expected[2]);
                }
                let mut dense = vec![0.0; scores.len()];
                for (item, score) in search.scores(&index, similarity, &found, usize::MAX) {
                    dense[item as usize] = f64::from(score);
                }
                for (found, expected) in dense.into_iter().zip(scores) {
                    near(found, expected.as_f64().unwrap(), 1e-5, similarity.name());
                }
            }
        }
    }
}

#[test]
fn rates_lie_where_statsmodels_says() {
    let golden = golden();
    let cases = golden["rates"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let rate = |arm: &str| {
            let counts = numbers(&case[arm]);
            Rate { successes: counts[0] as u64, trials: counts[1] as u64 }
        };
        let (treated, control) = (rate("treated"), rate("control"));
        let confidence = case["confidence"].as_f64().unwrap();
        within(treated.interval(confidence).unwrap(), &case["interval"], 1e-9, "Wilson");
        let difference = rate_difference(treated, control, confidence).unwrap();
        within(difference, &case["difference"], 1e-9, "Newcombe");
    }
}

#[test]
fn means_differ_as_welch_says() {
    let case = &golden()["means"];
    let mean = |arm: &str| {
        let mut mean = Mean::default();
        numbers(&case[arm]).into_iter().for_each(|value| mean.add(value));
        mean
    };
    // Student's quantiles are an expansion.
    within(mean("treated").interval(0.95).unwrap(), &case["interval"], 1e-5, "Student");
    let difference = mean_difference(mean("treated"), mean("control"), 0.95).unwrap();
    within(difference, &case["difference"], 1e-5, "Welch");
}

#[test]
fn other_policies_are_worth_what_whole_arrays_say() {
    let case = &golden()["off_policy"];
    let mut halves = [OffPolicy::default(); 2];
    for (at, exposure) in case["exposures"].as_array().unwrap().iter().enumerate() {
        let exposure = numbers(exposure);
        halves[at / 200].add(exposure[0], exposure[1], exposure[2]);
    }
    let [mut log, second] = halves;
    log.merge(&second);
    for (name, found) in [("ips", log.ips().unwrap()), ("snips", log.snips().unwrap())] {
        let expected = numbers(&case[name]);
        near(found.value, expected[0], 1e-9, name);
        near(found.standard_error, expected[1], 1e-9, name);
    }
    near(log.effective_count(), case["effective"].as_f64().unwrap(), 1e-9, "effective");
}

#[test]
fn uneven_splits_are_as_unlikely_as_scipy_says() {
    for case in golden()["sample_ratios"].as_array().unwrap() {
        let counts: Vec<u64> = numbers(&case["counts"]).into_iter().map(|n| n as u64).collect();
        let weights: Vec<u32> = numbers(&case["weights"]).into_iter().map(|n| n as u32).collect();
        let expected = case["probability"].as_f64().unwrap();
        near(sample_ratio(&counts, &weights), expected, 1e-9, "chi-squared");
    }
}
