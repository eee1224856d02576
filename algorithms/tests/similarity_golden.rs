//! Neighbourhoods against those of implicit, scikit-learn and scipy.
//!
//! `tests/data/similarity_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use mercer_algorithms::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
};
use serde_json::Value;

fn numbers<T>(value: &Value, convert: impl Fn(f64) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(|number| convert(number.as_f64().unwrap())).collect()
}

#[test]
fn equals_other_peoples_code() {
    let cases: Value = serde_json::from_str(include_str!("golden/similarity.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let items = case["items"].as_u64().unwrap() as usize;
        let k = case["k"].as_u64().unwrap() as usize;
        let values = &case["values"];
        let matrix = CsrBuf {
            offsets: numbers(&case["offsets"], |number| number as u64),
            columns: numbers(&case["columns"], |number| number as u32),
            values: values.is_array().then(|| numbers(values, |number| number as f32)),
        };
        let users = [matrix.view(items).unwrap()];
        let statistics = statistics(&users, items, &Unattended).unwrap();
        let labels: Vec<u32> = (0..items as u32).collect();
        let options = SimilarityOptions {
            alpha: case["alpha"].as_f64().unwrap(),
            beta: case["beta"].as_f64().unwrap(),
            asymmetry: case["asymmetry"].as_f64().unwrap(),
            shrinkage: case["shrinkage"].as_f64().unwrap(),
            ..SimilarityOptions::default()
        };
        for similarity in Similarity::ALL {
            let found = top_neighbours(
                similarity,
                &options,
                &users,
                &statistics,
                &labels,
                &labels,
                k,
                &Unattended,
            )
            .unwrap();
            let golden = case[similarity.name()].as_array().unwrap();
            assert_eq!(golden.len(), items);
            for (source, golden) in golden.iter().enumerate() {
                // Those that tie with the last are all listed: any of them may be kept.
                let golden: BTreeMap<u32, f64> = golden
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|pair| (pair[0].as_u64().unwrap() as u32, pair[1].as_f64().unwrap()))
                    .collect();
                let range = found.offsets[source] as usize..found.offsets[source + 1] as usize;
                assert_eq!(range.len(), golden.len().min(k), "{similarity} of {source}");
                for at in range {
                    let (target, weight) = (found.targets[at], f64::from(found.weights[at]));
                    let expected = golden.get(&target);
                    // Values less their means are held in f32, so what nearly cancels out is
                    // exact to units of those.
                    let is_near = expected
                        .is_some_and(|golden| (weight - golden).abs() <= 1e-5 * golden + 1e-8);
                    assert!(is_near, "{similarity} {source} {target}: {weight}, not {expected:?}",);
                }
            }
        }
    }
}
