//! Methods for demand that is 0 on most days.
//!
//! Croston, "Forecasting and stock control for intermittent demands" (1972); Syntetos and Boylan,
//! "The accuracy of intermittent demand estimates" (2005); Teunter, Syntetos and Babai,
//! "Intermittent demand: linking forecasting to inventory obsolescence" (2011).

use super::smoothing::Smoothed;

/// Smoothing parameter of sizes, intervals and probabilities.
pub(super) const ALPHA: f64 = 0.1;

/// Size and interval of demand, smoothed apart whenever there is demand. The first interval counts
/// the days up to and including the first demand.
#[derive(Clone, Debug)]
pub(super) struct Croston {
    size: Smoothed,
    interval: Smoothed,
    /// Observed days since the latest demand.
    since: f64,
    factor: f64,
}

impl Croston {
    /// Croston's method.
    pub(super) fn new(alpha: f64) -> Self {
        let (size, interval) = (Smoothed::new(alpha), Smoothed::new(alpha));
        Self { size, interval, since: 0.0, factor: 1.0 }
    }

    /// Corrected for its bias by 1 - alpha / 2.
    pub(super) fn unbiased(alpha: f64) -> Self {
        Self { factor: 1.0 - alpha / 2.0, ..Self::new(alpha) }
    }

    pub(super) fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.since += 1.0;
        if value > 0.0 {
            self.size.observe(value);
            self.interval.observe(self.since);
            self.since = 0.0;
        }
    }

    pub(super) fn level(&self) -> f64 {
        self.factor * self.size.level() / self.interval.level().max(1.0)
    }
}

/// Probability of demand, smoothed every day, and its size, smoothed when there is demand; falls
/// while there is none.
#[derive(Clone, Debug)]
pub(super) struct Tsb {
    size: Smoothed,
    probability: Smoothed,
}

impl Tsb {
    /// Smoothing parameters of size and of probability.
    pub(super) fn new(size: f64, probability: f64) -> Self {
        Self { size: Smoothed::new(size), probability: Smoothed::new(probability) }
    }

    pub(super) fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.probability.observe(f64::from(u8::from(value > 0.0)));
            if value > 0.0 {
                self.size.observe(value);
            }
        }
    }

    pub(super) fn level(&self) -> f64 {
        self.probability.level() * self.size.level()
    }
}
