//! What the server would refuse a whole call for, found row by row.

use mercer_common::{ids::Checker, limits, rpc::status::Violation};
use mercer_proto::v1::{Item, Stock, User};

fn finish(checker: Checker) -> Vec<Violation> {
    checker.finish().map_or_else(|invalid| invalid.violations, |()| Vec::new())
}

fn attributes<'a>(
    checker: &mut Checker,
    attributes: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) {
    checker.count(|| "attributes".into(), attributes.len(), limits::ATTRIBUTES);
    for (name, value) in attributes {
        checker.length(|| "attribute names".into(), name, limits::LABEL_BYTES);
        checker.length(|| format!("attribute.{name}"), value, limits::LABEL_BYTES);
    }
}

pub(super) fn item(item: &Item) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &item.item_id);
    checker.length(|| "title".into(), &item.title, limits::LABEL_BYTES);
    checker.length(|| "description".into(), &item.description, limits::DESCRIPTION_BYTES);
    checker.count(|| "category".into(), item.category_path.len(), limits::CATEGORY_LEVELS);
    for level in &item.category_path {
        checker.length(|| "category".into(), level, limits::LABEL_BYTES);
    }
    checker.length(|| "brand".into(), &item.brand, limits::LABEL_BYTES);
    attributes(&mut checker, item.attributes.iter());
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
        checker.id(|| "denied_item_ids".into(), id);
    }
    finish(checker)
}

pub(super) fn stock(stock: &Stock) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.id(|| "item_id".into(), &stock.item_id);
    if !stock.location_id.is_empty() {
        checker.id(|| "location_id".into(), &stock.location_id);
    }
    if stock.on_hand.is_nan() || stock.on_hand.abs() > limits::QUANTITY {
        checker.violation(
            "on_hand",
            format!("is {}; must lie within ±{:e}", stock.on_hand, limits::QUANTITY),
        );
    }
    finish(checker)
}
