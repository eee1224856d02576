//! Safety stock, reorder point and order-up-to level.

use super::{CumulativeDemand, LeadTime, LeadTimeDemand};

/// How often demand is to be met. The two are different promises and are never mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Service {
    /// Share of order cycles without a stock-out, above 0 and below 1.
    Cycle(f64),
    /// Share of units delivered from stock, above 0 and below 1.
    FillRate(f64),
}

/// How an item is replenished.
#[derive(Clone, Copy, Debug)]
pub struct Replenishment<'a> {
    /// From order to delivery.
    pub lead_time: &'a LeadTime,
    /// Days between two chances to order; 0 when stock is watched continuously.
    pub review_days: f64,
    /// How often demand is to be met.
    pub service: Service,
    /// Units that are worth ordering at a time, 0 or more; what a review period takes is ordered
    /// at least.
    pub lot: f64,
    /// Units that an order has at least.
    pub smallest_order: f64,
}

/// When to order, and how far up: an (s, S) policy with periodic or continuous review.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Mean days from an order until the next one can arrive.
    pub days: f64,
    /// Mean and standard deviation of the demand of these days.
    pub mean: f64,
    /// See `mean`.
    pub deviation: f64,
    /// The quantile of that demand that keeps the promise.
    pub quantile: f64,
    /// Of which probability it is the quantile.
    pub level: f64,
    /// Held against more demand than the mean: reorder point less mean, 0 or more.
    pub safety_stock: f64,
    /// Order when the inventory position is at or below this.
    pub reorder_point: f64,
    /// Order so much that the inventory position reaches this.
    pub order_up_to: f64,
    /// Share of order cycles without a stock-out that this gives.
    pub cycle_service: f64,
    /// Share of units delivered from stock that this gives.
    pub fill_rate: f64,
}

impl Levels {
    /// The levels that keep the promised service.
    ///
    /// The reorder point covers the demand of lead time and review period: the quantile at the
    /// cycle service, or the least that keeps the fill rate. An order raises the position to the
    /// reorder point plus what the lot has beyond the demand of a review period, so that small
    /// lots give the (R, S) policy, and continuous review the (s, Q) policy.
    ///
    /// A cycle of Q units is short of E(X - s)+ when an order arrives, less E(X' - S)+ that was
    /// short when the one before arrived, with the demand X of lead time and review and X' of
    /// the lead time. Leaving out the second is a common error.
    ///
    /// Lumpy demand crosses the reorder point instead of meeting it. With periodic review the
    /// review period covers that; with continuous review (variance / mean - 1) / 2 units are
    /// added, the mean undershoot of compound Poisson demand (Silver et al. 2017, 6.10).
    #[must_use]
    pub fn new(demand: &impl CumulativeDemand, terms: &Replenishment<'_>) -> Self {
        let review = terms.review_days.max(0.0);
        let undershoot = if review > 0.0 { 0.0 } else { mean_undershoot(demand) };
        let until_next = LeadTimeDemand::new(demand, terms.lead_time, review, undershoot);
        let on_arrival = if review > 0.0 {
            &LeadTimeDemand::new(demand, terms.lead_time, 0.0, 0.0)
        } else {
            &until_next
        };
        let per_review = demand.mean(review);
        let beyond = (terms.lot - per_review).max(0.0);
        let cycle = (per_review + beyond).max(terms.smallest_order);
        let short = |reorder_point: f64| {
            let before = on_arrival.excess(reorder_point + cycle - per_review);
            (until_next.excess(reorder_point) - before).max(0.0)
        };

        let quantile = match terms.service {
            Service::Cycle(level) => until_next.quantile(level),
            Service::FillRate(rate) => {
                least(until_next.largest(), |units| short(units) <= cycle * (1.0 - rate))
            }
        };
        let mean = until_next.mean();
        let reorder_point = quantile.max(mean);
        let fill_rate = if cycle > 0.0 { 1.0 - short(reorder_point) / cycle } else { 1.0 };
        Self {
            days: until_next.days(),
            mean,
            deviation: until_next.deviation(),
            quantile,
            level: match terms.service {
                Service::Cycle(level) => level,
                Service::FillRate(_) => until_next.level(quantile),
            },
            safety_stock: reorder_point - mean,
            reorder_point,
            order_up_to: reorder_point + beyond,
            cycle_service: until_next.level(reorder_point),
            fill_rate: fill_rate.clamp(0.0, 1.0),
        }
    }
}

/// By how much demand that comes in lumps passes the reorder point, on average.
fn mean_undershoot(demand: &impl CumulativeDemand) -> f64 {
    let week = demand.mean(7.0);
    if week > 0.0 { 0.5 * (demand.deviation(7.0).powi(2) / week - 1.0).max(0.0) } else { 0.0 }
}

/// The least number of units from 0 to `most` that is enough, when more is never worse.
fn least(most: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, most);
    if enough(low) {
        return low;
    }
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
