//! Statistics of experiments: who sees which arm, and what can be said of the arms afterwards.
//!
//! All that is accumulated is a handful of sums, so that shards can be merged in order; intervals
//! are two-sided at a confidence such as 0.95.

mod assignment;
mod means;
mod off_policy;
mod rates;

pub use assignment::{arm, propensity, sample_ratio};
pub use means::{Mean, mean_difference};
pub use off_policy::{Estimate, OffPolicy};
pub use rates::{Rate, rate_difference};

/// A value with what it is confident to lie in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// What was observed.
    pub estimate: f64,
    /// At most `estimate`.
    pub low: f64,
    /// At least `estimate`.
    pub high: f64,
}

/// The level up to which a two-sided interval reaches.
fn level(confidence: f64) -> f64 {
    0.5 + confidence.clamp(0.0, 1.0) / 2.0
}

/// The standard normal quantile of that level.
fn reach(confidence: f64) -> f64 {
    crate::normal::quantile(level(confidence))
}
