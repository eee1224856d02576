//! Experiments: who sees which arm, and what another policy would have earned.
//!
//! All that is accumulated is a handful of sums, so that shards can be merged in order. What can be
//! said of the arms afterwards is in [`stats`](crate::stats).

mod assignment;
mod off_policy;

pub use assignment::{arm, propensity, sample_ratio};
pub use off_policy::{Estimate, OffPolicy};
