//! Terms of supply, competitors' prices and an item's own price rule.

use std::collections::BTreeSet;

use mercer_common::{ids::EVERYWHERE, limits};
use mercer_proto::internal::{DeleteSupply, SetCompetitorPrice, SetSupply};

use crate::shard::{
    item::{CompetitorEntry, Popular},
    labels::Labels,
    merge,
    state::Slot,
    terms::{PriceRule, Supply, Terms},
};

/// Replaces terms and supplier at a location whole, or keeps what is not said of them; removes them when
/// nothing is left. An item with 1,000 locations takes no further one.
pub(super) fn set_supply(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    set: &SetSupply,
    terms: Option<Terms>,
) {
    let item = slot.item_or_stub(&set.item_id, popular, labels);
    let location = if set.location_id.is_empty() { EVERYWHERE } else { &*set.location_id };
    let found = item.supply.binary_search_by(|known| (*known.location).cmp(location));
    let location = labels.label(location);
    let mut supply = Supply { location, supplier_id: set.supplier_id.clone(), terms };
    if set.keep_absent {
        let known = found.ok().map(|index| item.supply[index].clone());
        supply = merged(known, supply, &set.clears);
    }
    let says_nothing = supply.supplier_id.is_empty() && supply.terms.is_none();
    match (found, says_nothing) {
        (Ok(index), true) => drop(item.supply.remove(index)),
        (Ok(index), false) => item.supply[index] = supply,
        (Err(_), true) => {}
        (Err(index), false) => {
            let own = item.supply.iter().filter(|known| &*known.location != EVERYWHERE).count();
            if &*supply.location == EVERYWHERE || own < limits::ITEM_LOCATIONS {
                item.supply.insert(index, supply);
            }
        }
    }
}

/// What is known, with what is cleared and said.
fn merged(known: Option<Supply>, said: Supply, clears: &[String]) -> Supply {
    let Supply { location, supplier_id, terms } = said;
    let mut merged = known.unwrap_or(Supply { location, supplier_id: String::new(), terms: None });
    if !supplier_id.is_empty() {
        merged.supplier_id = supplier_id;
    } else if clears.iter().any(|path| path == "supplier_id") {
        merged.supplier_id.clear();
    }
    merge::terms(&mut merged.terms, terms, clears);
    merged
}

/// Forgets terms and supplier at one location, or at all of them.
pub(super) fn delete_supply(slot: &mut Slot, delete: &DeleteSupply) {
    let Some(item) = slot.items.get_mut(delete.item_id.as_str()) else { return };
    match &delete.location_id {
        Some(location) => item.supply.retain(|known| *known.location != **location),
        None => item.supply = Vec::new(),
    }
}

/// Replaces what is known of a competitor, or removes it. Beyond 64 competitors the one that was
/// seen longest ago is forgotten, the first by name of several.
pub(super) fn set_competitor_price(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    set: &SetCompetitorPrice,
) {
    let competitor = labels.label(&set.competitor_id);
    let prices = &mut slot.item_or_stub(&set.item_id, popular, labels).competitor_prices;
    let found = prices.binary_search_by(|entry| entry.competitor.cmp(&competitor));
    let Some(price_micros) = set.price_micros else {
        if let Ok(index) = found {
            prices.remove(index);
        }
        return;
    };
    let entry = CompetitorEntry { competitor, price_micros, as_of_ms: set.as_of_ms };
    match found {
        Ok(index) => prices[index] = entry,
        Err(index) => prices.insert(index, entry),
    }
    if prices.len() > limits::COMPETITORS {
        let oldest = (0..prices.len()).min_by_key(|&index| (prices[index].as_of_ms, index));
        prices.remove(oldest.expect("there are more than 64"));
    }
}

/// Replaces the item's own rule; an empty one removes it.
pub(super) fn set_price_rule(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    item_id: &str,
    rule: Option<PriceRule>,
) {
    let item = slot.item_or_stub(item_id, popular, labels);
    let rule = rule.filter(|rule| *rule != PriceRule::default());
    item.price_rule = rule.map(Box::new);
}
