//! Observations as histories, a matrix and what is to be found.

use std::collections::HashSet;

use super::{Observation, Split};
use crate::{
    recommend::{
        popularity,
        profile::{HistoryEvent, ProfileSpec, RATING, profile},
        score::Profile,
    },
    sparse::CsrBuf,
};

const SECONDS_PER_DAY: i64 = 86_400;

/// Lists of lists, flat.
#[derive(Default)]
struct Lists<T> {
    offsets: Vec<usize>,
    entries: Vec<T>,
}

impl<T> Lists<T> {
    fn new() -> Self {
        Self { offsets: vec![0], entries: Vec::new() }
    }

    fn close(&mut self) {
        self.offsets.push(self.entries.len());
    }

    fn of(&self, index: usize) -> &[T] {
        &self.entries[self.offsets[index]..self.offsets[index + 1]]
    }
}

/// A split, ready to train on and to measure with.
pub(super) struct Prepared {
    /// Training items by user, ascending.
    seen: Lists<u32>,
    /// Items to be found by user, ascending.
    test: Lists<u32>,
    /// Users with items to be found.
    test_users: Vec<u32>,
    /// Items of the signed profiles by user, ascending, with their weights.
    profile_rows: Lists<u32>,
    profile_weights: Vec<f32>,
    /// The positive part of the profiles, by label.
    matrix: CsrBuf,
    /// Distinct (user, day) of each item.
    popularity: Vec<u64>,
    row_of_label: Vec<u32>,
}

impl Prepared {
    pub(super) fn new(split: &Split<'_>, spec: &ProfileSpec) -> Self {
        let popularity = popularity_counts(split.train, split.items);
        let row_of_label = popularity::order(&popularity);
        let label_of_row = popularity::inverse(&row_of_label);
        let mut prepared = Self {
            seen: Lists::new(),
            test: Lists::new(),
            test_users: Vec::new(),
            profile_rows: Lists::new(),
            profile_weights: Vec::new(),
            matrix: CsrBuf::new(spec.weighted),
            popularity,
            row_of_label,
        };
        let as_of = split.train.iter().filter_map(|observation| observation.time).max();
        for history in histories(split.train, split.users) {
            prepared.seen.entries.extend(history.iter().map(|observation| observation.item));
            prepared.seen.close();
            let weights = profile(&window(history, as_of), spec);
            let positive = weights.iter().filter(|(_, weight)| *weight > 0.0);
            let mut row: Vec<(u32, f32)> =
                positive.map(|&(item, weight)| (label_of_row[item as usize], weight)).collect();
            if !row.is_empty() {
                prepared.matrix.push_row(&mut row);
            }
            prepared.profile_rows.entries.extend(weights.iter().map(|&(item, _)| item));
            prepared.profile_rows.close();
            prepared.profile_weights.extend(weights.iter().map(|&(_, weight)| weight));
        }
        for (user, hidden) in (0..).zip(histories(split.test, split.users)) {
            let wanted = hidden.iter().filter(|observation| observation.value > 0.0);
            let before = prepared.test.entries.len();
            prepared.test.entries.extend(wanted.map(|observation| observation.item));
            prepared.test.close();
            if prepared.test.entries.len() > before {
                prepared.test_users.push(user);
            }
        }
        prepared
    }

    pub(super) fn items(&self) -> usize {
        self.popularity.len()
    }

    pub(super) fn interactions(&self) -> usize {
        self.seen.entries.len()
    }

    pub(super) fn matrix(&self) -> &CsrBuf {
        &self.matrix
    }

    pub(super) fn popularity(&self) -> &[u64] {
        &self.popularity
    }

    pub(super) fn row_of_label(&self) -> &[u32] {
        &self.row_of_label
    }

    pub(super) fn test_users(&self) -> &[u32] {
        &self.test_users
    }

    pub(super) fn test_items(&self, user: u32) -> &[u32] {
        self.test.of(user as usize)
    }

    pub(super) fn seen(&self, user: u32) -> &[u32] {
        self.seen.of(user as usize)
    }

    pub(super) fn profile(&self, user: u32) -> Profile<'_> {
        let user = user as usize;
        let range = self.profile_rows.offsets[user]..self.profile_rows.offsets[user + 1];
        Profile { rows: self.profile_rows.of(user), weights: &self.profile_weights[range] }
    }
}

/// For every user, the merged pairs by item.
fn histories(observations: &[Observation], users: usize) -> impl Iterator<Item = Vec<Observation>> {
    let mut sorted = observations.to_vec();
    // Stable: of equal times the last given stays last.
    sorted.sort_by_key(|observation| (observation.user, observation.item, observation.time));
    let mut rest = 0;
    (0..users as u32).map(move |user| {
        let own = sorted[rest..].partition_point(|observation| observation.user <= user);
        let mut history: Vec<Observation> = Vec::new();
        for observation in &sorted[rest..rest + own] {
            match history.last_mut() {
                Some(last) if last.item == observation.item => *last = *observation,
                _ => history.push(*observation),
            }
        }
        rest += own;
        history
    })
}

/// Events in window order: by (time, item).
fn window(mut history: Vec<Observation>, as_of: Option<i64>) -> Vec<HistoryEvent> {
    history.sort_by_key(|observation| observation.time);
    let event = |observation: Observation| {
        let age = as_of.zip(observation.time).map_or(0, |(as_of, time)| as_of - time);
        HistoryEvent {
            item: observation.item,
            kind: RATING,
            age_days: age as f64 / SECONDS_PER_DAY as f64,
            value: observation.value,
        }
    };
    history.into_iter().map(event).collect()
}

fn popularity_counts(train: &[Observation], items: usize) -> Vec<u64> {
    let mut counts = vec![0; items];
    let mut visits = HashSet::with_capacity(train.len());
    for observation in train {
        let day = observation.time.map(|time| time.div_euclid(SECONDS_PER_DAY));
        if visits.insert((observation.item, observation.user, day)) {
            counts[observation.item as usize] += 1;
        }
    }
    counts
}
