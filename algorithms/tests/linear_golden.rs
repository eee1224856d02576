//! Linear models and content against numpy and scikit-learn.
//!
//! `tests/data/linear_fixtures.py` writes the golden file.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use mercer_algorithms::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::{
        content::{ContentSpec, ItemText, TermsBuf, matrix, neighbours},
        linear::{SlimSpec, SparseEaseSpec, ease, slim, sparse_ease},
        similarity::Neighbours,
    },
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/linear.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers<T>(value: &Value, convert: impl Fn(f64) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(|value| convert(number(value))).collect()
}

/// Every weight, of 1 and less, to 1e-5; those that one side leaves out are 0 there.
fn assert_equal(name: &str, found: &Neighbours, golden: &Value) {
    let golden = golden.as_array().unwrap();
    assert!(!golden.is_empty());
    let mut differences: BTreeMap<(usize, u32), f64> = golden
        .iter()
        .map(|triple| {
            let [source, target] = [0, 1].map(|at| triple[at].as_u64().unwrap());
            ((source as usize, target as u32), number(&triple[2]))
        })
        .collect();
    for (source, bounds) in found.offsets.windows(2).enumerate() {
        for at in bounds[0] as usize..bounds[1] as usize {
            let pair = (source, found.targets[at]);
            *differences.entry(pair).or_default() -= f64::from(found.weights[at]);
        }
    }
    for (pair, difference) in differences {
        assert!(difference.abs() <= 1e-5, "{name} at {pair:?} by {difference}");
    }
}

#[test]
fn linear_models_equal_numpy_and_scikit_learn() {
    let golden = golden();
    let cases = golden["linear"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let items = case["items"].as_u64().unwrap() as usize;
        let users = CsrBuf {
            offsets: numbers(&case["offsets"], |number| number as u64),
            columns: numbers(&case["columns"], |number| number as u32),
            values: Some(numbers(&case["values"], |number| number as f32)),
        };
        let users = [users.view(items).unwrap()];
        let rows: Vec<u32> = (0..items as u32).collect();
        let all = 0..items as u32;
        let regularization = number(&case["regularization"]);
        let neighbourhood = case["neighbourhood"].as_u64().unwrap() as usize;
        let found = ease(regularization, &users, &rows, items, &Unattended).unwrap();
        assert_equal("ease", &found, &case["ease"]);
        let spec = SparseEaseSpec { regularization, neighbourhood };
        let found = sparse_ease(&spec, &users, &rows, all.clone(), items, &Unattended).unwrap();
        assert_equal("sparse ease", &found, &case["sparse-ease"]);
        let spec = SlimSpec { l1: number(&case["l1"]), l2: number(&case["l2"]), neighbourhood };
        let found = slim(&spec, &users, &rows, all, items, &Unattended).unwrap();
        assert_equal("slim", &found, &case["slim"]);
    }
}

#[test]
fn content_equals_scikit_learn() {
    let golden = golden();
    let content = &golden["content"];
    let texts = content["items"].as_array().unwrap();
    let spec = ContentSpec {
        min_items: content["min_items"].as_u64().unwrap() as u32,
        max_share: number(&content["max_share"]),
        attribute_weight: number(&content["attribute_weight"]),
        embedding_weight: 0.0,
    };
    let text = |value: &'static str| move |item: &Value| item[value].as_str().unwrap().to_owned();
    for (name, has_attributes) in [("text", false), ("all", true)] {
        let mut terms = TermsBuf::default();
        for item in texts {
            let (title, description) = (text("title")(item), text("description")(item));
            let brand = text("brand")(item);
            let levels = item["category"].as_array().unwrap();
            let levels: Vec<&str> = levels.iter().map(|level| level.as_str().unwrap()).collect();
            let attributes = item["attributes"].as_object().unwrap();
            let attributes: Vec<(&str, &str)> =
                attributes.iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
            let words =
                ItemText { title: &title, description: &description, ..ItemText::default() };
            terms.push(&if has_attributes {
                let (brand, category_path) = (&*brand, &*levels);
                ItemText { brand, category_path, attributes: &attributes, ..words }
            } else {
                words
            });
        }
        let rows: Vec<u32> = (0..texts.len() as u32).collect();
        let matrix = matrix(&spec, &[terms.view().unwrap()], &rows, &Unattended).unwrap();
        let matrix = [matrix.view(rows.len()).unwrap()];
        let sources = 0..rows.len() as u32;
        let found =
            neighbours(&spec, &matrix, None, &rows, sources, rows.len(), &Unattended).unwrap();
        assert_equal(name, &found, &content[name]);
    }
}
