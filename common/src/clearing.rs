//! Which fields a change can clear while it keeps the others, by the paths that callers send.

use crate::limits;

/// What a change describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// `mercer.v1.Item`. Its status is never cleared: it always has one.
    Item,
    /// `mercer.v1.User`.
    User,
    /// `mercer.v1.Stock`.
    Stock,
    /// `mercer.v1.Supply`.
    Supply,
    /// `mercer.v1.Location`.
    Location,
    /// `mercer.v1.Supplier`.
    Supplier,
}

/// Before the name of an attribute.
const ATTRIBUTE: &str = "attributes.";

const ITEM: [&str; 9] = [
    "title",
    "description",
    "category_path",
    "brand",
    "attributes",
    "attributes.NAME",
    "list_price",
    "unit_cost",
    "embedding",
];

const TERMS: [&str; 10] = [
    "terms",
    "terms.lead_time_days",
    "terms.lead_time_deviation_days",
    "terms.review_period_days",
    "terms.order_cost",
    "terms.holding_rate",
    "terms.minimum_order_quantity",
    "terms.pack_size",
    "terms.maximum_cover_days",
    "terms.service",
];

impl Described {
    /// All that a change can describe.
    pub const ALL: [Self; 6] =
        [Self::Item, Self::User, Self::Stock, Self::Supply, Self::Location, Self::Supplier];

    /// The paths that can be cleared; `attributes.NAME` stands for that of every attribute.
    pub fn clearable(self) -> impl Iterator<Item = &'static str> {
        let (own, terms): (&[&str], &[&str]) = match self {
            Self::Item => (&ITEM, &[]),
            Self::User => (&["attributes", "attributes.NAME", "denied_item_ids"], &[]),
            Self::Stock => (&["on_order", "backordered"], &[]),
            Self::Location => (&["name", "time_zone", "decrement_on_purchase"], &[]),
            Self::Supply => (&["supplier_id"], &TERMS),
            Self::Supplier => (&["name"], &TERMS),
        };
        own.iter().chain(terms).copied()
    }

    /// Whether `path` names something that can be cleared.
    #[must_use]
    pub fn can_clear(self, path: &str) -> bool {
        match (self, attribute(path)) {
            (Self::Item | Self::User, Some(name)) => {
                !name.is_empty() && name.len() <= limits::LABEL_BYTES
            }
            _ => self.clearable().any(|other| other == path),
        }
    }
}

/// The name of the attribute at `path`, if it is one.
#[must_use]
pub fn attribute(path: &str) -> Option<&str> {
    path.strip_prefix(ATTRIBUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_what_has_the_field() {
        for described in Described::ALL {
            for path in described.clearable() {
                assert!(described.can_clear(path), "{path} of {described:?}");
            }
            for path in ["", "status", "item_id", "on_hand", "attributes.", "terms.", "attribute"] {
                assert!(!described.can_clear(path), "{path} of {described:?}");
            }
        }
        for (path, has) in [("attributes.a.b", true), ("attributes. ", true), ("Title", false)] {
            assert_eq!(Described::Item.can_clear(path), has, "{path}");
        }
        let longest = format!("attributes.{}", "x".repeat(limits::LABEL_BYTES));
        assert!(Described::User.can_clear(&longest));
        assert!(!Described::User.can_clear(&format!("{longest}x")));
        assert!(!Described::Stock.can_clear("attributes.colour"));
        assert_eq!(attribute("attributes.a.b"), Some("a.b"));
        assert_eq!(attribute("attributes"), None);
    }
}
