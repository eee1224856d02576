//! A user's purchases by item.

use crate::recommend::{
    event_type::{PURCHASE, RATING},
    liking::Liking,
    profile::ProfileSpec,
    sequences::History,
};

const SECONDS_PER_DAY: u32 = 86_400;
/// Shortest interval that is told apart, in days.
const SHORTEST_GAP: f64 = 0.5;

/// An item was bought on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Met {
    pub(super) item: u32,
    /// Time of the first such event of the day, in seconds.
    pub(super) time: u32,
}

/// Days on which items were bought, by (item, time); with `is_any_event`, on which they had an event
/// of positive weight.
pub(super) fn met(history: History<'_>, profile: &ProfileSpec, is_any_event: bool) -> Vec<Met> {
    let liking = Liking::of(history.types, history.values);
    let mut met = Vec::new();
    for at in 0..history.len() {
        let (kind, value) = (history.types[at], history.values[at]);
        let counts =
            if is_any_event { is_positive(kind, value, profile, liking) } else { kind == PURCHASE };
        if counts {
            met.push(Met { item: history.items[at], time: history.times[at] });
        }
    }
    met.sort_by_key(|met| (met.item, met.time));
    met.dedup_by_key(|met| (met.item, met.time / SECONDS_PER_DAY));
    met
}

fn is_positive(kind: u8, value: f32, profile: &ProfileSpec, liking: Liking) -> bool {
    let weight = profile.event_weights.get(usize::from(kind)).copied().unwrap_or_default();
    if kind == RATING { f64::from(weight) * liking.weight(value) > 0.0 } else { weight > 0.0 }
}

/// ln(days) between following visits of one item.
pub(super) fn log_gaps(visits: &[Met]) -> impl Iterator<Item = f64> {
    visits.windows(2).map(|pair| days_between(pair[0].time, pair[1].time).max(SHORTEST_GAP).ln())
}

/// Days from `earlier` to `later`, not below 0.
pub(super) fn days_between(earlier: u32, later: u32) -> f64 {
    f64::from(later.saturating_sub(earlier)) / f64::from(SECONDS_PER_DAY)
}

/// What is left of a purchase of this age.
pub(super) fn decay(age_days: f64, half_life_days: f64) -> f64 {
    if half_life_days > 0.0 { (-age_days / half_life_days).exp2() } else { 1.0 }
}

/// The integral of [`decay`] over the last `days`.
pub(super) fn decayed_days(days: f64, half_life_days: f64) -> f64 {
    if half_life_days > 0.0 {
        let mean_life = half_life_days / std::f64::consts::LN_2;
        mean_life * (1.0 - decay(days, half_life_days))
    } else {
        days
    }
}
