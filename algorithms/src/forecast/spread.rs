//! A forecast: the mean of each day, and how far demand may lie from it.

use super::errors::ErrorTable;
use crate::stats::negative_binomial;

/// How far demand may lie from its mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// Demand lies from its mean as in the method's backtest.
    Errors(ErrorTable),
    /// Days are independent and negative binomial, of a variance of this times the mean; Poisson
    /// at 1. For series without enough errors.
    NegativeBinomial {
        /// Variance over mean, at least 1.
        variance_ratio: f64,
    },
}

/// Means and quantiles of the days ahead, of which 1 is the first. Never negative, never NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Mean of each day.
    pub path: Vec<f64>,
    /// Days after the path repeat its last `repeat` days.
    pub repeat: usize,
    /// How far demand may lie from the mean.
    pub spread: Spread,
}

impl Forecast {
    /// A forecast of `path`, in which what is negative or not finite counts as 0; `repeat` is cut
    /// to its length.
    #[must_use]
    pub fn new(mut path: Vec<f64>, repeat: usize, spread: Spread) -> Self {
        for mean in &mut path {
            *mean = if mean.is_finite() { mean.max(0.0) } else { 0.0 };
        }
        let repeat = repeat.clamp(1, path.len().max(1));
        Self { path, repeat, spread }
    }

    /// Mean of the day `day` days ahead; 0 counts as 1.
    #[must_use]
    pub fn mean(&self, day: usize) -> f64 {
        let index = day.saturating_sub(1);
        let length = self.path.len();
        let index = match index.checked_sub(length) {
            None => index,
            Some(beyond) => length.saturating_sub(self.repeat) + beyond % self.repeat.max(1),
        };
        self.path.get(index).copied().unwrap_or_default()
    }

    /// Mean of the sum of the first `days` days, of which the last may be a fraction.
    #[must_use]
    pub fn sum_mean(&self, days: f64) -> f64 {
        let (whole, fraction) = split(days);
        (1..=whole).map(|day| self.mean(day)).sum::<f64>() + fraction * self.mean(whole + 1)
    }

    /// Quantile of the demand of the day `day` days ahead.
    #[must_use]
    pub fn day_quantile(&self, day: usize, level: f64) -> f64 {
        let mean = self.mean(day);
        match &self.spread {
            Spread::Errors(errors) => (mean + errors.step_quantile(day.max(1), level)).max(0.0),
            Spread::NegativeBinomial { variance_ratio } => {
                negative_binomial::quantile(mean, *variance_ratio, level)
            }
        }
    }

    /// Quantile of the sum of the first `days` days; it never falls with `days` nor with `level`.
    ///
    /// Errors give it for whole days, where it is the largest so far, and a line between them.
    #[must_use]
    pub fn sum_quantile(&self, days: f64, level: f64) -> f64 {
        let errors = match &self.spread {
            Spread::NegativeBinomial { variance_ratio } => {
                let mean = self.sum_mean(days);
                return negative_binomial::quantile(mean, *variance_ratio, level);
            }
            Spread::Errors(errors) => errors,
        };
        let (whole, fraction) = split(days);
        let (mut mean, mut before, mut quantile) = (0.0, 0.0, 0.0_f64);
        for day in 1..=whole + usize::from(fraction > 0.0) {
            mean += self.mean(day);
            before = quantile;
            quantile = quantile.max(mean + errors.sum_quantile(day, level));
        }
        if fraction > 0.0 { before + fraction * (quantile - before) } else { quantile }
    }

    /// Standard deviation of the sum of the first `days` days.
    #[must_use]
    pub fn sum_deviation(&self, days: f64) -> f64 {
        match &self.spread {
            Spread::Errors(errors) => errors.sum_deviation(days.clamp(0.0, LONGEST)),
            Spread::NegativeBinomial { variance_ratio } => {
                (variance_ratio * self.sum_mean(days)).sqrt()
            }
        }
    }

    /// The forecast of a part of this demand, of which each unit belongs to it with probability
    /// `share`: means shrink by it, and the variance ratio goes to 1 + (ratio - 1) x share, as
    /// binomial thinning has it. The ratio of an error table is that of the sum of a week.
    #[must_use]
    pub fn thinned(&self, share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let ratio = match &self.spread {
            Spread::NegativeBinomial { variance_ratio } => *variance_ratio,
            Spread::Errors(errors) => {
                let mean = self.sum_mean(7.0);
                if mean > 0.0 { errors.sum_deviation(7.0).powi(2) / mean } else { 1.0 }
            }
        };
        let variance_ratio = 1.0 + (ratio - 1.0).max(0.0) * share;
        let path = self.path.iter().map(|mean| mean * share).collect();
        Self::new(path, self.repeat, Spread::NegativeBinomial { variance_ratio })
    }
}

/// Longest time that is looked ahead, in days.
const LONGEST: f64 = 36_500.0;

/// Whole days and the fraction of the next.
fn split(days: f64) -> (usize, f64) {
    let days = if days.is_nan() { 0.0 } else { days.clamp(0.0, LONGEST) };
    (days as usize, days.fract())
}
