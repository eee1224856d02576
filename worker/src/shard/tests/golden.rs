//! Files of every format load for ever.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::tz::TimeZone;
use mercer_common::{
    event::{Side, event_hash},
    log::{Epoch, Mark},
};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        AdjustStock, Interaction, ItemEvent, ItemFields, Mutation, ProducerBatch, Section,
        SetCategoryPriceRule, SetCompetitorPrice, SetItemPriceRule, SetStock, SetSupply,
        UpsertItem, UpsertUser, UserFields, mutation, section,
    },
    v1::{
        BrandCondition, CompetitorReference, EventType, Filter, ItemStatus, Location, PriceRule,
        RecommendRule, ServiceTarget, Supplier, SupplyTerms, filter::Condition,
        recommend_rule::Action, service_target::Target,
    },
};

use super::{
    files::{Folder, stamp},
    workload::{HASHER, ITEMS, SHARD, USERS, layout, use_version, use_version_2},
};
use crate::shard::{
    Series, Shard, ShardState,
    apply::{Prepared, apply},
    item::baskets::Baskets,
};

/// A log that uses every field of format 1. Never change it: the golden file holds its state.
pub(super) fn log_1() -> Vec<Section> {
    let mut sections: Vec<Section> = (1..=4_u32)
        .map(|number| Section {
            append_time_ms: 1_700_000_000_000 + i64::from(number),
            origin: Some(section::Origin::Producer(ProducerBatch {
                producer_id: vec![u8::try_from(number % 2).expect("small"); 16],
                batch_sequence: number.into(),
                acknowledged_through: number.saturating_sub(2).into(),
                r#final: number == 3,
            })),
            interactions: (USERS.iter().zip(ITEMS.iter().cycle().skip(number as usize)))
                .map(|(user_id, item_id)| Interaction {
                    user_id: user_id.clone(),
                    item_id: item_id.clone(),
                    r#type: (if number == 4 { EventType::Rating } else { EventType::Purchase })
                        .into(),
                    time: 900_000_000 + number,
                    value: number as f32 * 1.25,
                    event_hash: event_hash(&format!("{user_id} {number}")),
                    ..Interaction::default()
                })
                .collect(),
            item_events: (ITEMS.iter())
                .map(|item_id| ItemEvent {
                    item_id: item_id.clone(),
                    r#type: EventType::Purchase.into(),
                    quantity: 0.75,
                    amount_micros: Some(1_990_000),
                    visit: 0xdead_beef_0000_0000 | u64::from(number / 2),
                    ..ItemEvent::default()
                })
                .collect(),
            ..Section::default()
        })
        .collect();
    let mutations = [
        mutation::Kind::UpsertItem(UpsertItem {
            item_id: ITEMS[0].clone(),
            fields: Some(ItemFields {
                title: "Äpfel".into(),
                description: "Red ones".into(),
                category_path: vec!["PRODUCE".into(), "FRUIT".into()],
                brand: "National".into(),
                attributes: [("size".into(), "3 LB".into()), ("colour".into(), "red".into())]
                    .into(),
                list_price_micros: Some(3_990_000),
                unit_cost_micros: Some(-1),
                status: ItemStatus::Inactive.into(),
                embedding: Vec::new(),
            }),
            ..UpsertItem::default()
        }),
        mutation::Kind::DeleteItem(ITEMS[1].clone()),
        mutation::Kind::UpsertUser(UpsertUser {
            user_id: USERS[0].clone(),
            fields: Some(UserFields {
                attributes: [("tier".into(), "gold".into())].into(),
                denied_item_ids: vec!["elsewhere".into(), ITEMS[2].clone()],
            }),
            ..UpsertUser::default()
        }),
        mutation::Kind::DeleteUser(USERS[1].clone()),
        mutation::Kind::SetStock(SetStock {
            item_id: ITEMS[0].clone(),
            location_id: "north".into(),
            on_hand: 12.5,
            as_of_ms: 1_700_000_000_000,
            ..SetStock::default()
        }),
        mutation::Kind::AdjustStock(AdjustStock {
            item_id: ITEMS[0].clone(),
            location_id: String::new(),
            delta: -2.0,
            ..AdjustStock::default()
        }),
    ];
    for origin in ["catalogue", "catalogue"] {
        sections.push(Section {
            append_time_ms: 1_700_000_000_100,
            origin: Some(section::Origin::RequestHash(event_hash(origin))),
            mutations: mutations
                .iter()
                .cloned()
                .map(|kind| Mutation { kind: Some(kind) })
                .collect(),
            ..Section::default()
        });
    }
    sections
}

/// What format 2 knows beyond format 1. Never change it either.
pub(super) fn log_2() -> Vec<Section> {
    let money = |units| {
        let currency_code = "USD".into();
        Some(Money { currency_code, units, nanos: 990_000_000 })
    };
    let terms = SupplyTerms {
        lead_time_days: Some(7.5),
        lead_time_deviation_days: Some(1.5),
        review_period_days: Some(7.0),
        order_cost: money(24),
        holding_rate: Some(0.25),
        minimum_order_quantity: Some(12.0),
        pack_size: Some(6.0),
        maximum_cover_days: Some(90.0),
        service: Some(ServiceTarget { target: Some(Target::FillRate(0.98)) }),
    };
    let rule = PriceRule {
        floor: money(1),
        ceiling: money(9),
        margin_floor: Some(0.1),
        largest_change: Some(0.2),
        price_endings: vec![49, 99],
        competitor_index_floor: Some(0.9),
        competitor_index_ceiling: Some(1.1),
        competitor_reference: CompetitorReference::Lowest.into(),
    };
    let item = || ITEMS[0].clone();
    let count = |location: &str, on_hand| {
        mutation::Kind::SetStock(SetStock {
            item_id: item(),
            location_id: location.into(),
            on_hand,
            as_of_ms: 1_531_152_000_000,
            on_order: Some(24.0),
            backordered: Some(1.5),
            ..SetStock::default()
        })
    };
    let category_rule = |path: &[&str]| {
        mutation::Kind::SetCategoryPriceRule(SetCategoryPriceRule {
            category_path: path.iter().map(ToString::to_string).collect(),
            rule: Some(rule.clone()),
        })
    };
    let mutations = [
        mutation::Kind::UpsertLocation(Location {
            location_id: "north".into(),
            name: "North Street".into(),
            time_zone: "America/New_York".into(),
            decrement_on_purchase: Some(true),
        }),
        mutation::Kind::UpsertSupplier(Supplier {
            supplier_id: "acme".into(),
            name: "Acme".into(),
            terms: Some(terms.clone()),
        }),
        category_rule(&[]),
        category_rule(&["PRODUCE", "FRUIT"]),
        count("south", 0.0),
        count("south", 3.0),
        count("north", 2.0),
        mutation::Kind::SetSupply(SetSupply {
            item_id: item(),
            location_id: "*".into(),
            supplier_id: "acme".into(),
            terms: Some(terms),
            ..SetSupply::default()
        }),
        mutation::Kind::SetCompetitorPrice(SetCompetitorPrice {
            item_id: item(),
            competitor_id: "corner shop".into(),
            price_micros: Some(4_490_000),
            as_of_ms: 1_700_000_000_000,
        }),
        mutation::Kind::SetItemPriceRule(SetItemPriceRule { item_id: item(), rule: Some(rule) }),
    ];
    let events = (0..7).map(|number: u32| ItemEvent {
        item_id: item(),
        r#type: (if number == 5 { EventType::Return } else { EventType::Purchase }).into(),
        // Past midnight in UTC, not in New York.
        time: 900_000_000 + number / 3 * 86_400 + 36_000,
        quantity: 1.0,
        amount_micros: Some(i64::from(number) * 1_000_000),
        list_price_micros: Some(4_990_000),
        promotion: number.is_multiple_of(2),
        location_id: (if number.is_multiple_of(3) { "" } else { "north" }).into(),
        visit: number.into(),
        ..ItemEvent::default()
    });
    let mutations = mutations.into_iter().map(|kind| Mutation { kind: Some(kind) });
    vec![
        Section {
            append_time_ms: 1_700_000_000_200,
            mutations: mutations.collect(),
            ..Section::default()
        },
        Section {
            append_time_ms: 1_700_000_000_300,
            item_events: events.collect(),
            ..Section::default()
        },
    ]
}

/// What came to format 2 without changing it: embeddings and rules for recommendations. Never
/// change it either.
fn log_2_rules() -> Vec<Section> {
    let rule = |rule_id: &str, action| RecommendRule {
        rule_id: rule_id.into(),
        action: Some(action),
        filter: Some(Filter {
            condition: Some(Condition::Brand(BrandCondition { brands: vec!["National".into()] })),
        }),
        start_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 }),
        end_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
        rule_set: "winter".into(),
    };
    let mutations = [
        mutation::Kind::UpsertItem(UpsertItem {
            item_id: ITEMS[0].clone(),
            fields: Some(ItemFields { embedding: vec![0.6, -0.8], ..ItemFields::default() }),
            mask: vec!["embedding".into()],
            ..UpsertItem::default()
        }),
        mutation::Kind::SetRecommendRule(rule("clearance", Action::Boost(2.5))),
        mutation::Kind::SetRecommendRule(rule("hidden", Action::Exclude(true))),
        mutation::Kind::SetRecommendRule(rule("launch", Action::Include(0.25))),
        mutation::Kind::RemoveRecommendRule("hidden".into()),
    ];
    let mutations = mutations.into_iter().map(|kind| Mutation { kind: Some(kind) });
    vec![Section {
        append_time_ms: 1_700_000_000_400,
        mutations: mutations.collect(),
        ..Section::default()
    }]
}

/// What came with version 2 of what records mean. Never change it either.
fn log_3() -> Vec<Section> {
    let key = |side, content| HASHER.key_of("line-1", content, side).to_bytes();
    let events = |content: u128| Section {
        append_time_ms: 1_600_000_000_000,
        log_time_ms: 86_400_000,
        interactions: vec![Interaction {
            user_id: USERS[0].clone(),
            item_id: ITEMS[0].clone(),
            r#type: EventType::View.into(),
            time: 900_000_000,
            event_key: key(Side::User, content),
            ..Interaction::default()
        }],
        item_events: vec![ItemEvent {
            item_id: ITEMS[0].clone(),
            r#type: EventType::View.into(),
            time: 900_000_000,
            event_key: key(Side::Item, content),
            ..ItemEvent::default()
        }],
        ..Section::default()
    };
    let from_call = |content| Section {
        origin: Some(section::Origin::RequestKey(key(Side::Request, content))),
        ..events(0)
    };
    let use_version =
        Section { append_time_ms: 1_700_000_000_500, log_time_ms: 9, ..use_version_2() };
    // The event clashes twice and the request once; what repeats one of them is dropped.
    vec![use_version, events(1), events(2), events(1), from_call(1), from_call(2), from_call(2)]
}

pub(super) fn state_after(log: impl IntoIterator<Item = Section>) -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    for (sequence, section) in (1..).map(|n| n * 10).zip(log) {
        let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
        apply(&mut state, sequence, prepared).expect("applies");
    }
    state
}

/// A state that uses every field of the newest format, at position 90.
pub(super) fn state() -> ShardState {
    state_after(log_1().into_iter().chain(log_2()).chain(log_2_rules()))
}

/// [`state`] with slots that stand above position 90, in an epoch.
fn state_3() -> ShardState {
    let mut state = state();
    state.slots[1].loaded_through = 95;
    state.enter(Mark { epoch: EPOCH, position: 100 });
    state
}

const EPOCH: Epoch = Epoch(0x1234 << 100 | 0x5678);

/// What the golden file of a format holds; where it stands must be `mark`.
pub(super) fn load(name: &str, sequence: u64, mark: Mark) -> Shard {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests").join(name);
    let folder = Folder::new();
    drop(folder.open(stamp()));
    let path = folder.folder.path().join(format!("shards/05-{sequence}.snapshot"));
    fs::copy(&golden, path).expect("the golden file is there");
    let mut asked = Vec::new();
    let loaded = folder.load_where(stamp(), |mark| {
        asked.push(mark);
        true
    });
    assert_eq!(asked, [mark], "before it is loaded");
    assert_eq!((loaded.applied(), loaded.read().mark()), (sequence, mark));
    loaded
}

fn without_epoch(position: u64) -> Mark {
    Mark { epoch: Epoch::NONE, position }
}

/// Whether two states are equal but for the sums of hashes of interactions.
fn equal_but_for_sums(loaded: &Shard, mut expected: ShardState) -> bool {
    let mut loaded = loaded.write();
    for state in [&mut *loaded, &mut expected] {
        state.slots.iter_mut().for_each(|slot| slot.interactions.hash_sum = 0);
    }
    loaded.canonical_encoding() == expected.canonical_encoding()
}

/// Hash sum of the interactions in the golden files of version 1, which held those of the ids.
const SUM_OF_VERSION_1: u128 = 0x8a9d_ea4b_dde1_b375_6fd4_7847_7c41_a12c;

/// Daily sales, stock-outs and the directory are of format 2.
#[test]
fn format_1_loads() {
    let mut expected = state_after(log_1());
    for slot in &mut expected.slots {
        slot.newest_item_event = 0;
        for item in slot.items.values_mut() {
            item.series = Series::default();
            item.stock.iter_mut().for_each(|stock| stock.stock_outs.clear());
        }
    }
    let loaded = load("golden-1.snapshot", 60, without_epoch(60));
    assert_eq!(loaded.read().counters().0.hash_sum, SUM_OF_VERSION_1);
    assert!(equal_but_for_sums(&loaded, expected));
}

#[test]
fn format_2_loads() {
    let loaded = load("golden-2.snapshot", 80, without_epoch(80));
    assert_eq!(loaded.read().counters().0.hash_sum, SUM_OF_VERSION_1);
    assert!(equal_but_for_sums(&loaded, state_after(log_1().into_iter().chain(log_2()))));
}

#[test]
fn format_2_with_rules_loads() {
    let loaded = load("golden-2-rules.snapshot", 90, without_epoch(90));
    assert_eq!(loaded.read().counters().0.hash_sum, SUM_OF_VERSION_1);
    assert!(equal_but_for_sums(&loaded, state()));
}

#[test]
fn format_3_loads() {
    let mark = Mark { epoch: EPOCH, position: 95 };
    let loaded = load("golden-3.snapshot", 90, mark);
    assert_eq!(loaded.read().counters().0.hash_sum, SUM_OF_VERSION_1);
    assert!(equal_but_for_sums(&loaded, state_3()));
}

#[test]
fn format_3_with_keys_loads() {
    let before = log_1().into_iter().chain(log_2()).chain(log_2_rules());
    let mut expected = state_after(before.chain(log_3()));
    let mark = Mark { epoch: EPOCH, position: 160 };
    expected.enter(mark);
    let loaded = load("golden-3-keys.snapshot", 160, mark);
    let loaded = loaded.read();
    assert_eq!((loaded.apply_version(), loaded.clashes()), (2, 3));
    assert!(loaded.canonical_encoding() == expected.canonical_encoding());
}

/// Sections since version 3: a producer that finished long ago.
fn log_4() -> Vec<Section> {
    let day_ms = 24 * 3_600 * 1_000;
    let finishes = ProducerBatch {
        producer_id: vec![9; 16],
        batch_sequence: 4,
        acknowledged_through: 2,
        r#final: true,
    };
    let last = Section {
        origin: Some(section::Origin::Producer(finishes)),
        log_time_ms: day_ms,
        ..Section::default()
    };
    vec![use_version(3), last, Section { log_time_ms: 9 * day_ms, ..Section::default() }]
}

#[test]
fn format_3_with_bounds_loads() {
    let before = log_1().into_iter().chain(log_2()).chain(log_2_rules()).chain(log_3());
    let mut expected = state_after(before.chain(log_4()));
    let mark = Mark { epoch: EPOCH, position: 190 };
    expected.enter(mark);
    for item in expected.slots.iter_mut().flat_map(|slot| slot.items.values_mut()) {
        item.baskets = Baskets::new(vec![7, 1 << 60], true);
    }
    let loaded = load("golden-3-bounds.snapshot", 190, mark);
    let loaded = loaded.read();
    assert_eq!((loaded.apply_version(), loaded.is_bounded()), (3, true));
    assert!(loaded.is_finished(&[9; 16]));
    // One below (1 << 60) / (1 << 64), of two.
    assert_eq!(loaded.item(&ITEMS[0]).expect("known").popularity(), 15);
    assert!(loaded.canonical_encoding() == expected.canonical_encoding());
}

/// What the golden state says, so that a change of meaning is seen, and not only of bytes.
#[test]
fn the_golden_state_means_the_same_for_ever() {
    let state = state();
    let item = state.item(&ITEMS[0]).expect("known");
    let days: BTreeMap<String, Vec<(String, i64, i64, i64)>> = (item.series().locations())
        .map(|location| {
            let days = item.series().at(location).into_iter().map(|sales| {
                let date = sales.day.date().to_string();
                (date, sales.units_micros, sales.returned_micros, sales.revenue_micros)
            });
            (location.to_owned(), days.collect())
        })
        .collect();
    const UNIT: i64 = 1_000_000;
    let day = |date: &str, units: i64, returned: i64, revenue: i64| {
        (date.to_owned(), units * UNIT, returned * UNIT, revenue * UNIT)
    };
    // The sales of 1990 are older than a series may be.
    let expected = BTreeMap::from([
        (
            "default".to_owned(),
            vec![
                day("2018-07-10", 1, 0, 0),
                day("2018-07-11", 1, 0, 3),
                day("2018-07-12", 1, 0, 6),
            ],
        ),
        ("north".to_owned(), vec![day("2018-07-09", 2, 0, 3), day("2018-07-10", 1, 1, 4)]),
    ]);
    assert_eq!(days, expected);
    let stock: Vec<(&str, f64, &[u32])> = (item.stock().iter())
        .map(|stock| (&*stock.location, stock.on_hand, &*stock.stock_outs))
        .collect();
    let expected: [(&str, f64, &[u32]); 3] =
        [("default", -2.0, &[1_068_848_000]), ("north", -1.0, &[900_036_000]), ("south", 3.0, &[])];
    assert_eq!(stock, expected);
}
