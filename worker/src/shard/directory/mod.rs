//! What every shard knows of locations, suppliers and the rules for prices and recommendations.
//!
//! It belongs to no slot: its records stand in every shard and are applied in log order. A slot
//! of a snapshot may be newer than another, but the day of a sale depends on the zone that its
//! location had at the sale's position in the log. So a snapshot holds the directory as it was
//! at the watermark, like the table of duplicates: a replay from there applies the directory's
//! records again and sees, at every position, what the first pass saw.
//!
//! Since version 3 of what records mean, each kind of record is bounded: one beyond the bound is not
//! taken, and one that it would have replaced stays. The coordinator asks before it appends, so that
//! callers are told. In a process, equal directories are one: see `shared`.

mod shared;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use mercer_common::{
    ids::DEFAULT_LOCATION,
    limits::{self, Bound},
    money::MoneyError,
    time::{Day, EventTime},
};
use mercer_proto::{
    internal::{self, SetCategoryPriceRule},
    v1::{Location, RecommendRule},
};
use prost::Message as _;

use self::table::Record;
pub(crate) use self::table::{Full, Table};
use super::{
    merge,
    terms::{PriceRule, Supplier},
    zone::Zone,
};

/// Levels of a category, from the broadest.
type CategoryPath = Arc<[Arc<str>]>;

/// The rules for recommendations, by id.
pub(crate) type RecommendRules = Table<Arc<str>, RecommendRule>;

/// Locations, suppliers and rules.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The cluster's.
    zone: Arc<Zone>,
    contents: Arc<Contents>,
}

/// What records said.
#[derive(Clone, Debug, Default)]
struct Contents {
    locations: Table<Arc<str>, Place>,
    /// Those of locations, by the name that they use, with how many use it.
    zones: BTreeMap<String, (Arc<Zone>, usize)>,
    suppliers: Table<Arc<str>, Supplier>,
    price_rules: Table<CategoryPath, CategoryRule>,
    recommend_rules: Arc<RecommendRules>,
}

/// The zones follow from the locations.
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        self.locations == other.locations
            && self.suppliers == other.suppliers
            && self.price_rules == other.price_rules
            && self.recommend_rules == other.recommend_rules
    }
}

#[derive(Clone, Debug)]
struct Place {
    location: Location,
    /// The cluster's when there is none.
    zone: Option<Arc<Zone>>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.location == other.location
    }
}

impl Record for Supplier {
    fn encoded_bytes(&self) -> usize {
        self.encode().encoded_len()
    }
}

impl Record for Place {
    fn encoded_bytes(&self) -> usize {
        self.location.encoded_len()
    }
}

#[derive(Clone, Debug, PartialEq)]
struct CategoryRule {
    path: CategoryPath,
    rule: PriceRule,
}

impl Record for CategoryRule {
    fn encoded_bytes(&self) -> usize {
        self.rule.encode().encoded_len()
            + self.path.iter().map(|level| level.len() + 2).sum::<usize>()
    }
}

/// A record of the directory, with the key that it replaces.
#[derive(Debug)]
pub(crate) enum Change {
    Location(String, Option<Location>),
    /// Keeps what it neither says nor clears.
    MergeLocation(Location, Vec<String>),
    Supplier(String, Option<Supplier>),
    /// Keeps what it neither says nor clears.
    MergeSupplier(Supplier, Vec<String>),
    PriceRule(Vec<String>, PriceRule),
    RecommendRule(String, Option<RecommendRule>),
}

impl Directory {
    /// An empty one; days without a location's zone follow `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone: Arc::new(Zone::new(zone)), contents: Arc::default() }
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
        self.zone_of(self.place(location)).rules()
    }

    /// The cluster's time zone.
    #[must_use]
    pub fn cluster_zone(&self) -> &TimeZone {
        self.zone.rules()
    }

    /// A supplier.
    #[must_use]
    pub fn supplier(&self, id: &str) -> Option<&Supplier> {
        self.contents.suppliers.get(id)
    }

    /// The rules for items of a category, the narrowest first, that for everything last.
    pub fn price_rules(&self, category_path: &[Arc<str>]) -> impl Iterator<Item = &PriceRule> {
        (0..=category_path.len())
            .rev()
            .filter_map(move |levels| self.contents.price_rules.get(&category_path[..levels]))
            .map(|found| &found.rule)
    }

    /// Every rule with the category that it is for, by path; an empty path means everything.
    pub fn all_price_rules(&self) -> impl Iterator<Item = (&[Arc<str>], &PriceRule)> {
        self.contents.price_rules.values().map(|one| (&*one.path, &one.rule))
    }

    /// The rules that follow the one for a category, by path; all of them without one.
    pub fn price_rules_after(
        &self,
        path: Option<&[Arc<str>]>,
    ) -> impl Iterator<Item = (&[Arc<str>], &PriceRule)> {
        self.contents.price_rules.after(path).map(|one| (&*one.path, &one.rule))
    }

    /// The rules for recommendations. It is another table after every change, so that what was
    /// derived from one can be kept for as long as this is the same.
    pub(crate) fn recommend_rules(&self) -> &Arc<RecommendRules> {
        &self.contents.recommend_rules
    }

    /// The rules for recommendations that follow `id`, by id.
    pub fn recommend_rules_after(&self, id: &str) -> impl Iterator<Item = &RecommendRule> {
        self.contents.recommend_rules.after(Some(id))
    }

    /// All locations by id.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        self.contents.locations.values().map(|place| &place.location)
    }

    /// The locations that follow `id`, by id.
    pub fn locations_after(&self, id: &str) -> impl Iterator<Item = &Location> {
        self.contents.locations.after(Some(id)).map(|place| &place.location)
    }

    /// All suppliers by id.
    pub fn suppliers(&self) -> impl Iterator<Item = &Supplier> {
        self.contents.suppliers.values()
    }

    /// The suppliers that follow `id`, by id.
    pub fn suppliers_after(&self, id: &str) -> impl Iterator<Item = &Supplier> {
        self.contents.suppliers.after(Some(id))
    }

    /// The local day of an event, and whether a purchase there takes from the stock on hand.
    pub(super) fn at(&self, location: &str, time: EventTime) -> (Day, bool) {
        let place = self.place(location);
        let takes_from_stock = place.is_some_and(|place| place.location.decrement_on_purchase());
        (self.zone_of(place).day(time), takes_from_stock)
    }

    fn place(&self, location: &str) -> Option<&Place> {
        let id = if location.is_empty() { DEFAULT_LOCATION } else { location };
        self.contents.locations.get(id)
    }

    fn zone_of<'a>(&'a self, place: Option<&'a Place>) -> &'a Zone {
        place.and_then(|place| place.zone.as_ref()).unwrap_or(&self.zone)
    }

    /// Makes a change, unless it goes beyond a bound. Rules for recommendations were always
    /// bounded, the others only where records mean so.
    pub(super) fn apply(&mut self, change: Change, is_bounded: bool) -> Result<(), Full> {
        Arc::make_mut(&mut self.contents).apply(change, is_bounded)
    }

    /// Whether all of these changes would be taken, one after the other.
    pub(crate) fn check(&self, changes: impl IntoIterator<Item = Change>) -> Result<(), Full> {
        let mut copy = self.clone();
        changes.into_iter().try_for_each(|change| copy.apply(change, true))
    }

    /// Number and bytes of locations, suppliers, price rules and rules for recommendations, each
    /// beside its bound.
    pub(crate) fn sizes(&self) -> [(Bound, (usize, usize)); 4] {
        let Contents { locations, suppliers, price_rules, recommend_rules, .. } = &*self.contents;
        [
            (limits::LOCATIONS, locations.size()),
            (limits::SUPPLIERS, suppliers.size()),
            (limits::PRICE_RULES, price_rules.size()),
            (limits::RECOMMEND_RULES, recommend_rules.size()),
        ]
    }

    /// Takes the copy of a shard that has an equal one.
    pub(super) fn share(&mut self) {
        shared::share(&mut self.contents);
    }

    /// Whether both are one copy.
    #[cfg(test)]
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.contents, &other.contents)
    }

    /// As files hold it; equal for equal directories.
    pub(crate) fn encode(&self) -> internal::Directory {
        internal::Directory {
            locations: self.locations().cloned().collect(),
            suppliers: self.suppliers().map(Supplier::encode).collect(),
            price_rules: self
                .all_price_rules()
                .map(|(path, rule)| SetCategoryPriceRule {
                    category_path: path.iter().map(ToString::to_string).collect(),
                    rule: Some(rule.encode()),
                })
                .collect(),
            recommend_rules: self.recommend_rules().values().cloned().collect(),
        }
    }

    /// What [`Self::encode`] gave, in a cluster of the time zone `zone`.
    ///
    /// # Errors
    /// When an amount of money in it is none.
    pub(crate) fn decode(stored: internal::Directory, zone: TimeZone) -> Result<Self, MoneyError> {
        let mut changes = Vec::new();
        for location in stored.locations {
            changes.push(Change::Location(location.location_id.clone(), Some(location)));
        }
        for supplier in stored.suppliers {
            let supplier = Supplier::decode(supplier)?;
            changes.push(Change::Supplier(supplier.supplier_id.clone(), Some(supplier)));
        }
        for SetCategoryPriceRule { category_path, rule } in stored.price_rules {
            let rule = PriceRule::decode(&rule.unwrap_or_default())?;
            changes.push(Change::PriceRule(category_path, rule));
        }
        for rule in stored.recommend_rules {
            changes.push(Change::RecommendRule(rule.rule_id.clone(), Some(rule)));
        }
        let mut directory = Self::new(zone);
        for change in changes {
            // What was kept before there were bounds is kept on.
            let _ = directory.apply(change, false);
        }
        directory.share();
        Ok(directory)
    }
}

impl Contents {
    fn apply(&mut self, change: Change, is_bounded: bool) -> Result<(), Full> {
        let bound = |bound: &'static Bound| is_bounded.then_some(bound);
        match change {
            Change::Location(id, location) => {
                self.set_location(&id, location, bound(&limits::LOCATIONS))
            }
            Change::MergeLocation(said, clears) => {
                let id = said.location_id.clone();
                let mut location = match self.locations.get(id.as_str()) {
                    Some(known) => known.location.clone(),
                    None => Location { location_id: id.clone(), ..Location::default() },
                };
                merge::location(&mut location, said, &clears);
                self.set_location(&id, Some(location), bound(&limits::LOCATIONS))
            }
            Change::MergeSupplier(said, clears) => {
                let id = said.supplier_id.clone();
                let mut supplier = match self.suppliers.get(id.as_str()) {
                    Some(known) => known.clone(),
                    None => Supplier { supplier_id: id.clone(), ..Supplier::default() },
                };
                merge::supplier(&mut supplier, said, &clears);
                let bound = bound(&limits::SUPPLIERS);
                self.suppliers.replace(id.into(), Some(supplier), bound).map(drop)
            }
            Change::Supplier(id, supplier) => {
                self.suppliers.replace(id.into(), supplier, bound(&limits::SUPPLIERS)).map(drop)
            }
            Change::PriceRule(path, rule) => {
                let path: CategoryPath = path.iter().map(|level| Arc::from(&**level)).collect();
                let rule = CategoryRule { path: Arc::clone(&path), rule };
                let rule = Some(rule).filter(|one| one.rule != PriceRule::default());
                self.price_rules.replace(path, rule, bound(&limits::PRICE_RULES)).map(drop)
            }
            Change::RecommendRule(id, rule) => self.set_recommend_rule(&id, rule),
        }
    }

    fn set_recommend_rule(&mut self, id: &str, rule: Option<RecommendRule>) -> Result<(), Full> {
        if rule.is_none() && self.recommend_rules.get(id).is_none() {
            return Ok(());
        }
        // Who has derived something from the table holds it, so that this makes another one.
        let rules = Arc::make_mut(&mut self.recommend_rules);
        rules.replace(id.into(), rule, Some(&limits::RECOMMEND_RULES)).map(drop)
    }

    fn set_location(
        &mut self,
        id: &str,
        mut location: Option<Location>,
        bound: Option<&Bound>,
    ) -> Result<(), Full> {
        if let Some(location) = &mut location {
            // Equal directories have equal bytes.
            location.decrement_on_purchase = location.decrement_on_purchase.filter(|&takes| takes);
        }
        let name = location.as_ref().map(|location| location.time_zone.clone());
        let zone = name.as_deref().and_then(|name| self.zone_named(name));
        let place = location.map(|location| Place { location, zone });
        let replaced = self.locations.replace(id.into(), place, bound);
        let unused = match &replaced {
            Ok(before) => before.as_ref().map(|place| place.location.time_zone.as_str()),
            Err(_) => name.as_deref(),
        };
        if let Some(name) = unused {
            self.leave_zone(name);
        }
        replaced.map(drop)
    }

    /// One more location follows the zone. A name that this machine does not know means the
    /// cluster's zone, as an empty one does.
    fn zone_named(&mut self, name: &str) -> Option<Arc<Zone>> {
        if let Some((zone, uses)) = self.zones.get_mut(name) {
            *uses += 1;
            return Some(Arc::clone(zone));
        }
        let rules = if name.is_empty() { None } else { TimeZone::get(name).ok() };
        let zone = Arc::new(Zone::new(rules?));
        self.zones.insert(name.to_owned(), (Arc::clone(&zone), 1));
        Some(zone)
    }

    /// One location less follows the zone.
    fn leave_zone(&mut self, name: &str) {
        let Some((_, uses)) = self.zones.get_mut(name) else { return };
        *uses -= 1;
        if *uses == 0 {
            self.zones.remove(name);
        }
    }
}
