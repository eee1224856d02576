//! From a user's events to one signed weight an item.
//!
//! Training, serving and evaluation use this one function, so that a profile is what the matrix
//! would have held.

use super::{
    event_type::{PURCHASE, RATING, RETURN},
    liking::Liking,
};
use crate::linalg::sparse::VALUES;

/// Rules by which events become weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileSpec {
    /// Weight of an event by the number of its type; types beyond the end weigh 0. A rating's
    /// weight multiplies its value, or how far it lies below what says liking.
    pub event_weights: Vec<f32>,
    /// Days after which an event weighs half; 0 means no decay.
    pub half_life_days: f64,
    /// Keep the sum of weights; otherwise its sign.
    pub weighted: bool,
    /// Latest distinct items that count.
    pub history_cap: usize,
    /// Multiply weights of purchases and returns by ln(1 + quantity).
    pub log_quantity: bool,
}

impl Default for ProfileSpec {
    fn default() -> Self {
        Self {
            event_weights: vec![0.0, 1.0, 1.0, 3.0, 3.0, 5.0, -5.0, 1.0],
            half_life_days: 0.0,
            weighted: false,
            history_cap: 500,
            log_quantity: false,
        }
    }
}

/// Event of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryEvent {
    /// Any number that is the same for the same item.
    pub item: u32,
    /// Number of the event's type.
    pub kind: u8,
    /// Days before the reference time; below 0 counts as 0.
    pub age_days: f64,
    /// Quantity of a purchase or return, value of a rating.
    pub value: f32,
}

/// What a user's events at one item come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileEntry {
    /// Item, numbered as in [`HistoryEvent`].
    pub item: u32,
    /// Weight with its sign, never 0.
    pub weight: f32,
    /// Visits after the one with the latest event at the item: 0 for what the latest visit holds.
    /// Events of one age are one visit.
    pub rank: u32,
    /// Age of the latest event at the item, not below 0.
    pub age_days: f32,
}

/// How a profile forgets: each half-life halves the weight of an item, 0 switches it off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recency {
    /// Half-life in visits.
    pub rank_half_life: f64,
    /// Half-life in days.
    pub age_half_life_days: f64,
}

impl Recency {
    /// What is left of the weight of an item, above 0 and at most 1.
    #[must_use]
    pub fn decay(&self, entry: &ProfileEntry) -> f64 {
        let halves = |amount: f64, half_life: f64| {
            if half_life > 0.0 { amount / half_life } else { 0.0 }
        };
        let by_rank = halves(f64::from(entry.rank), self.rank_half_life);
        let by_age = halves(f64::from(entry.age_days), self.age_half_life_days);
        // Beyond this, products with it would not be normal numbers.
        (-(by_rank + by_age)).exp2().max(1e-12)
    }
}

/// Signed weights of the latest items, ascending by item, never 0.
///
/// `events` are in window order, the latest last. An item counts as late as its latest event; of
/// the items that make the cap, all events count.
#[must_use]
pub fn profile(events: &[HistoryEvent], spec: &ProfileSpec) -> Vec<(u32, f32)> {
    entries(events, spec).into_iter().map(|entry| (entry.item, entry.weight)).collect()
}

/// [`profile`] with what recency needs.
#[must_use]
pub fn entries(events: &[HistoryEvent], spec: &ProfileSpec) -> Vec<ProfileEntry> {
    let ranks = ranks(events);
    let liking = Liking::of_events(events.iter().map(|event| (event.kind, event.value)));
    let mut order: Vec<u32> = (0..).take(events.len()).collect();
    order.sort_by_key(|&at| events[at as usize].item);
    let mut items: Vec<(u32, u32, f64)> = Vec::new();
    // Of the present item: what its latest rating weighs when that says no liking.
    let mut dislike = 0.0;
    for at in order {
        let event = &events[at as usize];
        let weight = event_weight(event, spec, liking);
        match items.last_mut() {
            Some((item, latest, sum)) if *item == event.item => {
                *latest = at;
                *sum += weight;
            }
            before => {
                before.into_iter().for_each(|(.., sum)| *sum = disliked(*sum, dislike));
                dislike = 0.0;
                items.push((event.item, at, weight));
            }
        }
        if event.kind == RATING {
            dislike = weight.min(0.0);
        }
    }
    items.last_mut().into_iter().for_each(|(.., sum)| *sum = disliked(*sum, dislike));
    if items.len() > spec.history_cap {
        items.sort_unstable_by_key(|&(_, latest, _)| std::cmp::Reverse(latest));
        items.truncate(spec.history_cap);
        items.sort_unstable_by_key(|&(item, ..)| item);
    }
    items
        .into_iter()
        .filter_map(|(item, latest, sum)| {
            let weight = if spec.weighted { bounded(sum) } else { sign(sum) };
            let age_days = events[latest as usize].age_days.max(0.0) as f32;
            let rank = ranks[latest as usize];
            (weight != 0.0).then_some(ProfileEntry { item, weight, rank, age_days })
        })
        .collect()
}

/// Number of distinct later ages, for each event.
fn ranks(events: &[HistoryEvent]) -> Vec<u32> {
    let mut ranks = vec![0; events.len()];
    for at in (1..events.len()).rev() {
        let is_earlier = events[at - 1].age_days > events[at].age_days;
        ranks[at - 1] = ranks[at] + u32::from(is_earlier);
    }
    ranks
}

/// Whoever bought an item and rates it low does not like it, however much it was bought.
fn disliked(sum: f64, dislike: f64) -> f64 {
    if dislike < 0.0 { sum.min(dislike) } else { sum }
}

/// What one event adds to the sum of its item.
pub(super) fn event_weight(event: &HistoryEvent, spec: &ProfileSpec, liking: Liking) -> f64 {
    let weight = spec.event_weights.get(usize::from(event.kind)).copied().unwrap_or_default();
    let size = match event.kind {
        PURCHASE | RETURN if spec.log_quantity => f64::from(event.value).max(0.0).ln_1p(),
        RATING => liking.weight(event.value),
        _ => 1.0,
    };
    let decay = if spec.half_life_days > 0.0 {
        (-event.age_days.max(0.0) / spec.half_life_days).exp2()
    } else {
        1.0
    };
    f64::from(weight) * size * decay
}

/// Within what a matrix can hold, or 0.
fn bounded(sum: f64) -> f32 {
    let magnitude = (sum.abs() as f32).min(*VALUES.end());
    if VALUES.contains(&magnitude) { magnitude.copysign(sum as f32) } else { 0.0 }
}

fn sign(sum: f64) -> f32 {
    if sum > 0.0 {
        1.0
    } else if sum < 0.0 {
        -1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(item: u32, kind: u8, age_days: f64, value: f32) -> HistoryEvent {
        HistoryEvent { item, kind, age_days, value }
    }

    #[test]
    fn sums_types_with_their_signs() {
        let events = [
            event(7, PURCHASE, 0.0, 12.0),
            event(3, 1, 0.0, 0.0),
            event(7, RETURN, 0.0, 1.0),
            event(9, RETURN, 0.0, 1.0),
            event(5, RATING, 0.0, -2.5),
            event(4, 200, 0.0, 1.0),
        ];
        let mut spec = ProfileSpec::default();
        assert_eq!(profile(&events, &spec), [(3, 1.0), (5, -1.0), (9, -1.0)]);
        spec.weighted = true;
        assert_eq!(profile(&events, &spec), [(3, 1.0), (5, -2.5), (9, -5.0)]);
        spec.log_quantity = true;
        let purchased = 5.0 * (13f64.ln() - 2f64.ln());
        let returned = -5.0 * 2f64.ln();
        let expected = [(3, 1.0), (5, -2.5), (7, purchased as f32), (9, returned as f32)];
        assert_eq!(profile(&events, &spec), expected);
    }

    #[test]
    fn who_rates_low_does_not_like_what_was_bought() {
        let rated = |ratings: &[f32]| {
            let mut events = vec![event(1, PURCHASE, 3.0, 2.0), event(2, PURCHASE, 3.0, 1.0)];
            events.extend(ratings.iter().map(|&rating| event(1, RATING, 2.0, rating)));
            profile(&events, &ProfileSpec::default())
        };
        assert_eq!(rated(&[]), [(1, 1.0), (2, 1.0)]);
        assert_eq!(rated(&[1.0]), [(1, -1.0), (2, 1.0)]);
        assert_eq!(rated(&[5.0]), [(1, 1.0), (2, 1.0)]);
        // The latest rating counts.
        assert_eq!(rated(&[5.0, 1.0]), [(1, -1.0), (2, 1.0)]);
        assert_eq!(rated(&[1.0, 5.0]), [(1, 1.0), (2, 1.0)]);
    }

    #[test]
    fn halves_with_age_and_never_grows() {
        let spec = ProfileSpec { weighted: true, half_life_days: 10.0, ..ProfileSpec::default() };
        let events = [event(1, 1, 20.0, 0.0), event(2, 1, -5.0, 0.0), event(1, 3, 10.0, 0.0)];
        assert_eq!(profile(&events, &spec), [(1, 1.75), (2, 1.0)]);
    }

    #[test]
    fn ranks_count_visits_and_recency_halves() {
        let events = [event(1, 1, 9.0, 0.0), event(4, 1, 9.0, 0.0), event(2, 1, 2.0, 0.0)];
        let latest = [event(1, 1, 0.5, 0.0), event(3, 1, -1.0, 0.0)];
        let entries = entries(&[&events[..], &latest].concat(), &ProfileSpec::default());
        let ranks: Vec<(u32, u32, f32)> =
            entries.iter().map(|entry| (entry.item, entry.rank, entry.age_days)).collect();
        assert_eq!(ranks, [(1, 1, 0.5), (2, 2, 2.0), (3, 0, 0.0), (4, 3, 9.0)]);
        let recency = Recency { rank_half_life: 2.0, age_half_life_days: 4.0 };
        assert_eq!(recency.decay(&entries[1]), (-1.5f64).exp2());
        assert_eq!(Recency::default().decay(&entries[3]), 1.0);
        // Without times there is one visit.
        let timeless = [1, 2].map(|item| event(item, 1, 0.0, 0.0));
        assert!(super::entries(&timeless, &ProfileSpec::default()).iter().all(|e| e.rank == 0));
    }

    #[test]
    fn the_cap_keeps_the_latest_distinct_items_with_all_their_events() {
        let spec = ProfileSpec { weighted: true, history_cap: 2, ..ProfileSpec::default() };
        let events = [1, 2, 3, 1].map(|item| event(item, 1, 0.0, 0.0));
        assert_eq!(profile(&events, &spec), [(1, 2.0), (3, 1.0)]);
    }
}
