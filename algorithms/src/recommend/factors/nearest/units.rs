//! Rows of length 1, compared one by one.

use std::ops::Range;

use ndarray::ArrayView2;

use super::{
    super::{
        gramian::{multiply, view},
        matrix::FactorMatrix,
    },
    best::Best,
};
use crate::recommend::{
    control::{Cancelled, Control, work_off},
    similarity::Neighbours,
};

/// Sources that a thread compares at once.
const SOURCES: usize = 128;
/// Targets that it compares them with at once.
const TARGETS: usize = 512;

/// All rows, divided by their lengths.
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
                    normalise(factors.row(row), unit);
                }
                meter.add(rows.len() as u64)
            },
        )?;
        Ok(Self { dimensions, rows })
    }

    pub(super) fn nearest(
        &self,
        sources: Range<u32>,
        k: usize,
        control: &dyn Control,
    ) -> Result<Neighbours, Cancelled> {
        let count = self.rows.len() / self.dimensions;
        assert!(sources.end as usize <= count, "sources are rows");
        let mut lists = vec![Best::default(); sources.len()];
        let jobs = lists.chunks_mut(SOURCES).zip(sources.clone().step_by(SOURCES)).collect();
        let scratch = || vec![0f32; SOURCES * TARGETS];
        work_off(
            jobs,
            control,
            scratch,
            |cosines: &mut Vec<f32>, meter, (lists, first): (&mut [Best], u32)| {
                let left = self.view(first as usize, lists.len());
                lists.iter_mut().for_each(|list| *list = Best::new(k));
                for start in (0..count).step_by(TARGETS) {
                    let width = TARGETS.min(count - start);
                    let cosines = &mut cosines[..lists.len() * width];
                    multiply(left, self.view(start, width).t(), cosines);
                    for ((source, best), cosines) in
                        (first..).zip(&mut *lists).zip(cosines.chunks_exact(width))
                    {
                        for (target, &cosine) in (start as u32..).zip(cosines) {
                            if cosine >= best.bar() && cosine > 0.0 && target != source {
                                best.push(cosine, target);
                            }
                        }
                    }
                    meter.add((lists.len() * width * self.dimensions) as u64 / 16)?;
                }
                Ok(())
            },
        )?;
        let mut neighbours = Neighbours { offsets: vec![0], ..Neighbours::default() };
        lists.iter_mut().for_each(|best| best.finish(&mut neighbours));
        Ok(neighbours)
    }

    fn view(&self, first: usize, count: usize) -> ArrayView2<'_, f32> {
        let rows = &self.rows[first * self.dimensions..(first + count) * self.dimensions];
        view(rows, count, self.dimensions)
    }
}

/// Divides a row by its length; zeros where it has none.
fn normalise(row: &[f32], unit: &mut [f32]) {
    let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    if square > 0.0 && square.is_finite() {
        let scale = 1.0 / square.sqrt();
        for (unit, &value) in unit.iter_mut().zip(row) {
            *unit = (f64::from(value) * scale) as f32;
        }
    }
}
