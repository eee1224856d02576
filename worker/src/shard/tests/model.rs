//! Applying equals a plain model that keeps everything and sorts at the end.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::tz::TimeZone;
use mercer_common::{event, slot::Kind};
use mercer_proto::{
    internal::{ItemFields, Section, UpsertItem, UpsertUser, mutation, section},
    v1::{EventType, ItemStatus},
};
use proptest::prelude::*;

use super::workload::{ITEMS, SHARD, USERS, layout, log};
use crate::shard::{
    Counters, ShardState,
    apply::{Prepared, apply},
};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Default)]
struct Model {
    users: BTreeMap<String, User>,
    items: BTreeMap<String, Item>,
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

#[derive(Debug)]
struct Item {
    fields: ItemFields,
    visits: BTreeSet<u64>,
    units: f64,
    revenue: i64,
    stock: BTreeMap<String, (f64, i64)>,
}

impl Model {
    fn apply(&mut self, section: &Section) {
        let now = section.append_time_ms;
        self.hashes.retain(|_, first| now - *first <= DAY_MS);
        self.producers.retain(|_, (_, _, last, is_final)| *is_final || now - *last <= 7 * DAY_MS);
        let records =
            section.interactions.len() + section.item_events.len() + section.mutations.len();
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
            let item = self.item(&record.item_id);
            if record.r#type() == EventType::Purchase {
                item.visits.insert(record.visit);
                item.units += record.quantity;
                item.revenue += record.amount_micros.unwrap_or(0).max(0);
            }
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

    fn item(&mut self, id: &str) -> &mut Item {
        self.items.entry(id.to_owned()).or_insert_with(|| Item {
            fields: ItemFields { status: ItemStatus::Unlisted.into(), ..ItemFields::default() },
            visits: BTreeSet::new(),
            units: 0.0,
            revenue: 0,
            stock: BTreeMap::new(),
        })
    }

    fn mutate(&mut self, kind: &mutation::Kind) {
        let place = |id: &str| if id.is_empty() { "default".to_owned() } else { id.to_owned() };
        match kind {
            mutation::Kind::UpsertItem(UpsertItem { item_id, fields, mask }) => {
                let fields = fields.clone().expect("set");
                let item = &mut self.item(item_id).fields;
                let names = |name: &str| mask.is_empty() || mask.contains(&name.to_owned());
                let status = item.status();
                if mask.is_empty() {
                    *item = fields.clone();
                }
                for name in mask {
                    match name.as_str() {
                        "title" => item.title.clone_from(&fields.title),
                        "brand" => item.brand.clone_from(&fields.brand),
                        "category_path" => item.category_path.clone_from(&fields.category_path),
                        "list_price" => item.list_price_micros = fields.list_price_micros,
                        _ => {}
                    }
                }
                item.set_status(match (names("status"), fields.status(), status) {
                    (true, ItemStatus::Unspecified, _) | (false, _, ItemStatus::Unlisted) => {
                        ItemStatus::Active
                    }
                    (true, status, _) | (false, _, status) => status,
                });
            }
            mutation::Kind::DeleteItem(id) => {
                if let Some(item) = self.items.get_mut(id) {
                    item.fields.set_status(ItemStatus::Deleted);
                }
            }
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
            mutation::Kind::SetStock(set) => {
                let stock = &mut self.item(&set.item_id).stock;
                stock.insert(place(&set.location_id), (set.on_hand, set.as_of_ms));
            }
            mutation::Kind::AdjustStock(adjust) => {
                let stock = &mut self.item(&adjust.item_id).stock;
                stock.entry(place(&adjust.location_id)).or_default().0 += adjust.delta;
            }
            _ => unreachable!("not in the workload"),
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

fn compare_items(state: &ShardState, model: &Model) {
    for id in ITEMS.iter() {
        let Some(expected) = model.items.get(id) else {
            assert!(state.item(id).is_none());
            continue;
        };
        let item = state.item(id).expect("known");
        let path: Vec<&str> = item.category_path().iter().map(AsRef::as_ref).collect();
        assert_eq!(item.title(), expected.fields.title);
        assert_eq!(item.brand(), expected.fields.brand);
        assert_eq!(path, expected.fields.category_path);
        assert_eq!(item.list_price_micros(), expected.fields.list_price_micros);
        assert_eq!(item.status(), expected.fields.status());
        for (name, value) in &expected.fields.attributes {
            assert_eq!(item.attribute(name), Some(value.as_str()));
        }
        assert_eq!(item.attributes().len(), expected.fields.attributes.len());
        assert_eq!(item.popularity(), expected.visits.len() as u64);
        assert!((item.units() - expected.units).abs() < 1e-9);
        assert_eq!(item.revenue_micros(), expected.revenue);
        assert_eq!(item.stock().len(), expected.stock.len());
        for (location, &(on_hand, as_of_ms)) in &expected.stock {
            let stock = item.stock_at(location).expect("stocked");
            assert_eq!((stock.on_hand, stock.as_of_ms), (on_hand, as_of_ms));
        }
    }
    let mut popular: Vec<_> = model.items.iter().collect();
    popular.sort_by(|(a, left), (b, right)| {
        (Reverse(left.visits.len()).cmp(&Reverse(right.visits.len())))
            .then_with(|| mercer_common::slot::compare(Kind::Item, a, b))
    });
    let expected: Vec<&str> = popular.into_iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(state.by_popularity().map(|item| item.id()).collect::<Vec<_>>(), expected);
}

proptest! {
    #[test]
    fn applying_equals_the_model(log in log(40)) {
        let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
        let mut model = Model::default();
        for (sequence, section) in log {
            model.apply(&section);
            let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
            apply(&mut state, sequence, prepared).expect("applies");
            prop_assert_eq!(state.applied(), sequence);
        }
        compare_users(&state, &model);
        compare_items(&state, &model);
        prop_assert_eq!(state.counters(), (model.interactions, model.item_events));
        prop_assert_eq!(state.duplicates(), model.duplicates);
        prop_assert_eq!(state.user_count(), model.users.len());
        prop_assert_eq!(state.item_count(), model.items.len());
    }
}
