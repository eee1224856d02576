//! Changes that keep what they do not say equal a reference that holds every field as a line of text
//! under its path, in whatever calls they come.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::limits;
use mercer_proto::{
    internal::{
        ItemFields, MergeLocation, MergeSupplier, Section, SetStock, SetSupply, UpsertItem,
        UpsertUser, UserFields, mutation::Kind,
    },
    v1::{ItemStatus, Location, Supplier, SupplyTerms},
};
use proptest::{collection::vec, prelude::*};

use super::{
    keeping_workload::{changes, filled, log},
    workload::{ITEMS, SHARD, USERS, layout, zone},
};
use crate::shard::{
    ShardState,
    apply::{Prepared, apply},
};

/// What is known of one record, by path.
type Fields = BTreeMap<String, String>;

/// Everything that is known, by kind and ids.
#[derive(Debug, Default, PartialEq)]
struct Known {
    records: BTreeMap<String, Fields>,
    items: BTreeSet<String>,
    statuses: BTreeMap<String, ItemStatus>,
}

fn say<T: std::fmt::Debug>(fields: &mut Fields, path: &str, value: Option<T>) {
    if let Some(value) = value {
        fields.insert(path.to_owned(), format!("{value:?}"));
    }
}

fn of_attributes<'a>(fields: &mut Fields, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, value) in pairs {
        say(fields, &format!("attributes.{name}"), filled(value));
    }
}

fn of_item(item: &ItemFields) -> Fields {
    let mut fields = Fields::new();
    say(&mut fields, "title", filled(&item.title));
    say(&mut fields, "description", filled(&item.description));
    say(&mut fields, "category_path", filled(&item.category_path.join(" > ")));
    say(&mut fields, "brand", filled(&item.brand));
    let attributes = item.attributes.iter().map(|(name, value)| (&**name, &**value));
    of_attributes(&mut fields, attributes);
    say(&mut fields, "list_price", item.list_price_micros);
    say(&mut fields, "unit_cost", item.unit_cost_micros);
    let embedding = Some(&item.embedding).filter(|numbers| !numbers.is_empty());
    say(&mut fields, "embedding", embedding);
    fields
}

fn of_terms(fields: &mut Fields, terms: Option<&SupplyTerms>) {
    let Some(terms) = terms else { return };
    say(fields, "terms.lead_time_days", terms.lead_time_days);
    say(fields, "terms.lead_time_deviation_days", terms.lead_time_deviation_days);
    say(fields, "terms.review_period_days", terms.review_period_days);
    say(fields, "terms.order_cost", terms.order_cost.as_ref());
    say(fields, "terms.holding_rate", terms.holding_rate);
    say(fields, "terms.minimum_order_quantity", terms.minimum_order_quantity);
    say(fields, "terms.pack_size", terms.pack_size);
    say(fields, "terms.maximum_cover_days", terms.maximum_cover_days);
    say(fields, "terms.service", terms.service);
}

fn of_supply(set: &SetSupply) -> Fields {
    let mut fields = Fields::new();
    say(&mut fields, "supplier_id", filled(&set.supplier_id));
    of_terms(&mut fields, set.terms.as_ref());
    fields
}

fn of_location(location: &Location) -> Fields {
    let mut fields = Fields::new();
    say(&mut fields, "name", filled(&location.name));
    say(&mut fields, "time_zone", filled(&location.time_zone));
    say(&mut fields, "decrement_on_purchase", location.decrement_on_purchase);
    fields
}

fn of_supplier(supplier: &Supplier) -> Fields {
    let mut fields = Fields::new();
    say(&mut fields, "name", filled(&supplier.name));
    of_terms(&mut fields, supplier.terms.as_ref());
    fields
}

/// Units as text; none are 0, which is what is known where nothing was said.
fn of_stock(on_hand: f64, as_of_ms: i64, on_order: Option<f64>, owed: Option<f64>) -> Fields {
    let mut fields = Fields::new();
    say(&mut fields, "on_hand", Some(on_hand));
    say(&mut fields, "as_of_ms", Some(as_of_ms));
    say(&mut fields, "on_order", on_order);
    say(&mut fields, "backordered", owed);
    fields
}

impl Known {
    fn merge(&mut self, key: String, said: Fields, keep_absent: bool, clears: &[String]) {
        let known = self.records.entry(key).or_default();
        if !keep_absent {
            known.clear();
        }
        for path in clears {
            let below = format!("{path}.");
            known.retain(|other, _| other != path && !other.starts_with(&below));
        }
        known.extend(said);
        // 0 and "no" are what is known where nothing was said.
        known.retain(|path, value| match path.as_str() {
            "on_order" | "backordered" => value != "0.0",
            "decrement_on_purchase" => value != "false",
            _ => true,
        });
    }

    fn remove(&mut self, kind: &str, item: &str, location: Option<&String>) {
        let all = format!("{kind} {item} ");
        let one = location.map(|location| format!("{all}{location}"));
        self.records.retain(|key, _| match &one {
            Some(one) => key != one,
            None => !key.starts_with(&all),
        });
    }

    fn change(&mut self, kind: &Kind) {
        match kind {
            Kind::UpsertItem(upsert) => {
                let UpsertItem { item_id, fields, keep_absent, clears, .. } = upsert;
                let fields = fields.as_ref().expect("set");
                self.items.insert(item_id.clone());
                let listed = self.statuses.get(item_id).copied();
                let status = match (fields.status(), keep_absent, listed) {
                    (ItemStatus::Unspecified, true, Some(status)) => status,
                    (ItemStatus::Unspecified, ..) => ItemStatus::Active,
                    (status, ..) => status,
                };
                self.statuses.insert(item_id.clone(), status);
                self.merge(format!("item {item_id}"), of_item(fields), *keep_absent, clears);
            }
            Kind::DeleteItem(id) => {
                if self.items.contains(id) {
                    self.statuses.insert(id.clone(), ItemStatus::Deleted);
                }
            }
            Kind::UpsertUser(upsert) => {
                let UpsertUser { user_id, fields, keep_absent, clears, .. } = upsert;
                let fields = fields.as_ref().expect("set");
                let mut said = Fields::new();
                let attributes = fields.attributes.iter().map(|(name, value)| (&**name, &**value));
                of_attributes(&mut said, attributes);
                say(&mut said, "denied_item_ids", fields.denied_item_ids.first());
                self.merge(format!("user {user_id}"), said, *keep_absent, clears);
            }
            Kind::SetStock(set) => {
                let said = of_stock(set.on_hand, set.as_of_ms, set.on_order, set.backordered);
                self.items.insert(set.item_id.clone());
                let key = format!("stock {} {}", set.item_id, set.location_id);
                self.merge(key, said, set.keep_absent, &set.clears);
            }
            Kind::DeleteStock(delete) => {
                self.remove("stock", &delete.item_id, delete.location_id.as_ref());
            }
            Kind::SetSupply(set) => {
                self.items.insert(set.item_id.clone());
                let key = format!("supply {} {}", set.item_id, set.location_id);
                self.merge(key, of_supply(set), set.keep_absent, &set.clears);
            }
            Kind::DeleteSupply(delete) => {
                self.remove("supply", &delete.item_id, delete.location_id.as_ref());
            }
            Kind::UpsertLocation(location) => {
                let key = format!("location {}", location.location_id);
                self.merge(key, of_location(location), false, &[]);
            }
            Kind::MergeLocation(MergeLocation { location, clears }) => {
                let location = location.as_ref().expect("set");
                let key = format!("location {}", location.location_id);
                self.merge(key, of_location(location), true, clears);
            }
            Kind::UpsertSupplier(supplier) => {
                let key = format!("supplier {}", supplier.supplier_id);
                self.merge(key, of_supplier(supplier), false, &[]);
            }
            Kind::MergeSupplier(MergeSupplier { supplier, clears }) => {
                let supplier = supplier.as_ref().expect("set");
                let key = format!("supplier {}", supplier.supplier_id);
                self.merge(key, of_supplier(supplier), true, clears);
            }
            other => panic!("{other:?}"),
        }
    }

    /// What a shard knows, of which nothing is left out.
    fn of(state: &ShardState) -> Self {
        let mut known = Self::default();
        for item in state.items() {
            let id = item.id();
            known.items.insert(id.to_owned());
            if item.status() != ItemStatus::Unlisted {
                known.statuses.insert(id.to_owned(), item.status());
            }
            let attributes = item.attributes().iter();
            let fields = ItemFields {
                title: item.title().to_owned(),
                description: item.description().to_owned(),
                category_path: item.category_path().iter().map(ToString::to_string).collect(),
                brand: item.brand().to_owned(),
                attributes: attributes.map(|(n, v)| (n.to_string(), v.to_string())).collect(),
                list_price_micros: item.list_price_micros(),
                unit_cost_micros: item.unit_cost_micros(),
                embedding: item.embedding().to_vec(),
                ..ItemFields::default()
            };
            known.merge(format!("item {id}"), of_item(&fields), false, &[]);
            for stock in item.stock() {
                let (on_order, owed) = (Some(stock.on_order), Some(stock.backordered));
                let said = of_stock(stock.on_hand, stock.as_of_ms, on_order, owed);
                known.merge(format!("stock {id} {}", stock.location), said, false, &[]);
            }
            for supply in item.supply() {
                assert_ne!(supply.terms, Some(crate::shard::Terms::default()));
                let key = format!("supply {id} {}", supply.location);
                known.merge(key, of_supply(&supply.encode()), false, &[]);
            }
        }
        for (id, user) in state.users() {
            assert!(user.catalogued());
            let mut said = Fields::new();
            of_attributes(
                &mut said,
                user.attributes().iter().map(|(name, value)| (&**name, &**value)),
            );
            let mut denied = user.denied().iter().map(|&item| state.interner().id(item));
            say(&mut said, "denied_item_ids", denied.next_back());
            known.merge(format!("user {id}"), said, false, &[]);
        }
        for location in state.directory().locations() {
            assert_ne!(location.decrement_on_purchase, Some(false));
            let key = format!("location {}", location.location_id);
            known.merge(key, of_location(location), false, &[]);
        }
        for supplier in state.directory().suppliers() {
            let key = format!("supplier {}", supplier.supplier_id);
            known.merge(key, of_supplier(&supplier.encode()), false, &[]);
        }
        known
    }

    /// Without the records of which nothing is known, but for those that are there nevertheless.
    fn compact(mut self) -> Self {
        self.records.retain(|key, fields| {
            let kind = key.split(' ').next();
            matches!(kind, Some("user" | "location" | "supplier")) || !fields.is_empty()
        });
        self
    }
}

fn after(log: Vec<(u64, Section)>) -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, zone());
    for (sequence, section) in log {
        let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
        apply(&mut state, sequence, prepared).expect("applies");
    }
    state
}

fn only(changes: impl IntoIterator<Item = Kind>) -> ShardState {
    after(log(changes.into_iter().collect(), &[1]))
}

proptest! {
    #[test]
    fn keeping_equals_the_reference(changes in changes(), sizes in vec(1..9_usize, 1..4)) {
        let mut expected = Known::default();
        changes.iter().for_each(|change| expected.change(change));
        let state = after(log(changes.clone(), &sizes));
        prop_assert_eq!(Known::of(&state).compact(), expected.compact());
        // It does not matter in which calls they come.
        let one_by_one = after(log(changes, &[1]));
        prop_assert_eq!(Known::of(&one_by_one), Known::of(&state));
    }
}

#[test]
fn an_upsert_of_nothing_but_the_id_changes_nothing_and_lists_what_was_not() {
    let upsert = |status: ItemStatus, keep_absent| {
        let fields = Some(ItemFields { status: status.into(), ..ItemFields::default() });
        let item_id = ITEMS[0].clone();
        Kind::UpsertItem(UpsertItem { item_id, fields, keep_absent, ..UpsertItem::default() })
    };
    let nothing = || upsert(ItemStatus::Unspecified, true);
    let delete = || Kind::DeleteItem(ITEMS[0].clone());
    let stocked = Kind::SetStock(SetStock { item_id: ITEMS[0].clone(), ..SetStock::default() });
    let cases = [
        (vec![nothing()], ItemStatus::Active),
        (vec![stocked, nothing()], ItemStatus::Active),
        (vec![upsert(ItemStatus::Inactive, false), nothing()], ItemStatus::Inactive),
        (vec![upsert(ItemStatus::Inactive, true), nothing()], ItemStatus::Inactive),
        (vec![nothing(), delete(), nothing()], ItemStatus::Deleted),
        (vec![nothing(), delete(), upsert(ItemStatus::Active, true)], ItemStatus::Active),
        // As ever without `keep_absent`.
        (vec![nothing(), delete(), upsert(ItemStatus::Unspecified, false)], ItemStatus::Active),
    ];
    for (changes, expected) in cases {
        let state = only(changes.clone());
        assert_eq!(state.item(&ITEMS[0]).expect("known").status(), expected, "{changes:?}");
    }
}

#[test]
fn an_item_and_a_user_take_no_more_attributes_than_they_may_have() {
    let named = |names: std::ops::Range<usize>, value: &str| -> BTreeMap<String, String> {
        names.map(|number| (format!("{number:03}"), value.to_owned())).collect()
    };
    let most = limits::ATTRIBUTES;
    let parts = [
        (named(0..most - 2, "old"), vec![]),
        (named(most - 4..most + 5, "new"), vec![]),
        (named(200..203, "late"), vec!["attributes.001".into(), "attributes.003".into()]),
    ];
    let state = only(parts.clone().map(|(attributes, clears)| {
        Kind::UpsertItem(UpsertItem {
            item_id: ITEMS[0].clone(),
            fields: Some(ItemFields { attributes, ..ItemFields::default() }),
            keep_absent: true,
            clears,
            ..UpsertItem::default()
        })
    }));
    let of_user = only(parts.map(|(attributes, clears)| {
        Kind::UpsertUser(UpsertUser {
            user_id: USERS[0].clone(),
            fields: Some(UserFields { attributes, ..UserFields::default() }),
            keep_absent: true,
            clears,
            ..UpsertUser::default()
        })
    }));
    let attributes = state.item(&ITEMS[0]).expect("known").attributes();
    assert_eq!(of_user.user(&USERS[0]).expect("known").attributes(), attributes);
    assert_eq!(attributes.len(), most);
    let found = [0, 1, most - 4, most - 1, most, 200, 201, 202].map(|number| {
        let name = format!("{number:03}");
        let mut pairs = attributes.iter();
        pairs.find(|(other, _)| **other == *name).map(|(_, value)| value.to_string())
    });
    let expected = ["old", "", "new", "new", "", "late", "late", ""];
    let expected = expected.map(|value| filled(value).map(ToOwned::to_owned));
    assert_eq!(found, expected);
}

#[test]
fn terms_that_are_kept_are_bounded_by_locations() {
    let supply = |number: usize, supplier: &str, clears: &[&str]| {
        Kind::SetSupply(SetSupply {
            item_id: ITEMS[0].clone(),
            location_id: format!("{number:05}"),
            supplier_id: supplier.to_owned(),
            keep_absent: true,
            clears: clears.iter().map(ToString::to_string).collect(),
            ..SetSupply::default()
        })
    };
    let most = limits::ITEM_LOCATIONS;
    let full = (0..most + 3).map(|number| supply(number, "acme", &[]));
    let more = [
        supply(most + 5, "", &[]),
        supply(3, "", &[]),
        supply(4, "", &["supplier_id"]),
        supply(most + 6, "late", &[]),
        supply(most + 7, "too late", &[]),
    ];
    let state = only(full.chain(more));
    let found = state.item(&ITEMS[0]).expect("known").supply();
    assert_eq!(found.len(), most);
    let suppliers = [3, 4, most, most + 5, most + 6, most + 7].map(|number| {
        let location = format!("{number:05}");
        let mut all = found.iter();
        all.find(|known| *known.location == *location).map(|known| known.supplier_id.as_str())
    });
    assert_eq!(suppliers, [Some("acme"), None, None, None, Some("late"), None]);
}
