//! Items that are described alike: words, attributes, and embeddings that callers supply.
//!
//! Terms of each item ([`TermsBuf::push`], where the item is known) become one sparse matrix of all
//! terms and items ([`matrix()`]), and its columns' cosines the neighbourhoods ([`neighbours`]).

mod blend;
mod matrix;
mod terms;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::{
    factors::{FactorMatrix, nearest},
    popularity::inverse,
    similarity::{Neighbours, Similarity, SimilarityOptions, statistics, top_neighbours},
};
use crate::{
    control::{Cancelled, Control},
    linalg::sparse::{Columns, Csr},
};
use blend::Blend;
pub use matrix::matrix;
pub use terms::{ItemText, Terms, TermsBuf, TermsError};

/// What of the descriptions counts, and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContentSpec {
    /// Terms of fewer items say nothing.
    pub min_items: u32,
    /// Terms of more than this share of the described items say nothing.
    pub max_share: f64,
    /// What a term of an attribute, category level or brand weighs beside a word of as many items;
    /// 0 leaves them out.
    pub attribute_weight: f64,
    /// What embeddings weigh beside texts, 0 to 1, for items that have one.
    pub embedding_weight: f64,
}

impl Default for ContentSpec {
    fn default() -> Self {
        Self { min_items: 2, max_share: 0.2, attribute_weight: 2.0, embedding_weight: 0.5 }
    }
}

/// The at most `k` items most alike to each source, a row of `sources`, in their order; targets are
/// labels.
///
/// `terms` are the parts of [`matrix()`] in order; the weight is their cosine. `embeddings` are by
/// row, zeros where there is none. Where both items have one, a pair weighs
/// `(1 - e) text + e embedding`, the cosines of their terms and embeddings; the pairs looked at are
/// the `2 k` nearest by either. Others weigh what their texts say. A source's neighbours do not
/// depend on the other sources.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `terms` or `embeddings` and `row_of_label` disagree on the items, or `sources` go beyond
/// them.
pub fn neighbours(
    spec: &ContentSpec,
    terms: &[Csr<'_>],
    embeddings: Option<&FactorMatrix<'_>>,
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let statistics = statistics(terms, row_of_label.len(), control)?;
    let label_of_row = inverse(row_of_label);
    let labels = &label_of_row[sources.start as usize..sources.end as usize];
    let of_text = |k| {
        let cosine = Similarity::ItemCosine;
        let options = SimilarityOptions::default();
        top_neighbours(cosine, &options, terms, &statistics, labels, row_of_label, k, control)
    };
    match embeddings {
        Some(embeddings) if spec.embedding_weight > 0.0 => {
            let pool = k.saturating_mul(2);
            let of_text = of_text(pool)?;
            let of_embedding = nearest(embeddings, sources.clone(), pool, control)?;
            let blend = Blend {
                weight: spec.embedding_weight.min(1.0),
                columns: Columns::new(terms, row_of_label.len(), control)?,
                norms: &statistics.norm,
                embeddings,
                row_of_label,
                label_of_row: &label_of_row,
            };
            blend.neighbours(labels, &of_text, &of_embedding, k, control)
        }
        _ => of_text(k),
    }
}
