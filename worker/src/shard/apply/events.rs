//! Both sides of an event.

use std::{cmp::Reverse, collections::BTreeSet};

use mercer_proto::{
    internal::{Interaction, ItemEvent},
    v1::EventType,
};

use crate::shard::{
    interner::{Interner, InternerFull},
    item::{ItemState, Popular},
    labels::Labels,
    state::Slot,
    user::WindowEntry,
};

/// Adds to the user's window, and a purchase to the seen set.
pub(super) fn interaction(
    slot: &mut Slot,
    interner: &mut Interner,
    record: Interaction,
) -> Result<(), InternerFull> {
    let item = interner.intern(&record.item_id)?;
    let event_type = record.r#type();
    let entry = WindowEntry::new(record.time, item, event_type, record.value);
    let user = slot.users.entry(record.user_id.into()).or_default();
    user.insert_event(entry, interner);
    if event_type == EventType::Purchase {
        user.insert_seen(item, interner);
    }
    Ok(())
}

/// Counts a purchase. Everything summed here is a whole number that never falls, so that the
/// order of arrival does not matter.
pub(super) fn item_event(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    record: ItemEvent,
) {
    let place = slot.number;
    let item = slot.item_or_stub(&record.item_id, popular, labels);
    if record.r#type() != EventType::Purchase {
        return;
    }
    let before = item.popularity();
    if item.visits.insert(record.visit) {
        let mut entry = Popular { popularity: Reverse(before), slot: place, id: item.id.clone() };
        popular.remove(&entry);
        entry.popularity = Reverse(item.popularity());
        popular.insert(entry);
    }
    let units = ItemState::micros_of_units(record.quantity);
    item.units_micros = item.units_micros.saturating_add(units);
    let paid = record.amount_micros.unwrap_or_default().max(0);
    item.revenue_micros = item.revenue_micros.saturating_add(paid);
}
