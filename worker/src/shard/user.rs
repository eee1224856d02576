//! What a shard knows of a user.

use std::{cmp::Ordering, sync::Arc};

use mercer_common::{limits, log::Sequence, time::EventTime};
use mercer_proto::v1::EventType;

use super::{
    experiments::Trials,
    interner::{Interner, ItemHandle},
    ledger::Ledger,
};

/// An event in a user's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// Seconds since 1990-01-01T00:00:00Z.
    pub time: u32,
    /// Which item.
    pub item: ItemHandle,
    /// The event's type in the lowest 3 bits, the upper 29 bits of its `f32` value above.
    pub kind: u32,
}

impl WindowEntry {
    /// Packs a value, which loses its lowest 3 bits, with the type.
    pub(crate) fn new(time: u32, item: ItemHandle, event_type: EventType, value: f32) -> Self {
        Self { time, item, kind: (value.to_bits() & !7) | (event_type as u32 & 7) }
    }

    /// What happened.
    #[must_use]
    pub fn event_type(self) -> EventType {
        EventType::try_from((self.kind & 7).cast_signed()).unwrap_or_default()
    }

    /// The quantity of a purchase or return, the value of a rating, otherwise 0.
    #[must_use]
    pub fn value(self) -> f32 {
        f32::from_bits(self.kind & !7)
    }

    /// Orders by (time, item id, type, value): what arrived first does not matter.
    fn compare(self, other: Self, interner: &Interner) -> Ordering {
        let items = || match self.item == other.item {
            true => Ordering::Equal,
            false => interner.id(self.item).cmp(interner.id(other.item)),
        };
        (self.time.cmp(&other.time))
            .then_with(items)
            .then_with(|| (self.kind & 7).cmp(&(other.kind & 7)))
            .then_with(|| self.value().total_cmp(&other.value()))
    }
}

/// Where a record first named a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Its position in the log; 0 where that was not kept yet.
    pub position: Sequence,
    /// When it was appended.
    pub time: EventTime,
}

impl Met {
    /// At this position, which was appended then.
    pub(crate) fn new(position: Sequence, append_time_ms: i64) -> Self {
        let time = EventTime::from_unix_seconds(append_time_ms.div_euclid(1_000));
        Self { position, time: time.unwrap_or_default() }
    }
}

/// What a shard knows of a user.
#[derive(Debug, Default)]
pub struct UserState {
    pub(crate) window: Vec<WindowEntry>,
    pub(crate) seen: Vec<ItemHandle>,
    pub(crate) denied: Box<[ItemHandle]>,
    pub(crate) attributes: Box<[(Arc<str>, Arc<str>)]>,
    pub(crate) catalogued: bool,
    /// Trials of users that take part in experiments.
    pub(crate) trials: Option<Box<Trials>>,
    /// What users paid who bought or brought back anything.
    pub(crate) ledger: Option<Box<Ledger>>,
    pub(crate) met_at: Sequence,
    pub(crate) met_time: EventTime,
}

impl UserState {
    /// A user whom a record names for the first time.
    pub(crate) fn first_met(met: Met) -> Self {
        Self { met_at: met.position, met_time: met.time, ..Self::default() }
    }

    /// Where a record first named them.
    #[must_use]
    pub fn met(&self) -> Met {
        Met { position: self.met_at, time: self.met_time }
    }

    /// What they paid; `None` before the first purchase or return.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    /// The user's latest 2,000 events by (time, item id, type, value), oldest first.
    #[must_use]
    pub fn window(&self) -> &[WindowEntry] {
        &self.window
    }

    /// All items ever purchased, by (slot, id); at most 100,000.
    #[must_use]
    pub fn seen(&self) -> &[ItemHandle] {
        &self.seen
    }

    /// Items never to recommend to this user, by (slot, id).
    #[must_use]
    pub fn denied(&self) -> &[ItemHandle] {
        &self.denied
    }

    /// Attributes, by name.
    #[must_use]
    pub fn attributes(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.attributes
    }

    /// Whether the user was described, and not only met in events.
    #[must_use]
    pub fn catalogued(&self) -> bool {
        self.catalogued
    }

    pub(crate) fn insert_event(&mut self, entry: WindowEntry, interner: &Interner) {
        let newest = self.window.last();
        let position = match newest.map(|newest| newest.compare(entry, interner)) {
            None | Some(Ordering::Less | Ordering::Equal) => self.window.len(),
            Some(Ordering::Greater) => self
                .window
                .partition_point(|other| other.compare(entry, interner) != Ordering::Greater),
        };
        if self.window.len() < limits::WINDOW_EVENTS {
            if self.window.len() == self.window.capacity() {
                self.window.reserve_exact((self.window.len() / 4).max(4));
            }
            self.window.insert(position, entry);
        } else if position > 0 {
            self.window[..position].rotate_left(1);
            self.window[position - 1] = entry;
        }
    }

    pub(crate) fn insert_seen(&mut self, item: ItemHandle, interner: &Interner) {
        let Err(position) = self.seen.binary_search_by(|&other| match other == item {
            true => Ordering::Equal,
            false => interner.compare(other, item),
        }) else {
            return;
        };
        if self.seen.len() == limits::SEEN_ITEMS {
            if position == self.seen.len() {
                return;
            }
            self.seen.pop();
        }
        if self.seen.len() == self.seen.capacity() {
            self.seen.reserve_exact((self.seen.len() / 4).max(4));
        }
        self.seen.insert(position, item);
    }
}
