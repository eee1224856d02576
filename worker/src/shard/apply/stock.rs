//! Stock on hand, on order and promised.

use std::collections::BTreeSet;

use mercer_common::{ids::DEFAULT_LOCATION, limits, time::EventTime};
use mercer_proto::internal::{AdjustStock, DeleteStock, SetStock};

use crate::shard::{
    item::{ItemState, Popular, Stock},
    labels::Labels,
    state::Slot,
};

/// Sets stock to absolute values: the last record wins, whatever its time. What is not said of units
/// on order and backordered is 0, unless the record keeps it.
pub(super) fn set(stock: &mut Stock, set: &SetStock, append_time_ms: i64) {
    let counted_ms = if set.as_of_ms == 0 { append_time_ms } else { set.as_of_ms };
    stock.set_on_hand(set.on_hand, event_time(counted_ms));
    stock.as_of_ms = set.as_of_ms;
    let units = |field: &str, said: Option<f64>, known: f64| match said {
        Some(units) => units.max(0.0),
        None if set.keep_absent && !set.clears.iter().any(|path| path == field) => known,
        None => 0.0,
    };
    stock.on_order = units("on_order", set.on_order, stock.on_order);
    stock.backordered = units("backordered", set.backordered, stock.backordered);
}

/// Forgets the stock at one location, or at all of them.
pub(super) fn delete(slot: &mut Slot, delete: &DeleteStock) {
    let Some(item) = slot.items.get_mut(delete.item_id.as_str()) else { return };
    match &delete.location_id {
        Some(location) => item.stock.retain(|stock| *stock.location != **location),
        None => item.stock = Vec::new(),
    }
}

/// Adds to the stock, which is 0 where none was set.
pub(super) fn adjust(stock: &mut Stock, adjust: &AdjustStock, append_time_ms: i64) {
    if adjust.delta != 0.0 {
        stock.change_on_hand(adjust.delta, event_time(append_time_ms));
    }
    stock.on_order = (stock.on_order + adjust.on_order_delta).max(0.0);
}

/// Takes a purchase from the stock at its location, when that was counted before. A count that
/// comes to the log after a purchase replaces what the purchase left, even where it was made
/// before it: stock follows the order of the log.
pub(super) fn sell(item: &mut ItemState, location: &str, units_micros: i64, time: EventTime) {
    let Ok(index) = item.stock.binary_search_by(|stock| (*stock.location).cmp(location)) else {
        return;
    };
    let stock = &mut item.stock[index];
    if time.unix_seconds().saturating_mul(1_000) > stock.as_of_ms {
        let units = units_micros as f64 / 1e6;
        stock.change_on_hand(-units, time);
    }
}

/// The second of a time in milliseconds since 1970, or the nearest one that can be stored.
fn event_time(ms: i64) -> EventTime {
    let seconds = ms.div_euclid(1_000);
    let first = EventTime::default();
    let nearest = if seconds < first.unix_seconds() { first } else { EventTime(u32::MAX) };
    EventTime::from_unix_seconds(seconds).unwrap_or(nearest)
}

/// The stock of an item at a location. Since version 3 an item with stock at 1,000 locations has none
/// at a further one.
pub(super) fn at<'a>(
    slot: &'a mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    item_id: &str,
    location: &str,
    is_bounded: bool,
) -> Option<&'a mut Stock> {
    let location = if location.is_empty() { DEFAULT_LOCATION } else { location };
    let item = slot.item_or_stub(item_id, popular, labels);
    let index = match item.stock.binary_search_by(|stock| (*stock.location).cmp(location)) {
        Ok(index) => index,
        Err(_) if is_bounded && item.stock.len() >= limits::ITEM_LOCATIONS => return None,
        Err(index) => {
            item.stock.insert(index, Stock::new(labels.label(location)));
            index
        }
    };
    Some(&mut item.stock[index])
}
