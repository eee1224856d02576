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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_probability_have_parameters_of_their_own() {
        let series = [0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 4, 0, 0, 0, 1, 0, 0, 6, 0].map(f64::from);
        let mut model = Tsb::new(0.3, 0.05);
        let (mut size, mut probability) = (3.0, 0.0);
        for (day, value) in series.into_iter().enumerate() {
            model.observe(value);
            model.observe(f64::NAN);
            if day > 0 {
                probability += 0.05 * (f64::from(u8::from(value > 0.0)) - probability);
            }
            if value > 0.0 {
                size += 0.3 * (value - size);
            }
        }
        assert!((model.level() - size * probability).abs() < 1e-12);
        // As statsforecast has it.
        assert!((model.level() - 0.720_461_323_338_111_3).abs() < 1e-12);
    }
}
