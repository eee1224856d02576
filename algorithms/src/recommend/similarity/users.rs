//! The users of all parts as one list.

use super::weighing::Weighing;
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
    /// What this user's products are multiplied with.
    pub(super) scale: f32,
    /// How many of the columns are below the head's width.
    pub(super) head: u32,
}

/// All users, numbered through the parts in order.
pub(super) struct Users<'a> {
    pub(super) rows: Vec<User<'a>>,
    /// Parallel to `rows`, or empty when all values are 1.
    pub(super) values: Vec<&'a [f32]>,
    /// Whether all products are 1.
    pub(super) is_unit: bool,
}

impl<'a> Users<'a> {
    /// Users whose scale is 0 have no items here.
    pub(super) fn new(
        parts: &[Csr<'a>],
        weighing: &'a Weighing,
        head: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Cancelled> {
        let Weighing { scales, values: mapped, is_binary, ones } = weighing;
        let count = parts.iter().map(Csr::rows).sum();
        let is_weighted = !is_binary && (mapped.is_some() || parts.iter().any(Csr::is_weighted));
        let mut rows = Vec::with_capacity(count);
        let mut values = Vec::with_capacity(if is_weighted { count } else { 0 });
        let mut entry = 0;
        for part in parts {
            for row in 0..part.rows() {
                let columns = part.columns(row);
                let own = match mapped {
                    Some(mapped) => &mapped[entry..entry + columns.len()],
                    None if is_weighted => {
                        part.values(row).unwrap_or_else(|| &ones[..columns.len()])
                    }
                    None => &[],
                };
                entry += columns.len();
                let scale = scales.get(rows.len()).copied().unwrap_or(1.0);
                let kept = if scale > 0.0 { columns.len() } else { 0 };
                let columns = &columns[..kept];
                let head = columns.partition_point(|&column| (column as usize) < head) as u32;
                rows.push(User { columns, scale, head });
                if is_weighted {
                    values.push(&own[..kept]);
                }
                meter.add(8)?;
            }
        }
        Ok(Self { rows, values, is_unit: scales.is_empty() && !is_weighted })
    }

    pub(super) fn is_weighted(&self) -> bool {
        !self.values.is_empty()
    }

    /// Users of each item who say something.
    pub(super) fn degrees(&self, items: usize) -> Vec<u32> {
        let mut degrees = vec![0; items];
        for row in &self.rows {
            row.columns.iter().for_each(|&column| degrees[column as usize] += 1);
        }
        degrees
    }
}

/// Sum of a user's values.
pub(super) fn sum(columns: &[u32], values: Option<&[f32]>) -> f64 {
    values.map_or(columns.len() as f64, |values| values.iter().copied().map(f64::from).sum())
}
