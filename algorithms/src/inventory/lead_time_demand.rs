//! Demand during a random lead time and the review period.

use super::{CumulativeDemand, LeadTime};

/// Where the distribution of demand is cut: finely where reorder points lie.
const LEVEL_CUTS: [f64; 26] = [
    0.0, 0.01, 0.05, 0.1, 0.175, 0.25, 0.325, 0.4, 0.475, 0.55, 0.625, 0.7, 0.76, 0.82, 0.87, 0.9,
    0.925, 0.945, 0.96, 0.972, 0.982, 0.99, 0.995, 0.998, 0.9995, 1.0,
];
/// How much finer it is cut when the lead time is certain.
const FINER: usize = 4;

/// The distribution of demand over a time that is itself uncertain: the mixture, over the lead
/// times reckoned with, of the distributions of cumulative demand.
///
/// Not the square root of the lead time, and not the sum of daily quantiles: cumulative demand
/// brings the correlation of days along.
#[derive(Clone, Debug)]
pub struct LeadTimeDemand {
    days: f64,
    mean: f64,
    deviation: f64,
    /// Ascending, of the probability that stands beside them.
    outcomes: Vec<(f64, f64)>,
    /// The probability of lower outcomes, with half of the outcome's own.
    ranks: Vec<f64>,
}

impl LeadTimeDemand {
    /// Demand from the first day until `review_days` after the lead time.
    #[must_use]
    pub fn new(demand: &impl CumulativeDemand, lead_time: &LeadTime, review_days: f64) -> Self {
        let times = lead_time.outcomes();
        let finer = if times.len() == 1 { FINER } else { 1 };
        let mut slices: Vec<(f64, f64)> = Vec::with_capacity(LEVEL_CUTS.len() * finer);
        for cuts in LEVEL_CUTS.windows(2) {
            for slice in 0..finer {
                let width = (cuts[1] - cuts[0]) / finer as f64;
                slices.push((cuts[0] + width * (slice as f64 + 0.5), width));
            }
        }
        let days: Vec<f64> = times.iter().map(|time| time.days + review_days).collect();
        let levels: Vec<f64> = slices.iter().map(|&(level, _)| level).collect();
        let quantiles = demand.quantiles(&days, &levels);

        let mut outcomes = Vec::with_capacity(quantiles.len());
        let (mut mean_days, mut mean, mut square) = (0.0, 0.0, 0.0);
        for ((time, &days), row) in
            times.iter().zip(&days).zip(quantiles.chunks_exact(slices.len()))
        {
            let expected = demand.mean(days);
            mean_days += time.probability * days;
            mean += time.probability * expected;
            square += time.probability * (demand.deviation(days).powi(2) + expected * expected);
            let weighted = row.iter().zip(&slices);
            outcomes.extend(weighted.map(|(&value, (_, width))| (value, time.probability * width)));
        }
        outcomes.sort_unstable_by(|(left, _), (right, _)| left.total_cmp(right));
        let mut below = 0.0;
        let mut ranks = Vec::with_capacity(outcomes.len());
        for &(_, probability) in &outcomes {
            below += probability;
            ranks.push(below - 0.5 * probability);
        }
        let deviation = (square - mean * mean).max(0.0).sqrt();
        Self { days: mean_days, mean, deviation, outcomes, ranks }
    }
    /// Mean days covered.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.days
    }

    /// Mean demand.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of demand.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The demand that is not exceeded with probability `level`.
    #[must_use]
    pub fn quantile(&self, level: f64) -> f64 {
        let above = self.ranks.partition_point(|&rank| rank < level);
        interpolate(above, &self.ranks, |at| self.outcomes[at].0, level)
    }

    /// The probability that `units` are enough.
    #[must_use]
    pub fn level(&self, units: f64) -> f64 {
        let above = self.outcomes.partition_point(|&(outcome, _)| outcome <= units);
        if above == 0 {
            return 0.0;
        }
        if above == self.outcomes.len() {
            return 1.0;
        }
        let ((low, _), (high, _)) = (self.outcomes[above - 1], self.outcomes[above]);
        let share = (units - low) / (high - low);
        self.ranks[above - 1] + share * (self.ranks[above] - self.ranks[above - 1])
    }

    /// Mean demand beyond `units`: the loss function.
    #[must_use]
    pub fn excess(&self, units: f64) -> f64 {
        let above = self.outcomes.partition_point(|&(outcome, _)| outcome <= units);
        let beyond = &self.outcomes[above..];
        beyond.iter().map(|(outcome, probability)| probability * (outcome - units)).sum()
    }

    /// The largest outcome that is reckoned with.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.outcomes.last().map_or(0.0, |&(outcome, _)| outcome)
    }
}

/// The value at `x` on the line through the points before and at `above`; the outermost beyond.
fn interpolate(above: usize, xs: &[f64], value: impl Fn(usize) -> f64, x: f64) -> f64 {
    let last = xs.len() - 1;
    if above == 0 || above > last {
        return value(above.min(last));
    }
    let share = (x - xs[above - 1]) / (xs[above] - xs[above - 1]);
    value(above - 1) + share * (value(above) - value(above - 1))
}
