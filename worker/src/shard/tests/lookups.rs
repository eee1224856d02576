//! Lists resume after any id, and calls wait for positions.

use std::time::Duration;

use jiff::tz::TimeZone;
use mercer_common::slot::Subject;
use mercer_proto::{
    internal::{Interaction, ItemEvent, Section},
    v1::EventType,
};
use tokio::time::Instant;

use super::workload::{SHARD, ids, layout};
use crate::shard::{
    Shard, ShardError, ShardState, Shards,
    apply::{Prepared, apply},
};

fn state() -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    let r#type = EventType::View.into();
    let interactions = ids(Subject::User, "u", 40).into_iter().map(|user_id| Interaction {
        user_id,
        item_id: "i".into(),
        r#type,
        ..Interaction::default()
    });
    let item_events = ids(Subject::Item, "i", 40).into_iter().map(|item_id| ItemEvent {
        item_id,
        r#type,
        ..ItemEvent::default()
    });
    let section = Section {
        interactions: interactions.collect(),
        item_events: item_events.collect(),
        ..Section::default()
    };
    apply(&mut state, 1, Prepared::new(layout(), SHARD, section).expect("valid")).expect("applies");
    state
}

#[test]
fn lists_resume_after_any_id_of_any_shard() {
    let state = state();
    let users: Vec<&str> = state.users().map(|(id, _)| id).collect();
    let items: Vec<&str> = state.items().map(|item| item.id()).collect();
    assert_eq!((users.len(), items.len()), (40, 40));
    assert!(users.is_sorted_by(|a, b| mercer_common::slot::compare(Subject::User, a, b).is_lt()));
    for after in (0..500).map(|number| format!("u{number}")) {
        let rest: Vec<&str> = state.users_after(&after).map(|(id, _)| id).collect();
        let from = users
            .partition_point(|id| mercer_common::slot::compare(Subject::User, id, &after).is_le());
        assert_eq!(rest, users[from..], "{after}");
        let rest: Vec<&str> = state.items_after(&after).map(|item| item.id()).collect();
        let from = items
            .partition_point(|id| mercer_common::slot::compare(Subject::Item, id, &after).is_le());
        assert_eq!(rest, items[from..], "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_their_position_until_the_deadline() {
    let shard = Shard::new(state(), "worker".into(), std::time::Instant::now());
    let soon = || Instant::now() + Duration::from_secs(1);
    assert_eq!(
        shard.wait_applied(1, soon()).await,
        Err(ShardError::Recovering { shard: SHARD, applied: 1 })
    );
    shard.serve();
    assert_eq!(shard.wait_applied(1, soon()).await, Ok(()));
    assert_eq!(
        shard.wait_applied(9, soon()).await,
        Err(ShardError::Lagging { shard: SHARD, required: 9, applied: 1 })
    );
    let (waited, ()) = tokio::join!(shard.wait_applied(9, soon()), async { shard.publish(9) });
    assert_eq!(waited, Ok(()));
    let (waited, ()) = tokio::join!(shard.wait_applied(10, soon()), async { shard.fail("why") });
    assert_eq!(waited, Err(ShardError::Failed { shard: SHARD, reason: "why".into() }));
    shard.serve();
    assert!(shard.has_stopped(), "for good");
}

#[test]
fn only_assigned_shards_are_held() {
    let shards = Shards::default();
    for id in [3, 1, 2] {
        let state = ShardState::new(layout(), id, TimeZone::UTC);
        shards.hold(Shard::new(state, "worker".into(), std::time::Instant::now()));
    }
    shards.retain(&[1, 3, 4]);
    assert_eq!(shards.all().iter().map(|shard| shard.id()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(shards.get(2).expect_err("dropped"), ShardError::NotHeld { shard: 2 });
}
