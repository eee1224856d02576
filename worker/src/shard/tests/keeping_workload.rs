//! Random changes that keep what they do not say, over few ids, so that they meet.

use std::collections::BTreeMap;

use mercer_common::clearing::Described;
use mercer_proto::{
    google::r#type::Money,
    internal::{
        DeleteStock, DeleteSupply, ItemFields, MergeLocation, MergeSupplier, Mutation, Section,
        SetStock, SetSupply, UpsertItem, UpsertUser, UserFields, mutation::Kind,
    },
    v1::{Location, ServiceTarget, Supplier, SupplyTerms, service_target::Target},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::workload::{ITEMS, USERS, use_version};

/// The text, if there is any.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn text() -> impl Strategy<Value = String> {
    select(&["", "", "a", "b"][..]).prop_map(ToOwned::to_owned)
}

fn days() -> impl Strategy<Value = Option<f64>> {
    option::of(select(&[0.0, 1.5, 7.0][..]))
}

/// Whether a change keeps what it does not say, and what it clears then.
fn keeping(described: Described) -> impl Strategy<Value = (bool, Vec<String>)> {
    let paths: Vec<String> =
        described.clearable().map(|path| path.replace("NAME", "size")).collect();
    let clears = prop_oneof![2 => Just(Vec::new()), 1 => vec(select(paths), 1..4)];
    (prop::bool::weighted(0.8), clears).prop_map(|(keep_absent, clears)| {
        (keep_absent, if keep_absent { clears } else { Vec::new() })
    })
}

fn attributes(keep_absent: bool, values: [String; 2]) -> BTreeMap<String, String> {
    let pairs = ["colour", "size"].map(ToOwned::to_owned).into_iter().zip(values);
    // Without `keep_absent` an empty value is one.
    pairs.filter(|(_, value)| keep_absent || !value.is_empty()).collect()
}

fn terms() -> impl Strategy<Value = Option<SupplyTerms>> {
    let order_cost =
        (0..2_i64).prop_map(|units| Money { currency_code: "EUR".into(), units, nanos: 0 });
    let times = (days(), days(), days(), option::of(order_cost), days());
    let others = (days(), days(), days(), option::of(select(&[0.9, 0.95][..])));
    let terms = (times, others).prop_map(|(times, (minimum, pack, cover, level))| SupplyTerms {
        lead_time_days: times.0,
        lead_time_deviation_days: times.1,
        review_period_days: times.2,
        order_cost: times.3,
        holding_rate: times.4,
        minimum_order_quantity: minimum,
        pack_size: pack,
        maximum_cover_days: cover,
        service: level.map(|level| ServiceTarget { target: Some(Target::FillRate(level)) }),
    });
    let said = terms.prop_map(|terms| Some(terms).filter(|terms| *terms != SupplyTerms::default()));
    prop_oneof![1 => Just(None), 3 => said]
}

fn item_change() -> impl Strategy<Value = Kind> {
    let texts = (text(), text(), text(), text(), [text(), text()]);
    let numbers =
        (option::of(0..3_i64), option::of(0..3_i64), any::<bool>(), select(&[0, 0, 1, 3][..]));
    let upsert = (select(&ITEMS[..2]), texts, numbers, keeping(Described::Item));
    prop_oneof![
        6 => upsert.prop_map(|(item_id, texts, numbers, (keep_absent, clears))| {
            let (title, description, category, brand, values) = texts;
            let (list_price_micros, unit_cost_micros, is_embedded, status) = numbers;
            let fields = Some(ItemFields {
                title,
                description,
                category_path: filled(&category).map(ToOwned::to_owned).into_iter().collect(),
                brand,
                attributes: attributes(keep_absent, values),
                list_price_micros,
                unit_cost_micros,
                status,
                embedding: if is_embedded { vec![0.5, -0.5] } else { Vec::new() },
            });
            Kind::UpsertItem(UpsertItem { item_id, fields, keep_absent, clears, ..Default::default() })
        }),
        1 => select(&ITEMS[..2]).prop_map(Kind::DeleteItem),
    ]
}

fn user_change() -> impl Strategy<Value = Kind> {
    let denied = option::of(select(&ITEMS[..3]));
    let upsert = (select(&USERS[..2]), [text(), text()], denied, keeping(Described::User));
    upsert.prop_map(|(user_id, values, denied, (keep_absent, clears))| {
        let fields = Some(UserFields {
            attributes: attributes(keep_absent, values),
            denied_item_ids: denied.into_iter().collect(),
        });
        Kind::UpsertUser(UpsertUser { user_id, fields, keep_absent, clears, ..Default::default() })
    })
}

fn place() -> impl Strategy<Value = String> {
    select(&["default", "north"][..]).prop_map(ToOwned::to_owned)
}

fn stock_change() -> impl Strategy<Value = Kind> {
    let counts = (-2..3_i8, 1..9_i64, days(), days());
    let set = (select(&ITEMS[..2]), place(), counts, keeping(Described::Stock));
    let delete = (select(&ITEMS[..2]), option::of(place()));
    prop_oneof![
        6 => set.prop_map(|(item_id, location_id, counts, (keep_absent, clears))| {
            let (on_hand, as_of_ms, on_order, backordered) = counts;
            let on_hand = f64::from(on_hand);
            let set = SetStock {
                item_id, location_id, on_hand, as_of_ms, on_order, backordered, keep_absent, clears,
            };
            Kind::SetStock(set)
        }),
        1 => delete.prop_map(|(item_id, location_id)| {
            Kind::DeleteStock(DeleteStock { item_id, location_id })
        }),
    ]
}

fn supply_change() -> impl Strategy<Value = Kind> {
    let set = (select(&ITEMS[..2]), place(), text(), terms(), keeping(Described::Supply));
    let delete = (select(&ITEMS[..2]), option::of(place()));
    prop_oneof![
        6 => set.prop_map(|(item_id, location_id, supplier_id, terms, (keep_absent, clears))| {
            Kind::SetSupply(SetSupply { item_id, location_id, supplier_id, terms, keep_absent, clears })
        }),
        1 => delete.prop_map(|(item_id, location_id)| {
            Kind::DeleteSupply(DeleteSupply { item_id, location_id })
        }),
    ]
}

fn directory_change() -> impl Strategy<Value = Kind> {
    let zone = select(&["", "Asia/Tokyo", "America/New_York"][..]);
    let location = (place(), text(), zone, option::of(any::<bool>()), keeping(Described::Location));
    let supplier = (place(), text(), terms(), keeping(Described::Supplier));
    prop_oneof![
        location.prop_map(|(location_id, name, zone, decrement, (keep_absent, clears))| {
            let time_zone = zone.to_owned();
            let decrement_on_purchase = decrement;
            let location = Location { location_id, name, time_zone, decrement_on_purchase };
            match keep_absent {
                true => Kind::MergeLocation(MergeLocation { location: Some(location), clears }),
                false => Kind::UpsertLocation(location),
            }
        }),
        supplier.prop_map(|(supplier_id, name, terms, (keep_absent, clears))| {
            let supplier = Supplier { supplier_id, name, terms };
            match keep_absent {
                true => Kind::MergeSupplier(MergeSupplier { supplier: Some(supplier), clears }),
                false => Kind::UpsertSupplier(supplier),
            }
        }),
    ]
}

pub(super) fn changes() -> impl Strategy<Value = Vec<Kind>> {
    let one = prop_oneof![
        item_change(),
        user_change(),
        stock_change(),
        supply_change(),
        directory_change()
    ];
    vec(one, 1..60)
}

/// A log of version 4 of what records mean, some changes in each section.
pub(super) fn log(changes: Vec<Kind>, sizes: &[usize]) -> Vec<(u64, Section)> {
    let mut changes = changes.into_iter();
    let parts = sizes.iter().cycle().map(|&size| {
        let mutations = changes.by_ref().take(size).map(|kind| Mutation { kind: Some(kind) });
        Section { mutations: mutations.collect(), ..Section::default() }
    });
    let parts = parts.take_while(|section| !section.mutations.is_empty());
    (1..).zip([use_version(4)].into_iter().chain(parts)).collect()
}

/// Logs of changes that keep what they do not say.
pub(super) fn logs() -> impl Strategy<Value = Vec<(u64, Section)>> {
    (changes(), vec(1..5_usize, 1..4)).prop_map(|(changes, sizes)| log(changes, &sizes))
}
