use ndarray::Array2;
use proptest::prelude::*;

use super::*;
use crate::recommend::profile::Recency;

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -10.0..10.0,
        1 => proptest::num::f64::ANY,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(0.0)],
    ]
}

fn mix() -> impl Strategy<Value = Mix> {
    let transform = prop_oneof![Just(Transform::Linear), Just(Transform::Root)];
    let source = (any_number(), transform).prop_map(|(weight, transform)| MixSource {
        algorithm: "p3".into(),
        weight,
        recency: Recency::default(),
        transform,
    });
    let feature = (0..Feature::ALL.len(), any_number(), any_number(), any_number()).prop_map(
        |(at, weight, mean, deviation)| MixFeature {
            feature: Feature::ALL[at],
            weight,
            mean,
            deviation,
        },
    );
    (proptest::collection::vec(source, 3), proptest::collection::vec(feature, 0..3))
        .prop_map(|(sources, features)| Mix { sources, features })
}

proptest! {
    #[test]
    fn scores_are_finite_whatever_the_weights(
        mix in mix(),
        raw in proptest::collection::vec(any_number(), 3),
        scales in proptest::collection::vec(any_number(), 3),
        popularity in any::<u64>(),
        price in proptest::option::of(any_number()),
        in_stock in proptest::option::of(any::<bool>()),
    ) {
        let facts = ItemFacts { popularity, price, in_stock };
        let score = mix.score(&raw, &scales, &facts);
        prop_assert!(score.is_finite());
        let parts: Vec<f64> = mix.parts(&raw, &scales, &facts).collect();
        prop_assert_eq!(parts.len(), mix.sources.len() + mix.features.len());
        prop_assert_eq!(parts.iter().fold(0.0, |sum, part| sum + part), score);
    }

    #[test]
    fn the_parts_of_a_raw_score_add_up_to_the_part_of_the_source(
        parts in proptest::collection::vec(-3.0..3.0f64, 1..8),
        weight in -2.0..2.0f64,
        scale in 0.01..100.0f64,
        root in any::<bool>(),
    ) {
        let transform = if root { Transform::Root } else { Transform::Linear };
        let source =
            MixSource { algorithm: "p3".into(), weight, recency: Recency::default(), transform };
        let mix = Mix { sources: vec![source], features: vec![] };
        let raw: f64 = parts.iter().sum();
        // Parts that cancel out leave nothing to share.
        prop_assume!(raw.abs() > 1e-3);
        let gain = mix.gain(0, raw, scale);
        let shared: f64 = parts.iter().map(|part| gain * part).sum();
        let whole = mix.score(&[raw], &[scale], &ItemFacts::default());
        prop_assert!((shared - whole).abs() < 1e-9 * (1.0 + whole.abs()), "{shared} {whole}");
    }

    #[test]
    fn the_scale_of_a_vector_is_the_deviation_of_its_scores(
        factors in proptest::collection::vec(-2.0..2.0f64, 3 * 7),
        vector in proptest::collection::vec(-2.0..2.0f32, 3),
    ) {
        let factors = Array2::from_shape_vec((7, 3), factors).expect("7 items, 3 dimensions");
        let centred = &factors - &factors.mean_axis(ndarray::Axis(0)).expect("items");
        let covariance = centred.t().dot(&centred) / 7.0;
        let wide = ndarray::Array1::from_iter(vector.iter().map(|&value| f64::from(value)));
        let deviation = factors.dot(&wide).std(0.0);
        let scale = vector_scale(&vector, covariance.view());
        prop_assume!(deviation > 1e-6);
        prop_assert!((scale - deviation).abs() < 1e-9, "{scale} {deviation}");
    }
}

#[test]
fn scales_are_lengths_of_scores() {
    // Disjoint neighbours: 2 * (0.6, 0.8) and -1 * (3).
    assert!(
        (profile_scale(&[0, 2, 9], &[2.0, -1.0, 5.0], &[1.0, 7.0, 3.0]) - 13f64.sqrt()).abs()
            < 1e-12
    );
    assert_eq!(score_scale(&[3.0, 0.0, -4.0]), 5.0);
    for nothing in [
        profile_scale(&[], &[], &[]),
        score_scale(&[]),
        vector_scale(&[0.0], Array2::zeros((1, 1)).view()),
        score_scale(&[f32::NAN]),
        score_scale(&[f32::INFINITY]),
    ] {
        assert_eq!(nothing, 1.0);
    }
}

#[test]
fn an_unknown_property_adds_nothing() {
    let standard = |feature| MixFeature { feature, weight: 2.0, mean: 1.0, deviation: 0.5 };
    let facts = ItemFacts { popularity: 0, price: None, in_stock: Some(true) };
    assert_eq!(standard(Feature::LogPrice).part(&facts), 0.0);
    assert_eq!(standard(Feature::InStock).part(&facts), 0.0);
    assert_eq!(standard(Feature::LogPopularity).part(&facts), -4.0);
    for feature in Feature::ALL {
        assert_eq!(Feature::parse(feature.name()), Some(feature));
    }
    for transform in Transform::ALL {
        assert_eq!(Transform::parse(transform.name()), Some(transform));
    }
}
