//! Random sections of one shard, over few ids, so that records meet.

use std::sync::LazyLock;

use mercer_common::{
    event::event_hash,
    slot::{Kind, ShardId, ShardLayout},
};
use mercer_proto::internal::{
    AdjustStock, Interaction, ItemEvent, ItemFields, Mutation, ProducerBatch, Section, SetStock,
    UpsertItem, UpsertUser, UserFields, mutation, section,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(super) const SHARD: ShardId = 5;
const HOUR_MS: i64 = 3_600_000;

pub(super) fn layout() -> ShardLayout {
    ShardLayout::new(64)
}

/// The first `count` ids that live in the shard.
pub(super) fn ids(kind: Kind, prefix: &str, count: usize) -> Vec<String> {
    (0..)
        .map(|number| format!("{prefix}{number}"))
        .filter(|id| layout().shard_of(kind, id) == SHARD)
        .take(count)
        .collect()
}

pub(super) static USERS: LazyLock<Vec<String>> = LazyLock::new(|| ids(Kind::User, "u", 6));
pub(super) static ITEMS: LazyLock<Vec<String>> = LazyLock::new(|| ids(Kind::Item, "i", 8));

/// Sections in log order, with positions that have gaps.
pub(super) fn log(sections: usize) -> impl Strategy<Value = Vec<(u64, Section)>> {
    vec((1..4_u64, 0..30 * HOUR_MS, any_section()), 1..sections).prop_map(|sections| {
        let (mut sequence, mut time) = (0, 0);
        let number = |(gap, passed, mut section): (u64, i64, Section)| {
            sequence += gap;
            // Most sections follow at once, some after hours.
            time += if passed % 4 == 0 { passed } else { passed % 1_000 };
            section.append_time_ms = time;
            (sequence, section)
        };
        sections.into_iter().map(number).collect()
    })
}

fn any_section() -> impl Strategy<Value = Section> {
    (option::of(origin()), vec(interaction(), 0..6), vec(item_event(), 0..6), vec(mutation(), 0..3))
        .prop_map(|(origin, interactions, item_events, mutations)| Section {
            origin,
            interactions,
            item_events,
            mutations,
            ..Section::default()
        })
}

fn origin() -> impl Strategy<Value = section::Origin> {
    let producer = (0..3_u8, 1..12_u64, 0..5_u64, prop::bool::weighted(0.1));
    prop_oneof![
        producer.prop_map(|(id, batch_sequence, behind, r#final)| {
            section::Origin::Producer(ProducerBatch {
                producer_id: vec![id; 16],
                batch_sequence,
                acknowledged_through: (batch_sequence - 1).saturating_sub(behind),
                r#final,
            })
        }),
        (0..6_u32).prop_map(|request| section::Origin::RequestHash(hash(request))),
    ]
}

fn hash(number: u32) -> Vec<u8> {
    event_hash(&format!("event {number}"))
}

fn some_hash() -> impl Strategy<Value = Vec<u8>> {
    option::weighted(0.4, 0..12_u32).prop_map(|number| number.map(hash).unwrap_or_default())
}

pub(super) fn interaction() -> impl Strategy<Value = Interaction> {
    (select(&USERS[..]), select(&ITEMS[..]), 1..8, 0..20_u32, 0..3_u8, some_hash()).prop_map(
        |(user_id, item_id, r#type, time, value, event_hash)| Interaction {
            user_id,
            item_id,
            r#type,
            time,
            value: f32::from(value) - 1.0,
            event_hash,
        },
    )
}

pub(super) fn item_event() -> impl Strategy<Value = ItemEvent> {
    let values = (0..3_u8, option::of(-5..1_000_i64), 0..6_u64);
    (select(&ITEMS[..]), prop_oneof![Just(5), 1..8], 0..20_u32, values, some_hash()).prop_map(
        |(item_id, r#type, time, (quantity, amount_micros, visit), event_hash)| ItemEvent {
            item_id,
            r#type,
            time,
            quantity: f64::from(quantity) * 0.1,
            amount_micros,
            visit,
            event_hash,
            ..ItemEvent::default()
        },
    )
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let item = || select(&ITEMS[..]);
    let user = || select(&USERS[..]);
    let mask = |names: &'static [&'static str]| {
        prop_oneof![Just(Vec::new()), vec(select(names).prop_map(ToOwned::to_owned), 1..3),]
    };
    let location = || select(&["", "default", "north"][..]).prop_map(ToOwned::to_owned);
    let kind = prop_oneof![
        (item(), item_fields(), mask(&["title", "brand", "category_path", "status", "list_price"]))
            .prop_map(|(item_id, fields, mask)| {
                mutation::Kind::UpsertItem(UpsertItem { item_id, fields: Some(fields), mask })
            }),
        item().prop_map(mutation::Kind::DeleteItem),
        (user(), user_fields(), mask(&["attributes", "denied_item_ids"])).prop_map(
            |(user_id, fields, mask)| {
                mutation::Kind::UpsertUser(UpsertUser { user_id, fields: Some(fields), mask })
            }
        ),
        user().prop_map(mutation::Kind::DeleteUser),
        (item(), location(), 0..9_i64).prop_map(|(item_id, location_id, as_of_ms)| {
            let on_hand = as_of_ms as f64 / 2.0;
            mutation::Kind::SetStock(SetStock {
                item_id,
                location_id,
                on_hand,
                as_of_ms,
                ..SetStock::default()
            })
        }),
        (item(), location(), -9..9_i8).prop_map(|(item_id, location_id, delta)| {
            let delta = f64::from(delta);
            mutation::Kind::AdjustStock(AdjustStock {
                item_id,
                location_id,
                delta,
                ..AdjustStock::default()
            })
        }),
    ];
    kind.prop_map(|kind| Mutation { kind: Some(kind) })
}

fn label() -> impl Strategy<Value = String> {
    select(&["", "a", "b", "ä"][..]).prop_map(ToOwned::to_owned)
}

fn item_fields() -> impl Strategy<Value = ItemFields> {
    (label(), label(), vec(label(), 0..3), option::of(0..9_i64), 0..5).prop_map(
        |(title, brand, category_path, list_price_micros, status)| ItemFields {
            attributes: [(title.clone(), brand.clone())].into(),
            title,
            brand,
            category_path,
            list_price_micros,
            status,
            ..ItemFields::default()
        },
    )
}

fn user_fields() -> impl Strategy<Value = UserFields> {
    (label(), vec(select(&["x", "i1", "i2", "i7"][..]), 0..4)).prop_map(|(value, denied)| {
        UserFields {
            attributes: [("tier".to_owned(), value)].into(),
            denied_item_ids: denied.into_iter().map(ToOwned::to_owned).collect(),
        }
    })
}
