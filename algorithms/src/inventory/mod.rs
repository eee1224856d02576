//! What to order: lead-time demand, safety stock, lot sizes, orders and cover.
//!
//! Days for lead times and reviews, years for lot sizes. Sources: Silver, Pyke and Thomas,
//! "Inventory and Production Management in Supply Chains" (4th ed., 2017); Zipkin, "Foundations of
//! Inventory Management" (2000). Golden values: `tests/inventory_golden.rs`.

mod cover;
mod lead_time;
mod lead_time_demand;
mod levels;
pub mod lot;
pub mod newsvendor;
mod order;
pub mod safety_stock;
#[cfg(test)]
mod tests;

pub use cover::days_of_cover;
pub use lead_time::{LeadTime, Outcome};
pub use lead_time_demand::LeadTimeDemand;
pub use levels::{Levels, Replenishment, Service};
pub use order::{Cap, Order, OrderRules, order};

use crate::{
    forecast::{Forecast, Spread},
    stats::negative_binomial,
};

/// Longest time that is looked ahead, in days.
const LONGEST: f64 = 36_500.0;

/// Demand of the days to come, added up from the first of them.
pub trait CumulativeDemand {
    /// Mean of the sum over the first `days` days, which need not be whole. Never decreases.
    fn mean(&self, days: f64) -> f64;
    /// Standard deviation of the sum over the first `days` days.
    fn deviation(&self, days: f64) -> f64;
    /// Its quantiles, `days` x `levels`; both ascend, levels lie between 0 and 1. Quantiles are
    /// never negative and never fall with the level.
    fn quantiles(&self, days: &[f64], levels: &[f64]) -> Vec<f64>;
}

impl CumulativeDemand for Forecast {
    fn mean(&self, days: f64) -> f64 {
        self.sum_mean(days)
    }

    fn deviation(&self, days: f64) -> f64 {
        self.sum_deviation(days)
    }

    fn quantiles(&self, days: &[f64], levels: &[f64]) -> Vec<f64> {
        let errors = match &self.spread {
            Spread::Errors(errors) => errors,
            Spread::NegativeBinomial { variance_ratio } => {
                let mut quantiles = Vec::with_capacity(days.len() * levels.len());
                for &days in days {
                    let mean = self.sum_mean(days);
                    negative_binomial::quantiles(mean, *variance_ratio, levels, |quantile| {
                        quantiles.push(quantile);
                    });
                }
                return quantiles;
            }
        };
        // All days of a level in one pass: a quantile is the largest of those of fewer days.
        let mut quantiles = vec![0.0; days.len() * levels.len()];
        for (column, &level) in levels.iter().enumerate() {
            let error = errors.sum_quantiles(level);
            let (mut day, mut mean, mut before, mut quantile) = (0, 0.0, 0.0, 0.0_f64);
            for (row, &days) in days.iter().enumerate() {
                let whole = days.clamp(0.0, LONGEST).ceil() as usize;
                while day < whole {
                    day += 1;
                    mean += Forecast::mean(self, day);
                    before = quantile;
                    quantile = quantile.max(mean + error(day));
                }
                let missing = whole as f64 - days.clamp(0.0, LONGEST);
                quantiles[row * levels.len() + column] = quantile - missing * (quantile - before);
            }
        }
        quantiles
    }
}
