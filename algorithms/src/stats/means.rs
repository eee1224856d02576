//! Means of rewards that are amounts, such as revenue.

use super::{Interval, level, student};

/// Sums over independent observations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Number of observations.
    pub count: u64,
    /// Sum of the observations.
    pub sum: f64,
    /// Sum of the squares of the observations.
    pub squares: f64,
}

impl Mean {
    /// Adds an observation; what is not finite is left out.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.count += 1;
            self.sum += value;
            self.squares += value * value;
        }
    }

    /// Adds those of another shard; shards in order give the same bits.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Sample variance of the mean; `None` with fewer than two observations.
    fn variance_of_mean(self) -> Option<f64> {
        let count = self.count as f64;
        let mean = self.sum / count;
        let variance = (self.squares - mean * self.sum).max(0.0) / (count - 1.0);
        (self.count >= 2).then_some(variance / count)
    }

    /// The mean with Student's interval. `None` with fewer than two observations.
    #[must_use]
    pub fn interval(self, confidence: f64) -> Option<Interval> {
        let error = self.variance_of_mean()?.sqrt();
        let half = student::quantile(level(confidence), self.count as f64 - 1.0) * error;
        let estimate = self.sum / self.count as f64;
        Some(Interval { estimate, low: estimate - half, high: estimate + half })
    }
}

/// Mean of `treated` minus that of `control` with Welch's interval, which lets variances differ.
/// `None` where one has fewer than two observations.
#[must_use]
pub fn mean_difference(treated: Mean, control: Mean, confidence: f64) -> Option<Interval> {
    let (one, two) = (treated.variance_of_mean()?, control.variance_of_mean()?);
    let estimate = treated.sum / treated.count as f64 - control.sum / control.count as f64;
    let share = |variance: f64, mean: Mean| variance * variance / (mean.count as f64 - 1.0);
    let freedom = (one + two).powi(2) / (share(one, treated) + share(two, control));
    let half = if one + two > 0.0 {
        student::quantile(level(confidence), freedom) * (one + two).sqrt()
    } else {
        0.0
    };
    Some(Interval { estimate, low: estimate - half, high: estimate + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> Mean {
        let mut mean = Mean::default();
        values.iter().for_each(|&value| mean.add(value));
        mean
    }

    #[test]
    fn parts_add_up_and_nonsense_is_left_out() {
        let mut first = mean(&[1.0, 4.0, f64::NAN]);
        first.merge(mean(&[2.5, f64::INFINITY]));
        assert_eq!(first, mean(&[1.0, 4.0, 2.5]));
        assert_eq!(first.interval(0.95).map(|found| found.estimate), Some(2.5));
    }

    #[test]
    fn one_observation_says_nothing_and_equal_ones_all() {
        assert_eq!(mean(&[3.0]).interval(0.95), None);
        assert_eq!(mean_difference(mean(&[3.0]), mean(&[1.0, 2.0]), 0.95), None);
        let found = mean_difference(mean(&[3.0, 3.0]), mean(&[1.0, 1.0]), 0.95);
        assert_eq!(found, Some(Interval { estimate: 2.0, low: 2.0, high: 2.0 }));
    }
}
