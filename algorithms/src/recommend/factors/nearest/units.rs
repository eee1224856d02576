//! Rows of length 1, and all pairs of them.

use std::ops::Range;

use ndarray::ArrayView2;

use super::{
    super::matrix::FactorMatrix,
    best::{Best, Kept},
};
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::dense::{multiply, view},
};

/// Sources that a thread compares at once.
pub(super) const SOURCES: usize = 128;
/// Targets that it compares them with at once.
pub(super) const TARGETS: usize = 512;

/// Rows divided by their lengths; zeros where they have none.
#[derive(Debug)]
pub(super) struct Units {
    dimensions: usize,
    rows: Vec<f32>,
}

impl Units {
    pub(super) fn new(
        factors: &FactorMatrix<'_>,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let dimensions = factors.dimensions();
        let mut rows = vec![0f32; factors.rows() * dimensions];
        let jobs = rows.chunks_mut(1024 * dimensions).zip((0..).step_by(1024)).collect();
        work_off(
            jobs,
            control,
            || (),
            |(), meter, (rows, first): (&mut [f32], usize)| {
                for (row, unit) in (first..).zip(rows.chunks_exact_mut(dimensions)) {
                    unit.copy_from_slice(factors.row(row));
                    normalise(unit);
                }
                meter.add(rows.len() as u64)
            },
        )?;
        Ok(Self { dimensions, rows })
    }

    /// Some of these rows, in this order.
    pub(super) fn select(&self, rows: &[u32]) -> Self {
        let mut selected = Vec::with_capacity(rows.len() * self.dimensions);
        rows.iter().for_each(|&row| selected.extend_from_slice(self.row(row as usize)));
        Self { dimensions: self.dimensions, rows: selected }
    }

    /// Rows of another origin, of any length.
    pub(super) fn of(dimensions: usize, mut rows: Vec<f32>) -> Self {
        rows.chunks_exact_mut(dimensions).for_each(normalise);
        Self { dimensions, rows }
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn count(&self) -> usize {
        self.rows.len() / self.dimensions
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.dimensions..(row + 1) * self.dimensions]
    }

    pub(super) fn view(&self, rows: Range<usize>) -> ArrayView2<'_, f32> {
        let values = &self.rows[rows.start * self.dimensions..rows.end * self.dimensions];
        view(values, rows.len(), self.dimensions)
    }

    /// The `k` nearest of each source among all rows.
    pub(super) fn nearest(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Vec<Kept>, Cancelled> {
        let count = self.count();
        assert!(sources.end as usize <= count, "sources are rows");
        control.begin(sources.len() as u64);
        let mut kept = vec![Kept::default(); sources.len()];
        let jobs = kept.chunks_mut(SOURCES).zip(sources.step_by(SOURCES)).collect();
        work_off(
            jobs,
            control,
            || (vec![0f32; SOURCES * TARGETS], Vec::new()),
            |(cosines, best), meter, (kept, first): (&mut [Kept], u32)| {
                best.resize_with(SOURCES, || Best::new(k));
                let left = self.view(first as usize..first as usize + kept.len());
                for start in (0..count).step_by(TARGETS) {
                    let end = count.min(start + TARGETS);
                    let cosines = &mut cosines[..kept.len() * (end - start)];
                    multiply(left, self.view(start..end).t(), cosines);
                    let rows = cosines.chunks_exact(end - start);
                    for ((source, best), cosines) in (first..).zip(&mut *best).zip(rows) {
                        best.offer(source, cosines, |at| (start + at) as u32);
                    }
                    meter.add((cosines.len() * self.dimensions) as u64 / 16)?;
                }
                meter.done(kept.len() as u64);
                kept.iter_mut().zip(best).for_each(|(kept, best)| *kept = best.take());
                Ok(())
            },
        )?;
        Ok(kept)
    }
}

/// Divides a row by its length; zeros where it has none.
fn normalise(row: &mut [f32]) {
    let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let scale = 1.0 / square.sqrt();
    if scale > 0.0 && scale.is_finite() {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    } else {
        row.fill(0.0);
    }
}
