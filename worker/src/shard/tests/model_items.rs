//! The items' side of the model: everything is kept, and decided at the end.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::tz::TimeZone;
use mercer_common::{
    slot::{Subject, compare},
    time::{Day, EventTime},
};
use mercer_proto::{
    internal::{
        ItemEvent, ItemFields, SetCategoryPriceRule, SetItemPriceRule, SetSupply, UpsertItem,
        mutation,
    },
    v1::{EventType, ItemStatus, Location, PriceRule, RecommendRule, Supplier},
};

use super::workload::{ITEMS, zone};
use crate::shard::{ItemState, SalesDay, ShardState};

#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) items: BTreeMap<String, Item>,
    locations: BTreeMap<String, Location>,
    suppliers: BTreeMap<String, Supplier>,
    rules: BTreeMap<Vec<String>, PriceRule>,
    recommend_rules: BTreeMap<String, RecommendRule>,
    newest: u32,
}

#[derive(Debug)]
pub(super) struct Item {
    fields: ItemFields,
    visits: BTreeSet<u64>,
    units: f64,
    revenue: i64,
    stock: BTreeMap<String, Stock>,
    sales: Vec<(Day, String, ItemEvent)>,
    supply: BTreeMap<String, SetSupply>,
    competitors: BTreeMap<String, (i64, i64)>,
    rule: Option<PriceRule>,
}

/// Units in tenths, as the workload has them.
#[derive(Debug, Default)]
struct Stock {
    on_hand: i64,
    as_of_ms: i64,
    on_order: f64,
    backordered: f64,
    known: bool,
}

fn tenths(units: f64) -> i64 {
    (units * 10.0).round() as i64
}

fn place(id: &str) -> String {
    if id.is_empty() { "default".to_owned() } else { id.to_owned() }
}

fn rule_of(rule: Option<&PriceRule>) -> Option<PriceRule> {
    rule.filter(|rule| **rule != PriceRule::default()).cloned()
}

impl Items {
    fn item(&mut self, id: &str) -> &mut Item {
        self.items.entry(id.to_owned()).or_insert_with(|| Item {
            fields: ItemFields { status: ItemStatus::Unlisted.into(), ..ItemFields::default() },
            visits: BTreeSet::new(),
            units: 0.0,
            revenue: 0,
            stock: BTreeMap::new(),
            sales: Vec::new(),
            supply: BTreeMap::new(),
            competitors: BTreeMap::new(),
            rule: None,
        })
    }

    /// The local day at a location, as it is catalogued now.
    pub(super) fn day(&self, location_id: &str, time: u32) -> Day {
        let catalogued = self.locations.get(&place(location_id));
        let name = catalogued.map(|location| location.time_zone.as_str()).unwrap_or_default();
        let zone = match name {
            "" => zone(),
            name => TimeZone::get(name).unwrap_or(zone()),
        };
        Day::of(EventTime(time), &zone)
    }

    pub(super) fn event(&mut self, record: &ItemEvent) {
        self.newest = self.newest.max(record.time);
        let location = place(&record.location_id);
        let catalogued = self.locations.get(&location).cloned().unwrap_or_default();
        let day = self.day(&record.location_id, record.time);
        let time = EventTime(record.time);
        let item = self.item(&record.item_id);
        if matches!(record.r#type(), EventType::Purchase | EventType::Return) {
            item.sales.push((day, location.clone(), record.clone()));
        }
        if record.r#type() != EventType::Purchase {
            return;
        }
        item.visits.insert(record.visit);
        item.units += record.quantity;
        item.revenue += record.amount_micros.unwrap_or(0).max(0);
        if let Some(stock) = item.stock.get_mut(&location)
            && catalogued.decrement_on_purchase()
            && time.unix_seconds() * 1_000 > stock.as_of_ms
        {
            stock.on_hand -= tenths(record.quantity);
            stock.known = true;
        }
    }

    pub(super) fn mutate(&mut self, kind: &mutation::Kind) {
        match kind.clone() {
            mutation::Kind::UpsertItem(upsert) => self.upsert(&upsert),
            mutation::Kind::DeleteItem(id) => {
                if let Some(item) = self.items.get_mut(&id) {
                    item.fields.set_status(ItemStatus::Deleted);
                }
            }
            mutation::Kind::SetStock(set) => {
                let stock = Stock {
                    on_hand: tenths(set.on_hand),
                    as_of_ms: set.as_of_ms,
                    on_order: set.on_order.unwrap_or_default(),
                    backordered: set.backordered.unwrap_or_default(),
                    known: true,
                };
                self.item(&set.item_id).stock.insert(place(&set.location_id), stock);
            }
            mutation::Kind::AdjustStock(adjust) => {
                let stock = &mut self.item(&adjust.item_id).stock;
                let stock = stock.entry(place(&adjust.location_id)).or_default();
                stock.on_hand += tenths(adjust.delta);
                stock.known |= adjust.delta != 0.0;
                stock.on_order = (stock.on_order + adjust.on_order_delta).max(0.0);
            }
            mutation::Kind::SetSupply(set) => {
                let supply = &mut self.item(&set.item_id).supply;
                let location = match set.location_id.as_str() {
                    "" => "*".to_owned(),
                    location => location.to_owned(),
                };
                if set.terms.is_none() && set.supplier_id.is_empty() {
                    supply.remove(&location);
                } else {
                    supply.insert(location, set);
                }
            }
            mutation::Kind::SetCompetitorPrice(set) => {
                let prices = &mut self.item(&set.item_id).competitors;
                match set.price_micros {
                    Some(price) => drop(prices.insert(set.competitor_id, (price, set.as_of_ms))),
                    None => drop(prices.remove(&set.competitor_id)),
                }
            }
            mutation::Kind::SetItemPriceRule(SetItemPriceRule { item_id, rule }) => {
                self.item(&item_id).rule = rule_of(rule.as_ref());
            }
            mutation::Kind::SetCategoryPriceRule(SetCategoryPriceRule { category_path, rule }) => {
                match rule_of(rule.as_ref()) {
                    Some(rule) => drop(self.rules.insert(category_path, rule)),
                    None => drop(self.rules.remove(&category_path)),
                }
            }
            mutation::Kind::UpsertLocation(location) => {
                self.locations.insert(location.location_id.clone(), location);
            }
            mutation::Kind::DeleteLocation(id) => drop(self.locations.remove(&id)),
            mutation::Kind::UpsertSupplier(supplier) => {
                self.suppliers.insert(supplier.supplier_id.clone(), supplier);
            }
            mutation::Kind::DeleteSupplier(id) => drop(self.suppliers.remove(&id)),
            mutation::Kind::SetRecommendRule(rule) => {
                self.recommend_rules.insert(rule.rule_id.clone(), rule);
            }
            mutation::Kind::RemoveRecommendRule(id) => drop(self.recommend_rules.remove(&id)),
            _ => {}
        }
    }

    fn upsert(&mut self, upsert: &UpsertItem) {
        let UpsertItem { item_id, fields, mask, .. } = upsert;
        let fields = fields.clone().expect("set");
        let item = &mut self.item(item_id).fields;
        let names_status = mask.is_empty() || mask.iter().any(|name| name == "status");
        let status = item.status();
        if mask.is_empty() {
            *item = fields.clone();
        }
        for name in mask {
            match name.as_str() {
                "title" => item.title.clone_from(&fields.title),
                "brand" => item.brand.clone_from(&fields.brand),
                "category_path" => item.category_path.clone_from(&fields.category_path),
                "list_price" => item.list_price_micros = fields.list_price_micros,
                _ => {}
            }
        }
        item.set_status(match (names_status, fields.status(), status) {
            (true, ItemStatus::Unspecified, _) | (false, _, ItemStatus::Unlisted) => {
                ItemStatus::Active
            }
            (true, status, _) | (false, _, status) => status,
        });
    }

    /// Whether there are items, and all are unlisted or deleted.
    pub(super) fn has_nothing_catalogued(&self) -> bool {
        let listed = [ItemStatus::Active, ItemStatus::Inactive];
        let mut items = self.items.values();
        items.len() > 0 && items.all(|item| !listed.contains(&item.fields.status()))
    }

    pub(super) fn compare(&self, state: &ShardState) {
        for id in ITEMS.iter() {
            match self.items.get(id) {
                Some(expected) => expected.compare(state.item(id).expect("known")),
                None => assert!(state.item(id).is_none()),
            }
        }
        let mut popular: Vec<_> = self.items.iter().collect();
        popular.sort_by(|(a, left), (b, right)| {
            (Reverse(left.visits.len()).cmp(&Reverse(right.visits.len())))
                .then_with(|| compare(Subject::Item, a, b))
        });
        let expected: Vec<&str> = popular.into_iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(state.by_popularity().map(|item| item.id()).collect::<Vec<_>>(), expected);

        assert_eq!(state.newest_item_event(), self.newest);
        let directory = state.directory();
        assert!(directory.locations().eq(self.locations.values()));
        let suppliers = directory.suppliers().map(crate::shard::Supplier::encode);
        assert!(suppliers.eq(self.suppliers.values().cloned()));
        assert!(directory.recommend_rules().values().eq(self.recommend_rules.values()));
        for (id, location) in &self.locations {
            assert_eq!(directory.location(id), Some(location));
            let zone_name = directory.zone(id).iana_name().expect("named");
            match location.time_zone.as_str() {
                "" | "Nowhere/City" => assert_eq!(zone_name, "Asia/Tehran"),
                name => assert_eq!(zone_name, name),
            }
        }
        let rules = directory.all_price_rules().map(|(path, rule)| {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            (path, rule.encode())
        });
        assert_eq!(rules.collect::<BTreeMap<_, _>>(), self.rules);
        for item in state.items() {
            let path: Vec<String> = item.category_path().iter().map(ToString::to_string).collect();
            let rules = (0..=path.len()).rev().filter_map(|levels| self.rules.get(&path[..levels]));
            let found = directory.price_rules(item.category_path());
            assert!(found.map(crate::shard::PriceRule::encode).eq(rules.cloned()));
        }
    }
}

impl Item {
    fn compare(&self, item: &ItemState) {
        let path: Vec<&str> = item.category_path().iter().map(AsRef::as_ref).collect();
        assert_eq!(item.title(), self.fields.title);
        assert_eq!(item.brand(), self.fields.brand);
        assert_eq!(path, self.fields.category_path);
        assert_eq!(item.list_price_micros(), self.fields.list_price_micros);
        assert_eq!(item.status(), self.fields.status());
        for (name, value) in &self.fields.attributes {
            assert_eq!(item.attribute(name), Some(value.as_str()));
        }
        assert_eq!(item.attributes().len(), self.fields.attributes.len());
        assert_eq!(item.popularity(), self.visits.len() as u64);
        assert!((item.units() - self.units).abs() < 1e-9);
        assert_eq!(item.revenue_micros(), self.revenue);
        self.compare_stock(item);
        self.compare_series(item);
        let supply = item.supply().iter().map(|known| {
            let set = known.encode();
            assert!(set.item_id.is_empty() && set.location_id == *known.location);
            (set.location_id, (set.supplier_id, set.terms))
        });
        let expected = self.supply.iter().map(|(location, set)| {
            (location.clone(), (set.supplier_id.clone(), set.terms.clone()))
        });
        assert!(supply.eq(expected));
        let competitors = item
            .competitor_prices()
            .iter()
            .map(|entry| (entry.competitor.to_string(), (entry.price_micros, entry.as_of_ms)));
        assert_eq!(competitors.collect::<BTreeMap<_, _>>(), self.competitors);
        assert_eq!(item.price_rule().map(crate::shard::PriceRule::encode), self.rule);
    }

    fn compare_stock(&self, item: &ItemState) {
        assert_eq!(item.stock().len(), self.stock.len());
        for (location, expected) in &self.stock {
            let stock = item.stock_at(location).expect("stocked");
            assert!((stock.on_hand * 10.0 - expected.on_hand as f64).abs() < 1e-9);
            assert_eq!(stock.as_of_ms, expected.as_of_ms);
            assert_eq!(stock.on_order, expected.on_order);
            assert_eq!(stock.backordered, expected.backordered);
            let is_out = expected.known && expected.on_hand <= 0;
            assert_eq!(stock.stock_outs.len() % 2 == 1, is_out, "{stock:?}");
            assert!(stock.stock_outs.is_sorted_by(|left, right| left < right), "{stock:?}");
        }
    }

    fn compare_series(&self, item: &ItemState) {
        let newest = self.sales.iter().map(|(day, ..)| i32::from(day.0)).max().unwrap_or(0);
        let kept: Vec<_> =
            self.sales.iter().filter(|(day, ..)| i32::from(day.0) > newest - 1_461).collect();
        let locations: BTreeSet<&str> = kept.iter().map(|(_, location, _)| &**location).collect();
        assert!(item.series().locations().eq(locations.iter().copied()));
        for location in locations {
            let mut days: BTreeMap<Day, SalesDay> = BTreeMap::new();
            for (day, _, record) in kept.iter().filter(|(_, other, _)| other == location) {
                let sales =
                    days.entry(*day).or_insert(SalesDay { day: *day, ..Default::default() });
                let units = tenths(record.quantity) * 100_000;
                if record.r#type() == EventType::Return {
                    sales.returned_micros += units;
                    continue;
                }
                sales.units_micros += units;
                sales.promoted_micros += if record.promotion { units } else { 0 };
                sales.revenue_micros += record.amount_micros.unwrap_or(0).max(0);
                let list_price = record.list_price_micros.unwrap_or(0);
                sales.list_price_micros = sales.list_price_micros.max(list_price);
            }
            assert_eq!(item.series().at(location), days.into_values().collect::<Vec<_>>());
        }
    }
}
