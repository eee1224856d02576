use proptest::prelude::*;

use super::*;
use crate::recommend::postings::PostingsBuf;

const ITEMS: usize = 12;
const SOURCES: usize = 8;

/// Few distinct weights, so that scores tie and cancel out.
fn postings() -> impl Strategy<Value = PostingsBuf> {
    let weight = prop_oneof![Just(0.5f32), Just(0.25), 0.01f32..1.0];
    let row = proptest::collection::btree_map(0..ITEMS as u32, weight, 0..ITEMS);
    proptest::collection::vec(row, SOURCES).prop_map(|rows| {
        let (offsets, candidates, weights) = (vec![0], Vec::new(), Vec::new());
        let mut postings = PostingsBuf { offsets, candidates, weights, items: ITEMS };
        for row in rows {
            postings.candidates.extend(row.keys());
            postings.weights.extend(row.values());
            postings.offsets.push(postings.candidates.len() as u64);
        }
        postings
    })
}

fn profile() -> impl Strategy<Value = (Vec<u32>, Vec<f32>)> {
    let weight = prop_oneof![Just(1.0f32), Just(-1.0), 0.1f32..3.0];
    // Rows beyond the last source have no postings.
    proptest::collection::btree_map(0..SOURCES as u32 + 3, weight, 0..SOURCES)
        .prop_map(|profile| profile.into_iter().unzip())
}

proptest! {
    #[test]
    fn equals_plain_loops(
        first in (postings(), profile()),
        second in (postings(), profile()),
    ) {
        // The second round shows that the first leaves nothing behind.
        let mut scorer = Scorer::default();
        for (postings, (rows, weights)) in [first, second] {
            let view = postings.view().expect("sound postings");
            let profile = Profile { rows: &rows, weights: &weights };
            let mut expected: Vec<Scored> = Vec::new();
            for candidate in 0..ITEMS as u32 {
                let mut score = None;
                for (&row, &weight) in rows.iter().zip(&weights) {
                    let (candidates, values) = view.of(row);
                    for (&other, &value) in candidates.iter().zip(values) {
                        if other == candidate {
                            let part = f64::from(weight) * f64::from(value);
                            *score.get_or_insert(0.0) += part;
                        }
                    }
                }
                expected.extend(score.map(|score| Scored { candidate, score }));
            }
            expected.sort_by(|left, right| {
                right.score.total_cmp(&left.score).then(left.candidate.cmp(&right.candidate))
            });
            let ranking = scorer.score(view, profile);
            prop_assert_eq!(ranking.len(), expected.len());
            prop_assert_eq!(ranking.collect::<Vec<_>>(), expected.clone());
            for scored in expected {
                let parts = explain(view, profile, scored.candidate);
                prop_assert_eq!(parts.len(), rows.len());
                prop_assert_eq!(parts.iter().fold(0.0, |sum, part| sum + part), scored.score);
                let Reasons { largest, rest } = reasons(&parts);
                let sum: f64 = largest.iter().chain(&rest).map(|(_, part)| part).sum();
                prop_assert!((sum - scored.score).abs() < 1e-12);
            }
        }
    }
}

proptest! {
    #[test]
    fn sources_do_not_mix_before_they_are_mixed(
        calls in proptest::collection::vec(
            (proptest::collection::vec((postings(), profile()), 1..4), 0..ITEMS as u32, any::<bool>()),
            1..4,
        ),
    ) {
        let mut scorer = Scorer::default();
        for (sources, named, is_ranked) in calls {
            let count = sources.len() + 1;
            let mut scoring = scorer.begin(ITEMS, count);
            scoring.add_candidate(named);
            let mut expected = vec![vec![0.0; count]; ITEMS];
            let mut is_candidate = [false; ITEMS];
            is_candidate[named as usize] = true;
            for (index, (postings, (rows, weights))) in sources.iter().enumerate() {
                let view = postings.view().expect("sound postings");
                scoring.add_neighbours(index, view, Profile { rows, weights });
                // The shard's items are rows 2 to 13 of all.
                scoring.add_named(view, &[0, 5], 2);
                for (&row, &weight) in rows.iter().zip(weights) {
                    let (candidates, values) = view.of(row);
                    for (&candidate, &value) in candidates.iter().zip(values) {
                        expected[candidate as usize][index] += f64::from(weight) * f64::from(value);
                        is_candidate[candidate as usize] = true;
                    }
                }
                for &row in &[0, 5] {
                    view.of(row).0.iter().for_each(|&one| is_candidate[one as usize] = true);
                }
                is_candidate[5 - 2] = true;
            }
            scoring.score_candidates(count - 1, |candidate| -f64::from(candidate));
            if !is_ranked {
                continue;
            }
            for (candidate, scores) in (0..).zip(&mut expected) {
                scores[count - 1] = -f64::from(candidate);
            }
            // Each source has a factor of its own.
            let mix = |scores: &[f64]| scores.iter().fold(0.0, |sum, one| 3.0 * sum + one);
            let ranking = scoring.rank(|_, scores| mix(scores));
            let lowest = ranking.lowest();
            let found: Vec<Scored> = ranking.collect();
            let mut all: Vec<Scored> = (0..ITEMS as u32)
                .filter(|&candidate| is_candidate[candidate as usize])
                .map(|candidate| {
                    Scored { candidate, score: mix(&expected[candidate as usize]) }
                })
                .collect();
            all.sort_unstable_by(|left, right| right.cmp(left));
            prop_assert_eq!(found.last().map(|last| last.score), Some(lowest));
            prop_assert_eq!(found, all);
        }
    }
}

#[test]
fn a_reader_sees_the_five_largest_parts() {
    let parts = [0.1, -0.6, 0.0, 0.2, 0.6, 0.3, -0.05, 0.2, 0.4];
    let expected = vec![(1, -0.6), (4, 0.6), (8, 0.4), (5, 0.3), (3, 0.2)];
    assert_eq!(
        reasons(&parts),
        Reasons { largest: expected, rest: vec![(0, 0.1), (6, -0.05), (7, 0.2)] }
    );
    assert_eq!(reasons(&[0.0]), Reasons { largest: vec![], rest: vec![] });
}
