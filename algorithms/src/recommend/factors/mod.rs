//! Matrix factorization by alternating least squares.
//!
//! A user `u` and an item `i` are vectors of `d` numbers, and `u.i` is the score. With `S` the cells
//! of the matrix and `c` their values, implicit feedback (`ials`) minimises
//!
//! `sum_S c (1 - u.i)^2 + alpha0 sum_all (u.i)^2 + lambda (sum_u n_u |u|^2 + sum_i n_i |i|^2)`
//!
//! where `n_u = (entries of u + alpha0 items)^nu`, likewise of items (Hu, Koren and Volinsky 2008 in
//! the form of Rendle et al. 2021), and ratings (`als`)
//!
//! `sum_S (c - u.i)^2 + lambda (sum_u n_u |u|^2 + sum_i n_i |i|^2)`, `n_u = (entries of u)^nu`,
//!
//! which is ALS-WR with `nu = 1` (Zhou et al. 2008). A *half-step* holds one side still and moves
//! each row of the other side toward its minimum by a few steps of conjugate gradients from where
//! the row was. Every row is solved on its own, so results are the same bits for any number of
//! threads and any split of rows and factors over calls and parts.

mod fixed;
mod fold_in;
mod gramian;
mod loss;
mod matrix;
mod nearest;
mod solve;
mod start;
#[cfg(test)]
mod tests;
mod train;

pub use fixed::Fixed;
pub use fold_in::{contributions, fold_in};
pub use gramian::{Gramian, covariance, gramian};
pub use loss::loss;
pub use matrix::{FactorError, FactorMatrix};
pub use nearest::{Directions, nearest};
pub use start::start;
pub use train::{Factors, train};

use crate::{
    control::{Cancelled, Control},
    linalg::sparse::Csr,
};

/// Dimensions that are supported.
pub const DIMENSIONS: std::ops::RangeInclusive<usize> = 1..=512;

/// Settings of a factorization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactorSpec {
    /// Numbers of a vector, within [`DIMENSIONS`].
    pub dimensions: usize,
    /// Times that users and then items are solved.
    pub iterations: u32,
    /// Weight of a cell without interaction beside one with value 1: `alpha0`, at least 0. Ratings
    /// have none.
    pub unobserved_weight: f64,
    /// `lambda`, at least 0.
    pub regularization: f64,
    /// `nu`: 0 regularises all rows alike, 1 each by its frequency.
    pub frequency_exponent: f64,
    /// Steps of conjugate gradients in a half-step.
    pub steps: u32,
    /// Seed of the first factors.
    pub seed: u64,
    /// Whether values are ratings to be predicted rather than weights of what was chosen.
    pub explicit: bool,
}

impl FactorSpec {
    /// The weight of a cell without interaction.
    fn unobserved(&self) -> f64 {
        if self.explicit { 0.0 } else { self.unobserved_weight }
    }

    /// What multiplies the square of a row with so many entries, against so many rows.
    fn penalty(&self, entries: usize, others: usize) -> f64 {
        let frequency = entries as f64 + self.unobserved() * others as f64;
        self.regularization * frequency.powf(self.frequency_exponent)
    }

    /// Weight and target of a cell with this value.
    fn cell(&self, value: f32) -> (f32, f32) {
        if self.explicit { (1.0, value) } else { (value, 1.0) }
    }
}

/// Solves the rows of one side against the other, which stands still.
///
/// `matrix` has a row for each row that is solved; its columns are the rows of `fixed`. `previous`
/// are the factors of the same rows before, from which conjugate gradients start; none means zeros.
/// Returns their factors now. A row without entries becomes zeros, its exact minimum. What is
/// returned is finite whatever the weights. Work is reported in multiply-adds.
///
/// `gramian` is that of `fixed`. To solve many matrices against the same side, make a [`Fixed`]
/// once and use [`Fixed::solve`].
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When the shapes of the arguments do not fit each other.
pub fn half_step(
    spec: &FactorSpec,
    fixed: &FactorMatrix<'_>,
    gramian: &Gramian,
    matrix: &Csr<'_>,
    previous: &[f32],
    control: &dyn Control,
) -> Result<Vec<f32>, Cancelled> {
    Fixed::new(spec, fixed, gramian, control)?.solve(spec, matrix, previous, control)
}
