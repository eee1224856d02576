//! What a score consists of.

use super::Profile;
use crate::recommend::postings::Postings;

/// What each item of the profile, in its order, adds to the score of `candidate`.
#[must_use]
pub fn explain(postings: Postings<'_>, profile: Profile<'_>, candidate: u32) -> Vec<f64> {
    let mut parts = Vec::with_capacity(profile.rows.len());
    for (&source, &weight) in profile.rows.iter().zip(profile.weights) {
        let (candidates, weights) = postings.of(source);
        let found = candidates.binary_search(&candidate);
        parts.push(found.map_or(0.0, |at| f64::from(weight) * f64::from(weights[at])));
    }
    parts
}

/// Parts that a reader is shown.
const REASONS: usize = 5;

/// The largest parts of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Reasons {
    /// (Index in the profile, part): the five largest by magnitude, ties in profile order, no 0.
    pub largest: Vec<(usize, f64)>,
    /// Contributions of the others in profile order, no 0.
    pub rest: Vec<(usize, f64)>,
}

/// Splits the parts of a score into the five largest and the rest.
#[must_use]
pub fn reasons(parts: &[f64]) -> Reasons {
    let mut largest: Vec<(usize, f64)> =
        parts.iter().copied().enumerate().filter(|&(_, part)| part != 0.0).collect();
    largest.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
    let mut rest = largest.split_off(largest.len().min(REASONS));
    rest.sort_unstable_by_key(|&(index, _)| index);
    Reasons { largest, rest }
}
