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

/// Terms under which an item is replenished.
#[derive(Clone, Copy, Debug)]
pub struct Replenishment<'a> {
    /// Time from order to delivery.
    pub lead_time: &'a LeadTime,
    /// Days between two chances to order; 0 when stock is watched continuously.
    pub review_days: f64,
    /// Service that is to be reached.
    pub service: Service,
    /// Units that are worth ordering at a time, 0 or more; what a review period takes is ordered
    /// at least.
    pub lot: f64,
    /// Units that an order has at least.
    pub smallest_order: f64,
    /// Units of the largest day so far, if any is known: no lump is larger.
    pub largest_day: Option<f64>,
}

/// Units a year below which nothing is held: how far demand strayed from its forecast was measured
/// while the item still sold, and would stock what nobody asks for.
const LEAST_DEMAND: f64 = 0.5;
const YEAR: f64 = 365.0;
/// The largest demand that is reckoned with where a bound is needed.
const LARGEST: f64 = 0.995;

/// When to order, and how far up: an (s, S) policy with periodic or continuous review.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Mean days from an order until the next one can arrive.
    pub days: f64,
    /// Mean of the demand of these days.
    pub mean: f64,
    /// Standard deviation of the demand of these days.
    pub deviation: f64,
    /// The quantile of that demand that keeps the promise.
    pub quantile: f64,
    /// Probability of which `quantile` is the quantile.
    pub level: f64,
    /// Units by which demand that comes in lumps passes the reorder point before an order is
    /// placed, on average; 0 with periodic review, whose period covers it.
    pub undershoot: f64,
    /// Held against more demand than the mean, 0 or more: reorder point less mean and undershoot.
    pub safety_stock: f64,
    /// Order when the inventory position is at or below this.
    pub reorder_point: f64,
    /// Order so much that the inventory position reaches this.
    pub order_up_to: f64,
    /// Share of order cycles without a stock-out that this gives.
    pub cycle_service: f64,
    /// Share of units delivered from stock that this gives.
    pub fill_rate: f64,
    /// Whether demand is expected at all. Where it is not, all levels are 0.
    pub is_held: bool,
}

impl Levels {
    /// The levels that keep the promised service.
    ///
    /// The reorder point covers the demand of lead time and review period: the quantile at the
    /// cycle service, or the least that keeps the fill rate. An order raises the position to the
    /// reorder point plus what the lot has beyond the demand of a review period, so that small
    /// lots give the (R, S) policy, and continuous review the (s, Q) policy.
    ///
    /// Lumpy demand crosses the reorder point instead of meeting it. With periodic review the
    /// review period covers that; with continuous review (variance / mean - 1) / 2 units are
    /// added, the mean undershoot of compound Poisson demand (Silver et al. 2017, 6.10), at most
    /// half of the largest day so far, and of the largest demand of a week that is reckoned with:
    /// the mean undershoot of lumps of one size is half of it.
    ///
    /// An item of which less than half a unit a year is expected is not held: all levels are 0.
    #[must_use]
    pub fn new(demand: &impl CumulativeDemand, terms: &Replenishment<'_>) -> Self {
        let horizon = Horizon::new(demand, terms);
        if !is_asked_for(demand) {
            return Self::of_nothing(&horizon.until_next);
        }
        let undershoot =
            if terms.review_days > 0.0 { 0.0 } else { mean_undershoot(demand, terms.largest_day) };
        let until_next = &horizon.until_next;
        let quantile = match terms.service {
            Service::Cycle(level) => until_next.quantile(level),
            Service::FillRate(rate) => least(until_next.largest(), |units| {
                horizon.short(units) <= horizon.cycle * (1.0 - rate)
            }),
        };
        let mean = until_next.mean();
        let covered = quantile.max(mean);
        let reorder_point = covered + undershoot;
        let (cycle_service, fill_rate) = horizon.kept_with(covered);
        Self {
            days: until_next.days(),
            mean,
            deviation: until_next.deviation(),
            quantile,
            level: match terms.service {
                Service::Cycle(level) => level,
                Service::FillRate(_) => until_next.level(quantile),
            },
            undershoot,
            safety_stock: covered - mean,
            reorder_point,
            order_up_to: reorder_point + horizon.beyond,
            cycle_service,
            fill_rate,
            is_held: true,
        }
    }

    fn of_nothing(until_next: &LeadTimeDemand) -> Self {
        Self {
            days: until_next.days(),
            mean: until_next.mean(),
            deviation: 0.0,
            quantile: 0.0,
            level: 1.0,
            undershoot: 0.0,
            safety_stock: 0.0,
            reorder_point: 0.0,
            order_up_to: 0.0,
            cycle_service: 1.0,
            fill_rate: 1.0,
            is_held: false,
        }
    }
}

impl Replenishment<'_> {
    /// The shares of order cycles without a stock-out and of units delivered from stock until an
    /// order after this one can arrive, when this one raises the inventory position to `position`.
    #[must_use]
    pub fn kept_from(&self, demand: &impl CumulativeDemand, position: f64) -> (f64, f64) {
        if !is_asked_for(demand) {
            return (1.0, 1.0);
        }
        Horizon::new(demand, self).kept_with(position.max(0.0))
    }

    /// The same in the long run when no order may have more than `most` units: each is to bring what
    /// a review period takes. `None` with continuous review, in which orders follow each other as
    /// fast as they must, and when the mean is within it.
    #[must_use]
    pub fn kept_by_orders_of(
        &self,
        demand: &impl CumulativeDemand,
        most: f64,
    ) -> Option<(f64, f64)> {
        let per_review = demand.mean(self.review_days.max(0.0));
        (most < per_review && is_asked_for(demand)).then(|| {
            let at_once = LeadTime::new(0.0, 0.0);
            let review = LeadTimeDemand::new(demand, &at_once, self.review_days);
            (review.level(most), (most / per_review).clamp(0.0, 1.0))
        })
    }
}

/// Demand until orders arrive, and what an order cycle takes.
struct Horizon {
    /// Demand of lead time and review period together.
    until_next: LeadTimeDemand,
    /// Demand of the lead time, where that is shorter.
    on_arrival: Option<LeadTimeDemand>,
    per_review: f64,
    /// What the lot has beyond the demand of a review period.
    beyond: f64,
    /// Units of an order cycle.
    cycle: f64,
}

impl Horizon {
    fn new(demand: &impl CumulativeDemand, terms: &Replenishment<'_>) -> Self {
        let review = terms.review_days.max(0.0);
        let until = |days: f64| LeadTimeDemand::new(demand, terms.lead_time, days);
        let per_review = demand.mean(review);
        let beyond = (terms.lot - per_review).max(0.0);
        let cycle = (per_review + beyond).max(terms.smallest_order);
        let on_arrival = (review > 0.0).then(|| until(0.0));
        Self { until_next: until(review), on_arrival, per_review, beyond, cycle }
    }

    /// Units that a cycle is short of where orders are placed at `reorder_point`: E(X - s)+ when an
    /// order arrives, less E(X' - S)+ that was short when the one before arrived, with the demand X
    /// of lead time and review and X' of the lead time. Leaving out the second is a common error.
    fn short(&self, reorder_point: f64) -> f64 {
        let on_arrival = self.on_arrival.as_ref().unwrap_or(&self.until_next);
        let before = on_arrival.excess(reorder_point + self.cycle - self.per_review);
        (self.until_next.excess(reorder_point) - before).max(0.0)
    }

    /// Shares of cycles and of units that this many units keep.
    fn kept_with(&self, units: f64) -> (f64, f64) {
        let short = self.short(units);
        let fill_rate = if self.cycle > 0.0 { 1.0 - short / self.cycle } else { 1.0 };
        (self.until_next.level(units), fill_rate.clamp(0.0, 1.0))
    }
}

fn is_asked_for(demand: &impl CumulativeDemand) -> bool {
    demand.mean(YEAR) >= LEAST_DEMAND
}

/// Units by which demand that comes in lumps passes the reorder point, on average.
fn mean_undershoot(demand: &impl CumulativeDemand, largest_day: Option<f64>) -> f64 {
    const WEEK: f64 = 7.0;
    let mean = demand.mean(WEEK);
    if mean <= 0.0 {
        return 0.0;
    }
    let of_lumps = 0.5 * (demand.deviation(WEEK).powi(2) / mean - 1.0).max(0.0);
    let of_week = demand.quantiles(&[WEEK], &[LARGEST]).first().copied().unwrap_or_default();
    let largest = largest_day.map_or(of_week, |units| of_week.min(units));
    of_lumps.min(0.5 * largest)
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
