//! Scores of one shard's items for a profile, with their parts.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::postings::Postings;

/// A user's or session's items: rows ascending, weights never 0.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// Source rows.
    pub rows: &'a [u32],
    /// Parallel to `rows`.
    pub weights: &'a [f32],
}

/// An item of the shard with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Index among the shard's items.
    pub candidate: u32,
    /// Sum over the profile of weight times posting weight; may be below 0.
    pub score: f64,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    /// The better, the greater: by score, then by lower index.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.candidate.cmp(&self.candidate))
    }
}

/// Scores profiles; keeps its memory between calls.
#[derive(Debug, Default)]
pub struct Scorer {
    sums: Vec<f64>,
    is_touched: Vec<bool>,
    heap: BinaryHeap<Scored>,
}

impl Scorer {
    /// Scores every item that a posting of the profile names.
    ///
    /// Products are summed in profile order in f64, so that the score is the sum of
    /// [`explain`]'s parts to the bit.
    pub fn score(&mut self, postings: Postings<'_>, profile: Profile<'_>) -> Ranking<'_> {
        self.sums.resize(self.sums.len().max(postings.items()), 0.0);
        self.is_touched.resize(self.sums.len(), false);
        let mut touched = std::mem::take(&mut self.heap).into_vec();
        touched.clear();
        for (&source, &weight) in profile.rows.iter().zip(profile.weights) {
            let (candidates, weights) = postings.of(source);
            for (&candidate, &posting) in candidates.iter().zip(weights) {
                let at = candidate as usize;
                if !std::mem::replace(&mut self.is_touched[at], true) {
                    touched.push(Scored { candidate, score: 0.0 });
                }
                self.sums[at] += f64::from(weight) * f64::from(posting);
            }
        }
        for scored in &mut touched {
            let at = scored.candidate as usize;
            scored.score = std::mem::take(&mut self.sums[at]);
            self.is_touched[at] = false;
        }
        self.heap = touched.into();
        Ranking { heap: &mut self.heap }
    }
}

/// Scored items, best first, ties by lower index; each next one costs the logarithm of their number.
#[derive(Debug)]
pub struct Ranking<'a> {
    heap: &'a mut BinaryHeap<Scored>,
}

impl Iterator for Ranking<'_> {
    type Item = Scored;

    fn next(&mut self) -> Option<Scored> {
        self.heap.pop()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.heap.len(), Some(self.heap.len()))
    }
}

impl ExactSizeIterator for Ranking<'_> {}

/// What each item of the profile, in its order, adds to the score of `candidate`.
#[must_use]
pub fn explain(postings: Postings<'_>, profile: Profile<'_>, candidate: u32) -> Vec<f64> {
    let part = |(&source, &weight): (&u32, &f32)| {
        let (candidates, weights) = postings.of(source);
        let found = candidates.binary_search(&candidate);
        found.map_or(0.0, |at| f64::from(weight) * f64::from(weights[at]))
    };
    profile.rows.iter().zip(profile.weights).map(part).collect()
}

/// Parts that a reader is shown.
const REASONS: usize = 5;

/// The largest parts of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Reasons {
    /// (Index in the profile, part): the five largest by magnitude, ties in profile order, no 0.
    pub largest: Vec<(usize, f64)>,
    /// Sum of the rest; 0 when there is none.
    pub other: f64,
}

/// Splits the parts of a score into the five largest and the rest; together they add up to it.
#[must_use]
pub fn reasons(parts: &[f64]) -> Reasons {
    let mut largest: Vec<(usize, f64)> =
        parts.iter().copied().enumerate().filter(|&(_, part)| part != 0.0).collect();
    largest.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
    let mut rest = largest.split_off(largest.len().min(REASONS));
    rest.sort_unstable_by_key(|&(index, _)| index);
    // Not `sum`, whose neutral element is -0.
    let other = rest.iter().fold(0.0, |other, (_, part)| other + part);
    Reasons { largest, other }
}

#[cfg(test)]
mod tests {
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
                    let Reasons { largest, other } = reasons(&parts);
                    let sum = largest.iter().fold(other, |sum, (_, part)| sum + part);
                    prop_assert!((sum - scored.score).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_reader_sees_the_five_largest_parts() {
        let parts = [0.1, -0.6, 0.0, 0.2, 0.6, 0.3, -0.05, 0.2, 0.4];
        let expected = vec![(1, -0.6), (4, 0.6), (8, 0.4), (5, 0.3), (3, 0.2)];
        assert_eq!(reasons(&parts), Reasons { largest: expected, other: 0.1 - 0.05 + 0.2 });
        assert_eq!(reasons(&[0.0]), Reasons { largest: vec![], other: 0.0 });
    }
}
