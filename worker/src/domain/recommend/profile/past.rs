//! What a user did with each item, for the sentences that explain a recommendation.

use std::collections::BTreeMap;

use mercer_proto::{internal::PastEvent, v1::EventType};

use crate::{
    shard::{ShardState, UserState, WindowEntry},
    version::OpenSet,
};

/// The latest purchase or return, else the latest event, of each item of the window that the
/// version knows, ascending by row.
pub(super) fn past(user: &UserState, state: &ShardState, set: &OpenSet) -> Vec<PastEvent> {
    let mut latest: BTreeMap<u32, &WindowEntry> = BTreeMap::new();
    // The window is in the order of time.
    for entry in user.window() {
        let Some(row) = set.items().row(state.interner().id(entry.item)) else { continue };
        let kept = latest.get(&row).is_some_and(|before| is_trade(before) && !is_trade(entry));
        if !kept {
            latest.insert(row, entry);
        }
    }
    let events = latest.into_values().map(|entry| PastEvent {
        item_id: state.interner().id(entry.item).to_owned(),
        r#type: entry.event_type().into(),
        time: entry.time,
    });
    events.collect()
}

fn is_trade(entry: &WindowEntry) -> bool {
    matches!(entry.event_type(), EventType::Purchase | EventType::Return)
}
