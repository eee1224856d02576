//! The rows whose directions are nearest.

mod best;
mod units;

use std::ops::Range;

use super::matrix::FactorMatrix;
use crate::recommend::{
    control::{Cancelled, Control},
    similarity::Neighbours,
};
use units::Units;

/// The at most `k` other rows with the greatest cosine above 0 of each row of `sources`, by (cosine
/// descending, row ascending). Targets are rows, not labels.
///
/// Rows are vectors of any origin: factors, or embeddings that callers supply. A row of zeros, or
/// with what is no finite number, is near to none. A source's neighbours do not depend on the other
/// sources.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `sources` go beyond the rows.
pub fn nearest(
    factors: &FactorMatrix<'_>,
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let units = Units::new(factors, control)?;
    units.nearest(sources, k, control)
}
