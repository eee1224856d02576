//! What the server would refuse a whole call for, found row by row.

use std::ops::RangeInclusive;

use jiff::tz::TimeZone;
use mercer_common::{ids::Checker, limits, rpc::status::Violation};
use mercer_proto::{
    google::r#type::Money,
    v1::{
        CompetitorPrice, Item, Location, Stock, Supplier, Supply, SupplyTerms, User,
        service_target::Target,
    },
};

use crate::import::reading::cell::shorten;

fn finish(checker: Checker) -> Vec<Violation> {
    checker.finish().map_or_else(|invalid| invalid.violations, |()| Vec::new())
}

fn attributes<'a>(
    checker: &mut Checker,
    attributes: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) {
    checker.count(|| "attributes".into(), attributes.len(), limits::ATTRIBUTES);
    for (name, value) in attributes {
        checker.label(|| "attribute names".into(), name);
        checker.label(|| format!("attribute.{name}"), value);
    }
}

pub(super) fn item(item: &Item) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &item.item_id);
    checker.label(|| "title".into(), &item.title);
    checker.length(|| "description".into(), &item.description, limits::DESCRIPTION_BYTES);
    checker.count(|| "category".into(), item.category_path.len(), limits::CATEGORY_LEVELS);
    for level in &item.category_path {
        checker.label(|| "category".into(), level);
    }
    checker.label(|| "brand".into(), &item.brand);
    attributes(&mut checker, item.attributes.iter());
    checker.count(|| "embedding".into(), item.embedding.len(), limits::EMBEDDING);
    for (field, money) in [("list_price", &item.list_price), ("unit_cost", &item.unit_cost)] {
        if money.as_ref().is_some_and(|money| money.units < 0 || money.nanos < 0) {
            checker.violation(field, "must not be negative");
        }
    }
    finish(checker)
}

pub(super) fn user(user: &User) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "user_id".into(), &user.user_id);
    attributes(&mut checker, user.attributes.iter());
    checker.count(|| "denied_item_ids".into(), user.denied_item_ids.len(), limits::DENIED_ITEMS);
    for id in &user.denied_item_ids {
        checker.known_id(|| "denied_item_ids".into(), id);
    }
    finish(checker)
}

pub(super) fn stock(stock: &Stock) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &stock.item_id);
    if !stock.location_id.is_empty() {
        checker.location(|| "location_id".into(), &stock.location_id);
    }
    within(&mut checker, "on_hand", Some(stock.on_hand), -limits::QUANTITY..=limits::QUANTITY);
    within(&mut checker, "on_order", stock.on_order, 0.0..=limits::QUANTITY);
    within(&mut checker, "backordered", stock.backordered, 0.0..=limits::QUANTITY);
    finish(checker)
}

pub(super) fn supply(supply: &Supply) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &supply.item_id);
    // Empty and `*` both mean all locations.
    if !supply.location_id.is_empty() {
        checker.id(|| "location_id".into(), &supply.location_id);
    }
    if !supply.supplier_id.is_empty() {
        checker.id(|| "supplier_id".into(), &supply.supplier_id);
    }
    terms(&mut checker, supply.terms.as_ref());
    finish(checker)
}

pub(super) fn supplier(supplier: &Supplier) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "supplier_id".into(), &supplier.supplier_id);
    checker.label(|| "name".into(), &supplier.name);
    terms(&mut checker, supplier.terms.as_ref());
    finish(checker)
}

pub(super) fn location(location: &Location) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.location(|| "location_id".into(), &location.location_id);
    checker.label(|| "name".into(), &location.name);
    let zone = &location.time_zone;
    if !zone.is_empty() && TimeZone::get(zone).is_err() {
        let problem = format!("`{}` is no IANA time zone", shorten(zone));
        checker.violation("time_zone", problem);
    }
    finish(checker)
}

pub(super) fn competitor_price(entry: &CompetitorPrice) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &entry.item_id);
    checker.id(|| "competitor_id".into(), &entry.competitor_id);
    if entry.price.as_ref().is_some_and(|price| !is_positive(price)) {
        checker.violation("price", "must be above 0");
    }
    finish(checker)
}

fn terms(checker: &mut Checker, terms: Option<&SupplyTerms>) {
    let Some(terms) = terms else { return };
    let lead_time = 0.0..=f64::from(limits::LEAD_TIME_DAYS);
    within(checker, "lead_time_days", terms.lead_time_days, lead_time.clone());
    within(checker, "lead_time_deviation_days", terms.lead_time_deviation_days, lead_time);
    within(checker, "review_period_days", terms.review_period_days, 0.0..=365.0);
    if terms.order_cost.as_ref().is_some_and(|cost| cost.units < 0 || cost.nanos < 0) {
        checker.violation("order_cost", "must not be negative");
    }
    match terms.holding_rate.filter(|rate| *rate > 10.0 && *rate <= 1_000.0) {
        Some(rate) => percent(checker, "holding_rate", rate, "above 0 and at most 10"),
        None => above(checker, "holding_rate", terms.holding_rate, 10.0),
    }
    above(checker, "minimum_order_quantity", terms.minimum_order_quantity, limits::QUANTITY);
    above(checker, "pack_size", terms.pack_size, limits::QUANTITY);
    above(checker, "maximum_cover_days", terms.maximum_cover_days, limits::QUANTITY);
    let (field, share) = match terms.service.and_then(|service| service.target) {
        Some(Target::CycleService(share)) => ("cycle_service", share),
        Some(Target::FillRate(share)) => ("fill_rate", share),
        None => return,
    };
    if share > 1.0 && share < 100.0 {
        percent(checker, field, share, "above 0 and below 1");
    } else if !(share > 0.0 && share < 1.0) {
        checker.violation(field, format!("is {share}; must be above 0 and below 1"));
    }
}

/// A share that was written as a percentage without its sign.
fn percent(checker: &mut Checker, field: &str, share: f64, must: &str) {
    let part = share / 100.0;
    let problem = format!("is {share}; must be {must}: write {share}% or {part}");
    checker.violation(field, problem);
}

fn is_positive(money: &Money) -> bool {
    money.units > 0 || money.nanos > 0
}

/// Both inclusive.
fn within(checker: &mut Checker, field: &str, value: Option<f64>, bounds: RangeInclusive<f64>) {
    if let Some(value) = value.filter(|value| !bounds.contains(value)) {
        let (low, high) = (bounds.start(), bounds.end());
        checker.violation(field, format!("is {value}; must lie within {low} and {high}"));
    }
}

fn above(checker: &mut Checker, field: &str, value: Option<f64>, highest: f64) {
    if let Some(value) = value.filter(|&value| !(value > 0.0 && value <= highest)) {
        checker.violation(field, format!("is {value}; must be above 0 and at most {highest}"));
    }
}
