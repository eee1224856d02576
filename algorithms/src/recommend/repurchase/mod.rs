//! What a user is about to buy again.
//!
//! Two views of the same past are combined. The *rate* is the user's own exponentially decayed
//! purchase frequency, drawn to how often others buy the item again (a gamma-Poisson posterior
//! mean). *Due-ness* is the probability that the next purchase falls into the coming days, from a
//! log-normal interval of user and item in a split population (Boag 1949): with probability `again`
//! there is a next purchase at all. What was just bought is not due, what is overdue for long is
//! given up, and a durable is held back by its low `again`.

mod fit;
mod history;
#[cfg(test)]
mod tests;

use super::{profile::ProfileSpec, sequences::History};
use crate::stats::normal;
pub use fit::fit;
use history::{Met, decayed_days, met};

/// Repeats of an item that the prior of a user's own mean interval is worth.
const INTERVAL_PRIOR: f64 = 2.0;
/// Repeats that the prior of a user's own probability of buying again is worth.
const AGAIN_PRIOR: f64 = 3.0;
/// Days of history that the item's rate is worth against the user's own.
const RATE_PRIOR_DAYS: f64 = 40.0;
/// Shortest time that counts as passed since a purchase, in days.
const SHORTEST: f64 = 0.25;

/// How repeat purchases are scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepurchaseSpec {
    /// Days after which a purchase counts half in the rate; 0 or less: never.
    pub half_life_days: f64,
    /// The coming days that due-ness speaks of.
    pub horizon_days: f64,
    /// Exponent of due-ness beside the rate; 0 leaves the rate alone.
    pub due_exponent: f64,
}

impl Default for RepurchaseSpec {
    fn default() -> Self {
        Self { half_life_days: 90.0, horizon_days: 14.0, due_exponent: 0.5 }
    }
}

/// How each item is bought again, by row; what serving reads.
#[derive(Clone, Copy, Debug)]
pub struct Repurchase<'a> {
    /// Repeats a day of a user who has bought the item, decayed; not below 0.
    pub rates: &'a [f32],
    /// Probability that one who has bought the item will again; above 0 and below 1.
    pub again: &'a [f32],
    /// Mean of ln(days between purchases).
    pub interval_means: &'a [f32],
    /// Standard deviation of the same; above 0.
    pub interval_deviations: &'a [f32],
    /// Nobody has purchased anything: all events of positive weight stand in for purchases.
    pub is_any_event: bool,
}

/// Owned [`Repurchase`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepurchaseBuf {
    /// See [`Repurchase`].
    pub rates: Vec<f32>,
    /// See [`Repurchase`].
    pub again: Vec<f32>,
    /// See [`Repurchase`].
    pub interval_means: Vec<f32>,
    /// See [`Repurchase`].
    pub interval_deviations: Vec<f32>,
    /// See [`Repurchase`].
    pub is_any_event: bool,
}

impl RepurchaseBuf {
    /// Borrows.
    #[must_use]
    pub fn view(&self) -> Repurchase<'_> {
        Repurchase {
            rates: &self.rates,
            again: &self.again,
            interval_means: &self.interval_means,
            interval_deviations: &self.interval_deviations,
            is_any_event: self.is_any_event,
        }
    }
}

/// What a user's past says of an item that they have bought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// Row.
    pub item: u32,
    /// Days on which it was bought.
    pub purchases: u32,
    /// Days since it was last bought, not below 0.
    pub elapsed_days: f64,
    /// Sum over these days of 2^(-age / half-life): the plain baseline.
    pub frequency: f64,
    /// Expected purchases a day: the frequency drawn to the item's rate; not below 0.
    pub rate: f64,
    /// Probability of a purchase within the horizon, by the time since the last; 0 to 1.
    pub due: f64,
    /// rate * due^exponent.
    pub score: f64,
}

/// Scores of the items that a user has bought before, ascending by row; finite and not below 0.
///
/// `history` is in window order; `now` counts seconds as its times do, and later times count as now.
/// An item bought several times a day counts once. Rows beyond the model are left out.
#[must_use]
pub fn due(
    history: History<'_>,
    model: Repurchase<'_>,
    profile: &ProfileSpec,
    spec: &RepurchaseSpec,
    now: u32,
) -> Vec<Due> {
    let met = met(history, profile, model.is_any_event);
    let first = met.iter().map(|met| met.time).min().unwrap_or(now);
    let exposure = decayed_days(history::days_between(first, now), spec.half_life_days);
    let by_item = met.chunk_by(|left, right| left.item == right.item);
    by_item.filter_map(|visits| due_of(visits, exposure, model, spec, now)).collect()
}

/// [`due`] as pairs of row and score.
#[must_use]
pub fn scores(
    history: History<'_>,
    model: Repurchase<'_>,
    profile: &ProfileSpec,
    spec: &RepurchaseSpec,
    now: u32,
) -> Vec<(u32, f32)> {
    let due = due(history, model, profile, spec, now);
    due.into_iter().map(|due| (due.item, due.score as f32)).collect()
}

/// `visits` are those of one item, in order of time; `exposure` the decayed days since the user's
/// first purchase of anything.
fn due_of(
    visits: &[Met],
    exposure: f64,
    model: Repurchase<'_>,
    spec: &RepurchaseSpec,
    now: u32,
) -> Option<Due> {
    let (item, last) = visits.last().map(|met| (met.item, met.time))?;
    let at = item as usize;
    let pooled_rate = f64::from(*model.rates.get(at)?);
    let pooled_again = f64::from(*model.again.get(at)?);
    let pooled_mean = f64::from(*model.interval_means.get(at)?);
    let deviation = f64::from(*model.interval_deviations.get(at)?);
    let mut frequency = 0.0;
    for met in visits {
        frequency += history::decay(history::days_between(met.time, now), spec.half_life_days);
    }
    let rate = (frequency + RATE_PRIOR_DAYS * pooled_rate) / (exposure + RATE_PRIOR_DAYS);
    let gaps = history::log_gaps(visits);
    let (repeats, sum) = gaps.fold((0.0, 0.0), |(count, sum), gap| (count + 1.0, sum + gap));
    let interval = Interval {
        again: (repeats + AGAIN_PRIOR * pooled_again) / (repeats + AGAIN_PRIOR),
        mean: (sum + INTERVAL_PRIOR * pooled_mean) / (repeats + INTERVAL_PRIOR),
        deviation,
    };
    let elapsed_days = history::days_between(last, now);
    let due = interval.within(elapsed_days, spec.horizon_days);
    let score = rate * due.powf(spec.due_exponent.max(0.0));
    let purchases = visits.len() as u32;
    Some(Due { item, purchases, elapsed_days, frequency, rate, due, score })
}

/// Time to the next purchase: log-normal, if there is one.
#[derive(Clone, Copy, Debug)]
struct Interval {
    again: f64,
    mean: f64,
    deviation: f64,
}

impl Interval {
    /// Probability of a purchase in the next `horizon` days when there was none for `elapsed`.
    fn within(self, elapsed: f64, horizon: f64) -> f64 {
        let elapsed = elapsed.max(SHORTEST);
        let until_now = self.survival(elapsed);
        let until_then = self.survival(elapsed + horizon.max(0.0));
        let missing = 1.0 - self.again + self.again * until_now;
        let due = self.again * (until_now - until_then) / missing;
        if due.is_finite() { due.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Probability that an interval is longer than this many days.
    fn survival(self, days: f64) -> f64 {
        let z = (days.ln() - self.mean) / self.deviation;
        normal::cumulative(-z)
    }
}
