//! Changes that keep what they do not say: what they clear goes first, then each field that is neither
//! empty nor absent replaces what is known.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{clearing::attribute, limits};
use mercer_proto::v1::Location;

use super::{
    labels::Labels,
    terms::{Supplier, Terms},
};

/// Pairs by name.
type Attributes = Box<[(Arc<str>, Arc<str>)]>;

/// Attributes of an item or user. Those without a value say nothing; where there are 64, a further one
/// is not taken, the last by name of several.
pub(super) fn attributes(
    known: &mut Attributes,
    labels: &mut Labels,
    said: &BTreeMap<String, String>,
    clears: &[String],
) {
    let kept = known.iter().filter(|(name, _)| !is_cleared(name, clears));
    let mut merged: BTreeMap<Arc<str>, Arc<str>> = kept.cloned().collect();
    for (name, value) in said.iter().filter(|(_, value)| !value.is_empty()) {
        if merged.len() < limits::ATTRIBUTES || merged.contains_key(&**name) {
            merged.insert(labels.label(name), labels.label(value));
        }
    }
    *known = merged.into_iter().collect();
}

/// Whether these paths clear an attribute, alone or with all others.
fn is_cleared(name: &str, clears: &[String]) -> bool {
    clears.iter().any(|path| path == "attributes" || attribute(path) == Some(name))
}

/// A location, whose id stays.
pub(super) fn location(known: &mut Location, said: Location, clears: &[String]) {
    for path in clears {
        match path.as_str() {
            "name" => known.name.clear(),
            "time_zone" => known.time_zone.clear(),
            "decrement_on_purchase" => known.decrement_on_purchase = None,
            _ => {}
        }
    }
    let Location { location_id: _, name, time_zone, decrement_on_purchase } = said;
    text(&mut known.name, name);
    text(&mut known.time_zone, time_zone);
    value(&mut known.decrement_on_purchase, decrement_on_purchase);
}

/// A supplier, whose id stays.
pub(super) fn supplier(known: &mut Supplier, said: Supplier, clears: &[String]) {
    if clears.iter().any(|path| path == "name") {
        known.name.clear();
    }
    let Supplier { supplier_id: _, name, terms: said } = said;
    text(&mut known.name, name);
    terms(&mut known.terms, said, clears);
}

/// Terms, each by itself; none when nothing is left of them.
pub(super) fn terms(known: &mut Option<Terms>, said: Option<Terms>, clears: &[String]) {
    let mut merged = known.take().unwrap_or_default();
    clears.iter().for_each(|path| clear_term(&mut merged, path));
    let Terms {
        lead_time_days,
        lead_time_deviation_days,
        review_period_days,
        order_cost,
        holding_rate,
        minimum_order_quantity,
        pack_size,
        maximum_cover_days,
        service,
    } = said.unwrap_or_default();
    value(&mut merged.lead_time_days, lead_time_days);
    value(&mut merged.lead_time_deviation_days, lead_time_deviation_days);
    value(&mut merged.review_period_days, review_period_days);
    value(&mut merged.order_cost, order_cost);
    value(&mut merged.holding_rate, holding_rate);
    value(&mut merged.minimum_order_quantity, minimum_order_quantity);
    value(&mut merged.pack_size, pack_size);
    value(&mut merged.maximum_cover_days, maximum_cover_days);
    value(&mut merged.service, service);
    *known = Some(merged).filter(|terms| *terms != Terms::default());
}

fn clear_term(terms: &mut Terms, path: &str) {
    match path {
        "terms" => *terms = Terms::default(),
        "terms.lead_time_days" => terms.lead_time_days = None,
        "terms.lead_time_deviation_days" => terms.lead_time_deviation_days = None,
        "terms.review_period_days" => terms.review_period_days = None,
        "terms.order_cost" => terms.order_cost = None,
        "terms.holding_rate" => terms.holding_rate = None,
        "terms.minimum_order_quantity" => terms.minimum_order_quantity = None,
        "terms.pack_size" => terms.pack_size = None,
        "terms.maximum_cover_days" => terms.maximum_cover_days = None,
        "terms.service" => terms.service = None,
        _ => {}
    }
}

fn text(known: &mut String, said: String) {
    if !said.is_empty() {
        *known = said;
    }
}

fn value<V>(known: &mut Option<V>, said: Option<V>) {
    if said.is_some() {
        *known = said;
    }
}
