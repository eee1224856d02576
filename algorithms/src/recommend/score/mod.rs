//! Scores of one shard's items, by one source or by several at once, and the parts of a score.

use std::{cmp::Ordering, collections::BinaryHeap};

mod explain;
mod product;
mod scoring;
#[cfg(test)]
mod tests;

pub use explain::{Reasons, explain, reasons};
pub use product::product;
pub use scoring::{Scorer, Scoring};

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
    /// Where one neighbourhood scores, the sum over the profile of weight times posting weight,
    /// else what several sources were mixed to; may be below 0.
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

/// Scored items, best first, ties by lower index; each next one costs the logarithm of their number.
#[derive(Debug)]
pub struct Ranking<'a> {
    heap: &'a mut BinaryHeap<Scored>,
    lowest: f64,
}

impl Ranking<'_> {
    /// The lowest score of all; infinite when there is none.
    #[must_use]
    pub fn lowest(&self) -> f64 {
        self.lowest
    }
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
