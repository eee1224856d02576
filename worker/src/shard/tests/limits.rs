//! What a user keeps is bounded, and does not depend on arrival.

use jiff::tz::TimeZone;
use mercer_common::{limits, slot::Kind};
use mercer_proto::{
    internal::{Interaction, Section},
    v1::EventType,
};

use super::workload::{SHARD, USERS, layout};
use crate::shard::{
    ItemHandle, ShardState, UserState,
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
    ids.sort_by_cached_key(|id| (mercer_common::slot::slot(Kind::Item, id), id.clone()));
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
