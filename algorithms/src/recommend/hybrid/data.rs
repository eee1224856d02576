//! Events numbered and counted, ready to train sources from in one process.

use crate::{
    linalg::sparse::CsrBuf,
    recommend::{
        event_type::{PURCHASE, RATING},
        popularity,
        profile::{HistoryEvent, ProfileEntry, ProfileSpec, entries},
        sequences::{History, Sequences},
    },
};

pub(crate) const SECONDS_PER_DAY: u32 = 86_400;

/// Data that sources are trained from.
pub(crate) struct Dataset<'a> {
    pub(crate) sequences: Sequences<'a>,
    pub(crate) items: usize,
    /// Time of the newest event; ages count from it.
    pub(crate) as_of: u32,
    /// Distinct (user, day) of each item.
    pub(crate) popularity: Vec<u64>,
    pub(crate) row_of_label: Vec<u32>,
    /// The positive part of the profiles, by label; users without any are left out.
    pub(crate) matrix: CsrBuf,
    /// The row of each user in `matrix`.
    pub(crate) row_of_user: Vec<Option<u32>>,
    pub(crate) profile: &'a ProfileSpec,
}

impl<'a> Dataset<'a> {
    pub(crate) fn new(sequences: Sequences<'a>, items: usize, profile: &'a ProfileSpec) -> Self {
        let newest = (0..sequences.users()).filter_map(|user| sequences.of(user).times.last());
        let popularity = visits_by_item(sequences, items);
        let row_of_label = popularity::order(&popularity);
        let mut data = Self {
            as_of: newest.copied().max().unwrap_or_default(),
            matrix: CsrBuf::new(profile.weighted),
            row_of_user: Vec::with_capacity(sequences.users()),
            sequences,
            items,
            popularity,
            row_of_label,
            profile,
        };
        let label_of_row = popularity::inverse(&data.row_of_label);
        let mut rows = 0;
        for user in 0..sequences.users() {
            let entries = data.entries(user);
            let positive = entries.iter().filter(|entry| entry.weight > 0.0);
            let mut row: Vec<(u32, f32)> =
                positive.map(|entry| (label_of_row[entry.item as usize], entry.weight)).collect();
            data.row_of_user.push((!row.is_empty()).then_some(rows));
            if !row.is_empty() {
                data.matrix.push_row(&mut row);
                rows += 1;
            }
        }
        data
    }

    /// The signed profile of a user, ascending by row.
    pub(crate) fn entries(&self, user: usize) -> Vec<ProfileEntry> {
        entries(&window(self.sequences.of(user), self.as_of), self.profile)
    }

    /// Rows that the user purchased or rated, ascending: what is not recommended again.
    pub(crate) fn seen(&self, user: usize) -> Vec<u32> {
        seen(self.sequences.of(user))
    }
}

/// Rows that were purchased or rated, ascending and distinct.
pub(crate) fn seen(history: History<'_>) -> Vec<u32> {
    let events = history.items.iter().zip(history.types);
    let seen = events.filter(|&(_, &kind)| kind == PURCHASE || kind == RATING);
    let mut rows: Vec<u32> = seen.map(|(&row, _)| row).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// A history as profiles read it.
fn window(history: History<'_>, as_of: u32) -> Vec<HistoryEvent> {
    let mut events = Vec::with_capacity(history.len());
    for at in 0..history.len() {
        let age = as_of.saturating_sub(history.times[at]);
        events.push(HistoryEvent {
            item: history.items[at],
            kind: history.types[at],
            age_days: f64::from(age) / f64::from(SECONDS_PER_DAY),
            value: history.values[at],
        });
    }
    events
}

fn visits_by_item(sequences: Sequences<'_>, items: usize) -> Vec<u64> {
    let mut counts = vec![0; items];
    let mut visits = Vec::new();
    for user in 0..sequences.users() {
        let history = sequences.of(user);
        let days = history.times.iter().map(|time| time / SECONDS_PER_DAY);
        visits.clear();
        visits.extend(history.items.iter().copied().zip(days));
        visits.sort_unstable();
        visits.dedup();
        visits.iter().for_each(|&(item, _)| counts[item as usize] += 1);
    }
    counts
}
