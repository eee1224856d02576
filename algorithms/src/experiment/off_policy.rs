//! What another policy would have earned, from the log of this one.

use crate::stats::{Interval, reach};

/// Sums over logged exposures, weighted by how much likelier the other policy is to show the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OffPolicy {
    /// Number of exposures.
    pub count: u64,
    /// Exposures left out, because their propensity is not above 0 and at most 1, the target
    /// probability not within 0 and 1, or the reward not finite.
    pub refused: u64,
    /// Sum of the weights w = target probability / propensity.
    pub weights: f64,
    /// Sum of w^2.
    pub squared_weights: f64,
    /// Sum of w r, where r is the reward.
    pub rewards: f64,
    /// Sum of w^2 r.
    pub weighted_rewards: f64,
    /// Sum of w^2 r^2.
    pub squared_rewards: f64,
}

/// An estimate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Reward per exposure.
    pub value: f64,
    /// Standard error of the value, at least 0.
    pub standard_error: f64,
}

impl Estimate {
    /// The normal interval.
    #[must_use]
    pub fn interval(self, confidence: f64) -> Interval {
        let half = reach(confidence) * self.standard_error;
        Interval { estimate: self.value, low: self.value - half, high: self.value + half }
    }
}

impl OffPolicy {
    /// Adds an exposure: the probability with which it was shown, that with which the other policy
    /// would have shown the same, and what came of it.
    pub fn add(&mut self, propensity: f64, target: f64, reward: f64) {
        self.add_equal(1, propensity, target, reward);
    }

    /// Adds `exposures` of which all is the same.
    pub fn add_equal(&mut self, exposures: u64, propensity: f64, target: f64, reward: f64) {
        let weight = target / propensity;
        let is_sound = propensity > 0.0 && propensity <= 1.0 && (0.0..=1.0).contains(&target);
        if !(is_sound && weight.is_finite() && reward.is_finite()) {
            self.refused += exposures;
            return;
        }
        let (weighted, times) = (weight * reward, exposures as f64);
        self.count += exposures;
        self.weights += times * weight;
        self.squared_weights += times * weight * weight;
        self.rewards += times * weighted;
        self.weighted_rewards += times * weight * weighted;
        self.squared_rewards += times * weighted * weighted;
    }

    /// Adds those of another shard; shards in order give the same bits.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.refused += other.refused;
        self.weights += other.weights;
        self.squared_weights += other.squared_weights;
        self.rewards += other.rewards;
        self.weighted_rewards += other.weighted_rewards;
        self.squared_rewards += other.squared_rewards;
    }

    /// Inverse propensity scoring (Horvitz and Thompson 1952): the mean of w r. Unbiased, but wide
    /// where the policies differ. `None` with fewer than two exposures.
    #[must_use]
    pub fn ips(&self) -> Option<Estimate> {
        if self.count < 2 {
            return None;
        }
        let count = self.count as f64;
        let value = self.rewards / count;
        let variance = (self.squared_rewards - value * self.rewards).max(0.0) / (count - 1.0);
        finite(value, (variance / count).sqrt())
    }

    /// Self-normalised (Swaminathan and Joachims 2015): the sum of w r over the sum of w. Slightly
    /// biased, far less wide, and within the range of the rewards; its standard error is that of a
    /// ratio to the first order. `None` when the other policy shows nothing of what was shown.
    #[must_use]
    pub fn snips(&self) -> Option<Estimate> {
        if self.weights <= 0.0 {
            return None;
        }
        let value = self.rewards / self.weights;
        let squares = self.squared_rewards - 2.0 * value * self.weighted_rewards
            + value * value * self.squared_weights;
        finite(value, squares.max(0.0).sqrt() / self.weights)
    }

    /// As many exposures under the other policy would tell as much (Kish 1965): (sum w)^2 / sum w^2.
    /// 0 without any; far below `count` the estimates rest on few exposures.
    #[must_use]
    pub fn effective_count(&self) -> f64 {
        let count = self.weights / self.squared_weights * self.weights;
        if count.is_finite() { count } else { 0.0 }
    }
}

fn finite(value: f64, standard_error: f64) -> Option<Estimate> {
    let is_finite = value.is_finite() && standard_error.is_finite();
    is_finite.then_some(Estimate { value, standard_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logging_policy_itself_is_a_mean() {
        let mut log = OffPolicy::default();
        for reward in [1.0, 0.0, 0.0, 1.0, 3.0] {
            log.add(0.25, 0.25, reward);
        }
        let (ips, snips) = (log.ips().expect("five"), log.snips().expect("five"));
        assert_eq!((ips.value, snips.value, log.effective_count()), (1.0, 1.0, 5.0));
        assert!((ips.standard_error - (1.5f64 / 5.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_no_policy_can_have_shown() {
        let mut log = OffPolicy::default();
        for (propensity, target, reward) in [
            (0.0, 0.5, 1.0),
            (-0.1, 0.5, 1.0),
            (1.1, 0.5, 1.0),
            (f64::NAN, 0.5, 1.0),
            (0.5, f64::NAN, 1.0),
            (0.5, 1.5, 1.0),
            (0.5, 0.5, f64::INFINITY),
            (f64::MIN_POSITIVE / 8.0, 1.0, 1.0),
        ] {
            log.add(propensity, target, reward);
        }
        assert_eq!(log, OffPolicy { refused: 8, ..OffPolicy::default() });
        assert_eq!((log.ips(), log.snips(), log.effective_count()), (None, None, 0.0));
        log.add(0.5, 0.0, 1.0);
        log.add(0.5, 0.0, 1.0);
        assert_eq!(log.ips(), Some(Estimate { value: 0.0, standard_error: 0.0 }));
        assert_eq!(log.snips(), None);
    }

    #[test]
    fn shards_add_up() {
        let exposures = [(0.5, 0.25, 1.0), (0.125, 0.5, 0.0), (1.0, 0.5, 2.0), (2.0, 0.0, 0.0)];
        let sum = |exposures: &[(f64, f64, f64)]| {
            let mut log = OffPolicy::default();
            exposures.iter().for_each(|&(propensity, target, reward)| {
                log.add(propensity, target, reward);
            });
            log
        };
        let mut merged = sum(&exposures[..1]);
        merged.merge(&sum(&exposures[1..]));
        assert_eq!(merged, sum(&exposures));
    }
}
