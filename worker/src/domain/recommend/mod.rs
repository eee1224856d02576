//! What to recommend to whom.

mod stages;

#[cfg(test)]
pub(crate) use stages::tests as training;
pub(crate) use stages::{Factorization, STAGES, factor_spec};
