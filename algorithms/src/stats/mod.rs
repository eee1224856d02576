//! Distributions, random numbers, and how sure what was observed is.
//!
//! Intervals are two-sided at a confidence such as 0.95.

pub mod bootstrap;
mod means;
pub(crate) mod negative_binomial;
pub mod normal;
pub(crate) mod random;
mod rates;
pub(crate) mod student;

pub use means::{Mean, mean_difference};
pub use rates::{Rate, rate_difference};

/// A value with what it is confident to lie in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Value that was observed.
    pub estimate: f64,
    /// Lower end, at most `estimate`.
    pub low: f64,
    /// Upper end, at least `estimate`.
    pub high: f64,
}

/// The level up to which a two-sided interval reaches.
pub(crate) fn level(confidence: f64) -> f64 {
    0.5 + confidence.clamp(0.0, 1.0) / 2.0
}

/// The standard normal quantile of that level.
pub(crate) fn reach(confidence: f64) -> f64 {
    normal::quantile(level(confidence))
}

/// The mean of values in their order, so that it is the same bits for any number of threads; 0 of
/// nothing.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
