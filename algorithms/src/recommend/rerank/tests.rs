use proptest::prelude::*;

use super::*;

fn plain(relevance: &[f64]) -> Reranking<'_> {
    Reranking {
        relevance,
        goals: &[],
        diversity: 0.0,
        likeness: &[],
        n: relevance.len(),
        max_relevance_loss: 1.0,
    }
}

fn order(reranked: &Reranked) -> Vec<usize> {
    reranked.results.iter().map(|placed| placed.from).collect()
}

#[test]
fn goals_lift_what_has_them() {
    let margins = [None, Some(0.1), Some(0.5), Some(0.3)];
    let goals = [Goal { weight: 0.6, values: &margins }];
    let found = rerank(&Reranking { goals: &goals, ..plain(&[4.0, 3.0, 2.0, 1.0]) });
    // 1, 2/3, 1/3 + .6, .3
    assert_eq!(order(&found), [0, 2, 1, 3]);
    assert_eq!(found.strength, 1.0);
    assert_eq!(found.results[1].goals, [0.6]);
    let third = 1.0 / 3f64.log2();
    let ideal = 3.0 + 2.0 * third + 0.5;
    let expected = 1.0 - (3.0 + third + 2.0 * 0.5) / ideal;
    assert!((found.relevance_loss - expected).abs() < 1e-12);
}

#[test]
fn diversity_counts_the_nearest_above() {
    let (right, up) = ([1.0, 0.0], [0.0, 1.0]);
    let likeness = [right, right, up].map(|vector: [f32; 2]| vector);
    let likeness: Vec<Likeness<'_>> =
        likeness.iter().map(|vector| Likeness { vector, labels: &[] }).collect();
    let request = Reranking { diversity: 0.8, likeness: &likeness, ..plain(&[3.0, 2.5, 1.9]) };
    assert_eq!(order(&rerank(&request)), [0, 2, 1]);
    let labels: [&[u64]; 3] = [&[7, 9], &[9, 7, 7], &[4]];
    let likeness = labels.map(|labels| Likeness { vector: &[], labels });
    let found = rerank(&Reranking { likeness: &likeness, ..request });
    assert_eq!(order(&found), [0, 2, 1]);
    assert_eq!(found.results[2].diversity, 0.0);
    assert_eq!(found.results[1].diversity, 0.8);
}

#[test]
fn likeness_is_between_nothing_and_the_same() {
    let labels = |labels| Likeness { vector: &[], labels };
    assert_eq!(labels(&[1, 2, 2]).with(&labels(&[2, 3])), 1.0 / 3.0);
    assert_eq!(labels(&[]).with(&labels(&[])), 0.0);
    let vector = |vector| Likeness { vector, labels: &[5] };
    assert_eq!(vector(&[0.6, 0.8]).with(&vector(&[-1.0, 0.0])), 0.0);
    assert_eq!(vector(&[1.5]).with(&vector(&[1.0])), 1.0);
    // Of different dimensions: labels count.
    assert_eq!(vector(&[1.0]).with(&vector(&[])), 1.0);
    assert_eq!(vector(&[f32::NAN]).with(&vector(&[1.0])), 0.0);
}

#[test]
fn ties_stay_in_order_and_nothing_is_lost_for_nothing() {
    let stock = [Some(1.0), Some(1.0), Some(9.0), Some(9.0)];
    let goals = [Goal { weight: 1.0, values: &stock }];
    let request =
        Reranking { goals: &goals, max_relevance_loss: 0.0, ..plain(&[2.0, 2.0, 2.0, 1.0]) };
    let found = rerank(&request);
    // Among equals the goal decides, however little it may cost.
    assert_eq!((order(&found), found.relevance_loss), (vec![2, 0, 1, 3], 0.0));
    assert_eq!(rerank(&plain(&[])).results, []);
}

#[test]
fn what_cannot_be_compared_counts_as_the_least() {
    let wild = [f64::INFINITY, f64::NAN, 5.0, f64::MAX, f64::MIN, f64::NEG_INFINITY];
    let found = rerank(&plain(&wild));
    assert_eq!(order(&found), [0, 1, 2, 3, 4, 5]);
    assert_eq!(found.relevance_loss, 0.0);
    let scaled: Vec<f64> = found.results.iter().map(|placed| placed.relevance).collect();
    assert_eq!(scaled, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

/// Numbers of all kinds.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -3.0..9.0f64,
        2 => (0..3u8).prop_map(f64::from),
        1 => prop_oneof![
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MAX),
            Just(f64::MIN),
            Just(-0.0),
        ],
    ]
}

proptest! {
    #[test]
    fn keeps_the_bound_and_the_results(
        mut scores in proptest::collection::vec(number(), 0..24),
        sorted: bool,
        values in proptest::collection::vec(
            proptest::collection::vec(proptest::option::of(number()), 0..24),
            3,
        ),
        weights in proptest::collection::vec(number(), 4),
        vectors in proptest::collection::vec(proptest::collection::vec(-1.0..1.0f32, 3), 0..24),
        labels in proptest::collection::vec(proptest::collection::vec(0..5u64, 0..4), 0..24),
        n in 0..30usize,
        bound in prop_oneof![Just(0.0), 0.0..0.3f64, number()],
    ) {
        if sorted {
            scores.sort_by(|left, right| right.total_cmp(left));
        }
        let goals: Vec<Goal<'_>> = values
            .iter()
            .zip(&weights)
            .map(|(values, &weight)| Goal { weight, values })
            .collect();
        let units: Vec<Vec<f32>> = vectors
            .iter()
            .map(|vector| {
                let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                vector.iter().map(|x| x / length).collect()
            })
            .collect();
        let likeness: Vec<Likeness<'_>> = (0..scores.len())
            .map(|at| Likeness {
                vector: units.get(at).map_or(&[], Vec::as_slice),
                labels: labels.get(at).map_or(&[], Vec::as_slice),
            })
            .collect();
        let request = Reranking {
            relevance: &scores,
            goals: &goals,
            diversity: weights[3],
            likeness: &likeness,
            n,
            max_relevance_loss: bound,
        };
        let found = rerank(&request);
        prop_assert!(found.relevance_loss >= 0.0);
        prop_assert!(found.relevance_loss <= bound.max(0.0));
        prop_assert_eq!(found.results.len(), n.min(scores.len()));
        let mut from = order(&found);
        from.sort_unstable();
        from.dedup();
        prop_assert_eq!(from.len(), found.results.len());
        prop_assert!(from.iter().all(|&from| from < scores.len()));
        for placed in &found.results {
            prop_assert_eq!(placed.goals.len(), 3);
            let parts = placed.goals.iter().chain([&placed.relevance, &placed.diversity]);
            prop_assert!(parts.copied().all(|part| part.is_finite() && part >= 0.0));
        }
        prop_assert_eq!(&rerank(&request), &found);
        // Without goals nothing moves.
        let still = rerank(&Reranking { goals: &[], diversity: 0.0, ..request });
        prop_assert!(order(&still).into_iter().eq(0..n.min(scores.len())));
        prop_assert_eq!(still.relevance_loss, 0.0);
    }
}
