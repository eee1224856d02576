//! A user's window and session as rows of a version.

use std::collections::HashMap;

use mercer_algorithms::recommend::{
    event_type::PURCHASE,
    profile::{self, HistoryEvent, ProfileEntry},
    sequences,
};

use crate::{
    shard::{ItemHandle, ShardState, UserState, WindowEntry},
    version::OpenSet,
};

const SECONDS_PER_DAY: f64 = 86_400.0;

/// What someone did, as far as a version knows the items.
#[derive(Debug, Default)]
pub(in crate::domain::recommend) struct History {
    /// Entries by row; an item that is the subject itself, not the past of anyone, has weight 1.
    pub(in crate::domain::recommend) entries: Vec<ProfileEntry>,
    /// Whether what is asked for is what is similar to one item.
    pub(in crate::domain::recommend) is_item: bool,
    items: Vec<u32>,
    times: Vec<u32>,
    types: Vec<u8>,
    values: Vec<f32>,
    /// When the question is asked: the newest event of the training or, if that is later, of the
    /// window.
    pub(in crate::domain::recommend) now: u32,
}

impl History {
    /// What to ask for the neighbours of an item.
    pub(super) fn of_item(row: Option<u32>) -> Self {
        let entry = row.map(|item| ProfileEntry { item, weight: 1.0, rank: 0, age_days: 0.0 });
        Self { entries: entry.into_iter().collect(), is_item: true, ..Self::default() }
    }

    /// The live window of a user, if there is one, then a visit with a purchase of each session
    /// item.
    pub(in crate::domain::recommend) fn new(
        user: Option<&UserState>,
        session_items: &[String],
        state: &ShardState,
        set: &OpenSet,
    ) -> Self {
        let window = user.map_or(&[][..], UserState::window);
        let trained = set.items().as_of();
        let newest = window.last().map_or(trained, |last| last.time.max(trained));
        let mut numbers = Numbers::new(state);
        let mut events: Vec<HistoryEvent> = window
            .iter()
            .map(|entry| HistoryEvent {
                item: entry.item.0,
                kind: entry.event_type() as u8,
                age_days: (f64::from(trained) - f64::from(entry.time)) / SECONDS_PER_DAY,
                value: entry.value(),
            })
            .collect();
        // Later than all that the window has.
        let age_days = (f64::from(trained) - f64::from(newest) - 1.0) / SECONDS_PER_DAY;
        for item in session_items {
            let (item, kind) = (numbers.of(item), PURCHASE);
            events.push(HistoryEvent { item, kind, age_days, value: 1.0 });
        }
        let mut entries = Vec::new();
        for entry in profile::entries(&events, set.profile_spec()) {
            if let Some(row) = set.items().row(numbers.id(entry.item)) {
                entries.push(ProfileEntry { item: row, ..entry });
            }
        }
        entries.sort_unstable_by_key(|entry| entry.item);
        let mut history = Self { entries, now: newest, ..Self::default() };
        history.add_events(window, state, set);
        history
    }

    fn add_events(&mut self, window: &[WindowEntry], state: &ShardState, set: &OpenSet) {
        for entry in window {
            let Some(row) = set.items().row(state.interner().id(entry.item)) else { continue };
            self.items.push(row);
            self.times.push(entry.time);
            self.types.push(entry.event_type() as u8);
            self.values.push(entry.value());
        }
    }

    /// The events of the window, in order; those of the session are none.
    pub(super) fn events(&self) -> sequences::History<'_> {
        sequences::History {
            items: &self.items,
            times: &self.times,
            types: &self.types,
            values: &self.values,
        }
    }
}

/// Numbers of items: handles of those that the shard has met, then those of strangers.
struct Numbers<'a> {
    state: &'a ShardState,
    met: u32,
    strangers: HashMap<&'a str, u32>,
    stranger_ids: Vec<&'a str>,
}

impl<'a> Numbers<'a> {
    fn new(state: &'a ShardState) -> Self {
        let met = u32::try_from(state.interner().len()).unwrap_or(u32::MAX);
        Self { state, met, strangers: HashMap::new(), stranger_ids: Vec::new() }
    }

    fn of(&mut self, id: &'a str) -> u32 {
        if let Some(handle) = self.state.interner().handle(id) {
            return handle.0;
        }
        let next = u32::try_from(self.stranger_ids.len()).unwrap_or(u32::MAX);
        *self.strangers.entry(id).or_insert_with(|| {
            self.stranger_ids.push(id);
            self.met.saturating_add(next)
        })
    }

    fn id(&self, number: u32) -> &'a str {
        match number.checked_sub(self.met) {
            Some(stranger) => self.stranger_ids[stranger as usize],
            None => self.state.interner().id(ItemHandle(number)),
        }
    }
}
