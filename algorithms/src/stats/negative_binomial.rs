//! The negative binomial distribution of counts: Poisson with a variance of its own.

use statrs::function::gamma::gamma_lr;

use super::normal;

/// Below this ratio of variance to mean probabilities are added up one by one.
const SUMMED_RATIO: f64 = 50.0;
/// Largest ratio: beyond it nearly all the mass lies on 0.
const LARGEST_RATIO: f64 = 1e9;

/// The smallest whole number whose probability of not being exceeded is at least `level`, for a
/// mean and a variance of `ratio` times the mean; Poisson at a ratio of 1.
///
/// Up to the mean at which the skewness falls to about a quarter, probabilities are added up (or,
/// for ratios above 50, those of the gamma distribution that the negative binomial tends to are
/// inverted); beyond it the Cornish-Fisher expansion of third order holds to a unit in a thousand
/// (Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 5.6). Never falls in `mean` nor
/// in `level`; finite for means up to 1e300.
pub(crate) fn quantile(mean: f64, ratio: f64, level: f64) -> f64 {
    let mut quantile = 0.0;
    quantiles(mean, ratio, &[level], |found| quantile = found);
    quantile
}

/// [`quantile`] of each of `levels`, which ascend, at the price of one of them.
pub(crate) fn quantiles(mean: f64, ratio: f64, levels: &[f64], mut found: impl FnMut(f64)) {
    if mean.is_nan() || mean <= 0.0 {
        levels.iter().for_each(|_| found(0.0));
        return;
    }
    let mean = mean.min(1e300);
    let ratio = if ratio.is_finite() { ratio.clamp(1.0, LARGEST_RATIO) } else { 1.0 };
    let switch = (64.0 * ratio).max(200.0);
    let small = mean.min(switch);
    let mut sum = Sum::new(small, ratio);
    for level in levels {
        let level = level.clamp(1e-9, 1.0 - 1e-9);
        let quantile =
            if ratio <= SUMMED_RATIO { sum.until(level) } else { gamma(small, ratio, level) };
        let large = if mean > switch { expanded(mean, ratio, level) } else { 0.0 };
        found(quantile.max(large));
    }
}

/// Adds up P(0), P(1), ..., each from the one before.
#[derive(Debug)]
struct Sum {
    mean: f64,
    ratio: f64,
    /// The probability of `units`, and of at most as many.
    probability: f64,
    total: f64,
    units: f64,
    last: f64,
}

impl Sum {
    fn new(mean: f64, ratio: f64) -> Self {
        let excess = ratio - 1.0;
        let zero = if excess < 1e-9 { -mean } else { -mean / excess * ratio.ln() };
        let probability = zero.exp();
        let last = mean + 40.0 * (ratio * mean).sqrt() + 40.0 * ratio;
        Self { mean, ratio, probability, total: probability, units: 0.0, last }
    }

    /// The quantile at `level`, which is not below that of the call before.
    fn until(&mut self, level: f64) -> f64 {
        let excess = self.ratio - 1.0;
        while self.total < level && self.units < self.last {
            self.probability *=
                (self.mean + self.units * excess) / (self.ratio * (self.units + 1.0));
            self.total += self.probability;
            self.units += 1.0;
        }
        self.units
    }
}

/// Bisects the distribution function of the gamma distribution with the same mean and variance.
fn gamma(mean: f64, ratio: f64, level: f64) -> f64 {
    let shape = mean / ratio;
    let (mut low, mut high) = (0.0, shape + 40.0 * shape.sqrt() + 40.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if gamma_lr(shape, middle) < level {
            low = middle
        } else {
            high = middle
        }
        if (high - low) * ratio < 0.5 {
            break;
        }
    }
    (high * ratio).floor()
}

/// The normal quantile, corrected for skewness.
fn expanded(mean: f64, ratio: f64, level: f64) -> f64 {
    let deviation = (ratio * mean).sqrt();
    let skewness = (2.0 * ratio - 1.0) / deviation;
    let z = normal::quantile(level);
    let corrected = z + skewness * (z * z - 1.0) / 6.0
        - skewness * skewness * (2.0 * z * z * z - 5.0 * z) / 36.0;
    (mean + deviation * corrected + 0.5).floor().max(0.0)
}
