//! A half-step: many small systems of equations by conjugate gradients.

use std::{cmp::Reverse, ops::Range};

use super::{FactorSpec, fixed::Fixed};
use crate::{
    control::{Cancelled, Control, Meter, work_off},
    linalg::{
        conjugate_gradients::{Row, Scratch},
        dense::{multiply, view},
        lanes::GROUP,
        sparse::Csr,
    },
};

/// Rows that are turned into the eigenvectors' basis and back at once.
const BLOCK: usize = 64;
/// What a factor may not exceed, so that sums of products of any of them are finite.
const LIMIT: f32 = 1e9;
/// What an element of the diagonal is at least, so that its inverse is finite.
const LEAST: f32 = 1e-30;

struct Job<'a> {
    rows: Range<usize>,
    solved: &'a mut [f32],
}

impl Fixed {
    /// Solves the rows of `matrix`, whose columns are the rows of this side, starting from
    /// `previous`; see [`half_step`](super::half_step), of which this is the larger part.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When the shapes of the arguments do not fit each other.
    pub fn solve(
        &self,
        spec: &FactorSpec,
        matrix: &Csr<'_>,
        previous: &[f32],
        control: &dyn Control,
    ) -> Result<Vec<f32>, Cancelled> {
        let dimensions = self.dimensions();
        assert_eq!(matrix.width(), self.rows(), "a row of the fixed side for each column");
        let length = matrix.rows() * dimensions;
        assert!(previous.is_empty() || previous.len() == length, "previous factors of the rows");
        control.begin(matrix.entries() as u64);
        let mut solved = vec![0f32; length];
        let blocks = solved.chunks_mut(BLOCK * dimensions).zip((0..).step_by(BLOCK));
        let mut jobs: Vec<Job<'_>> = blocks
            .map(|(solved, first)| Job { rows: first..first + solved.len() / dimensions, solved })
            .collect();
        // The largest first: no thread is left with one at the end.
        jobs.sort_by_cached_key(|job| {
            let entries: usize = job.rows.clone().map(|row| matrix.columns(row).len()).sum();
            Reverse(entries)
        });
        let block = || vec![0f32; BLOCK * self.stride];
        work_off(
            jobs,
            control,
            || (block(), block(), Scratch::new(self.stride)),
            |(own, turned, scratch), meter, job| {
                let length = job.rows.len() * self.stride;
                let (own, turned) = (&mut own[..length], &mut turned[..length]);
                own.fill(0.0);
                if !previous.is_empty() {
                    let previous =
                        &previous[job.rows.start * dimensions..job.rows.end * dimensions];
                    copy(previous, dimensions, own, self.stride);
                }
                self.turn(own, turned, false);
                for (row, factors) in job.rows.zip(turned.chunks_exact_mut(self.stride)) {
                    self.solve_row(spec, matrix, row, factors, scratch, meter)?;
                    meter.done(matrix.columns(row).len() as u64);
                }
                self.turn(turned, own, true);
                own.iter_mut().for_each(|factor| *factor = factor.clamp(-LIMIT, LIMIT));
                copy(own, self.stride, job.solved, dimensions);
                Ok(())
            },
        )?;
        Ok(solved)
    }

    /// Rows in the basis of the fixed side, or back in that of the factors.
    fn turn(&self, rows: &[f32], turned: &mut [f32], back: bool) {
        let Some(rotation) = &self.rotation else { return turned.copy_from_slice(rows) };
        let rotation = view(rotation, self.stride, self.stride);
        let rotation = if back { rotation.reversed_axes() } else { rotation };
        multiply(view(rows, rows.len() / self.stride, self.stride), rotation, turned);
    }

    /// Moves `factors` of a row of `matrix`, both in the basis of the fixed side.
    fn solve_row(
        &self,
        spec: &FactorSpec,
        matrix: &Csr<'_>,
        row: usize,
        factors: &mut [f32],
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        let columns = matrix.columns(row);
        if columns.is_empty() {
            factors.fill(0.0);
            return Ok(());
        }
        let values = matrix.values(row);
        // Dividing all equations by the greatest weight, or all targets by the greatest, keeps
        // squares within `f32` whatever the values are.
        let greatest = values.map_or(1.0, |values| values.iter().copied().fold(1.0, f32::max));
        let (equations, targets) = if spec.explicit { (1.0, greatest) } else { (greatest, 1.0) };
        let penalty = spec.penalty(columns.len(), self.rows());
        for (diagonal, shared) in scratch.diagonal.iter_mut().zip(&self.shared) {
            let sum = (shared + penalty) / f64::from(equations);
            *diagonal = (sum as f32).max(LEAST);
        }
        let padded = columns.len().next_multiple_of(GROUP);
        let Scratch { weights: own, targets: aims, .. } = scratch;
        own.clear();
        aims.clear();
        match values {
            None => {
                own.resize(columns.len(), 1.0);
                aims.resize(columns.len(), 1.0);
            }
            Some(values) => {
                own.extend(values.iter().map(|&value| spec.cell(value).0 / equations));
                let cells = own.iter().zip(values);
                aims.extend(cells.map(|(&weight, &value)| weight * (spec.cell(value).1 / targets)));
            }
        }
        own.resize(padded, 0.0);
        aims.resize(padded, 0.0);
        factors.iter_mut().for_each(|factor| *factor /= targets);
        let system = Row { fixed: &self.factors, stride: self.stride, columns };
        system.solve(spec.steps, factors, scratch, meter)?;
        factors.iter_mut().for_each(|factor| *factor *= targets);
        Ok(())
    }
}

/// Copies rows into longer or shorter ones.
fn copy(from: &[f32], from_length: usize, to: &mut [f32], to_length: usize) {
    let length = from_length.min(to_length);
    for (from, to) in from.chunks_exact(from_length).zip(to.chunks_exact_mut(to_length)) {
        to[..length].copy_from_slice(&from[..length]);
    }
}
