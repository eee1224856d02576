//! What has no owner to grow with is bounded since version 3, what was there before stays, and shards
//! of a process hold the directory once.

use jiff::tz::TimeZone;
use mercer_common::{
    limits::{self, Bound},
    slot::ShardId,
};
use mercer_proto::{
    internal::{
        AdjustStock, ItemEvent, Mutation, Section, SetCategoryPriceRule, SetStock, mutation::Kind,
    },
    v1::{EventType, Location, PriceRule, Supplier},
};

use super::workload::{ITEMS, SHARD, layout, use_version};
use crate::shard::{
    ShardState,
    apply::{Prepared, apply},
};

/// A shard whose records mean `version`.
fn state_of(shard: ShardId, version: u32) -> ShardState {
    let mut state = ShardState::new(layout(), shard, TimeZone::UTC);
    step(&mut state, use_version(version));
    state
}

fn step(state: &mut ShardState, section: Section) {
    let (shard, sequence) = (state.shard(), state.applied() + 1);
    let prepared = Prepared::new(layout(), shard, section).expect("valid");
    apply(state, sequence, prepared).expect("applies");
}

fn change(state: &mut ShardState, kinds: impl IntoIterator<Item = Kind>) {
    let mutations = kinds.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect();
    step(state, Section { mutations, ..Section::default() });
}

/// A location so short that ten thousand of them fit, so that the number is what bounds them.
fn location(number: usize, zone: &str) -> Kind {
    let (location_id, time_zone) = (format!("{number:05}"), zone.to_owned());
    Kind::UpsertLocation(Location { location_id, time_zone, ..Location::default() })
}

fn supplier(number: usize, name: &str) -> Kind {
    let (supplier_id, name) = (format!("{number:05}"), name.to_owned());
    Kind::UpsertSupplier(Supplier { supplier_id, name, terms: None })
}

fn price_rule(number: usize, margin_floor: Option<f64>) -> Kind {
    let rule = Some(PriceRule { margin_floor, ..PriceRule::default() });
    let category_path = vec!["all".to_owned(), format!("{number:05}")];
    Kind::SetCategoryPriceRule(SetCategoryPriceRule { category_path, rule })
}

fn sizes(state: &ShardState) -> [usize; 3] {
    let [locations, suppliers, price_rules, _] = state.directory().sizes();
    [locations, suppliers, price_rules].map(|(_, (records, _))| records)
}

#[test]
fn the_directory_takes_no_more_and_what_stands_there_can_be_replaced_and_removed() {
    let mut state = state_of(SHARD, 3);
    let most = limits::LOCATIONS.records;
    assert_eq!([limits::SUPPLIERS, limits::PRICE_RULES].map(|bound| bound.records), [most; 2]);
    change(&mut state, (0..most + 5).map(|number| location(number, "")));
    change(&mut state, (0..most + 5).map(|number| supplier(number, "")));
    change(&mut state, (0..most + 5).map(|number| price_rule(number, Some(0.1))));
    assert_eq!(sizes(&state), [most; 3]);
    assert!(state.directory().supplier("10001").is_none());
    change(&mut state, [location(7, "Asia/Tokyo"), supplier(7, "new"), price_rule(7, Some(0.2))]);
    assert_eq!(state.directory().zone("00007").iana_name(), Some("Asia/Tokyo"));
    assert_eq!(state.directory().supplier("00007").expect("known").name, "new");
    assert_eq!(sizes(&state), [most; 3]);
    change(
        &mut state,
        [
            Kind::DeleteLocation("00009".into()),
            Kind::DeleteSupplier("00009".into()),
            price_rule(9, None),
        ],
    );
    assert_eq!(sizes(&state), [most - 1; 3]);
    change(&mut state, [location(90_000, ""), supplier(90_000, ""), price_rule(90_000, Some(0.3))]);
    assert!(state.directory().location("90000").is_some());
    assert_eq!(sizes(&state), [most; 3]);
}

#[test]
fn the_directory_takes_no_more_bytes() {
    let mut state = state_of(SHARD, 3);
    let large = "x".repeat(limits::SUPPLIERS.bytes / 3);
    change(&mut state, (0..3).map(|number| supplier(number, &large)));
    let names = |state: &ShardState| -> Vec<usize> {
        state.directory().suppliers().map(|supplier| supplier.name.len()).collect()
    };
    assert_eq!(names(&state), [large.len(); 2]);
    change(&mut state, [supplier(1, "small"), supplier(2, &large)]);
    assert_eq!(names(&state), [large.len(), 5, large.len()]);
}

#[test]
fn what_was_kept_before_there_were_bounds_stays_and_does_not_grow() {
    let mut state = state_of(SHARD, 2);
    let more = limits::LOCATIONS.records + 500;
    change(&mut state, (0..more).map(|number| location(number, "")));
    assert_eq!(sizes(&state)[0], more);
    step(&mut state, use_version(3));
    change(&mut state, [location(90_000, ""), location(3, "Asia/Tokyo")]);
    assert_eq!(sizes(&state)[0], more);
    assert_eq!(state.directory().zone("00003").iana_name(), Some("Asia/Tokyo"), "replaced");
    change(&mut state, [Kind::DeleteLocation("00003".into()), location(90_000, "")]);
    assert_eq!(sizes(&state)[0], more - 1);
}

#[test]
fn a_check_says_what_would_be_taken_and_changes_nothing() {
    use crate::shard::{Full, apply::directory_change};
    let mut state = state_of(SHARD, 3);
    change(&mut state, (1..limits::LOCATIONS.records).map(|number| location(number, "")));
    let check = |kinds: Vec<Kind>| -> Result<(), Bound> {
        let changes = kinds
            .into_iter()
            .map(|kind| directory_change(Mutation { kind: Some(kind) }).expect("of it"));
        let checked = state.directory().check(changes);
        checked.map_err(|Full(bound)| bound)
    };
    assert_eq!(check(vec![location(0, "")]), Ok(()));
    assert_eq!(check(vec![location(0, ""), location(1, "")]), Ok(()), "replaces");
    let two = vec![location(0, ""), location(90_000, "")];
    assert_eq!(check(two.clone()), Err(limits::LOCATIONS));
    let removed = vec![Kind::DeleteLocation("00004".into())];
    assert_eq!(check([removed, two].concat()), Ok(()));
    assert_eq!(sizes(&state)[0], limits::LOCATIONS.records - 1);
}

#[test]
fn shards_that_stand_at_the_same_directory_hold_it_once() {
    let shards: [ShardId; 3] = [0, 1, 2];
    let mut states = shards.map(|shard| state_of(shard, 3));
    let first: Vec<Kind> = (0..2_000).map(|number| location(number, "Asia/Tokyo")).collect();
    for state in &mut states {
        change(state, first.iter().cloned());
    }
    let [one, two, three] = &mut states;
    assert!(one.directory().is_shared_with(two.directory()));
    assert!(one.directory().is_shared_with(three.directory()));
    // One goes ahead; the others see nothing of it, and meet it when they come so far.
    let next = [location(5, "Europe/Berlin"), price_rule(1, Some(0.4)), supplier(1, "acme")];
    change(one, next.clone());
    assert!(two.directory().is_shared_with(three.directory()));
    assert_eq!(two.directory().zone("00005").iana_name(), Some("Asia/Tokyo"));
    assert_eq!(one.directory().zone("00005").iana_name(), Some("Europe/Berlin"));
    for kind in next {
        change(two, [kind]);
    }
    assert!(one.directory().is_shared_with(two.directory()), "in other steps");
    assert!(!one.directory().is_shared_with(three.directory()));
    // A restart finds it again.
    let stored = two.directory().encode();
    let loaded = crate::shard::Directory::decode(stored, TimeZone::UTC).expect("amounts");
    assert!(loaded.is_shared_with(one.directory()));
}

#[test]
fn stock_and_sales_of_an_item_have_a_bounded_number_of_locations() {
    let item_id = || ITEMS[0].clone();
    let set = |number: usize, on_hand| {
        let location_id = format!("{number:05}");
        let set = SetStock { item_id: item_id(), location_id, on_hand, ..SetStock::default() };
        Kind::SetStock(set)
    };
    let more = limits::ITEM_LOCATIONS + 20;
    let sell = |state: &mut ShardState, numbers: std::ops::Range<usize>| {
        let sales = numbers.map(|number| ItemEvent {
            item_id: item_id(),
            r#type: EventType::Purchase.into(),
            time: 1_000_000,
            quantity: 1.0,
            location_id: format!("{number:05}"),
            visit: number as u64,
            ..ItemEvent::default()
        });
        step(state, Section { item_events: sales.collect(), ..Section::default() });
    };
    let mut state = state_of(SHARD, 3);
    change(&mut state, (0..more).map(|number| set(number, 5.0)));
    change(&mut state, [set(3, 9.0), set(90_000, 1.0)]);
    let adjust = AdjustStock {
        item_id: item_id(),
        location_id: "90000".into(),
        delta: 1.0,
        ..AdjustStock::default()
    };
    change(&mut state, [Kind::AdjustStock(adjust)]);
    sell(&mut state, 0..more);
    let item = state.item(&ITEMS[0]).expect("known");
    assert_eq!(item.stock().len(), limits::ITEM_LOCATIONS);
    assert_eq!(item.stock_at("00003").map(|stock| stock.on_hand), Some(9.0));
    assert_eq!(item.stock_at("90000"), None);
    // `default` was not among the first thousand, and stands for all the others.
    assert_eq!(item.series().locations().count(), limits::ITEM_LOCATIONS + 1);
    assert_eq!(item.series().at("default")[0].units_micros, 20_000_000);
    let total: i64 = item.series().total().iter().map(|day| day.units_micros).sum();
    assert_eq!(total, more as i64 * 1_000_000);

    let mut state = state_of(SHARD, 2);
    change(&mut state, (0..more).map(|number| set(number, 5.0)));
    sell(&mut state, 0..more);
    let item = state.item(&ITEMS[0]).expect("known");
    assert_eq!((item.stock().len(), item.series().locations().count()), (more, more));
}

#[test]
fn replay_of_a_snapshot_of_version_3_ends_where_the_first_pass_did() {
    use super::files::{Folder, shard, stamp};
    let mut state = state_of(SHARD, 3);
    change(&mut state, (0..50).map(|number| location(number, "Asia/Tokyo")));
    let folder = Folder::new();
    folder.open(stamp()).write(&shard(state)).expect("written");
    let loaded = folder.load();
    assert_eq!(loaded.read().apply_version(), 3);
    assert!(loaded.read().is_bounded());
}
