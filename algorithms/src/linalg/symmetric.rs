//! Inverses of large symmetric matrices, in place, on all threads.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, linalg::general_mat_mul, s};

use crate::control::{Cancelled, Control, work_off};

/// Columns that a thread updates at once.
const STRIP: usize = 512;
/// Multiply-adds of a matrix product that take as long as one of scattered sums.
const DENSE: u64 = 128;
/// A pivot of a matrix with ones on its diagonal is at least this, or the matrix is taken as one
/// that is this much further from singular.
pub(crate) const LEAST_PIVOT: f64 = 1e-10;

/// The lower triangle of a symmetric matrix in rows of blocks.
pub(crate) struct Symmetric {
    /// Each from column 0 to the end of its diagonal block, which is stored whole.
    rows: Vec<Array2<f64>>,
    order: usize,
    block: usize,
}

impl Symmetric {
    /// Zeros. `block` rows and columns make a block.
    pub(crate) fn zeros(order: usize, block: usize) -> Self {
        let mut rows = Vec::with_capacity(order.div_ceil(block));
        for start in (0..order).step_by(block) {
            let end = order.min(start + block);
            rows.push(Array2::zeros((end - start, end)));
        }
        Self { rows, order, block }
    }

    /// Rows of blocks with the first row of each.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = (usize, ArrayViewMut2<'_, f64>)> {
        (0..self.order).step_by(self.block).zip(self.rows.iter_mut().map(|row| row.view_mut()))
    }

    /// The entry at (`row`, `row`).
    pub(crate) fn diagonal(&self, row: usize) -> f64 {
        self.rows[row / self.block][[row % self.block, row]]
    }

    /// All rows at the columns of a block.
    pub(crate) fn panel(&self, block: usize) -> Array2<f64> {
        let start = block * self.block;
        let own = &self.rows[block];
        let end = start + own.nrows();
        let mut panel = Array2::zeros((self.order, own.nrows()));
        panel.slice_mut(s![..end, ..]).assign(&own.t());
        for (row, below) in (end..self.order).step_by(self.block).zip(&self.rows[block + 1..]) {
            let rows = row..row + below.nrows();
            panel.slice_mut(s![rows, ..]).assign(&below.slice(s![.., start..end]));
        }
        panel
    }

    /// Becomes its inverse with the opposite sign.
    ///
    /// The matrix is positive definite with ones on its diagonal. Sweeps one block after another
    /// (Goodnight 1979): order^3 flops, almost all of them in products of blocks. The same bits for
    /// any number of threads.
    pub(crate) fn sweep(&mut self, control: &dyn Control) -> Result<(), Cancelled> {
        let order = self.order;
        let work =
            |rows: usize, columns: usize, inner: usize| (rows * columns * inner) as u64 / DENSE;
        let whole: u64 =
            self.rows.iter().map(|row| work(row.nrows(), row.ncols(), self.block)).sum();
        control.begin(whole * self.rows.len() as u64);
        for block in 0..self.rows.len() {
            let start = block * self.block;
            let end = start + self.rows[block].nrows();
            let mut panel = self.panel(block);
            let mut pivot = panel.slice(s![start..end, ..]).to_owned();
            sweep_dense(pivot.view_mut());
            pivot.mapv_inplace(|entry| -entry);
            panel.slice_mut(s![start..end, ..]).fill(0.0);
            let mut scaled = Array2::zeros(panel.dim());
            let strips = scaled
                .axis_chunks_iter_mut(Axis(0), STRIP)
                .zip(panel.axis_chunks_iter(Axis(0), STRIP));
            work_off(
                strips.collect(),
                control,
                || (),
                |(), meter, (mut scaled, panel)| {
                    general_mat_mul(1.0, &panel, &pivot, 0.0, &mut scaled);
                    meter.add(work(panel.nrows(), panel.ncols(), panel.ncols()))
                },
            )?;
            let (panel, scaled) = (&panel, &scaled);
            let mut strips: Vec<Strip<'_>> = Vec::new();
            for (at, row) in self.rows.iter_mut().enumerate().rev().filter(|&(at, _)| at != block) {
                let first = at * self.block;
                let scaled = scaled.slice(s![first..first + row.nrows(), ..]);
                for (strip, target) in row.axis_chunks_iter_mut(Axis(1), STRIP).enumerate() {
                    let columns = strip * STRIP..strip * STRIP + target.ncols();
                    strips.push(Strip { target, scaled, panel: panel.slice(s![columns, ..]) });
                }
            }
            work_off(
                strips,
                control,
                || (),
                |(), meter, mut strip| {
                    general_mat_mul(-1.0, &strip.scaled, &strip.panel.t(), 1.0, &mut strip.target);
                    let work =
                        work(strip.target.nrows(), strip.target.ncols(), strip.panel.ncols());
                    meter.done(work);
                    meter.add(work)
                },
            )?;
            let own = &mut self.rows[block];
            own.slice_mut(s![.., ..start]).assign(&scaled.slice(s![..start, ..]).t());
            own.slice_mut(s![.., start..]).assign(&pivot);
            own.slice_mut(s![.., start..]).mapv_inplace(|entry| -entry);
            for (row, below) in (end..order).step_by(self.block).zip(&mut self.rows[block + 1..]) {
                let rows = row..row + below.nrows();
                below.slice_mut(s![.., start..end]).assign(&scaled.slice(s![rows, ..]));
            }
        }
        Ok(())
    }
}

/// Part of a row of blocks, and what it is updated with.
struct Strip<'a> {
    target: ArrayViewMut2<'a, f64>,
    scaled: ArrayView2<'a, f64>,
    panel: ArrayView2<'a, f64>,
}

/// Becomes its inverse with the opposite sign; as [`Symmetric::sweep`], one row after another.
fn sweep_dense(mut matrix: ArrayViewMut2<'_, f64>) {
    let order = matrix.nrows();
    let mut pivots = vec![0.0; order];
    for at in 0..order {
        let scale = 1.0 / matrix[[at, at]].max(LEAST_PIVOT);
        for (pivot, &entry) in pivots.iter_mut().zip(matrix.row(at)) {
            *pivot = entry;
        }
        for (row, mut entries) in matrix.rows_mut().into_iter().enumerate() {
            if row == at {
                entries.iter_mut().for_each(|entry| *entry *= scale);
                entries[at] = -scale;
                continue;
            }
            let factor = entries[at] * scale;
            for (entry, pivot) in entries.iter_mut().zip(&pivots) {
                *entry -= factor * pivot;
            }
            entries[at] = factor;
        }
    }
}
