//! The public filter as a checked tree, evaluated against the live state of an item.
//!
//! Logic has three values: what cannot be checked (a price band on an item without list price,
//! stock without a stock record) is unknown, stays unknown under `not`, and an item is let
//! through only when the whole filter is known to hold. Filters fail closed.

use std::sync::Arc;

use mercer_common::{ids::Checker, limits, money, rpc::status::InvalidRequest};
use mercer_proto::v1::{Filter as FilterMessage, PriceBand, filter::Condition as Message};

use crate::shard::{ItemState, Stock};

/// A checked filter.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    AllOf(Vec<Node>),
    AnyOf(Vec<Node>),
    Not(Box<Node>),
    Category(Vec<String>),
    Attribute {
        name: String,
        values: Vec<String>,
    },
    /// Bounds in micro-units, inclusive.
    Price {
        minimum: i64,
        maximum: i64,
    },
    /// `None`: anywhere.
    InStock {
        location: Option<String>,
    },
    /// Sorted.
    Brand(Vec<String>),
    /// Sorted.
    Items(Vec<String>),
}

impl Filter {
    /// Checks the public form. `currency` is the cluster's.
    ///
    /// # Errors
    /// Names the fields that are empty, too deep, too many or malformed.
    pub(crate) fn new(message: &FilterMessage, currency: &str) -> Result<Self, InvalidRequest> {
        let mut reader = Reader { checker: Checker::default(), currency, terms: 0 };
        let root = reader.node(message, "filter", 1);
        reader.checker.finish()?;
        // A node is missing only where a violation was noted.
        root.map(|root| Self { root })
            .ok_or_else(|| InvalidRequest::field("filter", "has no condition"))
    }

    /// Whether the item is known to satisfy the filter.
    pub(crate) fn admits(&self, item: &ItemState) -> bool {
        self.root.holds(item) == Some(true)
    }
}

/// Whether `path` starts with the levels of `prefix`.
pub(crate) fn within_category(path: &[Arc<str>], prefix: &[String]) -> bool {
    path.len() >= prefix.len() && path.iter().zip(prefix).all(|(level, wanted)| **level == **wanted)
}

impl Node {
    /// `None`: cannot be checked.
    fn holds(&self, item: &ItemState) -> Option<bool> {
        match self {
            Self::AllOf(nodes) => all(nodes.iter().map(|node| node.holds(item))),
            Self::AnyOf(nodes) => {
                all(nodes.iter().map(|node| node.holds(item).map(|holds| !holds))).map(|none| !none)
            }
            Self::Not(node) => node.holds(item).map(|holds| !holds),
            Self::Category(path) => Some(within_category(item.category_path(), path)),
            Self::Attribute { name, values } => Some(
                item.attribute(name).is_some_and(|value| values.iter().any(|one| one == value)),
            ),
            Self::Price { minimum, maximum } => {
                item.list_price_micros().map(|price| (*minimum..=*maximum).contains(&price))
            }
            Self::InStock { location } => {
                let on_hand = |stock: &Stock| stock.on_hand > 0.0;
                match location {
                    Some(location) => item.stock_at(location).map(on_hand),
                    None if item.stock().is_empty() => None,
                    None => Some(item.stock().iter().any(on_hand)),
                }
            }
            Self::Brand(brands) => Some(contains(brands, item.brand())),
            Self::Items(ids) => Some(contains(ids, item.id())),
        }
    }
}

/// Conjunction in three-valued logic.
fn all(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for value in values {
        match value {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

fn contains(sorted: &[String], value: &str) -> bool {
    sorted.binary_search_by(|entry| entry.as_str().cmp(value)).is_ok()
}

struct Reader<'a> {
    checker: Checker,
    currency: &'a str,
    terms: usize,
}

impl Reader<'_> {
    fn node(&mut self, message: &FilterMessage, path: &str, depth: usize) -> Option<Node> {
        if depth > limits::FILTER_DEPTH {
            self.checker
                .violation(path, format!("lies deeper than {} levels", limits::FILTER_DEPTH));
            return None;
        }
        self.terms += 1;
        if self.terms > limits::FILTER_TERMS {
            if self.terms == limits::FILTER_TERMS + 1 {
                let limit = limits::FILTER_TERMS;
                self.checker.violation("filter", format!("has more than {limit} conditions"));
            }
            return None;
        }
        let Some(condition) = &message.condition else {
            self.checker.violation(path, "has no condition");
            return None;
        };
        match condition {
            Message::AllOf(list) => {
                self.nodes(&list.filters, &format!("{path}.all_of"), depth).map(Node::AllOf)
            }
            Message::AnyOf(list) => {
                self.nodes(&list.filters, &format!("{path}.any_of"), depth).map(Node::AnyOf)
            }
            Message::Not(filter) => self
                .node(filter, &format!("{path}.not"), depth + 1)
                .map(|node| Node::Not(Box::new(node))),
            Message::Category(category) => {
                let field = format!("{path}.category.path");
                self.labels(&category.path, &field, limits::CATEGORY_LEVELS);
                Some(Node::Category(category.path.clone()))
            }
            Message::Attribute(attribute) => {
                let prefix = format!("{path}.attribute");
                self.checker.id(|| format!("{prefix}.name"), &attribute.name);
                self.labels(&attribute.values, &format!("{prefix}.values"), limits::FILTER_ITEMS);
                let (name, values) = (attribute.name.clone(), attribute.values.clone());
                Some(Node::Attribute { name, values })
            }
            Message::Price(band) => self.price(band, &format!("{path}.price")),
            Message::InStock(stock) => {
                let location = &stock.location_id;
                let field = || format!("{path}.in_stock.location_id");
                self.checker.length(field, location, limits::ID_BYTES);
                let location = (!location.is_empty()).then(|| location.clone());
                Some(Node::InStock { location })
            }
            Message::Brand(brand) => {
                let field = format!("{path}.brand.brands");
                self.labels(&brand.brands, &field, limits::FILTER_ITEMS);
                Some(Node::Brand(sorted(&brand.brands)))
            }
            Message::Items(items) => {
                let field = format!("{path}.items.item_ids");
                self.labels(&items.item_ids, &field, limits::FILTER_ITEMS);
                Some(Node::Items(sorted(&items.item_ids)))
            }
        }
    }

    fn nodes(&mut self, filters: &[FilterMessage], path: &str, depth: usize) -> Option<Vec<Node>> {
        if filters.is_empty() {
            self.checker.violation(format!("{path}.filters"), "must not be empty");
        }
        let mut nodes = Vec::with_capacity(filters.len().min(limits::FILTER_TERMS));
        for (index, filter) in filters.iter().enumerate() {
            if self.terms > limits::FILTER_TERMS {
                return None;
            }
            nodes.extend(self.node(filter, &format!("{path}.filters[{index}]"), depth + 1));
        }
        Some(nodes)
    }

    /// 1 to `limit` labels of 1 to 256 bytes.
    fn labels(&mut self, labels: &[String], field: &str, limit: usize) {
        if labels.is_empty() {
            self.checker.violation(field, "must not be empty");
        }
        self.checker.count(|| field.into(), labels.len(), limit);
        for (index, label) in labels.iter().enumerate().take(limit) {
            self.checker.id(|| format!("{field}[{index}]"), label);
        }
    }

    fn price(&mut self, band: &PriceBand, path: &str) -> Option<Node> {
        let mut bound = |money: &Option<_>, name: &str, absent: i64| match money {
            None => Some(absent),
            Some(money) => money::to_micros(money, self.currency)
                .map_err(|error| {
                    self.checker.violation(format!("{path}.{name}"), error.to_string())
                })
                .ok(),
        };
        let minimum = bound(&band.minimum, "minimum", i64::MIN)?;
        let maximum = bound(&band.maximum, "maximum", i64::MAX)?;
        if band.minimum.is_none() && band.maximum.is_none() {
            self.checker.violation(path, "needs a minimum or a maximum");
        } else if minimum > maximum {
            self.checker.violation(path, "minimum must not exceed maximum");
        }
        Some(Node::Price { minimum, maximum })
    }
}

fn sorted(values: &[String]) -> Vec<String> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}
