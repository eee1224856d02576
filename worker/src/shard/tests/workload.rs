//! Random sections of one shard, over few ids, so that records meet.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::tz::TimeZone;
use mercer_common::{
    event::{IdHasher, Side, event_hash},
    slot::{ShardId, ShardLayout, Subject},
};
use mercer_proto::{
    internal::{
        AdjustStock, Exposure, Interaction, ItemEvent, ItemFields, Mutation, ProducerBatch,
        Section, SetCategoryPriceRule, SetCompetitorPrice, SetItemPriceRule, SetStock, SetSupply,
        UpsertItem, UpsertUser, UseApplyVersion, UserFields, mutation, section,
    },
    v1::{
        Filter, Location, PriceRule, RecommendRule, Supplier, SupplyTerms, recommend_rule::Action,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(super) const SHARD: ShardId = 5;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Few, so that ids come again with the same content and with other.
const NAMES: u32 = 12;
const CONTENTS: u32 = 3;

/// The cluster's time zone: no whole number of hours, and changes its clocks.
pub(super) fn zone() -> TimeZone {
    TimeZone::get("Asia/Tehran").expect("a zone")
}

pub(super) fn layout() -> ShardLayout {
    ShardLayout::new(64)
}

/// The first `count` ids that live in the shard.
pub(super) fn ids(kind: Subject, prefix: &str, count: usize) -> Vec<String> {
    (0..)
        .map(|number| format!("{prefix}{number}"))
        .filter(|id| layout().shard_of(kind, id) == SHARD)
        .take(count)
        .collect()
}

pub(super) static USERS: LazyLock<Vec<String>> = LazyLock::new(|| ids(Subject::User, "u", 6));
pub(super) static ITEMS: LazyLock<Vec<String>> = LazyLock::new(|| ids(Subject::Item, "i", 8));

/// Milliseconds by which somebody sets the wall clock between two sections.
fn wall_step() -> impl Strategy<Value = i64> {
    let steps = [1_000, HOUR_MS, 2 * DAY_MS, 8 * DAY_MS].map(|ms| [ms, -ms]);
    prop_oneof![3 => Just(0), 1 => select(steps.concat())]
}

/// Sections in log order, with positions that have gaps, whose wall clock is set back and forth. At
/// some time records may begin to mean version 2, and late ones of version 1 still follow.
pub(super) fn log(sections: usize) -> impl Strategy<Value = Vec<(u64, Section)>> {
    let raise = prop::bool::weighted(0.1);
    let section = (1..4_u64, 0..30 * HOUR_MS, wall_step(), raise, any_section());
    let clocks = select(vec![(0, 0), (0, 1_000 * DAY_MS), (1_000 * DAY_MS, 0)]);
    (clocks, vec(section, 1..sections)).prop_map(|((mut wall, mut time), sections)| {
        let (mut sequence, mut version) = (0, 1);
        let mut numbered = Vec::with_capacity(sections.len());
        for (gap, passed, step, raise, section) in sections {
            sequence += gap;
            // Most sections follow at once, some after hours.
            let passed = if passed % 4 == 0 { passed } else { passed % 1_000 };
            time += passed;
            wall += passed + step;
            let mut section = if raise { use_version_2() } else { section };
            version = if raise { 2 } else { version };
            if version == 1 {
                mean_version_1(&mut section);
            }
            section.append_time_ms = wall;
            section.log_time_ms = time;
            numbered.push((sequence, section));
        }
        numbered
    })
}

/// What makes records mean version 2.
pub(super) fn use_version_2() -> Section {
    use_version(2)
}

/// What makes records mean a version.
pub(super) fn use_version(version: u32) -> Section {
    let use_apply_version = Some(UseApplyVersion { version, id_key: HASHER.key() });
    Section { use_apply_version, ..Section::default() }
}

fn mean_version_1(section: &mut Section) {
    let mean = |key: &mut Vec<u8>, hash: &mut Vec<u8>| {
        if !key.is_empty() {
            *hash = hash_of(SENT[&std::mem::take(key)].name);
        }
    };
    for record in &mut section.interactions {
        mean(&mut record.event_key, &mut record.event_hash);
    }
    for record in &mut section.item_events {
        mean(&mut record.event_key, &mut record.event_hash);
    }
    if let Some(section::Origin::RequestKey(key)) = &section.origin {
        section.origin = Some(section::Origin::RequestHash(hash_of(SENT[key].name)));
    }
}

/// Which id, and which content if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) name: u32,
    pub(super) content: Option<u32>,
}

pub(super) static HASHER: LazyLock<IdHasher> = LazyLock::new(|| IdHasher::of_cluster(5));

/// What each hash and each key of the workload stands for.
pub(super) static SENT: LazyLock<BTreeMap<Vec<u8>, Sent>> = LazyLock::new(|| {
    let mut sent = BTreeMap::new();
    for name in 0..NAMES {
        sent.insert(hash_of(name), Sent { name, content: None });
        for side in [Side::Request, Side::User, Side::Item] {
            for content in 0..CONTENTS {
                let key = key_of(name, content, side);
                sent.insert(key, Sent { name, content: Some(content) });
            }
        }
    }
    sent
});

fn hash_of(name: u32) -> Vec<u8> {
    event_hash(&format!("event {name}"))
}

fn key_of(name: u32, content: u32, side: Side) -> Vec<u8> {
    HASHER.key_of(&format!("event {name}"), content.into(), side).to_bytes()
}

/// What stands for an id on one side: a hash and a key, one of which is empty.
fn sent(side: Side) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let late = prop::bool::weighted(0.2);
    (0..NAMES, 0..CONTENTS, late).prop_map(move |(name, content, late)| match late {
        true => (hash_of(name), Vec::new()),
        false => (Vec::new(), key_of(name, content, side)),
    })
}

fn maybe_sent(side: Side) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    option::weighted(0.4, sent(side)).prop_map(Option::unwrap_or_default)
}

fn any_section() -> impl Strategy<Value = Section> {
    let events = (vec(exposure(), 0..3), vec(interaction(), 0..6), vec(item_event(), 0..6));
    (option::of(origin()), events, vec(mutation(), 0..3)).prop_map(
        |(origin, (exposures, interactions, item_events), mutations)| Section {
            origin,
            exposures,
            interactions,
            item_events,
            mutations,
            ..Section::default()
        },
    )
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
        sent(Side::Request).prop_map(|(hash, key)| match key.is_empty() {
            true => section::Origin::RequestHash(hash),
            false => section::Origin::RequestKey(key),
        }),
    ]
}

pub(super) fn interaction() -> impl Strategy<Value = Interaction> {
    let time = prop_oneof![3 => 0..20_u32, 1 => event_time()];
    let what = (select(&USERS[..]), select(&ITEMS[..]), 1..8, time, 0..3_u8);
    let known = (maybe_sent(Side::User), option::of(attribution()), paid());
    (what, known).prop_map(
        |(
            (user_id, item_id, r#type, time, value),
            ((event_hash, event_key), attribution, paid),
        )| {
            let paid = paid.filter(|_| matches!(r#type, 5 | 6)).unwrap_or_default();
            Interaction {
                user_id,
                item_id,
                r#type,
                time,
                value: f32::from(value) - 1.0,
                event_hash,
                attribution,
                event_key,
                ..paid
            }
        },
    )
}

/// What a purchase or return says of what was paid; nothing before version 5.
fn paid() -> impl Strategy<Value = Option<Interaction>> {
    let quantity = select(vec![0, 500, 1_000, 3_000_000, u64::from(u32::MAX) * 1_000]);
    let amount = option::of(select(vec![-1, 0, 1_990_000, i64::MAX]));
    let what = (quantity, amount, 0..3_u32, channel(), location(), any::<bool>());
    let paid =
        what.prop_map(|(quantity, amount, visit, channel, location_id, promotion)| Interaction {
            quantity_micros: Some(quantity),
            amount_micros: amount,
            list_price_micros: amount,
            visit: Some(visit),
            channel,
            location_id,
            promotion,
            ..Interaction::default()
        });
    option::weighted(0.8, paid)
}

fn channel() -> impl Strategy<Value = String> {
    select(&["", "app", "shop"][..]).prop_map(ToOwned::to_owned)
}

/// Few, so that events meet exposures.
fn attribution() -> impl Strategy<Value = u64> {
    0..6_u64
}

/// What a user was shown; times lie up to two months apart.
pub(super) fn exposure() -> impl Strategy<Value = Exposure> {
    let what = (select(&USERS[..]), select(&["one", "two"][..]), any::<bool>(), attribution());
    let shown = (prop::sample::subsequence(&ITEMS[..], 1..5), 0..60_u32, 0..3_u8);
    (what, shown).prop_map(|((user_id, experiment, first, attribution), (item_ids, days, last))| {
        Exposure {
            user_id,
            experiment_id: experiment.into(),
            arm_id: (if first { "a" } else { "b" }).into(),
            attribution,
            time: days * 86_400,
            item_ids,
            propensity: if last == 0 { 1.0 } else { 0.25 },
            explored: last == 2,
        }
    })
}

/// Times around many midnights, over more days than a series keeps.
fn event_time() -> impl Strategy<Value = u32> {
    let hours = prop_oneof![0..80_u32, 24 * 1_440..24 * 1_480_u32];
    prop_oneof![0..20_u32, hours.prop_map(|hours| hours * 3_600)]
}

fn location() -> impl Strategy<Value = String> {
    select(&["", "default", "north", "south"][..]).prop_map(ToOwned::to_owned)
}

pub(super) fn item_event() -> impl Strategy<Value = ItemEvent> {
    let values = (0..3_u8, option::of(-5..1_000_i64), option::of(-1..9_i64), any::<bool>());
    let r#type = prop_oneof![3 => Just(5), 1 => Just(6), 1 => 1..8];
    let id = maybe_sent(Side::Item);
    let what = (select(&ITEMS[..]), r#type, event_time(), location(), 0..6_u64, id);
    (what, values).prop_map(|(what, (quantity, amount_micros, list_price_micros, promotion))| {
        let (item_id, r#type, time, location_id, visit, (event_hash, event_key)) = what;
        ItemEvent {
            item_id,
            r#type,
            time,
            quantity: f64::from(quantity) * 0.1,
            amount_micros,
            list_price_micros,
            promotion,
            location_id,
            visit,
            event_hash,
            event_key,
            ..ItemEvent::default()
        }
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let kind = prop_oneof![4 => described(), 3 => stocked(), 3 => priced(), 3 => directory()];
    kind.prop_map(|kind| Mutation { kind: Some(kind) })
}

fn described() -> impl Strategy<Value = mutation::Kind> {
    let item = || select(&ITEMS[..]);
    let user = || select(&USERS[..]);
    let mask = |names: &'static [&'static str]| {
        prop_oneof![Just(Vec::new()), vec(select(names).prop_map(ToOwned::to_owned), 1..3),]
    };
    prop_oneof![
        (item(), item_fields(), mask(&["title", "brand", "category_path", "status", "list_price"]))
            .prop_map(|(item_id, fields, mask)| {
                mutation::Kind::UpsertItem(UpsertItem {
                    item_id,
                    fields: Some(fields),
                    mask,
                    ..UpsertItem::default()
                })
            }),
        item().prop_map(mutation::Kind::DeleteItem),
        (user(), user_fields(), mask(&["attributes", "denied_item_ids"])).prop_map(
            |(user_id, fields, mask)| {
                mutation::Kind::UpsertUser(UpsertUser {
                    user_id,
                    fields: Some(fields),
                    mask,
                    ..UpsertUser::default()
                })
            }
        ),
        user().prop_map(mutation::Kind::DeleteUser),
        Just(mutation::Kind::ForgetExperiment("two".into())),
    ]
}

fn stocked() -> impl Strategy<Value = mutation::Kind> {
    let item = || select(&ITEMS[..]);
    // Some counts are of the time of the events, most of none.
    let as_of_ms = prop_oneof![0..9_i64, 631_152_000_000..631_152_020_000_i64];
    let levels = (0..9_i8, as_of_ms, 0..3_i8);
    let terms = option::of((0..5_u8, option::of(0..3_u8)).prop_map(|(days, pack)| SupplyTerms {
        lead_time_days: Some(days.into()),
        pack_size: pack.map(f64::from),
        ..SupplyTerms::default()
    }));
    let everywhere = prop_oneof![location(), Just("*".to_owned())];
    prop_oneof![
        (item(), location(), levels).prop_map(|(item_id, location_id, (half, as_of_ms, order))| {
            let order = f64::from(order);
            mutation::Kind::SetStock(SetStock {
                item_id,
                location_id,
                on_hand: f64::from(half) / 2.0,
                as_of_ms,
                // As releases wrote it that knew no other absence.
                on_order: (order != 0.0).then_some(order),
                backordered: (order != 0.0).then_some(order / 4.0),
                ..SetStock::default()
            })
        }),
        (item(), location(), -9..9_i8, -2..3_i8).prop_map(
            |(item_id, location_id, delta, order)| {
                let (delta, on_order_delta) = (f64::from(delta), f64::from(order));
                let adjust = AdjustStock { item_id, location_id, delta, on_order_delta };
                mutation::Kind::AdjustStock(adjust)
            }
        ),
        (item(), everywhere, select(&["", "acme"][..]), terms).prop_map(
            |(item_id, location_id, supplier, terms)| {
                let supplier_id = supplier.to_owned();
                mutation::Kind::SetSupply(SetSupply {
                    item_id,
                    location_id,
                    supplier_id,
                    terms,
                    ..SetSupply::default()
                })
            }
        ),
    ]
}

fn rule() -> impl Strategy<Value = Option<PriceRule>> {
    option::of((0..3_u8).prop_map(|ending| PriceRule {
        price_endings: (ending > 0).then_some(ending.into()).into_iter().collect(),
        ..PriceRule::default()
    }))
}

fn priced() -> impl Strategy<Value = mutation::Kind> {
    let item = || select(&ITEMS[..]);
    prop_oneof![
        (item(), label(), option::of(1..9_i64), 0..9_i64).prop_map(
            |(item_id, name, price_micros, as_of_ms)| {
                let competitor_id = format!("competitor {name}");
                let set = SetCompetitorPrice { item_id, competitor_id, price_micros, as_of_ms };
                mutation::Kind::SetCompetitorPrice(set)
            }
        ),
        (item(), rule()).prop_map(|(item_id, rule)| {
            mutation::Kind::SetItemPriceRule(SetItemPriceRule { item_id, rule })
        }),
        (vec(label(), 0..3), rule()).prop_map(|(category_path, rule)| {
            mutation::Kind::SetCategoryPriceRule(SetCategoryPriceRule { category_path, rule })
        }),
    ]
}

fn directory() -> impl Strategy<Value = mutation::Kind> {
    let location_id = || select(&["default", "north", "south"][..]).prop_map(ToOwned::to_owned);
    let zones = ["", "America/New_York", "Pacific/Apia", "Nowhere/City"];
    let location = (location_id(), select(zones.to_vec()), any::<bool>());
    prop_oneof![
        3 => location.prop_map(|(location_id, zone, decrement)| {
            mutation::Kind::UpsertLocation(Location {
                location_id,
                name: "a store".into(),
                time_zone: zone.into(),
                decrement_on_purchase: decrement.then_some(true),
            })
        }),
        1 => location_id().prop_map(mutation::Kind::DeleteLocation),
        1 => (select(&["acme", "emca"][..]), label()).prop_map(|(id, name)| {
            mutation::Kind::UpsertSupplier(Supplier { supplier_id: id.into(), name, terms: None })
        }),
        1 => Just(mutation::Kind::DeleteSupplier("acme".into())),
        2 => (label(), -1..10_i32).prop_map(|(id, boost)| {
            mutation::Kind::SetRecommendRule(RecommendRule {
                rule_id: format!("rule {id}"),
                action: Some(Action::Boost(f64::from(boost))),
                filter: Some(Filter::default()),
                ..RecommendRule::default()
            })
        }),
        1 => label().prop_map(|id| mutation::Kind::RemoveRecommendRule(format!("rule {id}"))),
    ]
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
