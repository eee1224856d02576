use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_proto::{
    internal::DecisionDefaults,
    v1::{ElasticityResponse, elasticity_estimate::Basis},
};

use super::*;
use crate::{
    domain::facts::{Defaults, Elasticity},
    shard::{Directory, ItemState},
};

fn priors() -> ElasticityPriors {
    let group = |levels: &[&str], elasticity: f32| GroupPrior {
        path: levels.iter().map(ToString::to_string).collect(),
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

fn own(estimate: Option<(f32, f32)>) -> OwnEstimate {
    OwnEstimate {
        elasticity: estimate.map(|own| own.0),
        standard_error: estimate.map(|own| own.1),
        weeks: 51,
        ..OwnEstimate::default()
    }
}

fn path(levels: &[&str]) -> Vec<String> {
    levels.iter().map(ToString::to_string).collect()
}

/// The answer for an item of the category a > b that was trained to `item`.
fn ask(item: Option<ItemElasticity>) -> ElasticityResponse {
    let mut state = ItemState::stub("sku".into(), &mut Default::default());
    state.category_path = ["a", "b"].map(Arc::from).into();
    let directory = Directory::new(TimeZone::UTC);
    let defaults = Defaults::decode(&DecisionDefaults::default()).expect("no amounts");
    let facts = Facts {
        item: &state,
        directory: &directory,
        defaults: &defaults,
        currency: "USD",
        version: "v1",
        demand: None,
        elasticity: Some(Elasticity { item, priors: &priors() }),
    };
    let request = ElasticityRequest { item_id: "sku".into(), tokens: Vec::new() };
    elasticity(&facts, &request).expect("an answer")
}

#[test]
fn the_narrowest_group_with_a_prior_draws() {
    for (category, levels, mean) in [
        (&["a", "b", "c", "d"][..], 3, -3.0),
        (&["a", "b", "c"], 3, -3.0),
        (&["a", "b"], 1, -2.0),
        (&["b"], 0, -1.5),
        (&[], 0, -1.5),
    ] {
        let found = shrunk(own(None), None, &path(category), &priors());
        assert_eq!((found.group.path.len(), found.value), (levels, mean), "{category:?}");
        assert_eq!((found.standard_error, found.own_weight), (0.5, 0.0));
        assert!((found.promotion_factor - 0.5_f32.exp()).abs() < 1e-6);
    }
}

#[test]
fn elasticities_and_factors_stay_within_their_bounds() {
    let found = shrunk(own(Some((9.0, 0.1))), None, &[], &priors());
    assert_eq!((found.value, found.own.elasticity), (-0.1, Some(9.0)));
    assert_eq!(shrunk(own(Some((-50.0, 0.1))), None, &[], &priors()).value, -8.0);
    for (value, factor) in [(9.0, 5.0), (-9.0, 1.0)] {
        let effect = Measured { value, standard_error: 0.1 };
        let promoted = shrunk(own(None), Some(effect), &[], &priors());
        assert_eq!(promoted.promotion_factor, factor);
    }
}

#[test]
fn answers_say_what_they_stand_on() {
    let answer = |estimate| {
        let found = ask(Some(shrunk(own(estimate), None, &path(&["a", "b"]), &priors())));
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
