//! What a shard knows of a user: the window of events, the items seen, and the ledger.

pub(super) mod ledger;
mod seen;
mod window;

use std::sync::Arc;

use mercer_common::{log::Sequence, time::EventTime};

use self::ledger::Ledger;
pub use self::window::WindowEntry;
use super::{
    experiments::Trials,
    interner::{Interner, ItemHandle},
};

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
    pub(crate) ledger: Ledger,
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
        (!self.ledger.is_empty()).then_some(&self.ledger)
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
        window::insert(&mut self.window, entry, interner);
    }

    pub(crate) fn insert_seen(&mut self, item: ItemHandle, interner: &Interner) {
        seen::insert(&mut self.seen, item, interner);
    }
}
