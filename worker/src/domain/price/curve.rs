//! Units, revenue and profit by price, with what they may come to.

use std::collections::BTreeSet;

use mercer_algorithms::price::{
    demand::{Demand, Objective},
    interval::{DemandQuantiles, unit_quantiles},
};
use mercer_common::money::{MinorUnit, in_units};

use super::LEVELS;
use crate::domain::demand::Total;

/// Ends of the interval of outcomes: 80 % lie within.
const INTERVAL: [f64; 2] = [0.1, 0.9];

/// What a price earns over the horizon. Amounts are millionths of the curve's currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) price: i64,
    pub(super) units: f64,
    pub(super) revenue: i64,
    /// `None` without a unit cost.
    pub(super) profit: Option<i64>,
    /// Ends of the interval in which profit, else revenue, lies with 80 %.
    pub(super) low: i64,
    pub(super) high: i64,
}

/// What prices earn.
pub(super) struct Curve<'a> {
    pub(super) demand: Demand,
    pub(super) objective: Objective,
    pub(super) unit_cost: Option<i64>,
    /// Standard deviation of the elasticity.
    pub(super) deviation: f64,
    /// Lowest and highest elasticity.
    pub(super) bounds: (f64, f64),
    /// Demand over the horizon at the current price, at [`LEVELS`].
    pub(super) total: &'a Total,
    pub(super) currency: &'a str,
}

impl Curve<'_> {
    /// What a price earns.
    pub(super) fn point(&self, price: i64) -> Point {
        let units = self.demand.units_at(in_units(price));
        let minor = MinorUnit::of(self.currency);
        let amount = |units: f64, margin: i64| minor.estimate(product(units, margin));
        let margin = self.unit_cost.map(|cost| price.saturating_sub(cost));
        let [low, high] =
            self.quantiles(price).map(|units| product(units, margin.unwrap_or(price)));
        Point {
            price,
            units,
            revenue: amount(units, price),
            profit: margin.map(|margin| amount(units, margin)),
            low: minor.estimate(low.min(high)),
            high: minor.estimate(low.max(high)),
        }
    }

    fn quantiles(&self, price: i64) -> [f64; 2] {
        let ratio = in_units(price) / self.demand.price;
        unit_quantiles(
            &DemandQuantiles::new(&LEVELS, &self.total.quantiles),
            self.demand.form,
            ratio,
            (self.demand.elasticity, self.deviation),
            self.bounds,
            INTERVAL,
        )
    }

    /// At least the ends of the allowed interval and the named prices, and `count` points where the
    /// interval has that many prices, ascending.
    pub(super) fn points(
        &self,
        (low, high): (i64, i64),
        named: [i64; 2],
        count: u32,
    ) -> Vec<Point> {
        let mut prices: BTreeSet<i64> = [low, high].into_iter().chain(named).collect();
        let missing = (count as usize).saturating_sub(prices.len());
        let steps = missing as i128 + 1;
        let minor = i128::from(MinorUnit::of(self.currency).micros());
        for step in 1..steps {
            let price = i128::from(low) + (i128::from(high) - i128::from(low)) * step / steps;
            let whole = price / minor * minor;
            prices.insert(i64::try_from(whole).expect("between two of them"));
        }
        prices.into_iter().map(|price| self.point(price)).collect()
    }
}

/// Units times money; ends at what money can hold.
fn product(units: f64, micros: i64) -> i64 {
    (units * micros as f64).round() as i64
}
