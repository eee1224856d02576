//! What users and items keep is bounded; what is malformed is refused.

use jiff::tz::TimeZone;
use mercer_common::{limits, slot::Subject};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        AdjustStock, Interaction, Mutation, Section, SetCategoryPriceRule, SetCompetitorPrice,
        SetItemPriceRule, SetStock, SetSupply, mutation,
    },
    v1::{
        EventType, Filter, Location, PriceRule, RecommendRule, Supplier, SupplyTerms,
        recommend_rule::Action,
    },
};

use super::workload::{ITEMS, SHARD, USERS, layout};
use crate::shard::{
    ApplyError, ItemHandle, ShardState, UserState,
    apply::{Prepared, apply},
    interner::Interner,
};

fn view(time: u32, item: &str) -> Interaction {
    Interaction {
        user_id: USERS[0].clone(),
        item_id: item.into(),
        r#type: EventType::View.into(),
        time,
        ..Interaction::default()
    }
}

#[test]
fn a_window_keeps_the_latest_events_whatever_came_first() {
    let events = limits::WINDOW_EVENTS as u32 + 500;
    // Four events a second, in an order that has nothing to do with time.
    let records =
        (0..events).map(|n| n * 1_009 % events).map(|n| view(n / 4, &format!("{}", n % 4)));
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    let section = Section { interactions: records.collect(), ..Section::default() };
    apply(&mut state, 1, Prepared::new(layout(), SHARD, section).expect("valid")).expect("applies");
    let window = state.user(&USERS[0]).expect("known").window();
    let found: Vec<u32> = (window.iter())
        .map(|entry| {
            entry.time * 4 + state.interner().id(entry.item).parse::<u32>().expect("number")
        })
        .collect();
    assert_eq!(found, (500..events).collect::<Vec<_>>());
}

#[test]
fn a_seen_set_keeps_the_lowest_by_slot_and_id() {
    let mut interner = Interner::default();
    let mut ids: Vec<String> = (0..limits::SEEN_ITEMS + 10).map(|n| format!("item {n}")).collect();
    ids.sort_by_cached_key(|id| (mercer_common::slot::slot(Subject::Item, id), id.clone()));
    let handles: Vec<ItemHandle> =
        ids.iter().map(|id| interner.intern(id).expect("room")).collect();
    let mut user = UserState { seen: handles[10..].to_vec(), ..UserState::default() };
    for &handle in handles.iter().rev() {
        if handle < handles[10] {
            user.insert_seen(handle, &interner);
        }
    }
    user.insert_seen(handles[0], &interner);
    user.insert_seen(handles[limits::SEEN_ITEMS], &interner);
    assert!(user.seen() == &handles[..limits::SEEN_ITEMS]);
}

/// The state after these mutations of the first item.
fn after(mutations: impl IntoIterator<Item = mutation::Kind>) -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    let mutations = mutations.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect();
    let section = Section { mutations, ..Section::default() };
    apply(&mut state, 1, Prepared::new(layout(), SHARD, section).expect("valid")).expect("applies");
    state
}

#[test]
fn the_latest_competitors_are_kept() {
    let set = |number: i64, as_of_ms| {
        mutation::Kind::SetCompetitorPrice(SetCompetitorPrice {
            item_id: ITEMS[0].clone(),
            competitor_id: format!("{number:02}"),
            price_micros: Some(number),
            as_of_ms,
        })
    };
    // The last ten were seen before all others; one of these is then seen again.
    let prices = (0..74).map(|number| set(number, if number < 64 { 100 } else { 9 }));
    let state = after(prices.chain([set(7, 50), set(90, 60)]));
    let kept: Vec<String> = (state.item(&ITEMS[0]).expect("known").competitor_prices().iter())
        .map(|entry| entry.competitor.to_string())
        .collect();
    let numbers = (0..64).filter(|&number| number != 7).chain([90]);
    assert_eq!(kept, numbers.map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[test]
fn an_item_has_terms_at_a_bounded_number_of_locations() {
    let set = |location: String, supplier: &str| {
        mutation::Kind::SetSupply(SetSupply {
            item_id: ITEMS[0].clone(),
            location_id: location,
            supplier_id: supplier.into(),
            ..SetSupply::default()
        })
    };
    let locations = (0..limits::ITEM_LOCATIONS + 9).map(|n| set(format!("{n:04}"), "acme"));
    let more = [
        set(String::new(), "everywhere"),
        set("0999".into(), "replaced"),
        set("0500".into(), ""),
        set("9999".into(), "room again"),
    ];
    let state = after(locations.chain(more));
    let supply = state.item(&ITEMS[0]).expect("known").supply();
    assert_eq!(supply.len(), limits::ITEM_LOCATIONS + 1);
    let supplier = |location: &str| {
        let found = supply.iter().find(|known| *known.location == *location);
        found.map(|known| known.supplier_id.as_str())
    };
    assert_eq!(supplier("*"), Some("everywhere"));
    assert_eq!(supplier("0999"), Some("replaced"));
    assert_eq!(supplier("0500"), None);
    assert_eq!(supplier("1000"), None);
    assert_eq!(supplier("9999"), Some("room again"));
}

fn rule(id: &str, rule_set: &str) -> RecommendRule {
    RecommendRule {
        rule_id: id.into(),
        rule_set: rule_set.into(),
        action: Some(Action::Exclude(true)),
        filter: Some(Filter::default()),
        ..RecommendRule::default()
    }
}

#[test]
fn rules_are_bounded_by_number_and_bytes() {
    let set = |id: String, rule_set: &str| mutation::Kind::SetRecommendRule(rule(&id, rule_set));
    let rules = (0..limits::RECOMMEND_RULES.records + 2).map(|n| set(format!("{n:04}"), ""));
    let more = [
        set("0999".into(), "replaced"),
        mutation::Kind::RemoveRecommendRule("0500".into()),
        mutation::Kind::RemoveRecommendRule("1000".into()),
        set("9998".into(), "room again"),
        set("9999".into(), "full again"),
    ];
    let state = after(rules.chain(more));
    let rules = state.directory().recommend_rules();
    assert_eq!(rules.size().0, limits::RECOMMEND_RULES.records);
    let rule_set = |id: &str| rules.get(id).map(|rule| rule.rule_set.as_str());
    assert_eq!(rule_set("0999"), Some("replaced"));
    assert_eq!(["0500", "1000", "1001", "9999"].map(rule_set), [None; 4]);
    assert_eq!(rule_set("9998"), Some("room again"));

    // A little more than a third of what all may take.
    let large = "x".repeat(limits::RECOMMEND_RULES.bytes / 3);
    let sets = [("a", &*large), ("b", &*large), ("c", &*large), ("b", ""), ("c", &*large)];
    let state = after(sets.map(|(id, rule_set)| set(id.into(), rule_set)));
    let sizes = state.directory().recommend_rules().values().map(|rule| rule.rule_set.len());
    assert_eq!(sizes.collect::<Vec<_>>(), [large.len(), 0, large.len()]);
    let state = after(sets[..3].iter().map(|(id, rule_set)| set((*id).into(), rule_set)));
    assert_eq!(state.directory().recommend_rules().size().0, 2);
}

#[test]
fn malformed_mutations_are_refused() {
    let item_id = || ITEMS[0].clone();
    let no_amount = Some(Money { units: 1, nanos: -1, ..Money::default() });
    let terms = SupplyTerms { order_cost: no_amount.clone(), ..SupplyTerms::default() };
    let terms = Some(terms);
    let bad = [
        mutation::Kind::SetStock(SetStock {
            item_id: item_id(),
            on_hand: f64::NAN,
            ..SetStock::default()
        }),
        mutation::Kind::AdjustStock(AdjustStock {
            item_id: item_id(),
            on_order_delta: f64::INFINITY,
            ..AdjustStock::default()
        }),
        mutation::Kind::SetSupply(SetSupply {
            item_id: item_id(),
            terms: Some(SupplyTerms { pack_size: Some(f64::NAN), ..SupplyTerms::default() }),
            ..SetSupply::default()
        }),
        mutation::Kind::SetSupply(SetSupply {
            item_id: item_id(),
            terms: terms.clone(),
            ..SetSupply::default()
        }),
        mutation::Kind::UpsertSupplier(Supplier {
            supplier_id: "acme".into(),
            terms,
            ..Supplier::default()
        }),
        mutation::Kind::SetItemPriceRule(SetItemPriceRule {
            item_id: item_id(),
            rule: Some(PriceRule { ceiling: no_amount, ..PriceRule::default() }),
        }),
        mutation::Kind::SetSupply(SetSupply { item_id: "elsewhere".into(), ..Default::default() }),
        mutation::Kind::SetCompetitorPrice(SetCompetitorPrice {
            item_id: item_id(),
            ..SetCompetitorPrice::default()
        }),
        mutation::Kind::SetItemPriceRule(SetItemPriceRule {
            item_id: item_id(),
            rule: Some(PriceRule { price_endings: vec![0; 17], ..PriceRule::default() }),
        }),
        mutation::Kind::SetCategoryPriceRule(SetCategoryPriceRule {
            category_path: vec![String::new(); 9],
            rule: None,
        }),
        mutation::Kind::UpsertLocation(Location::default()),
        mutation::Kind::DeleteLocation(String::new()),
        mutation::Kind::UpsertSupplier(Supplier {
            supplier_id: "x".repeat(257),
            ..Supplier::default()
        }),
        mutation::Kind::DeleteSupplier(String::new()),
        mutation::Kind::SetRecommendRule(RecommendRule { action: None, ..rule("no action", "") }),
        mutation::Kind::SetRecommendRule(RecommendRule { filter: None, ..rule("no filter", "") }),
        mutation::Kind::SetRecommendRule(rule("", "no id")),
        mutation::Kind::SetRecommendRule(RecommendRule {
            action: Some(Action::Boost(f64::NAN)),
            ..rule("not finite", "")
        }),
        mutation::Kind::RemoveRecommendRule(String::new()),
    ];
    for kind in bad {
        let mutations = vec![Mutation { kind: Some(kind) }];
        let section = Section { mutations: mutations.clone(), ..Section::default() };
        let refused = Prepared::new(layout(), SHARD, section);
        assert!(matches!(refused, Err(ApplyError::Malformed(_))), "{mutations:?}");
    }
}
