//! The users of all parts as one list.

use super::Similarity;
use crate::{
    recommend::control::{Cancelled, Meter},
    sparse::Csr,
};

/// A user's items.
#[derive(Clone, Copy)]
// Never across two cache lines.
#[repr(align(32))]
pub(super) struct User<'a> {
    /// Labels, ascending.
    pub(super) columns: &'a [u32],
    /// What this user's products are multiplied with: 1 / d_u for P3, 1 for the cosine.
    pub(super) scale: f32,
    /// How many of the columns are below the head's width.
    pub(super) head: u32,
}

/// All users, numbered through the parts in order.
pub(super) struct Users<'a> {
    pub(super) rows: Vec<User<'a>>,
    /// Parallel to `rows`, or empty when all values are 1.
    pub(super) values: Vec<&'a [f32]>,
}

/// 1 for as many items as any user has.
pub(super) fn ones(parts: &[Csr<'_>]) -> Vec<f32> {
    let unweighted = parts.iter().filter(|part| !part.is_weighted());
    let rows = unweighted.flat_map(|part| (0..part.rows()).map(|row| part.columns(row).len()));
    let is_mixed = parts.iter().any(Csr::is_weighted);
    if is_mixed { vec![1.0; rows.max().unwrap_or_default()] } else { Vec::new() }
}

impl<'a> Users<'a> {
    /// `ones` stand in for the values of parts without, when other parts have some.
    pub(super) fn new(
        parts: &[Csr<'a>],
        ones: &'a [f32],
        similarity: Similarity,
        head: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Cancelled> {
        let count = parts.iter().map(Csr::rows).sum();
        let is_weighted = parts.iter().any(Csr::is_weighted);
        let mut rows = Vec::with_capacity(count);
        let mut values = Vec::with_capacity(if is_weighted { count } else { 0 });
        for part in parts {
            for row in 0..part.rows() {
                let columns = part.columns(row);
                let weights = part.values(row);
                let scale = match similarity {
                    Similarity::P3 => (1.0 / sum(columns, weights)) as f32,
                    Similarity::ItemCosine => 1.0,
                };
                let head = columns.partition_point(|&column| (column as usize) < head) as u32;
                rows.push(User { columns, scale, head });
                if is_weighted {
                    values.push(weights.unwrap_or_else(|| &ones[..columns.len()]));
                }
                meter.add(8 + weights.map_or(0, <[f32]>::len) as u64)?;
            }
        }
        Ok(Self { rows, values })
    }

    pub(super) fn is_weighted(&self) -> bool {
        !self.values.is_empty()
    }
}

/// Sum of a user's values.
pub(super) fn sum(columns: &[u32], values: Option<&[f32]>) -> f64 {
    values.map_or(columns.len() as f64, |values| values.iter().copied().map(f64::from).sum())
}
