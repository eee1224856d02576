//! Both sides of an event.

use std::{cmp::Reverse, collections::BTreeSet};

use mercer_common::ids::DEFAULT_LOCATION;
use mercer_proto::v1::EventType;

use super::{
    prepare::{PreparedInteraction, PreparedItemEvent},
    stock,
};
use crate::shard::{
    directory::Directory,
    experiments,
    interner::{Interner, InternerFull},
    item::{Popular, SalesDay},
    labels::Labels,
    state::Slot,
    user::{Met, UserState, WindowEntry},
};

/// What all slots of a shard share, as far as the users' side of an event needs it.
pub(super) struct Shared<'a> {
    pub(super) interner: &'a mut Interner,
    pub(super) labels: &'a mut Labels,
    pub(super) directory: &'a Directory,
}

/// Adds to the user's window, and a purchase to the seen set; enters what was paid; counts for the
/// experiment that led to it.
pub(super) fn interaction(
    slot: &mut Slot,
    shared: Shared<'_>,
    met: Met,
    prepared: PreparedInteraction,
) -> Result<(), InternerFull> {
    let Shared { interner, labels, directory } = shared;
    let PreparedInteraction { event_type, time, .. } = prepared;
    let item = interner.intern(&prepared.item_id)?;
    let entry = WindowEntry::new(time.0, item, event_type, prepared.value);
    let Slot { users, tallies, .. } = slot;
    let user = users.entry(prepared.user_id.into()).or_insert_with(|| UserState::first_met(met));
    user.insert_event(entry, interner);
    if let Some(paid) = prepared.paid {
        let (day, _) = directory.at(&paid.location, time);
        let line = paid.line(event_type, day);
        user.ledger.enter(&line, labels);
    }
    if event_type == EventType::Purchase {
        user.insert_seen(item, interner);
    }
    if let Some(attribution) = prepared.attribution {
        let trials = user.trials.as_deref_mut();
        experiments::act(trials, tallies, item, event_type, time.0, attribution);
    }
    Ok(())
}

/// Counts a purchase or a return. All sums are of whole numbers that never fall, so that the
/// order of arrival does not matter; stock alone follows it.
pub(super) fn item_event(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    directory: &Directory,
    prepared: &PreparedItemEvent,
    is_bounded: bool,
) {
    let place = slot.number;
    let &PreparedItemEvent { event_type, time, units_micros: units, .. } = prepared;
    slot.newest_item_event = slot.newest_item_event.max(time.0);
    let item = slot.item_or_stub(&prepared.item_id, popular, labels);
    if !matches!(event_type, EventType::Purchase | EventType::Return) {
        return;
    }
    let sold_at = match prepared.location.as_str() {
        "" => DEFAULT_LOCATION,
        location => location,
    };
    let (day, takes_from_stock) = directory.at(sold_at, time);
    // The day is that of where it was sold, even where it is counted elsewhere.
    let location = match is_bounded && !item.series.has_room_at(sold_at) {
        true => DEFAULT_LOCATION,
        false => sold_at,
    };
    if event_type == EventType::Return {
        let sales = SalesDay { day, returned_micros: units, ..SalesDay::default() };
        item.series.add(location, &sales, || labels.label(location));
        return;
    }
    let before = item.popularity();
    item.baskets.insert(prepared.visit, is_bounded);
    if item.popularity() != before {
        let mut entry = Popular { popularity: Reverse(before), slot: place, id: item.id.clone() };
        popular.remove(&entry);
        entry.popularity = Reverse(item.popularity());
        popular.insert(entry);
    }
    item.units_micros = item.units_micros.saturating_add(units);
    item.revenue_micros = item.revenue_micros.saturating_add(prepared.paid_micros);
    let sales = SalesDay {
        day,
        units_micros: units,
        promoted_micros: if prepared.promotion { units } else { 0 },
        returned_micros: 0,
        revenue_micros: prepared.paid_micros,
        list_price_micros: prepared.list_price_micros,
    };
    item.series.add(location, &sales, || labels.label(location));
    if takes_from_stock {
        stock::sell(item, sold_at, units, time);
    }
}
