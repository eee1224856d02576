//! Neighbourhoods regrouped by where the neighbour lives: what a shard scans to score its items.

use std::ops::Range;

use thiserror::Error;

use super::similarity::Neighbours;
use crate::control::{Cancelled, Control, Meter};

/// Why arrays are not postings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PostingsError {
    /// `offsets` is empty, does not start with 0, falls, or does not end at the number of entries.
    #[error("offsets do not cover the entries at source {source_row}")]
    Offsets {
        /// The first source that is wrong.
        source_row: usize,
    },
    /// There are not as many weights as candidates.
    #[error("{weights} weights for {candidates} candidates")]
    Length {
        /// Entries of `candidates`.
        candidates: usize,
        /// Entries of `weights`.
        weights: usize,
    },
    /// A candidate lies beyond the shard's items.
    #[error("entry {index} names an item that the shard does not have")]
    Candidate {
        /// Index into `candidates`.
        index: usize,
    },
}

/// Candidates of one shard with their weights, by source row, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Postings<'a> {
    offsets: &'a [u64],
    candidates: &'a [u32],
    weights: &'a [f32],
    items: usize,
}

impl<'a> Postings<'a> {
    /// Checks and wraps: `offsets` has one entry more than there are source rows; `candidates` are
    /// indexes into the shard's `items` items.
    ///
    /// # Errors
    /// Says which array is wrong, and where.
    pub fn new(
        offsets: &'a [u64],
        candidates: &'a [u32],
        weights: &'a [f32],
        items: usize,
    ) -> Result<Self, PostingsError> {
        let ends = [offsets.first().copied(), offsets.last().copied()];
        if ends != [Some(0), Some(candidates.len() as u64)] {
            return Err(PostingsError::Offsets { source_row: 0 });
        }
        if let Some(source_row) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(PostingsError::Offsets { source_row });
        }
        if candidates.len() != weights.len() {
            let (candidates, weights) = (candidates.len(), weights.len());
            return Err(PostingsError::Length { candidates, weights });
        }
        if let Some(index) = candidates.iter().position(|&item| item as usize >= items) {
            return Err(PostingsError::Candidate { index });
        }
        Ok(Self { offsets, candidates, weights, items })
    }

    /// Wraps arrays that [`Postings::new`] has accepted before, without reading them again. Any
    /// others give wrong scores or a panic later.
    #[must_use]
    pub fn verified(
        offsets: &'a [u64],
        candidates: &'a [u32],
        weights: &'a [f32],
        items: usize,
    ) -> Self {
        Self { offsets, candidates, weights, items }
    }

    /// Number of source rows.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of the shard's items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// Candidates of a source, ascending, with their weights; nothing beyond the last source.
    #[must_use]
    pub fn of(&self, source: u32) -> (&'a [u32], &'a [f32]) {
        let source = source as usize;
        if source >= self.sources() {
            return (&[], &[]);
        }
        let range = self.offsets[source] as usize..self.offsets[source + 1] as usize;
        (&self.candidates[range.clone()], &self.weights[range])
    }
}

/// Owned postings of one shard.
#[derive(Clone, Debug, PartialEq)]
pub struct PostingsBuf {
    /// Where the candidates of each source row begin; one entry more than there are sources.
    pub offsets: Vec<u64>,
    /// Index of the candidate among the shard's items.
    pub candidates: Vec<u32>,
    /// Parallel to `candidates`.
    pub weights: Vec<f32>,
    /// Number of the shard's items.
    pub items: usize,
}

impl PostingsBuf {
    /// Borrows.
    ///
    /// # Errors
    /// As [`Postings::new`].
    pub fn view(&self) -> Result<Postings<'_>, PostingsError> {
        Postings::new(&self.offsets, &self.candidates, &self.weights, self.items)
    }
}

/// Neighbours of a run of source rows, borrowed from [`Neighbours`] or a mapped file.
#[derive(Clone, Copy, Debug)]
pub struct NeighbourRows<'a> {
    /// Where each source's entries begin; one more than there are sources.
    pub offsets: &'a [u64],
    /// Labels of the neighbours.
    pub targets: &'a [u32],
    /// Parallel to `targets`.
    pub weights: &'a [f32],
}

impl<'a> From<&'a Neighbours> for NeighbourRows<'a> {
    fn from(neighbours: &'a Neighbours) -> Self {
        let Neighbours { offsets, targets, weights } = neighbours;
        Self { offsets, targets, weights }
    }
}

/// Keeps the neighbours whose rows lie in `shard`, by source row: `parts` hold the sources of all
/// shards, in row order.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When a part's offsets do not cover its entries or a target has no row.
pub fn regroup(
    parts: &[NeighbourRows<'_>],
    row_of_label: &[u32],
    shard: Range<u32>,
    control: &dyn Control,
) -> Result<PostingsBuf, Cancelled> {
    let mut meter = Meter::new(control);
    control.begin(parts.iter().map(|part| part.targets.len() as u64).sum());
    let mut postings = PostingsBuf {
        offsets: vec![0],
        candidates: Vec::new(),
        weights: Vec::new(),
        items: shard.len(),
    };
    let mut kept = Vec::new();
    for part in parts {
        for bounds in part.offsets.windows(2) {
            let entries = bounds[0] as usize..bounds[1] as usize;
            let work = entries.len() as u64;
            let targets = &part.targets[entries.clone()];
            kept.extend(targets.iter().zip(&part.weights[entries]).filter_map(
                |(&label, &weight)| {
                    let row = row_of_label[label as usize];
                    shard.contains(&row).then(|| (row - shard.start, weight))
                },
            ));
            kept.sort_unstable_by_key(|&(candidate, _)| candidate);
            postings.candidates.extend(kept.iter().map(|&(candidate, _)| candidate));
            postings.weights.extend(kept.drain(..).map(|(_, weight)| weight));
            postings.offsets.push(postings.candidates.len() as u64);
            meter.done(work);
            meter.add(1 + work)?;
        }
    }
    meter.report();
    Ok(postings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Unattended;

    #[test]
    fn every_neighbour_lands_in_its_shard_at_its_source() {
        // Labels 0..5 have rows 3, 0, 4, 1, 2; rows 0 and 1 are in the first part.
        let row_of_label = [3, 0, 4, 1, 2];
        let first = Neighbours {
            offsets: vec![0, 3, 3],
            targets: vec![2, 4, 3],
            weights: vec![0.9, 0.8, 0.7],
        };
        let second = Neighbours {
            offsets: vec![0, 1, 1, 3],
            targets: vec![0, 1, 0],
            weights: vec![0.6, 0.5, 0.4],
        };
        let parts = [NeighbourRows::from(&first), NeighbourRows::from(&second)];
        let shard = |range| regroup(&parts, &row_of_label, range, &Unattended);
        let low = PostingsBuf {
            offsets: vec![0, 1, 1, 1, 1, 2],
            candidates: vec![1, 0],
            weights: vec![0.7, 0.5],
            items: 2,
        };
        assert_eq!(shard(0..2), Ok(low));
        let high = PostingsBuf {
            offsets: vec![0, 2, 2, 3, 3, 4],
            candidates: vec![0, 2, 1, 1],
            weights: vec![0.8, 0.9, 0.6, 0.4],
            items: 3,
        };
        assert_eq!(shard(2..5), Ok(high.clone()));
        let view = high.view().expect("sound postings");
        assert_eq!(view.of(0), (&[0, 2][..], &[0.8, 0.9][..]));
        assert_eq!(view.of(5), (&[][..], &[][..]));
    }

    #[test]
    fn refuses_what_scoring_relies_on() {
        let check = |offsets: &[u64], candidates: &[u32], weights: &[f32]| {
            Postings::new(offsets, candidates, weights, 3).map(|_| ())
        };
        assert_eq!(check(&[0, 2], &[0, 2], &[0.5, 0.5]), Ok(()));
        let wrong = |source_row| Err(PostingsError::Offsets { source_row });
        assert_eq!(check(&[], &[], &[]), wrong(0));
        assert_eq!(check(&[0, 1], &[0, 2], &[0.5, 0.5]), wrong(0));
        assert_eq!(check(&[0, 3, 2], &[0, 2], &[0.5, 0.5]), wrong(1));
        let length = PostingsError::Length { candidates: 2, weights: 1 };
        assert_eq!(check(&[0, 2], &[0, 2], &[0.5]), Err(length));
        let candidate = Err(PostingsError::Candidate { index: 1 });
        assert_eq!(check(&[0, 2], &[0, 3], &[0.5, 0.5]), candidate);
    }
}
