//! Shares of exposures that had an effect.

use super::{Interval, reach};

/// Successes among trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Number of successes, at most `trials`.
    pub successes: u64,
    /// Number of trials, independent of each other.
    pub trials: u64,
}

impl Rate {
    /// Adds those of another shard.
    pub fn merge(&mut self, other: Self) {
        self.successes += other.successes;
        self.trials += other.trials;
    }

    /// The rate with its score interval (Wilson 1927), which holds its confidence with few trials
    /// and rates near 0. `None` without trials or with more successes than trials.
    #[must_use]
    pub fn interval(self, confidence: f64) -> Option<Interval> {
        if self.trials == 0 || self.successes > self.trials {
            return None;
        }
        let trials = self.trials as f64;
        let estimate = self.successes as f64 / trials;
        let z = reach(confidence);
        let share = z * z / trials;
        let centre = (estimate + share / 2.0) / (1.0 + share);
        let variance = estimate * (1.0 - estimate) / trials + share / (4.0 * trials);
        let half = z * variance.sqrt() / (1.0 + share);
        // Exact at the ends, where rounding would leave something.
        let low = if self.successes == 0 { 0.0 } else { (centre - half).clamp(0.0, estimate) };
        let is_all = self.successes == self.trials;
        let high = if is_all { 1.0 } else { (centre + half).clamp(estimate, 1.0) };
        Some(Interval { estimate, low, high })
    }
}

/// Rate of `treated` minus that of `control`, with the interval that the two score intervals make
/// (Newcombe 1998, method 10). `None` where one has no interval.
#[must_use]
pub fn rate_difference(treated: Rate, control: Rate, confidence: f64) -> Option<Interval> {
    let (treated, control) = (treated.interval(confidence)?, control.interval(confidence)?);
    let estimate = treated.estimate - control.estimate;
    let below = (treated.estimate - treated.low).hypot(control.high - control.estimate);
    let above = (treated.high - treated.estimate).hypot(control.estimate - control.low);
    Some(Interval { estimate, low: estimate - below, high: estimate + above })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_within_what_a_rate_can_be() {
        for (successes, trials) in [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (1, u64::MAX)] {
            let rate = Rate { successes, trials };
            let found = rate.interval(0.95).expect("there are trials");
            assert!(0.0 <= found.low && found.low <= found.estimate);
            assert!(found.estimate <= found.high && found.high <= 1.0);
            assert!(found.low < found.high);
        }
        assert_eq!(Rate::default().interval(0.95), None);
        assert_eq!(Rate { successes: 2, trials: 1 }.interval(0.95), None);
        assert_eq!(rate_difference(Rate::default(), Rate { successes: 1, trials: 2 }, 0.9), None);
    }

    #[test]
    fn merging_is_counting_together() {
        let mut rate = Rate { successes: 3, trials: 10 };
        rate.merge(Rate { successes: 1, trials: 4 });
        assert_eq!(rate, Rate { successes: 4, trials: 14 });
    }
}
