//! A slot of the live state as snapshots store it.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use mercer_common::time::EventTime;
use mercer_proto::internal::{SlotSection, StoredCounters, StoredUser, UserFields};
use prost::Message as _;

use crate::shard::{
    ApplyError, Counters, ItemHandle, ItemState, Ledger, Met, ShardState, UserState, WindowEntry,
    experiments::{Trials, decode_tallies, encode_tallies},
    interner::Interner,
    item::Popular,
};

impl ShardState {
    /// A slot as it is now, between two sections; `place` counts from the shard's first slot.
    pub(crate) fn encode_slot(&self, place: usize) -> SlotSection {
        let slot = &self.slots[place];
        let dictionary = Dictionary::new(slot.users.values(), &self.interner);
        SlotSection {
            slot: slot.number.into(),
            // During a replay a slot may be ahead of the shard.
            sequence: slot.loaded_through.max(self.applied),
            users: (slot.users.iter())
                .map(|(id, user)| encode_user(id, user, &dictionary, &self.interner))
                .collect(),
            items: slot.items.values().map(|item| item.encode()).collect(),
            interactions: Some(encode_counters(slot.interactions)),
            item_events: Some(encode_counters(slot.item_events)),
            dictionary: dictionary.ids,
            newest_item_event: slot.newest_item_event,
            tallies: encode_tallies(&slot.tallies),
        }
    }

    /// Fills a slot that is still empty.
    ///
    /// # Errors
    /// When the section does not fit the shard or contradicts itself.
    pub(crate) fn load_slot(&mut self, section: SlotSection) -> Result<(), ApplyError> {
        let place = (u16::try_from(section.slot).ok())
            .and_then(|slot| slot.checked_sub(self.first_slot))
            .filter(|&place| usize::from(place) < self.slots.len())
            .ok_or(ApplyError::Malformed("a slot belongs to another shard"))?;
        let dictionary: Result<Vec<_>, _> =
            section.dictionary.iter().map(|id| self.interner.intern(id)).collect();
        let dictionary = dictionary?;
        let slot = &mut self.slots[usize::from(place)];
        slot.loaded_through = section.sequence;
        slot.newest_item_event = section.newest_item_event;
        slot.interactions = decode_counters(section.interactions)?;
        slot.item_events = decode_counters(section.item_events)?;
        slot.tallies = decode_tallies(&section.tallies, &mut self.labels)?;
        for stored in section.users {
            let mut user = decode_user(&stored, &dictionary, &self.interner)?;
            let StoredUser { exposures, participations, .. } = &stored;
            user.trials = Trials::decode(exposures, participations, &dictionary, &mut self.labels)?;
            let fields = stored.fields.unwrap_or_default();
            user.attributes = self.labels.attributes(&fields.attributes);
            if let Some(ledger) = &stored.ledger {
                user.ledger = Ledger::decode(ledger, &mut self.labels)?;
            }
            user.denied = self.interner.intern_set(&fields.denied_item_ids)?;
            slot.users.insert(stored.user_id.into(), user);
        }
        for stored in section.items {
            let item = ItemState::decode(stored, &mut self.labels)?;
            self.list_prices.widen(item.list_price_micros);
            slot.items.insert(item.id.clone(), Box::new(item));
        }
        Ok(())
    }

    /// Orders the items of loaded slots by popularity.
    pub(crate) fn index_popularity(&mut self) {
        let entries = self.slots.iter().flat_map(|slot| {
            slot.items.values().map(|item| Popular {
                popularity: Reverse(item.popularity()),
                slot: slot.number,
                id: item.id.clone(),
            })
        });
        self.popular = entries.collect();
    }

    /// Bytes that are equal exactly for equal states, whatever led there: without where users were first
    /// met, which says it.
    #[must_use]
    pub fn canonical_encoding(&self) -> Vec<u8> {
        let mut bytes = self.apply_version.to_le_bytes().to_vec();
        bytes.extend(self.ledgers_since_ms.to_le_bytes());
        bytes.extend(self.dedup.encode().encode_length_delimited_to_vec());
        bytes.extend(self.directory.encode().encode_length_delimited_to_vec());
        for place in 0..self.slots.len() {
            let mut section = SlotSection { sequence: 0, ..self.encode_slot(place) };
            for user in &mut section.users {
                (user.first_position, user.first_time) = (0, 0);
            }
            bytes.extend(section.encode_length_delimited_to_vec());
        }
        bytes
    }
}

/// The ids that the users of a slot refer to.
struct Dictionary {
    ids: Vec<String>,
    /// Index in `ids`, by handle.
    indexes: Vec<(ItemHandle, u32)>,
}

impl Dictionary {
    fn new<'a>(users: impl Iterator<Item = &'a UserState>, interner: &Interner) -> Self {
        let mut handles: Vec<ItemHandle> = Vec::new();
        for user in users {
            handles.extend(user.window.iter().map(|entry| entry.item));
            handles.extend(&user.seen);
            handles.extend(user.trials.iter().flat_map(|trials| trials.items()));
        }
        handles.sort_unstable();
        handles.dedup();
        handles.sort_unstable_by(|&left, &right| interner.id(left).cmp(interner.id(right)));
        let ids = handles.iter().map(|&handle| interner.id(handle).to_owned()).collect();
        let mut indexes: Vec<_> = handles.into_iter().zip(0..).collect();
        indexes.sort_unstable();
        Self { ids, indexes }
    }

    fn index(&self, handle: ItemHandle) -> u32 {
        let found = self.indexes.binary_search_by_key(&handle, |&(handle, _)| handle);
        self.indexes[found.expect("every handle of the slot was collected")].1
    }
}

fn encode_user(
    id: &str,
    user: &UserState,
    dictionary: &Dictionary,
    interner: &Interner,
) -> StoredUser {
    let mut window_times = Vec::with_capacity(user.window.len());
    let mut previous = 0;
    for entry in &user.window {
        window_times.push(entry.time.wrapping_sub(previous));
        previous = entry.time;
    }
    let mut seen: Vec<u32> = user.seen.iter().map(|&item| dictionary.index(item)).collect();
    seen.sort_unstable();
    let (exposures, participations) = (user.trials.as_ref())
        .map(|trials| trials.encode(|item| dictionary.index(item)))
        .unwrap_or_default();
    let denied = user.denied.iter().map(|&item| interner.id(item).to_owned());
    StoredUser {
        user_id: id.to_owned(),
        fields: Some(UserFields {
            attributes: encode_attributes(&user.attributes),
            denied_item_ids: denied.collect(),
        }),
        catalogued: user.catalogued,
        window_items: user.window.iter().map(|entry| dictionary.index(entry.item)).collect(),
        window_times,
        window_kinds: user.window.iter().map(|entry| entry.kind).collect(),
        seen,
        exposures,
        participations,
        ledger: user.ledger().map(Ledger::encode),
        first_position: user.met_at,
        first_time: user.met_time.0,
    }
}

fn decode_user(
    stored: &StoredUser,
    dictionary: &[ItemHandle],
    interner: &Interner,
) -> Result<UserState, ApplyError> {
    let resolve = |&index: &u32| {
        let handle = dictionary.get(index as usize).copied();
        handle.ok_or(ApplyError::Malformed("an item lies outside the dictionary"))
    };
    let StoredUser { window_items, window_times, window_kinds, .. } = stored;
    if window_items.len() != window_times.len() || window_items.len() != window_kinds.len() {
        return Err(ApplyError::Malformed("the columns of a window differ in length"));
    }
    let mut time = 0_u32;
    let mut window = Vec::with_capacity(window_items.len());
    for ((item, difference), &kind) in window_items.iter().zip(window_times).zip(window_kinds) {
        time = time.wrapping_add(*difference);
        window.push(WindowEntry { time, item: resolve(item)?, kind });
    }
    let seen: Result<Vec<_>, _> = stored.seen.iter().map(resolve).collect();
    let mut seen = seen?;
    seen.sort_unstable_by(|&left, &right| interner.compare(left, right));
    let met = Met { position: stored.first_position, time: EventTime(stored.first_time) };
    let catalogued = stored.catalogued;
    Ok(UserState { window, seen, catalogued, ..UserState::first_met(met) })
}

pub(super) fn encode_attributes(attributes: &[(Arc<str>, Arc<str>)]) -> BTreeMap<String, String> {
    attributes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn encode_counters(counters: Counters) -> StoredCounters {
    StoredCounters { count: counters.count, hash_sum: counters.hash_sum.to_le_bytes().to_vec() }
}

fn decode_counters(stored: Option<StoredCounters>) -> Result<Counters, ApplyError> {
    let stored = stored.ok_or(ApplyError::Malformed("counters are missing"))?;
    let hash_sum = (stored.hash_sum.try_into())
        .map_err(|_| ApplyError::Malformed("a sum of hashes has not 16 bytes"))?;
    Ok(Counters { count: stored.count, hash_sum: u128::from_le_bytes(hash_sum) })
}
