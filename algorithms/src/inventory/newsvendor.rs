//! How much to buy once for a season (Arrow, Harris and Marschak 1951).

use statrs::distribution::{DiscreteCDF as _, Poisson};

use crate::stats::normal;

/// The probability with which demand is to be met: (price - cost + goodwill) / (price - salvage +
/// goodwill), within 0 and 1. `goodwill` is what a customer who finds none costs beyond the lost
/// margin, `salvage` what a unit left over brings.
///
/// `None` when a unit left over loses nothing, so that no quantity is too much.
#[must_use]
pub fn critical_ratio(price: f64, cost: f64, salvage: f64, goodwill: f64) -> Option<f64> {
    let (short, over) = ((price - cost + goodwill).max(0.0), cost - salvage);
    (over > 0.0).then(|| short / (short + over))
}

/// The best quantity for normal demand. `ratio` lies between 0 and 1.
#[must_use]
pub fn normal_quantity(ratio: f64, mean: f64, deviation: f64) -> f64 {
    mean + deviation * normal::quantile(ratio)
}

/// The best quantity for Poisson demand: the smallest that is enough with probability `ratio`.
#[must_use]
pub fn poisson_quantity(ratio: f64, mean: f64) -> f64 {
    let Ok(demand) = Poisson::new(mean) else { return 0.0 };
    demand.inverse_cdf(ratio) as f64
}
