//! Applying equals a plain model that keeps everything and sorts at the end.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::{event, slot::Subject};
use mercer_proto::{
    internal::{Section, UpsertUser, mutation, section},
    v1::EventType,
};
use proptest::prelude::*;

use super::{
    model_items::Items,
    model_ledger::Paid,
    workload::{SENT, SHARD, Sent, USERS, layout, log, zone},
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
    /// (applied, highest acknowledged, age of the last batch, final)
    producers: BTreeMap<Vec<u8>, (BTreeSet<u64>, u64, i64, bool)>,
    /// Whom it concerns, what was sent, and its age.
    remembered: Vec<(u8, Sent, i64)>,
    /// The highest time met by the clock that counts.
    clock: Option<i64>,
    by_log_time: bool,
    duplicates: u64,
    clashes: u64,
    interactions: Counters,
    item_events: Counters,
}

#[derive(Debug, Default)]
struct User {
    window: Vec<(u32, String, i32, f32)>,
    purchased: BTreeSet<String>,
    denied: BTreeSet<String>,
    attributes: BTreeMap<String, String>,
    paid: Paid,
}

impl Model {
    fn apply(&mut self, section: &Section) {
        let now = if self.by_log_time { section.log_time_ms } else { section.append_time_ms };
        self.pass(now);
        let of_users = section.exposures.len() + section.interactions.len();
        let records = of_users + section.item_events.len() + section.mutations.len();
        if !self.admit(section) {
            self.duplicates += records as u64;
            return;
        }
        if section.use_apply_version.is_some() && !self.by_log_time {
            self.by_log_time = true;
            self.clock = Some(section.log_time_ms);
        }
        for record in &section.interactions {
            if !self.first([&record.event_hash, &record.event_key], 1) {
                continue;
            }
            count(&mut self.interactions, event::interaction_hash(record));
            let day = self.items.day(&record.location_id, record.time);
            let user = self.users.entry(record.user_id.clone()).or_default();
            user.paid.enter(record, day);
            let value = f32::from_bits(record.value.to_bits() & !7);
            user.window.push((record.time, record.item_id.clone(), record.r#type, value));
            if record.r#type() == EventType::Purchase {
                user.purchased.insert(record.item_id.clone());
            }
        }
        for record in &section.item_events {
            if !self.first([&record.event_hash, &record.event_key], 2) {
                continue;
            }
            count(&mut self.item_events, event::item_event_hash(record));
            self.items.event(record);
        }
        for mutation in &section.mutations {
            self.mutate(mutation.kind.as_ref().expect("set"));
        }
    }

    /// Everything grows older by what the clock advances.
    fn pass(&mut self, now: i64) {
        let clock = self.clock.map_or(now, |clock| clock.max(now));
        let passed = clock - self.clock.unwrap_or(clock);
        self.clock = Some(clock);
        self.remembered.iter_mut().for_each(|(_, _, age)| *age += passed);
        self.remembered.retain(|(_, _, age)| *age <= DAY_MS);
        self.producers.values_mut().for_each(|(_, _, age, _)| *age += passed);
        self.producers.retain(|_, (_, _, age, is_final)| *is_final || *age <= 7 * DAY_MS);
    }

    fn admit(&mut self, section: &Section) -> bool {
        match &section.origin {
            None => true,
            Some(section::Origin::RequestHash(sent) | section::Origin::RequestKey(sent)) => {
                self.first_sent(SENT[sent], 0)
            }
            Some(section::Origin::Producer(batch)) => {
                let producer = self.producers.entry(batch.producer_id.clone()).or_default();
                producer.1 = producer.1.max(batch.acknowledged_through);
                producer.2 = 0;
                producer.3 |= batch.r#final;
                batch.batch_sequence > producer.1 && producer.0.insert(batch.batch_sequence)
            }
        }
    }

    /// `sent` are a hash and a key, of which one may be set.
    fn first(&mut self, sent: [&Vec<u8>; 2], side: u8) -> bool {
        let Some(sent) = sent.into_iter().find(|bytes| !bytes.is_empty()) else { return true };
        let first = self.first_sent(SENT[sent], side);
        self.duplicates += u64::from(!first);
        first
    }

    fn first_sent(&mut self, sent: Sent, side: u8) -> bool {
        let mut has_name = false;
        for (known, what, _) in &self.remembered {
            if *known != side || what.name != sent.name {
                continue;
            }
            has_name = true;
            // What is sent without content is like any.
            if what.content.is_none() || sent.content.is_none() || what.content == sent.content {
                return false;
            }
        }
        self.clashes += u64::from(has_name && side != 1);
        self.remembered.push((side, sent, 0));
        true
    }

    fn mutate(&mut self, kind: &mutation::Kind) {
        self.items.mutate(kind);
        match kind {
            mutation::Kind::UpsertUser(UpsertUser { user_id, fields, mask, .. }) => {
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
            ids.sort_by(|a, b| mercer_common::slot::compare(Subject::Item, a, b));
            ids
        };
        let resolve = |handles: &[crate::shard::ItemHandle]| -> Vec<String> {
            handles.iter().map(|&handle| interner.id(handle).to_owned()).collect()
        };
        assert_eq!(resolve(user.seen()), ordered(&expected.purchased));
        assert_eq!(resolve(user.denied()), ordered(&expected.denied));
        expected.paid.compare(user.ledger());
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
        prop_assert_eq!(state.clashes(), model.clashes);
        prop_assert_eq!(state.apply_version(), if model.by_log_time { 2 } else { 1 });
        prop_assert_eq!(state.user_count(), model.users.len());
        prop_assert_eq!(state.item_count(), model.items.items.len());
        prop_assert_eq!(state.has_nothing_catalogued(), model.items.has_nothing_catalogued());
    }
}
