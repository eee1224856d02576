//! Item neighbourhoods: the k items nearest to each item, exactly.
//!
//! A neighbourhood is a row of `A'DA` for the user-item matrix `A`: for an item, walk the users who
//! have it in their order and add up their rows in one dense accumulator. Results are the same bits
//! for any number of threads, for any split of the sources over calls, and of the users into parts.

mod accumulator;
mod columns;
mod counted;
mod kernel;
mod matrix;
mod measure;
mod shortlist;
mod statistics;
#[cfg(test)]
mod tests;
mod users;
mod weighing;

use std::fmt;

use crate::{
    control::{Cancelled, Control},
    linalg::sparse::Csr,
};
pub use matrix::SimilarityMatrix;
pub use statistics::{ItemStatistics, statistics};

/// How near two items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Similarity {
    /// Probability of walking from item to user to item: `1/d_i sum_u r_ui r_uj / d_u`, where `d`
    /// is a row's or column's sum.
    P3,
    /// [`Self::P3`] with exponents, divided by `d_j^beta` (Paudel et al. 2017).
    Rp3Beta,
    /// Cosine of the items' columns, with their full norms.
    ItemCosine,
    /// Cosine of values less the mean of their user, with full norms (after Sarwar et al. 2001).
    AdjustedCosine,
    /// Cosine of values less the mean of their item, with full norms.
    Pearson,
    /// Common users / users of either.
    Jaccard,
    /// Log-likelihood ratio of the counts (Dunning 1993), where the association is positive.
    Llr,
    /// Cosine of `sqrt(r)` times the inverse document frequency, items being documents and users
    /// terms.
    TfIdf,
    /// Product of BM25 weights (Robertson), not normalised; documents and terms as above.
    Bm25,
    /// Product divided by `|i|^(2a) |j|^(2 - 2a)` (Aiolli 2013); the cosine at `a = 1/2`.
    AsymmetricCosine,
}

/// What some similarities depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarityOptions {
    /// Multiplies every weight by `n / (n + shrinkage)` for `n` common users; 0 or more.
    pub shrinkage: f64,
    /// Exponent of the transition probabilities of P3 and RP3beta, above 0.
    pub alpha: f64,
    /// Exponent of the target's sum in RP3beta, 0 or more.
    pub beta: f64,
    /// Exponent of the source's degree in the asymmetric cosine, 0 to 1.
    pub asymmetry: f64,
    /// How soon a value saturates in BM25, above 0.
    pub bm25_k1: f64,
    /// How much the length of an item counts in BM25, 0 to 1.
    pub bm25_b: f64,
}

impl Default for SimilarityOptions {
    fn default() -> Self {
        let (shrinkage, alpha, beta, asymmetry) = (0.0, 1.0, 0.4, 0.3);
        Self { shrinkage, alpha, beta, asymmetry, bm25_k1: 1.2, bm25_b: 0.75 }
    }
}

impl Similarity {
    /// All of them, by name.
    pub const ALL: [Self; 10] = [
        Self::AdjustedCosine,
        Self::AsymmetricCosine,
        Self::Bm25,
        Self::ItemCosine,
        Self::Jaccard,
        Self::Llr,
        Self::Pearson,
        Self::TfIdf,
        Self::P3,
        Self::Rp3Beta,
    ];

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P3 => "p3",
            Self::Rp3Beta => "rp3beta",
            Self::ItemCosine => "item-cosine",
            Self::AdjustedCosine => "item-adjusted-cosine",
            Self::Pearson => "item-pearson",
            Self::Jaccard => "item-jaccard",
            Self::Llr => "item-llr",
            Self::TfIdf => "item-tfidf",
            Self::Bm25 => "item-bm25",
            Self::AsymmetricCosine => "item-asymmetric-cosine",
        }
    }

    /// Whether it needs the number of common users, or its products have signs.
    fn is_counted(self) -> bool {
        matches!(self, Self::AdjustedCosine | Self::Pearson | Self::Jaccard | Self::Llr)
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

/// [`SimilarityMatrix::nearest`] of a matrix that is asked once.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// As [`SimilarityMatrix::new`], and when a source is no label.
#[expect(clippy::too_many_arguments, reason = "what a neighbourhood depends on")]
pub fn top_neighbours(
    similarity: Similarity,
    options: &SimilarityOptions,
    users: &[Csr<'_>],
    statistics: &ItemStatistics,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let statistics = statistics.clone();
    SimilarityMatrix::new(similarity, options, users, statistics, row_of_label, control)?
        .nearest(sources, k, control)
}
