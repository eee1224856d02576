//! What every shard knows of locations, suppliers and the rules for prices and recommendations.
//!
//! It belongs to no slot: its records stand in every shard and are applied in log order. A slot
//! of a snapshot may be newer than another, but the day of a sale depends on the zone that its
//! location had at the sale's position in the log. So a snapshot holds the directory as it was
//! at the watermark, like the table of duplicates: a replay from there applies the directory's
//! records again and sees, at every position, what the first pass saw.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use jiff::tz::TimeZone;
use mercer_common::{
    ids::DEFAULT_LOCATION,
    limits,
    time::{Day, EventTime},
};
use mercer_proto::{
    internal::{self, SetCategoryPriceRule},
    v1::{Location, PriceRule, RecommendRule, Supplier},
};
use prost::Message;

use super::zone::Zone;

/// Levels of a category, from the broadest.
type CategoryPath = Vec<Arc<str>>;

/// Locations, suppliers and rules.
#[derive(Debug)]
pub struct Directory {
    /// The cluster's.
    zone: Arc<Zone>,
    /// Those of locations, by the name that they use.
    zones: BTreeMap<String, Arc<Zone>>,
    locations: BTreeMap<String, Place>,
    suppliers: BTreeMap<String, Supplier>,
    price_rules: BTreeMap<CategoryPath, PriceRule>,
    recommend_rules: Arc<BTreeMap<String, RecommendRule>>,
    /// What those take when encoded.
    recommend_rule_bytes: usize,
}

#[derive(Debug)]
struct Place {
    location: Location,
    zone: Arc<Zone>,
}

/// A record of the directory, with the key that it replaces.
#[derive(Debug)]
pub(super) enum Change {
    Location(String, Option<Location>),
    Supplier(String, Option<Supplier>),
    PriceRule(Vec<String>, PriceRule),
    RecommendRule(String, Option<RecommendRule>),
}

impl Directory {
    /// An empty one; days without a location's zone follow `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone: Arc::new(Zone::new(zone)),
            zones: BTreeMap::new(),
            locations: BTreeMap::new(),
            suppliers: BTreeMap::new(),
            price_rules: BTreeMap::new(),
            recommend_rules: Arc::default(),
            recommend_rule_bytes: 0,
        }
    }

    /// A catalogued location; an empty id means `default`.
    #[must_use]
    pub fn location(&self, id: &str) -> Option<&Location> {
        Some(&self.place(id)?.location)
    }

    /// The time zone of a location: the cluster's when it has none of its own, is not
    /// catalogued, or stands for all of them.
    #[must_use]
    pub fn zone(&self, location: &str) -> &TimeZone {
        self.place(location).map_or(&self.zone, |place| &place.zone).rules()
    }

    /// The cluster's time zone.
    #[must_use]
    pub fn cluster_zone(&self) -> &TimeZone {
        self.zone.rules()
    }

    /// A supplier.
    #[must_use]
    pub fn supplier(&self, id: &str) -> Option<&Supplier> {
        self.suppliers.get(id)
    }

    /// The rules for items of a category, the narrowest first, that for everything last.
    pub fn price_rules(&self, category_path: &[Arc<str>]) -> impl Iterator<Item = &PriceRule> {
        (0..=category_path.len())
            .rev()
            .filter_map(move |levels| self.price_rules.get(&category_path[..levels]))
    }

    /// Every rule with the category that it is for, by path; an empty path means everything.
    pub fn all_price_rules(&self) -> impl Iterator<Item = (&[Arc<str>], &PriceRule)> {
        self.price_rules.iter().map(|(path, rule)| (path.as_slice(), rule))
    }

    /// The rules for recommendations by id. It is another map after every change, so that what
    /// was derived from one can be kept for as long as this is the same.
    #[must_use]
    pub fn recommend_rules(&self) -> &Arc<BTreeMap<String, RecommendRule>> {
        &self.recommend_rules
    }

    /// All locations by id.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        self.locations.values().map(|place| &place.location)
    }

    /// The locations that follow `id`, by id.
    pub fn locations_after(&self, id: &str) -> impl Iterator<Item = &Location> {
        let after = self.locations.range::<str, _>((Excluded(id), Unbounded));
        after.map(|(_, place)| &place.location)
    }

    /// All suppliers by id.
    pub fn suppliers(&self) -> impl Iterator<Item = &Supplier> {
        self.suppliers.values()
    }

    /// The suppliers that follow `id`, by id.
    pub fn suppliers_after(&self, id: &str) -> impl Iterator<Item = &Supplier> {
        self.suppliers.range::<str, _>((Excluded(id), Unbounded)).map(|(_, supplier)| supplier)
    }

    /// The local day of an event, and whether a purchase there takes from the stock on hand.
    pub(super) fn at(&self, location: &str, time: EventTime) -> (Day, bool) {
        match self.place(location) {
            Some(Place { location, zone }) => (zone.day(time), location.decrement_on_purchase),
            None => (self.zone.day(time), false),
        }
    }

    fn place(&self, location: &str) -> Option<&Place> {
        let id = if location.is_empty() { DEFAULT_LOCATION } else { location };
        self.locations.get(id)
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Location(id, location) => self.set_location(id, location),
            Change::Supplier(id, Some(supplier)) => drop(self.suppliers.insert(id, supplier)),
            Change::Supplier(id, None) => drop(self.suppliers.remove(&id)),
            Change::PriceRule(path, rule) => {
                let path: CategoryPath = path.iter().map(|level| Arc::from(&**level)).collect();
                if rule == PriceRule::default() {
                    self.price_rules.remove(&path);
                } else {
                    self.price_rules.insert(path, rule);
                }
            }
            Change::RecommendRule(id, rule) => self.set_recommend_rule(id, rule),
        }
    }

    /// A rule beyond [`limits::RECOMMEND_RULES`] or [`limits::RECOMMEND_RULE_BYTES`] is not taken;
    /// one that it would have replaced stays.
    fn set_recommend_rule(&mut self, id: String, rule: Option<RecommendRule>) {
        let before = self.recommend_rules.get(&id).map(Message::encoded_len);
        let after = rule.as_ref().map(Message::encoded_len);
        let others = self.recommend_rule_bytes - before.unwrap_or_default();
        let bytes = others + after.unwrap_or_default();
        let rules = self.recommend_rules.len() - usize::from(before.is_some());
        match rule {
            Some(rule)
                if rules < limits::RECOMMEND_RULES && bytes <= limits::RECOMMEND_RULE_BYTES =>
            {
                Arc::make_mut(&mut self.recommend_rules).insert(id, rule);
            }
            None if before.is_some() => drop(Arc::make_mut(&mut self.recommend_rules).remove(&id)),
            _ => return,
        }
        self.recommend_rule_bytes = bytes;
    }

    fn set_location(&mut self, id: String, location: Option<Location>) {
        let before = match location {
            Some(location) => {
                let zone = self.zone_named(&location.time_zone);
                self.locations.insert(id, Place { location, zone })
            }
            None => self.locations.remove(&id),
        };
        if let Some(Place { location, zone }) = before {
            drop(zone);
            let unused = |zone: &Arc<Zone>| Arc::strong_count(zone) == 1;
            if self.zones.get(&location.time_zone).is_some_and(unused) {
                self.zones.remove(&location.time_zone);
            }
        }
    }

    /// A name that this machine does not know means the cluster's zone, as an empty one does.
    fn zone_named(&mut self, name: &str) -> Arc<Zone> {
        if let Some(zone) = self.zones.get(name) {
            return Arc::clone(zone);
        }
        let rules = if name.is_empty() { None } else { TimeZone::get(name).ok() };
        let Some(rules) = rules else { return Arc::clone(&self.zone) };
        let zone = Arc::new(Zone::new(rules));
        self.zones.insert(name.to_owned(), Arc::clone(&zone));
        zone
    }

    /// As files hold it; equal for equal directories.
    pub(crate) fn encode(&self) -> internal::Directory {
        internal::Directory {
            locations: self.locations().cloned().collect(),
            suppliers: self.suppliers().cloned().collect(),
            price_rules: self
                .all_price_rules()
                .map(|(path, rule)| SetCategoryPriceRule {
                    category_path: path.iter().map(ToString::to_string).collect(),
                    rule: Some(rule.clone()),
                })
                .collect(),
            recommend_rules: self.recommend_rules.values().cloned().collect(),
        }
    }

    /// What [`Self::encode`] gave, in a cluster of the time zone `zone`.
    pub(crate) fn decode(stored: internal::Directory, zone: TimeZone) -> Self {
        let mut directory = Self::new(zone);
        for location in stored.locations {
            let id = location.location_id.clone();
            directory.apply(Change::Location(id, Some(location)));
        }
        for supplier in stored.suppliers {
            directory.apply(Change::Supplier(supplier.supplier_id.clone(), Some(supplier)));
        }
        for SetCategoryPriceRule { category_path, rule } in stored.price_rules {
            directory.apply(Change::PriceRule(category_path, rule.unwrap_or_default()));
        }
        for rule in stored.recommend_rules {
            directory.apply(Change::RecommendRule(rule.rule_id.clone(), Some(rule)));
        }
        directory
    }
}
