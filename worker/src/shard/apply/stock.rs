//! Stock on hand.

use std::collections::BTreeSet;

use mercer_common::ids::DEFAULT_LOCATION;
use mercer_proto::internal::{AdjustStock, SetStock};

use crate::shard::{
    item::{Popular, Stock},
    labels::Labels,
    state::Slot,
};

/// Sets stock to an absolute value: the last record wins, whatever its time.
pub(super) fn set(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    set: &SetStock,
) {
    let stock = stock(slot, popular, labels, &set.item_id, &set.location_id);
    stock.on_hand = set.on_hand;
    stock.as_of_ms = set.as_of_ms;
}

/// Adds to the stock, which is 0 where none was set.
pub(super) fn adjust(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    adjust: &AdjustStock,
) {
    let stock = stock(slot, popular, labels, &adjust.item_id, &adjust.location_id);
    stock.on_hand += adjust.delta;
}

fn stock<'a>(
    slot: &'a mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    item_id: &str,
    location: &str,
) -> &'a mut Stock {
    let location = if location.is_empty() { DEFAULT_LOCATION } else { location };
    let location = labels.label(location);
    let item = slot.item_or_stub(item_id, popular, labels);
    let index = match item.stock.binary_search_by(|stock| stock.location.cmp(&location)) {
        Ok(index) => index,
        Err(index) => {
            item.stock.insert(index, Stock { location, on_hand: 0.0, as_of_ms: 0 });
            index
        }
    };
    &mut item.stock[index]
}
