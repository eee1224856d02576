//! Ridge regression of every item on the items near it.

use std::ops::Range;

use super::{
    local::{Solve, regress},
    problem::Problem,
};
use crate::{
    control::{Cancelled, Control},
    linalg::{sparse::Csr, symmetric::LEAST_PIVOT},
    recommend::similarity::Neighbours,
};

/// What makes [`super::ease`] local.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseEaseSpec {
    /// Regularization, as for [`super::ease`].
    pub regularization: f64,
    /// Items that a target is regressed on, at most.
    pub neighbourhood: usize,
}

/// EASE for large catalogues, after Steck 2019 (Markov random fields for collaborative filtering):
/// the inverse of the products is taken for each target among its neighbourhood alone.
///
/// `B_ij = -P_ij / P_jj` with `P` the inverse for `j` and the `neighbourhood` items of greatest
/// cosine with it, which is the ridge regression of `j` on them. With a neighbourhood of all items it
/// equals [`super::ease`]. `users` are the parts of `X` in order, their columns and the targets are
/// labels; of each source, a row of `sources`, the `k` weights of greatest magnitude. The results of
/// a source do not depend on the other sources, yet finding them solves the problems of all targets
/// that have it in their neighbourhoods, so ask for many at once. The same bits for any number of
/// threads and any split of the users.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `users` have columns beyond `row_of_label`, or `sources` go beyond it.
pub fn sparse_ease(
    spec: &SparseEaseSpec,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let ridge = Ridge { regularization: spec.regularization.max(0.0) };
    regress(&ridge, spec.neighbourhood, users, row_of_label, sources, k, control)
}

struct Ridge {
    regularization: f64,
}

impl Solve for Ridge {
    /// Solves by the factors `L D L'` of the products in units of their diagonal.
    fn solve(&self, problem: &Problem, weights: &mut Vec<f64>) -> u64 {
        let items = problem.items();
        let scale = |square: f64| {
            let square = square + self.regularization;
            if square > 0.0 { 1.0 / square.sqrt() } else { 1.0 }
        };
        let scales: Vec<f64> = (0..items).map(|item| scale(problem.square(item))).collect();
        let target = scale(problem.target_square());
        // Row after row of `L`, below the diagonal, and 1 / D on it.
        let mut factors = vec![0.0; items * items];
        weights.clear();
        let mut scaled = vec![0.0; items];
        for at in 0..items {
            let (above, row) = factors.split_at_mut(at * items);
            let mut pivot = 1.0;
            for column in 0..at {
                let other = &above[column * items..][..=column];
                let entry = problem.products(at)[column] * scales[at] * scales[column];
                scaled[column] = entry - product(&scaled[..column], &other[..column]);
                row[column] = scaled[column] * other[column];
                pivot -= scaled[column] * row[column];
            }
            row[at] = 1.0 / pivot.max(LEAST_PIVOT);
            let entry = problem.with_target()[at] * scales[at] * target;
            weights.push(entry - product(weights, &row[..at]));
        }
        for at in (0..items).rev() {
            weights[at] *= factors[at * items + at];
            for below in at + 1..items {
                weights[at] -= factors[below * items + at] * weights[below];
            }
        }
        for (weight, scale) in weights.iter_mut().zip(&scales) {
            *weight *= scale / target;
        }
        (items * items * items / 6) as u64
    }
}

/// Dot product in four sums, so that they run side by side.
fn product(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    for (left, right) in left.chunks(4).zip(right.chunks(4)) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    sums.iter().sum()
}
