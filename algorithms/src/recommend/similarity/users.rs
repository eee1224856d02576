//! The users of all parts as one list.

use super::weighing::Weighing;
use crate::{
    control::{Cancelled, Meter},
    linalg::{prefetch, sparse::Csr},
};

/// Where a user's items are.
#[derive(Clone, Copy)]
// Never across two cache lines.
#[repr(align(32))]
pub(super) struct User {
    start: usize,
    length: u32,
    /// How many of the items are below the head's width.
    pub(super) head: u32,
    /// What this user's products are multiplied with.
    pub(super) scale: f32,
}

/// All users, numbered through the parts in order, in memory of their own.
pub(super) struct Users {
    pub(super) rows: Vec<User>,
    /// Labels of all users' items, ascending for each.
    labels: Vec<u32>,
    /// Parallel to `labels`, or empty when all values are 1.
    values: Vec<f32>,
    /// All products are 1.
    pub(super) is_unit: bool,
}

impl Users {
    /// Users whose scale is 0 have no items here. What kernels use as indexes without a look at
    /// bounds is checked in the copy: a mapped file may have changed since it was.
    ///
    /// # Panics
    /// When a label is beyond the width of the parts.
    pub(super) fn new(
        parts: &[Csr<'_>],
        weighing: Weighing,
        head: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Cancelled> {
        let Weighing { scales, values: mapped, is_binary } = weighing;
        let count = parts.iter().map(Csr::rows).sum();
        let entries = parts.iter().map(Csr::entries).sum();
        let is_weighted = !is_binary && (mapped.is_some() || parts.iter().any(Csr::is_weighted));
        let mut rows = Vec::with_capacity(count);
        let mut labels = Vec::with_capacity(entries);
        let mut values = Vec::with_capacity(if is_weighted { entries } else { 0 });
        let mut entry = 0;
        for part in parts {
            for row in 0..part.rows() {
                let columns = part.columns(row);
                let own = entry..entry + columns.len();
                entry = own.end;
                let scale = scales.get(rows.len()).copied().unwrap_or(1.0);
                let start = labels.len();
                if scale > 0.0 {
                    labels.extend_from_slice(columns);
                    match (&mapped, part.values(row)) {
                        _ if !is_weighted => {}
                        (Some(mapped), _) => values.extend_from_slice(&mapped[own]),
                        (None, Some(plain)) => values.extend_from_slice(plain),
                        (None, None) => values.resize(labels.len(), 1.0),
                    }
                }
                let kept = &labels[start..];
                let width = part.width();
                assert!(kept.iter().all(|&label| (label as usize) < width), "labels have a column");
                let head = kept.partition_point(|&label| (label as usize) < head) as u32;
                rows.push(User { start, length: kept.len() as u32, head, scale });
                meter.add(8)?;
            }
        }
        Ok(Self { rows, labels, values, is_unit: scales.is_empty() && !is_weighted })
    }

    pub(super) fn is_weighted(&self) -> bool {
        !self.values.is_empty()
    }

    /// Labels of a user's items, ascending.
    #[inline(always)]
    pub(super) fn labels(&self, user: User) -> &[u32] {
        &self.labels[user.start..user.start + user.length as usize]
    }

    /// Values parallel to [`Self::labels`], or nothing when all are 1.
    #[inline(always)]
    pub(super) fn values(&self, user: User) -> Option<&[f32]> {
        let range = user.start..user.start + user.length as usize;
        self.is_weighted().then(|| &self.values[range])
    }

    /// Asks for some of the labels of a user, from place `from`.
    #[inline(always)]
    pub(super) fn look_ahead(&self, user: User, from: usize) {
        for line in (from..user.len().min(from + 64)).step_by(16) {
            prefetch(&self.labels, user.start + line);
        }
    }

    /// Users of each item who say something.
    pub(super) fn degrees(&self, items: usize) -> Vec<u32> {
        let mut degrees = vec![0; items];
        self.labels.iter().for_each(|&label| degrees[label as usize] += 1);
        degrees
    }
}

impl User {
    /// Number of items of the user.
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.length as usize
    }
}
