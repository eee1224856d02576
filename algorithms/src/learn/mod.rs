//! What is fitted to observations, whatever is observed.

pub mod regression;
pub(crate) mod softmax;
