//! Sparse non-negative regression of every item on the items near it.

use std::ops::Range;

use super::{
    local::{Solve, regress},
    problem::Problem,
};
use crate::{
    control::{Cancelled, Control},
    linalg::sparse::Csr,
    recommend::similarity::Neighbours,
};

/// Rounds of coordinate descent, at most.
const ROUNDS: usize = 1_000;
/// Ends when no weight has changed by more than this share of the greatest.
const TOLERANCE: f64 = 1e-7;

/// How sparse and how small the weights of [`slim`] are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlimSpec {
    /// Penalty on the sum of the weights; more makes them fewer.
    pub l1: f64,
    /// Penalty on half the sum of the squares of the weights.
    pub l2: f64,
    /// Items that a target is regressed on, at most.
    pub neighbourhood: usize,
}

/// SLIM (Ning and Karypis 2011): for each target `j` the weights `w >= 0` of the `neighbourhood`
/// items of greatest cosine that minimise `|x_j - X w|^2 / 2 + l2 |w|^2 / 2 + l1 sum w`.
///
/// scikit-learn's `ElasticNet(alpha, l1_ratio, positive=True, fit_intercept=False)` on `n` users is
/// `l1 = n alpha l1_ratio`, `l2 = n alpha (1 - l1_ratio)`. Arguments, determinism, errors and panics
/// are those of [`super::sparse_ease`].
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `users` have columns beyond `row_of_label`, or `sources` go beyond it.
pub fn slim(
    spec: &SlimSpec,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let net = ElasticNet { l1: spec.l1.max(0.0), l2: spec.l2.max(0.0) };
    regress(&net, spec.neighbourhood, users, row_of_label, sources, k, control)
}

struct ElasticNet {
    l1: f64,
    l2: f64,
}

impl Solve for ElasticNet {
    /// Solves by coordinate descent on the products.
    fn solve(&self, problem: &Problem, weights: &mut Vec<f64>) -> u64 {
        let items = problem.items();
        weights.clear();
        weights.resize(items, 0.0);
        // Products of the items with what the weights leave of the target.
        let mut left = problem.with_target().to_vec();
        let mut work = 0;
        for _ in 0..ROUNDS {
            let (mut greatest, mut change) = (0f64, 0f64);
            for item in 0..items {
                let square = problem.square(item);
                let old = weights[item];
                let new = ((left[item] + square * old - self.l1) / (square + self.l2)).max(0.0);
                greatest = greatest.max(new);
                if new != old {
                    change = change.max((new - old).abs());
                    weights[item] = new;
                    let products = problem.products(item);
                    for (left, product) in left.iter_mut().zip(products) {
                        *left -= (new - old) * product;
                    }
                    work += items / 4;
                }
            }
            work += items;
            if change <= TOLERANCE * greatest {
                break;
            }
        }
        work as u64
    }
}
