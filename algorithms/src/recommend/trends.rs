//! What is liked lately: one number an item, the same for every user.

#[cfg(test)]
mod tests;

use std::fmt;

use super::{
    liking::Liking,
    profile::ProfileSpec,
    sequences::{History, Sequences},
};
use crate::{
    control::{Cancelled, Control, Meter},
    recommend::event_type::RATING,
};

const SECONDS_PER_DAY: u32 = 86_400;
/// Windows that the recent one is compared with.
const EARLIER_WINDOWS: f64 = 4.0;
/// Visits, of mean weight, that an item must have beyond its share for the prior to give way by half.
const PRIOR_VISITS: f64 = 10.0;

/// A way to rank items by time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trend {
    /// Decayed popularity: the sum of weights, each halved with every half-life of age.
    Fresh,
    /// How much faster than the catalogue an item has grown, see [`scores`].
    Trending,
    /// Decayed popularity of the items whose first event is young; 0 for all others.
    New,
}

impl Trend {
    /// All of them, by name.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::New, Self::Trending];

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Trending => "trending",
            Self::New => "new",
        }
    }

    /// The trend of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trend| trend.name() == name)
    }
}

impl fmt::Display for Trend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Spans of time, in days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrendSpec {
    /// Half-life of [`Trend::Fresh`] and [`Trend::New`]; 0 or less means no decay.
    pub fresh_half_life_days: f64,
    /// Length of the recent window of [`Trend::Trending`].
    pub window_days: f64,
    /// Age up to which items are new.
    pub new_days: f64,
}

impl Default for TrendSpec {
    fn default() -> Self {
        Self { fresh_half_life_days: 14.0, window_days: 7.0, new_days: 30.0 }
    }
}

/// A number for each of `items` rows, not below 0; 0 when nothing speaks for the item.
///
/// An item counts once per user and day, with the largest weight that `profile` gives to the types
/// of its events there (times the value of a rating); neither units nor negative evidence count.
/// `as_of` and the events' times are seconds since the same time; what is later counts as now.
///
/// For [`Trend::Trending`] let R be an item's weight in the recent window, and E what the four
/// windows before make expect if the item had moved as the whole catalogue did. The score is
/// (R + c) / (E + c), the posterior mean of the item's own growth under a gamma prior with mean 1
/// (the shrinkage of DuMouchel 1999), c being ten visits of mean weight, so that one visit to an
/// item without a past proves little. Items with R = 0 score 0. If nothing is older than the window,
/// E is the mean of R, and the order is that of popularity.
///
/// Sums run in the order of users: the same bits for any split into parts.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When an event names a row beyond `items`.
pub fn scores(
    trend: Trend,
    parts: &[Sequences<'_>],
    items: usize,
    as_of: u32,
    profile: &ProfileSpec,
    spec: &TrendSpec,
    control: &dyn Control,
) -> Result<Vec<f32>, Cancelled> {
    match trend {
        Trend::Fresh => {
            let (sums, _) = fresh(parts, items, as_of, profile, spec, control)?;
            Ok(narrow(sums))
        }
        Trend::New => {
            let (sums, oldest) = fresh(parts, items, as_of, profile, spec, control)?;
            let aged = sums.into_iter().zip(oldest);
            Ok(narrow(aged.map(|(sum, age)| if days(age) <= spec.new_days { sum } else { 0.0 })))
        }
        Trend::Trending => trending(parts, items, as_of, profile, spec, control),
    }
}

/// Decayed sums, and the age of each item's first event; 0 without any.
fn fresh(
    parts: &[Sequences<'_>],
    items: usize,
    as_of: u32,
    profile: &ProfileSpec,
    spec: &TrendSpec,
    control: &dyn Control,
) -> Result<(Vec<f64>, Vec<u32>), Cancelled> {
    let mut sums = vec![0.0; items];
    let mut oldest = vec![0; items];
    for_each_visit(parts, profile, control, |item, time, weight| {
        let age = as_of.saturating_sub(time);
        let halvings = days(age) / spec.fresh_half_life_days;
        let decay = if spec.fresh_half_life_days > 0.0 { (-halvings).exp2() } else { 1.0 };
        sums[item] += weight * decay;
        oldest[item] = age.max(oldest[item]);
    })?;
    Ok((sums, oldest))
}

fn trending(
    parts: &[Sequences<'_>],
    items: usize,
    as_of: u32,
    profile: &ProfileSpec,
    spec: &TrendSpec,
    control: &dyn Control,
) -> Result<Vec<f32>, Cancelled> {
    let mut recent = vec![0.0; items];
    let mut before = vec![0.0; items];
    let (mut weights, mut visits) = (0.0, 0.0);
    for_each_visit(parts, profile, control, |item, time, weight| {
        let windows = days(as_of.saturating_sub(time)) / spec.window_days.max(f64::MIN_POSITIVE);
        if windows <= 1.0 {
            recent[item] += weight;
        } else if windows <= 1.0 + EARLIER_WINDOWS {
            before[item] += weight;
        } else {
            return;
        }
        weights += weight;
        visits += 1.0;
    })?;
    if weights <= 0.0 {
        return Ok(vec![0.0; items]);
    }
    let prior = PRIOR_VISITS * weights / visits;
    let (all_recent, all_before) = (recent.iter().sum::<f64>(), before.iter().sum::<f64>());
    let ratios = recent.into_iter().zip(before).map(|(recent, before)| {
        let expected = if all_before > 0.0 {
            before * (all_recent / all_before)
        } else {
            all_recent / items as f64
        };
        if recent > 0.0 { (recent + prior) / (expected + prior) } else { 0.0 }
    });
    Ok(narrow(ratios))
}

/// Calls `visit` with (item, time, weight above 0) of every item that a user met on a day, users in
/// order, days in order, items ascending; the time is that of the first such event of the day.
fn for_each_visit(
    parts: &[Sequences<'_>],
    profile: &ProfileSpec,
    control: &dyn Control,
    mut visit: impl FnMut(usize, u32, f64),
) -> Result<(), Cancelled> {
    let mut meter = Meter::new(control);
    let mut items: Vec<(u32, u32, f64)> = Vec::new();
    for part in parts {
        for user in 0..part.users() {
            let history = part.of(user);
            let liking = Liking::of(history.types, history.values);
            let mut start = 0;
            for day in history.times.chunk_by(|left, right| day(*left) == day(*right)) {
                let range = start..start + day.len();
                start = range.end;
                items.clear();
                items.extend(positive(history.slice(range), profile, liking));
                items.sort_by_key(|&(item, ..)| item);
                for met in items.chunk_by(|left, right| left.0 == right.0) {
                    let weight = met.iter().map(|&(.., weight)| weight).fold(0.0, f64::max);
                    visit(met[0].0 as usize, met[0].1, weight);
                }
            }
            meter.add(8 + 16 * history.len() as u64)?;
        }
    }
    Ok(())
}

/// (Item, time, weight) of the events with weights above 0, in order.
fn positive<'a>(
    events: History<'a>,
    profile: &'a ProfileSpec,
    liking: Liking,
) -> impl Iterator<Item = (u32, u32, f64)> + 'a {
    (0..events.len()).filter_map(move |at| {
        let kind = events.types[at];
        let weight = profile.event_weights.get(usize::from(kind)).copied().unwrap_or_default();
        let size = if kind == RATING { liking.weight(events.values[at]) } else { 1.0 };
        let weight = f64::from(weight) * size;
        let is_positive = weight > 0.0 && weight.is_finite();
        is_positive.then_some((events.items[at], events.times[at], weight))
    })
}

fn day(time: u32) -> u32 {
    time / SECONDS_PER_DAY
}

fn days(seconds: u32) -> f64 {
    f64::from(seconds) / f64::from(SECONDS_PER_DAY)
}

fn narrow(numbers: impl IntoIterator<Item = f64>) -> Vec<f32> {
    numbers.into_iter().map(|number| number.min(f64::from(f32::MAX)) as f32).collect()
}
