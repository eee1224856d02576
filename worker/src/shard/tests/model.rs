//! Applying equals a plain model that keeps everything and sorts at the end.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::{event, slot::Kind};
use mercer_proto::{
    internal::{Section, UpsertUser, mutation, section},
    v1::EventType,
};
use proptest::prelude::*;

use super::{
    model_items::Items,
    workload::{SHARD, USERS, layout, log, zone},
};
use crate::shard::{
    Counters, ShardState,
    apply::{Prepared, apply},
};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Default)]
struct Model {
    users: BTreeMap<String, User>,
    items: Items,
    /// (applied, highest acknowledged, last append time, final)
    producers: BTreeMap<Vec<u8>, (BTreeSet<u64>, u64, i64, bool)>,
    /// By hash and side: when it was first seen.
    hashes: BTreeMap<(Vec<u8>, u8), i64>,
    duplicates: u64,
    interactions: Counters,
    item_events: Counters,
}

#[derive(Debug, Default)]
struct User {
    window: Vec<(u32, String, i32, f32)>,
    purchased: BTreeSet<String>,
    denied: BTreeSet<String>,
    attributes: BTreeMap<String, String>,
}

impl Model {
    fn apply(&mut self, section: &Section) {
        let now = section.append_time_ms;
        self.hashes.retain(|_, first| now - *first <= DAY_MS);
        self.producers.retain(|_, (_, _, last, is_final)| *is_final || now - *last <= 7 * DAY_MS);
        let of_users = section.exposures.len() + section.interactions.len();
        let records = of_users + section.item_events.len() + section.mutations.len();
        if !self.admit(section, now) {
            self.duplicates += records as u64;
            return;
        }
        for record in &section.interactions {
            if !self.first(&record.event_hash, 1, now) {
                continue;
            }
            count(&mut self.interactions, event::interaction_hash(record));
            let user = self.users.entry(record.user_id.clone()).or_default();
            let value = f32::from_bits(record.value.to_bits() & !7);
            user.window.push((record.time, record.item_id.clone(), record.r#type, value));
            if record.r#type() == EventType::Purchase {
                user.purchased.insert(record.item_id.clone());
            }
        }
        for record in &section.item_events {
            if !self.first(&record.event_hash, 2, now) {
                continue;
            }
            count(&mut self.item_events, event::item_event_hash(record));
            self.items.event(record);
        }
        for mutation in &section.mutations {
            self.mutate(mutation.kind.as_ref().expect("set"));
        }
    }

    fn admit(&mut self, section: &Section, now: i64) -> bool {
        match &section.origin {
            None => true,
            Some(section::Origin::RequestHash(hash)) => self.first_hash(hash, 0, now),
            Some(section::Origin::Producer(batch)) => {
                let producer = self.producers.entry(batch.producer_id.clone()).or_default();
                producer.1 = producer.1.max(batch.acknowledged_through);
                producer.2 = now;
                producer.3 |= batch.r#final;
                batch.batch_sequence > producer.1 && producer.0.insert(batch.batch_sequence)
            }
        }
    }

    fn first(&mut self, hash: &[u8], side: u8, now: i64) -> bool {
        let first = hash.is_empty() || self.first_hash(hash, side, now);
        self.duplicates += u64::from(!first);
        first
    }

    fn first_hash(&mut self, hash: &[u8], side: u8, now: i64) -> bool {
        let key = (hash.to_vec(), side);
        let first = !self.hashes.contains_key(&key);
        self.hashes.entry(key).or_insert(now);
        first
    }

    fn mutate(&mut self, kind: &mutation::Kind) {
        self.items.mutate(kind);
        match kind {
            mutation::Kind::UpsertUser(UpsertUser { user_id, fields, mask }) => {
                let fields = fields.clone().expect("set");
                let user = self.users.entry(user_id.clone()).or_default();
                let names = |name: &str| mask.is_empty() || mask.contains(&name.to_owned());
                if names("attributes") {
                    user.attributes = fields.attributes;
                }
                if names("denied_item_ids") {
                    user.denied = fields.denied_item_ids.into_iter().collect();
                }
            }
            mutation::Kind::DeleteUser(id) => drop(self.users.remove(id)),
            _ => {}
        }
    }
}

fn count(counters: &mut Counters, hash: u128) {
    counters.count += 1;
    counters.hash_sum = counters.hash_sum.wrapping_add(hash);
}

fn compare_users(state: &ShardState, model: &Model) {
    let interner = state.interner();
    for id in USERS.iter() {
        let Some(expected) = model.users.get(id) else {
            assert!(state.user(id).is_none());
            continue;
        };
        let user = state.user(id).expect("known");
        let mut window = expected.window.clone();
        window.sort_by(|a, b| (a.0, &a.1, a.2).cmp(&(b.0, &b.1, b.2)).then(a.3.total_cmp(&b.3)));
        let found: Vec<_> = (user.window().iter())
            .map(|entry| {
                let id = interner.id(entry.item).to_owned();
                (entry.time, id, i32::from(entry.event_type()), entry.value())
            })
            .collect();
        assert_eq!(found, window);
        let ordered = |ids: &BTreeSet<String>| {
            let mut ids: Vec<String> = ids.iter().cloned().collect();
            ids.sort_by(|a, b| mercer_common::slot::compare(Kind::Item, a, b));
            ids
        };
        let resolve = |handles: &[crate::shard::ItemHandle]| -> Vec<String> {
            handles.iter().map(|&handle| interner.id(handle).to_owned()).collect()
        };
        assert_eq!(resolve(user.seen()), ordered(&expected.purchased));
        assert_eq!(resolve(user.denied()), ordered(&expected.denied));
        let attributes: BTreeMap<String, String> = (user.attributes().iter())
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        assert_eq!(attributes, expected.attributes);
    }
}

proptest! {
    #[test]
    fn applying_equals_the_model(log in log(40)) {
        let mut state = ShardState::new(layout(), SHARD, zone());
        let mut model = Model::default();
        for (sequence, section) in log {
            model.apply(&section);
            let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
            apply(&mut state, sequence, prepared).expect("applies");
            prop_assert_eq!(state.applied(), sequence);
        }
        compare_users(&state, &model);
        model.items.compare(&state);
        prop_assert_eq!(state.counters(), (model.interactions, model.item_events));
        prop_assert_eq!(state.duplicates(), model.duplicates);
        prop_assert_eq!(state.user_count(), model.users.len());
        prop_assert_eq!(state.item_count(), model.items.items.len());
    }
}
