//! The live state of a shard, by slot.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use mercer_common::{
    log::{Epoch, Mark, Sequence},
    slot::{ShardId, ShardLayout, Subject, slot},
};

use jiff::tz::TimeZone;
use mercer_proto::{internal::Retract, v1::ItemStatus};
use smol_str::SmolStr;

use super::{
    ApplyError,
    dedup::Dedup,
    directory::Directory,
    experiments::{self, Tallies, Tally},
    interner::Interner,
    item::{ItemState, Popular},
    labels::Labels,
    origin::ProducerId,
    retractions::Retractions,
    user::UserState,
};

/// The version of what records mean that bounds what has no owner to grow with.
const BOUNDED_SINCE: u32 = 3;

/// Records of one kind that a slot has applied, once each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How many.
    pub count: u64,
    /// Sum modulo 2^128 of their hashes.
    pub hash_sum: u128,
}

impl Counters {
    pub(crate) fn add(&mut self, hash: u128) {
        self.count += 1;
        self.hash_sum = self.hash_sum.wrapping_add(hash);
    }

    /// Counters of two disjoint sets of records together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            hash_sum: self.hash_sum.wrapping_add(other.hash_sum),
        }
    }
}

/// One of the 4,096 slots. Its keys hold short ids inline: a lookup that had to follow a pointer
/// for each comparison would take three times as long.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Which one.
    pub(crate) number: u16,
    pub(crate) users: BTreeMap<SmolStr, UserState>,
    pub(crate) items: BTreeMap<SmolStr, Box<ItemState>>,
    pub(crate) interactions: Counters,
    pub(crate) item_events: Counters,
    /// Seconds since 1990-01-01T00:00:00Z; 0 when there was none.
    pub(crate) newest_item_event: u32,
    /// What its users did in experiments.
    pub(crate) tallies: Tallies,
    /// The slot was loaded as it was here; a replay skips what it already contains.
    pub(crate) loaded_through: Sequence,
}

impl Slot {
    fn new(number: u16) -> Self {
        Self { number, ..Self::default() }
    }

    /// The item `id`; nobody has named it before if it is new.
    pub(crate) fn item_or_stub(
        &mut self,
        id: &str,
        popular: &mut BTreeSet<Popular>,
        labels: &mut Labels,
    ) -> &mut ItemState {
        self.items.entry(SmolStr::new(id)).or_insert_with_key(|id| {
            let entry = Popular { popularity: Reverse(0), slot: self.number, id: id.clone() };
            popular.insert(entry);
            Box::new(ItemState::stub(id.clone(), labels))
        })
    }
}

/// The live state of a shard: a pure function of the shard's part of the log.
#[derive(Debug)]
pub struct ShardState {
    pub(crate) shard: ShardId,
    pub(crate) layout: ShardLayout,
    pub(crate) first_slot: u16,
    pub(crate) slots: Vec<Slot>,
    pub(crate) interner: Interner,
    pub(crate) popular: BTreeSet<Popular>,
    pub(crate) labels: Labels,
    pub(crate) list_prices: PriceRange,
    pub(crate) dedup: Dedup,
    pub(crate) directory: Directory,
    pub(crate) retractions: Retractions,
    pub(crate) applied: Sequence,
    /// What records after `applied` mean.
    pub(crate) apply_version: u32,
    /// When the record was appended since which there are ledgers; 0 before it.
    pub(crate) ledgers_since_ms: i64,
    /// In which the log was read through the highest position of any slot, or a later one.
    pub(crate) epoch: Epoch,
}

/// Holds the list prices that items have, and some that they have had: a bound, not a statistic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PriceRange(Option<(i64, i64)>);

impl PriceRange {
    pub(crate) fn widen(&mut self, micros: Option<i64>) {
        if let Some(price) = micros {
            let (least, most) = self.0.unwrap_or((price, price));
            self.0 = Some((least.min(price), most.max(price)));
        }
    }

    /// Least and most, in millionths; `None` when no item has a price.
    pub(crate) fn ends(self) -> Option<(i64, i64)> {
        self.0
    }
}

impl ShardState {
    /// The state before the first record, in a cluster of the time zone `zone`.
    #[must_use]
    pub fn new(layout: ShardLayout, shard: ShardId, zone: TimeZone) -> Self {
        let slots = layout.slots(shard);
        Self {
            shard,
            layout,
            first_slot: slots.start,
            slots: slots.map(Slot::new).collect(),
            interner: Interner::default(),
            popular: BTreeSet::new(),
            labels: Labels::default(),
            list_prices: PriceRange::default(),
            dedup: Dedup::default(),
            directory: Directory::new(zone),
            retractions: Retractions::default(),
            applied: 0,
            apply_version: 1,
            ledgers_since_ms: 0,
            epoch: Epoch::NONE,
        }
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The log position through which everything is applied.
    #[must_use]
    pub fn applied(&self) -> Sequence {
        self.applied
    }

    /// The user `id`, if any record has named them and they were not deleted since.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&UserState> {
        self.slot(slot(Subject::User, id))?.users.get(id)
    }

    /// The item `id`, if any record has named it.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&ItemState> {
        self.slot(slot(Subject::Item, id))?.items.get(id).map(Box::as_ref)
    }

    /// All users by (slot, id).
    pub fn users(&self) -> impl Iterator<Item = (&str, &UserState)> {
        self.slots.iter().flat_map(|slot| &slot.users).map(|(id, user)| (&**id, user))
    }

    /// All items by (slot, id).
    pub fn items(&self) -> impl Iterator<Item = &ItemState> + Clone {
        self.slots.iter().flat_map(|slot| slot.items.values()).map(Box::as_ref)
    }

    /// The users that follow `id` by (slot, id).
    pub fn users_after<'a>(
        &'a self,
        id: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a UserState)> {
        let (first, rest) = self.split_after(slot(Subject::User, id));
        let first = first.into_iter().flat_map(move |slot| {
            slot.users.range::<str, _>((std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded))
        });
        first.chain(rest.iter().flat_map(|slot| &slot.users)).map(|(id, user)| (&**id, user))
    }

    /// The items that follow `id` by (slot, id).
    pub fn items_after<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a ItemState> {
        let (first, rest) = self.split_after(slot(Subject::Item, id));
        let first = first.into_iter().flat_map(move |slot| {
            slot.items.range::<str, _>((std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded))
        });
        first.chain(rest.iter().flat_map(|slot| &slot.items)).map(|(_, item)| item.as_ref())
    }

    /// All items by (popularity descending, slot, id), without any sorting at the call.
    pub fn by_popularity(&self) -> impl Iterator<Item = &ItemState> {
        let popular = self.popular.iter();
        let items = popular.filter_map(|entry| self.slot(entry.slot)?.items.get(&entry.id));
        items.map(Box::as_ref)
    }

    /// The highest position that any slot has: those of a snapshot stand above what is applied.
    pub(crate) fn highest(&self) -> Sequence {
        let loaded = self.slots.iter().map(|slot| slot.loaded_through).max().unwrap_or(0);
        loaded.max(self.applied)
    }

    /// What a log must hold for this state to be one of its own.
    pub(crate) fn mark(&self) -> Mark {
        Mark { epoch: self.epoch, position: self.highest() }
    }

    /// Notes that the log was read through `read`, before any of it is applied. What slots of a
    /// snapshot have beyond that was read before, in an epoch that is not earlier.
    pub(crate) fn enter(&mut self, read: Mark) {
        if read.position >= self.highest() {
            self.epoch = read.epoch;
        }
    }

    /// Notes what is retracted at `sequence`, and applies nothing: the state is to be folded again.
    pub(crate) fn pass_over(
        &mut self,
        sequence: Sequence,
        retract: Option<&Retract>,
    ) -> Result<(), ApplyError> {
        if let Some(retract) = retract.filter(|_| sequence > self.applied) {
            self.retractions.note(sequence, retract)?;
        }
        self.advance(sequence);
        Ok(())
    }

    /// Notes that nothing is left to apply through `sequence`.
    pub(crate) fn advance(&mut self, sequence: Sequence) {
        self.applied = self.applied.max(sequence);
    }

    /// Whether some slot already contains what follows `sequence`.
    pub(crate) fn loaded_beyond(&self, sequence: Sequence) -> bool {
        self.slots.iter().any(|slot| slot.loaded_through > sequence)
    }

    /// What was applied on the users' and on the items' side.
    #[must_use]
    pub fn counters(&self) -> (Counters, Counters) {
        self.slots.iter().fold(Default::default(), |(interactions, item_events), slot| {
            (interactions.merge(slot.interactions), item_events.merge(slot.item_events))
        })
    }

    /// Interactions and item events that were applied.
    pub(crate) fn records(&self) -> u64 {
        let (interactions, item_events) = self.counters();
        interactions.count + item_events.count
    }

    /// Records dropped as duplicates.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.dedup.duplicates()
    }

    /// Events of items, and requests, that were applied although their id was remembered with
    /// other content.
    #[must_use]
    pub fn clashes(&self) -> u64 {
        self.dedup.clashes()
    }

    /// What records mean from here on.
    #[must_use]
    pub fn apply_version(&self) -> u32 {
        self.apply_version
    }

    /// When the record was appended since which purchases are entered in ledgers, in milliseconds since
    /// 1970; `None` before it.
    #[must_use]
    pub fn ledgers_since_ms(&self) -> Option<i64> {
        (self.ledgers_since_ms != 0).then_some(self.ledgers_since_ms)
    }

    /// Whether what has no owner to grow with is bounded from here on.
    pub(crate) fn is_bounded(&self) -> bool {
        self.apply_version >= BOUNDED_SINCE
    }

    /// How many finished producers are remembered.
    pub(crate) fn finished_producers(&self) -> usize {
        self.dedup.finished()
    }

    /// Whether a producer is remembered as finished.
    pub(crate) fn is_finished(&self, producer: &ProducerId) -> bool {
        self.dedup.is_finished(producer)
    }

    /// Number of users.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.slots.iter().map(|slot| slot.users.len()).sum()
    }

    /// Number of items.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.slots.iter().map(|slot| slot.items.len()).sum()
    }

    /// Whether there are items, and none of them stands in the catalogue. Looks at the first items
    /// only, but for where it is so.
    #[must_use]
    pub fn has_nothing_catalogued(&self) -> bool {
        let mut statuses = self.items().map(ItemState::status);
        self.item_count() > 0
            && statuses.all(|one| matches!(one, ItemStatus::Unlisted | ItemStatus::Deleted))
    }

    /// Locations, suppliers and price rules.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Time of the newest event of an item, in seconds since 1990-01-01T00:00:00Z; 0 when there
    /// was none.
    #[must_use]
    pub fn newest_item_event(&self) -> u32 {
        self.slots.iter().map(|slot| slot.newest_item_event).max().unwrap_or_default()
    }

    /// What the shard's users did in an experiment, by arm.
    pub(crate) fn tally(&self, experiment: &str) -> BTreeMap<&str, Tally> {
        experiments::tally(self.slots.iter().map(|slot| &slot.tallies), experiment)
    }

    /// Resolves the handles in windows, seen sets and deny lists.
    #[must_use]
    pub fn interner(&self) -> &Interner {
        &self.interner
    }

    fn slot(&self, slot: u16) -> Option<&Slot> {
        self.slots.get(usize::from(slot.checked_sub(self.first_slot)?))
    }

    fn split_after(&self, slot: u16) -> (Option<&Slot>, &[Slot]) {
        let before_all = slot < self.first_slot;
        let index = usize::from(slot.saturating_sub(self.first_slot));
        match self.slots.get(index..) {
            Some([first, rest @ ..]) if !before_all => (Some(first), rest),
            _ => (None, if before_all { &self.slots } else { &[] }),
        }
    }
}
