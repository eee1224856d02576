//! The public filter as a checked tree, evaluated against the live state of an item.
//!
//! Logic has three values: what cannot be checked (a price band on an item without list price,
//! stock without a stock record) is unknown, stays unknown under `not`, and an item is let
//! through only when the whole filter is known to hold. Filters fail closed.

use std::sync::Arc;

use mercer_common::{limits, money, rpc::status::InvalidRequest};
use mercer_proto::v1::{
    Filter as FilterMessage, FilterList, PriceBand, filter::Condition as Message,
};

use super::property;
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
    /// Takes over the public form. The coordinator has checked it and names what is wrong in
    /// detail; here only what cannot be evaluated is refused. `currency` is the cluster's.
    ///
    /// # Errors
    /// When a condition is missing, empty, too deep, one too many, or not in `currency`.
    pub(crate) fn new(message: &FilterMessage, currency: &str) -> Result<Self, InvalidRequest> {
        let mut reader = Reader { currency, terms: 0 };
        reader.node(message, 1).map(|root| Self { root })
    }

    /// Whether the item is known to satisfy the filter.
    pub(crate) fn admits(&self, item: &ItemState) -> bool {
        self.root.holds(item) == Some(true)
    }

    /// Whether the item is known not to satisfy the filter.
    pub(crate) fn rejects(&self, item: &ItemState) -> bool {
        self.root.holds(item) == Some(false)
    }

    /// Hashes of properties of which an item has one unless the filter rejects it; `None` where
    /// nothing so simple can be said.
    pub(crate) fn properties(&self) -> Option<Vec<u64>> {
        self.root.properties()
    }

    /// The only items that can satisfy the filter, where it names them.
    pub(crate) fn items(&self) -> Option<&[String]> {
        match &self.root {
            Node::Items(ids) => Some(ids),
            Node::AllOf(nodes) => nodes.iter().find_map(|node| match node {
                Node::Items(ids) => Some(ids.as_slice()),
                _ => None,
            }),
            _ => None,
        }
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

    fn properties(&self) -> Option<Vec<u64>> {
        match self {
            Self::AllOf(nodes) => {
                let of_each = nodes.iter().filter_map(Self::properties);
                of_each.min_by_key(Vec::len)
            }
            Self::AnyOf(nodes) => {
                let of_each: Option<Vec<_>> = nodes.iter().map(Self::properties).collect();
                of_each.map(|properties| properties.concat())
            }
            Self::Category(path) => Some(vec![property::category(path.iter().map(String::as_str))]),
            Self::Attribute { name, values } => {
                Some(values.iter().map(|value| property::attribute(name, value)).collect())
            }
            Self::Brand(brands) => {
                Some(brands.iter().map(|brand| property::brand(brand)).collect())
            }
            Self::Items(ids) => Some(ids.iter().map(|id| property::id(id)).collect()),
            Self::Not(_) | Self::Price { .. } | Self::InStock { .. } => None,
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
    currency: &'a str,
    /// Conditions so far, those that combine others aside.
    terms: usize,
}

fn refused(description: impl Into<String>) -> InvalidRequest {
    InvalidRequest::field("filter", description)
}

impl Reader<'_> {
    fn node(&mut self, message: &FilterMessage, depth: usize) -> Result<Node, InvalidRequest> {
        if depth > limits::FILTER_DEPTH {
            return Err(refused(format!("lies deeper than {} levels", limits::FILTER_DEPTH)));
        }
        let condition = message.condition.as_ref();
        let condition = condition.ok_or_else(|| refused("a condition is missing"))?;
        let combines = matches!(condition, Message::AllOf(_) | Message::AnyOf(_) | Message::Not(_));
        self.terms += usize::from(!combines);
        if self.terms > limits::FILTER_TERMS {
            return Err(refused(format!("has more than {} conditions", limits::FILTER_TERMS)));
        }
        match condition {
            Message::AllOf(list) => self.nodes(list, depth).map(Node::AllOf),
            Message::AnyOf(list) => self.nodes(list, depth).map(Node::AnyOf),
            Message::Not(filter) => {
                self.node(filter, depth + 1).map(|node| Node::Not(Box::new(node)))
            }
            Message::Category(category) => filled(&category.path).map(Node::Category),
            Message::Attribute(attribute) => {
                let (name, values) = (attribute.name.clone(), filled(&attribute.values)?);
                Ok(Node::Attribute { name, values })
            }
            Message::Price(band) => self.price(band),
            Message::InStock(stock) => {
                let location = Some(stock.location_id.clone()).filter(|id| !id.is_empty());
                Ok(Node::InStock { location })
            }
            Message::Brand(brand) => {
                filled(&brand.brands).map(|brands| Node::Brand(sorted(brands)))
            }
            Message::Items(items) => filled(&items.item_ids).map(|ids| Node::Items(sorted(ids))),
        }
    }

    fn nodes(&mut self, list: &FilterList, depth: usize) -> Result<Vec<Node>, InvalidRequest> {
        if list.filters.is_empty() {
            return Err(refused("combines no conditions"));
        }
        list.filters.iter().map(|filter| self.node(filter, depth + 1)).collect()
    }

    fn price(&self, band: &PriceBand) -> Result<Node, InvalidRequest> {
        let bound = |money: &Option<_>, absent: i64| match money {
            None => Ok(absent),
            Some(money) => {
                money::to_micros(money, self.currency).map_err(|error| refused(error.to_string()))
            }
        };
        let minimum = bound(&band.minimum, i64::MIN)?;
        Ok(Node::Price { minimum, maximum: bound(&band.maximum, i64::MAX)? })
    }
}

/// Values of a condition, at least one and not more than any condition may have.
fn filled(values: &[String]) -> Result<Vec<String>, InvalidRequest> {
    if values.is_empty() || values.len() > limits::FILTER_ITEMS {
        return Err(refused(format!("a condition has {} values", values.len())));
    }
    Ok(values.to_vec())
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values
}
