//! Item neighbourhoods: the k items nearest to each item, exactly.
//!
//! A neighbourhood is a row of `A'DA` for the user-item matrix `A`: for an item, walk the users who
//! have it in their order and add up their rows in one dense accumulator. Results are the same bits
//! for any number of threads, for any split of the sources over calls, and of the users into parts.

mod accumulator;
mod columns;
mod kernel;
mod measure;
mod prefetch;
mod shortlist;
mod statistics;
#[cfg(test)]
mod tests;
mod users;

use std::fmt;

use super::control::{Cancelled, Control};
use crate::sparse::Csr;
pub use statistics::{ItemStatistics, statistics};

/// How near two items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Similarity {
    /// Probability of walking from item to user to item: `1/d_i sum_u r_ui r_uj / d_u`, where `d`
    /// is a row's or column's sum.
    P3,
    /// Cosine of the items' columns, with their full norms.
    ItemCosine,
}

impl Similarity {
    /// All of them, by name.
    pub const ALL: [Self; 2] = [Self::ItemCosine, Self::P3];

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P3 => "p3",
            Self::ItemCosine => "item-cosine",
        }
    }

    /// The similarity of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|similarity| similarity.name() == name)
    }
}

impl fmt::Display for Similarity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The nearest items of some sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbours {
    /// Where each source's entries begin; one more than there are sources.
    pub offsets: Vec<u64>,
    /// Labels of the neighbours: per source by (weight descending, row ascending).
    pub targets: Vec<u32>,
    /// Parallel to `targets`, above 0.
    pub weights: Vec<f32>,
}

/// The at most `k` nearest items of each source, in the order of `sources`; never the item itself.
///
/// `users` are the parts of the matrix in order; their columns, `sources` and the targets are
/// labels. `row_of_label` breaks ties. `statistics` are those of `users`. Work is reported in
/// multiply-adds; memory is one accumulator a thread, the columns of the sources and the result.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `users`, `statistics` and `row_of_label` disagree on the items, when `sources` are not
/// distinct labels, or when there are more than `u32::MAX` users.
pub fn top_neighbours(
    similarity: Similarity,
    users: &[Csr<'_>],
    statistics: &ItemStatistics,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    kernel::top_neighbours(similarity, users, statistics, sources, row_of_label, k, control)
}
