//! The rows whose directions are nearest.

mod best;
mod lists;
#[cfg(test)]
mod tests;
mod units;

use std::ops::Range;

use super::matrix::FactorMatrix;
use crate::{
    control::{Cancelled, Control},
    recommend::similarity::Neighbours,
};
use lists::Lists;
use units::Units;

/// Rows up to which all pairs are compared.
const EXACT: usize = 20_000;

/// Rows by their direction, ready to be asked which are nearest to which.
///
/// Rows are vectors of any origin: factors, or embeddings that callers supply. A row of zeros, or
/// with what is no finite number, is near to none. Up to 20,000 rows all pairs are compared; beyond,
/// a source is compared with all rows of the lists whose centres are nearest to it (an inverted
/// file: Sivic and Zisserman 2003), so its cosines are exact but some near rows may be missing. A
/// copy, as large as the rows.
#[derive(Debug)]
pub struct Directions(Method);

#[derive(Debug)]
enum Method {
    All(Units),
    Lists(Lists),
}

impl Directions {
    /// Directions of all rows of `factors`, under their numbers there. A function of these alone.
    ///
    /// # Errors
    /// When `control` says so.
    pub fn new(factors: &FactorMatrix<'_>, control: &dyn Control) -> Result<Self, Cancelled> {
        let units = Units::new(factors, control)?;
        Ok(Self(if units.count() <= EXACT {
            Method::All(units)
        } else {
            Method::Lists(Lists::new(&units, control)?)
        }))
    }

    /// The at most `k` other rows with the greatest cosine above 0 of each row of `sources`, by
    /// (cosine descending, row ascending). Targets are rows, not labels. A source's neighbours do
    /// not depend on which others are asked for.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When `sources` go beyond the rows.
    pub fn nearest(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let kept = match &self.0 {
            Method::All(units) => units.nearest(sources, k, control)?,
            Method::Lists(lists) => lists.nearest(sources, k, control)?,
        };
        Ok(best::collect(&kept))
    }
}

/// [`Directions::nearest`] of rows that are asked once.
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
    Directions::new(factors, control)?.nearest(sources, k, control)
}
