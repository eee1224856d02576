use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_proto::internal::DecisionDefaults;

use super::*;
use crate::{
    domain::Elasticity,
    shard::{Directory, ItemState},
};

fn priors() -> ElasticityPriors {
    let group = |path: &[&str], elasticity: f32| GroupPrior {
        path: path.iter().map(ToString::to_string).collect(),
        items: 9,
        elasticity,
        deviation: 0.5,
        mean_error: 0.0,
        promotion_effect: 0.5,
        promotion_deviation: 0.5,
    };
    let groups = vec![group(&[], -1.5), group(&["a"], -2.0), group(&["a", "b", "c"], -3.0)];
    ElasticityPriors { groups }
}

fn item(path: &[&str], own: Option<(f32, f32)>) -> ItemElasticity {
    ItemElasticity {
        category_path: path.iter().map(ToString::to_string).collect(),
        estimate: Some(ElasticityResult {
            item_id: "sku".into(),
            item_elasticity: own.map(|own| own.0),
            item_standard_error: own.map(|own| own.1),
            weeks: 51,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The answer for an item of the category a > b, whose result is `result`.
fn ask(result: Option<ElasticityResult>) -> ElasticityResponse {
    let mut state = ItemState::stub("sku".into(), &mut Default::default());
    state.category_path = ["a", "b"].map(Arc::from).into();
    let (directory, defaults) = (Directory::new(TimeZone::UTC), DecisionDefaults::default());
    let facts = Facts {
        item: &state,
        directory: &directory,
        defaults: &defaults,
        currency: "USD",
        version: "v1",
        demand: None,
        elasticity: Some(Elasticity { result, priors: &priors() }),
    };
    let request = ElasticityRequest { item_id: "sku".into(), tokens: Vec::new() };
    elasticity(&facts, &request).expect("an answer")
}

#[test]
fn the_narrowest_group_with_a_prior_draws() {
    for (path, levels, mean) in [
        (&["a", "b", "c", "d"][..], 3, -3.0),
        (&["a", "b", "c"], 3, -3.0),
        (&["a", "b"], 1, -2.0),
        (&["b"], 0, -1.5),
        (&[], 0, -1.5),
    ] {
        let found = shrunk(&item(path, None), &priors());
        assert_eq!((found.group_path.len(), found.elasticity), (levels, mean), "{path:?}");
        assert_eq!((found.standard_error, found.item_weight), (0.5, 0.0));
        assert!((found.promotion_factor - 0.5_f32.exp()).abs() < 1e-6);
    }
}

#[test]
fn elasticities_and_factors_stay_within_their_bounds() {
    let found = shrunk(&item(&[], Some((9.0, 0.1))), &priors());
    assert_eq!((found.elasticity, found.item_elasticity), (-0.1, Some(9.0)));
    assert_eq!(shrunk(&item(&[], Some((-50.0, 0.1))), &priors()).elasticity, -8.0);
    let mut promoted = item(&[], None);
    for (effect, factor) in [(9.0, 5.0), (-9.0, 1.0)] {
        promoted.promotion_effect = Some(effect);
        promoted.promotion_standard_error = Some(0.1);
        assert_eq!(shrunk(&promoted, &priors()).promotion_factor, factor);
    }
}

#[test]
fn answers_say_what_they_stand_on() {
    let answer = |own| {
        let found = ask(Some(shrunk(&item(&["a", "b"], own), &priors())));
        let estimate = found.elasticity.expect("an estimate");
        let messages: Vec<String> = found.notes.into_iter().map(|note| note.message).collect();
        (estimate.basis(), messages.join(" "))
    };
    assert_eq!(answer(Some((-2.4, 0.2))), (Basis::Item, String::new()));
    let (basis, message) = answer(Some((-2.4, 2.0)));
    assert!(basis == Basis::Category && message.contains("weighs 6 %"), "{message}");
    let (basis, message) = answer(Some((0.5, 0.2)));
    assert!(basis == Basis::Item && message.contains("wrong sign"), "{message}");
    let (basis, message) = answer(None);
    assert!(basis == Basis::Prior && message.contains("51 whole weeks"), "{message}");
    assert!(message.contains("category `a`"), "{message}");

    let newcomer = ask(None);
    let estimate = newcomer.elasticity.expect("an estimate");
    assert_eq!((estimate.basis(), estimate.elasticity), (Basis::Prior, -2.0));
    assert_eq!((estimate.weeks, estimate.lowest_price), (0, None));
    assert!(newcomer.notes[0].message.starts_with("No sale was known"));
}
