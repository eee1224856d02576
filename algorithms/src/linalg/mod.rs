//! Matrices, sparse and dense: products, decompositions, inverses and systems of equations.

pub(crate) mod aligned;
pub(crate) mod cholesky;
pub(crate) mod conjugate_gradients;
pub(crate) mod dense;
pub(crate) mod eigen;
pub(crate) mod lanes;
mod prefetch;
pub mod sparse;
pub(crate) mod symmetric;

pub(crate) use prefetch::prefetch;
