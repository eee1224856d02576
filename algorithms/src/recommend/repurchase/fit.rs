//! How items are bought again, pooled over users.

use super::{
    RepurchaseBuf, RepurchaseSpec,
    history::{Met, days_between, decay, decayed_days, log_gaps, met},
};
use crate::{
    control::{Cancelled, Control, Meter},
    recommend::{event_type::PURCHASE, profile::ProfileSpec, sequences::Sequences},
};

/// Decayed days of exposure that the catalogue's rate is worth against the item's own.
const RATE_PRIOR_DAYS: f64 = 200.0;
/// Buyers that the catalogue's probability of buying again is worth.
const BUYERS_PRIOR: f64 = 10.0;
/// Intervals that the catalogue's mean and variance are worth.
const INTERVALS_PRIOR: f64 = 10.0;
/// Mean and deviation of ln(days) where nobody bought anything twice: a month, within a factor of 3.
const DEFAULT_INTERVAL: (f64, f64) = (3.4, 1.1);
const SMALLEST_VARIANCE: f64 = 0.01;

/// Sums over users.
#[derive(Clone, Copy, Default)]
struct Sums {
    buyers: f64,
    repeat_buyers: f64,
    /// Decayed repeats, and decayed days since the first purchase.
    repeats: f64,
    exposure: f64,
    /// Number of intervals between purchases, and the sum and the sum of squares of ln(days).
    gaps: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.buyers += other.buyers;
        self.repeat_buyers += other.repeat_buyers;
        self.repeats += other.repeats;
        self.exposure += other.exposure;
        self.gaps += other.gaps;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    fn of(visits: &[Met], as_of: u32, half_life: f64) -> Self {
        let Some((first, repeats)) = visits.split_first() else { return Self::default() };
        let age = |met: &Met| days_between(met.time, as_of);
        let mut sums = Self {
            buyers: 1.0,
            repeat_buyers: if repeats.is_empty() { 0.0 } else { 1.0 },
            repeats: repeats.iter().fold(0.0, |sum, met| sum + decay(age(met), half_life)),
            exposure: decayed_days(age(first), half_life),
            ..Self::default()
        };
        for gap in log_gaps(visits) {
            sums.gaps += 1.0;
            sums.sum += gap;
            sums.squares += gap * gap;
        }
        sums
    }
}

/// Learns from all users how each of `items` rows is bought again.
///
/// Closed forms: of each item the rate (repeats / days since first purchases, both decayed), the
/// share of buyers who came back, and mean and variance of the logarithm of intervals; each drawn to
/// that of all items by a fixed prior weight (200 days, 10 buyers, 10 intervals). Purchases only,
/// unless nobody made any. `as_of` counts seconds as the events' times do. Sums run in the order of
/// users: the same bits for any split into parts.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When an event names a row beyond `items`.
pub fn fit(
    parts: &[Sequences<'_>],
    items: usize,
    as_of: u32,
    profile: &ProfileSpec,
    spec: &RepurchaseSpec,
    control: &dyn Control,
) -> Result<RepurchaseBuf, Cancelled> {
    let mut meter = Meter::new(control);
    let has_purchase = has_purchase(parts, &mut meter)?;
    let mut sums = vec![Sums::default(); items];
    for part in parts {
        for user in 0..part.users() {
            let history = part.of(user);
            let met = met(history, profile, !has_purchase);
            for visits in met.chunk_by(|left, right| left.item == right.item) {
                let of_user = Sums::of(visits, as_of, spec.half_life_days);
                sums[visits[0].item as usize].add(&of_user);
            }
            meter.add(8 + 32 * history.len() as u64)?;
        }
    }
    let mut all = Sums::default();
    for item in &sums {
        all.add(item);
    }
    Ok(shrink(&sums, &all, !has_purchase))
}

fn has_purchase(parts: &[Sequences<'_>], meter: &mut Meter<'_>) -> Result<bool, Cancelled> {
    for part in parts {
        for user in 0..part.users() {
            let types = part.of(user).types;
            if types.contains(&PURCHASE) {
                return Ok(true);
            }
            meter.add(1 + types.len() as u64 / 16)?;
        }
    }
    Ok(false)
}

fn shrink(sums: &[Sums], all: &Sums, is_any_event: bool) -> RepurchaseBuf {
    let rate = if all.exposure > 0.0 { all.repeats / all.exposure } else { 0.0 };
    let again = (all.repeat_buyers + 1.0) / (all.buyers + 2.0);
    let (mean, variance) = if all.gaps > 0.0 {
        let mean = all.sum / all.gaps;
        (mean, all.squares / all.gaps - mean * mean)
    } else {
        (DEFAULT_INTERVAL.0, DEFAULT_INTERVAL.1 * DEFAULT_INTERVAL.1)
    };
    let variance = variance.max(SMALLEST_VARIANCE);
    let mut model = RepurchaseBuf { is_any_event, ..RepurchaseBuf::default() };
    for item in sums {
        let prior = RATE_PRIOR_DAYS * rate;
        model.rates.push(((item.repeats + prior) / (item.exposure + RATE_PRIOR_DAYS)) as f32);
        let prior = BUYERS_PRIOR * again;
        // Where nothing was ever bought twice, as without times, no item is told from another.
        let own = (item.repeat_buyers + prior) / (item.buyers + BUYERS_PRIOR);
        model.again.push(if all.gaps > 0.0 { own } else { again } as f32);
        let weight = item.gaps + INTERVALS_PRIOR;
        let own_mean = (item.sum + INTERVALS_PRIOR * mean) / weight;
        // About the drawn mean.
        let squares = item.squares - 2.0 * own_mean * item.sum + item.gaps * own_mean * own_mean;
        let own_variance = (squares.max(0.0) + INTERVALS_PRIOR * variance) / weight;
        model.interval_means.push(own_mean as f32);
        model.interval_deviations.push(own_variance.sqrt() as f32);
    }
    model
}
