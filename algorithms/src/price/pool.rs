//! Elasticities of groups, and items drawn towards them.
//!
//! A random-effects model: an item's true elasticity is normal around its group's mean mu with
//! deviation tau, and its estimate is normal around the true one with the standard error. tau
//! comes from Paule and Mandel's estimating equation (1982), mu has the weights
//! 1 / (tau^2 + se^2), and the item's posterior mean is w e + (1 - w) mu with
//! w = tau^2 / (tau^2 + se^2); its variance is w se^2 + (1 - w)^2 se_mu^2, and
//! tau^2 + se_mu^2 for an item without estimate.
//!
//! The mean of a small group is uncertain itself. It is drawn towards the mean of the group around
//! it ([`Prior::within`]) by the same rule, with the deviation between that group's items as the
//! deviation between its parts, which is at most that. Of 39 weeks of The Complete Journey such
//! elasticities explain the next twelve better than those drawn to the narrowest group alone, and
//! far better than the items' own.
//!
//! One wild item cannot wreck a group: estimates are drawn in to three robust deviations
//! (1.4826 times the median absolute deviation) around the group's median before they are pooled,
//! standard errors are at least 0.05, and with tau above 0 no weight exceeds 1 / tau^2.

use super::estimate::Measured;

/// Items with an estimate that make a group, at least.
pub const GROUP_ITEMS: usize = 5;
/// Robust deviations from the median beyond which estimates are drawn in.
const SPREADS: f64 = 3.0;
/// Below this a standard error says more about a short sample than about the item.
const ERROR_FLOOR: f64 = 0.05;
/// Items of a group are never believed to be more alike than this.
const DEVIATION_FLOOR: f64 = 0.1;
/// Halvings of the bracket of tau^2.
const HALVINGS: usize = 60;

/// Elasticities lie within these.
pub const ELASTICITY_BOUNDS: (f64, f64) = (-8.0, -0.1);
/// Factors of units under a promotion lie within these.
pub const PROMOTION_BOUNDS: (f64, f64) = (1.0, 5.0);

/// Belief about an item before its own weeks are seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Mean of the group.
    pub mean: f64,
    /// Standard error of the mean.
    pub mean_error: f64,
    /// Standard deviation between items of the group: tau, above 0.
    pub deviation: f64,
}

/// Belief about an item after its own weeks are seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Mean: w e + (1 - w) mu, where e is the item's own estimate and mu the prior mean.
    pub mean: f64,
    /// Standard deviation of the item's true value around the mean.
    pub deviation: f64,
    /// w, the weight of the item's own estimate, 0 to 1.
    pub weight: f64,
}

impl Prior {
    /// The prior of a group from the estimates of its items, or `None` with fewer than
    /// [`GROUP_ITEMS`]. Sums run in the order of `estimates`.
    #[must_use]
    pub fn of_group(estimates: &[Measured]) -> Option<Self> {
        if estimates.len() < GROUP_ITEMS {
            return None;
        }
        let estimates = drawn_in(estimates);
        let tau_square = between_variance(&estimates);
        let tau_square = tau_square.max(DEVIATION_FLOOR.powi(2));
        let (mean, mean_error) = weighted_mean(&estimates, tau_square);
        Some(Self { mean, mean_error, deviation: tau_square.sqrt() })
    }

    /// The same prior with its mean drawn towards that of the group around it.
    #[must_use]
    pub fn within(&self, around: &Self) -> Self {
        let Self { mean, mean_error, deviation } = *self;
        let drawn = around.update(Some(Measured { value: mean, standard_error: mean_error }));
        Self { mean: drawn.mean, mean_error: drawn.deviation, deviation }
    }

    /// Draws an item's estimate towards the group; without one, the prior itself.
    #[must_use]
    pub fn update(&self, estimate: Option<Measured>) -> Posterior {
        let Self { mean, mean_error, deviation } = *self;
        let Some(Measured { value, standard_error }) = estimate else {
            return Posterior { mean, deviation: deviation.hypot(mean_error), weight: 0.0 };
        };
        let error = standard_error.max(ERROR_FLOOR);
        let weight = deviation.powi(2) / (deviation.powi(2) + error.powi(2));
        Posterior {
            mean: weight * value + (1.0 - weight) * mean,
            deviation: (weight.sqrt() * error).hypot((1.0 - weight) * mean_error),
            weight,
        }
    }
}

/// Paule and Mandel's variance between items: the tau^2 at which the weighted squares around the
/// weighted mean add up to their expectation, k - 1; 0 when they are below it already.
#[must_use]
pub fn between_variance(estimates: &[Measured]) -> f64 {
    let expected = estimates.len() as f64 - 1.0;
    let squares = |tau_square: f64| {
        let (mean, _) = weighted_mean(estimates, tau_square);
        let squares = estimates.iter().map(|estimate| {
            (estimate.value - mean).powi(2) / (tau_square + estimate.standard_error.powi(2))
        });
        squares.sum::<f64>()
    };
    if estimates.len() < 2 || squares(0.0) <= expected {
        return 0.0;
    }
    // At the largest squared distance over all estimates every term is below 1.
    let extremes = estimates.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), one| {
        (low.min(one.value), high.max(one.value))
    });
    let (mut low, mut high) = (0.0, 2.0 * (extremes.1 - extremes.0).powi(2));
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if squares(middle) > expected { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The mean with weights 1 / (tau^2 + se^2), and its standard error.
fn weighted_mean(estimates: &[Measured], tau_square: f64) -> (f64, f64) {
    let (mut weights, mut sum) = (0.0, 0.0);
    for estimate in estimates {
        let weight = 1.0 / (tau_square + estimate.standard_error.powi(2));
        weights += weight;
        sum += weight * estimate.value;
    }
    (sum / weights, weights.sqrt().recip())
}

/// The estimates, none wilder and none surer than its group allows.
fn drawn_in(estimates: &[Measured]) -> Vec<Measured> {
    let center = median(estimates.iter().map(|estimate| estimate.value));
    let deviations = estimates.iter().map(|estimate| (estimate.value - center).abs());
    let reach = SPREADS * (1.4826 * median(deviations)).max(DEVIATION_FLOOR);
    let estimates = estimates.iter().map(|estimate| Measured {
        value: estimate.value.clamp(center - reach, center + reach),
        standard_error: estimate.standard_error.max(ERROR_FLOOR),
    });
    estimates.collect()
}

/// The lower of the two middle values of an even number.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(value: f64, standard_error: f64) -> Measured {
        Measured { value, standard_error }
    }

    #[test]
    fn an_item_is_drawn_by_its_uncertainty() {
        let prior = Prior { mean: -2.0, mean_error: 0.1, deviation: 0.5 };
        let found = prior.update(Some(measured(-3.0, 0.5)));
        assert_eq!((found.mean, found.weight), (-2.5, 0.5));
        assert!((found.deviation.powi(2) - (0.125 + 0.0025)).abs() < 1e-12);
        let sure = prior.update(Some(measured(-3.0, 0.0)));
        assert!(sure.mean < -2.98 && sure.deviation > 0.0);
        let unsure = prior.update(Some(measured(9.0, 1e6)));
        assert!((unsure.mean + 2.0).abs() < 1e-6);
        let none = prior.update(None);
        assert_eq!((none.mean, none.weight), (-2.0, 0.0));
        assert!((none.deviation.powi(2) - 0.26).abs() < 1e-12);
    }

    #[test]
    fn a_small_group_is_drawn_towards_the_one_around_it() {
        let around = Prior { mean: -1.0, mean_error: 0.0, deviation: 0.4 };
        let small = Prior { mean: -3.0, mean_error: 0.4, deviation: 0.7 };
        let found = small.within(&around);
        assert!((found.mean + 2.0).abs() < 1e-12 && found.deviation == 0.7);
        assert!(found.mean_error < small.mean_error);
        let large = Prior { mean_error: 0.05, ..small };
        assert!((large.within(&around).mean + 3.0).abs() < 0.05);
    }

    #[test]
    fn four_items_make_no_group() {
        assert_eq!(Prior::of_group(&[measured(-2.0, 0.3); 4]), None);
        let alike = Prior::of_group(&[measured(-2.0, 0.3); 5]).unwrap();
        assert!((alike.mean + 2.0).abs() < 1e-12);
        assert_eq!(alike.deviation, DEVIATION_FLOOR);
    }

    #[test]
    fn one_wild_item_cannot_wreck_a_group() {
        let spread = [-2.6, -2.3, -2.1, -2.0, -1.9, -1.7, -1.4];
        let group: Vec<Measured> = spread.map(|value| measured(value, 0.2)).into();
        let tame = Prior::of_group(&group).unwrap();
        for wild in [measured(1e9, 1e-12), measured(-1e9, 1e9), measured(400.0, 0.2)] {
            let mut group = group.clone();
            group.push(wild);
            let found = Prior::of_group(&group).unwrap();
            assert!((found.mean - tame.mean).abs() < 0.25, "{found:?}");
            assert!(found.deviation < 1.0, "{found:?}");
        }
    }

    /// Items drawn from the model: the prior finds its mean and deviation, and posteriors are
    /// closer to the truth than estimates.
    #[test]
    fn shrinkage_recovers_the_truth() {
        // Quantiles of a normal distribution in place of draws, combined by two different strides.
        let z: Vec<f64> = (0..200)
            .map(|step| (f64::from(step) + 0.5) / 200.0)
            .map(|level| (level / (1.0 - level)).ln() / 1.702)
            .collect();
        let items: Vec<(f64, Measured)> = (0..200)
            .map(|item| {
                let truth = -2.0 + 0.6 * z[item];
                (truth, measured(truth + 0.8 * z[item * 37 % 200], 0.8))
            })
            .collect();
        let estimates: Vec<Measured> = items.iter().map(|item| item.1).collect();
        let prior = Prior::of_group(&estimates).unwrap();
        assert!(
            (prior.mean + 2.0).abs() < 0.1 && (prior.deviation - 0.6).abs() < 0.15,
            "{prior:?}"
        );
        let error = |value: &dyn Fn(&Measured) -> f64| -> f64 {
            items.iter().map(|(truth, estimate)| (value(estimate) - truth).powi(2)).sum()
        };
        let shrunk = error(&|estimate| prior.update(Some(*estimate)).mean);
        assert!(shrunk < 0.6 * error(&|estimate| estimate.value));
    }
}
