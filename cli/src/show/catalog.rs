//! What is known of one item or user, as it is shown.

use std::{borrow::Cow, collections::BTreeMap};

use mercer_common::{escape, ids::EVERYWHERE};
use mercer_proto::v1::{GetItemResponse, GetUserResponse, ItemStatus};
use serde::Serialize;

use super::ledger::LedgerAnswer;
use crate::show::{
    decision::{Rule, Terms, chart},
    output::{self, date, money, time, units},
};

#[derive(Debug, Serialize)]
pub(crate) struct ItemAnswer {
    item_id: String,
    title: String,
    description: String,
    category_path: Vec<String>,
    brand: String,
    attributes: BTreeMap<String, String>,
    list_price: Option<String>,
    unit_cost: Option<String>,
    status: &'static str,
    popularity: u64,
    /// What was sold since does not count.
    at_limit: bool,
    units: f64,
    revenue: Option<String>,
    stock: Vec<StockRow>,
    supply: Vec<SupplyRow>,
    competitor_prices: Vec<CompetitorRow>,
    price_rule: Option<Rule>,
    /// The latest 28 days with a sale.
    sales: Vec<SalesRow>,
    token: String,
}

#[derive(Debug, Serialize)]
struct StockRow {
    location_id: String,
    on_hand: f64,
    on_order: f64,
    backordered: f64,
    as_of: Option<String>,
}

#[derive(Debug, Serialize)]
struct SupplyRow {
    /// `*` for all that have no terms of their own.
    location_id: String,
    supplier_id: String,
    terms: Option<Terms>,
}

#[derive(Debug, Serialize)]
struct CompetitorRow {
    competitor_id: String,
    price: Option<String>,
    as_of: Option<String>,
}

#[derive(Debug, Serialize)]
struct SalesRow {
    date: String,
    units: f64,
    promoted_units: f64,
    returned_units: f64,
    revenue: Option<String>,
}

impl ItemAnswer {
    pub(crate) fn new(response: GetItemResponse) -> Self {
        let item = response.item.unwrap_or_default();
        let statistics = response.statistics.unwrap_or_default();
        let stock = response.stock.into_iter().map(|stock| StockRow {
            as_of: stock.as_of.as_ref().map(time),
            location_id: stock.location_id,
            on_hand: stock.on_hand,
            on_order: stock.on_order.unwrap_or_default(),
            backordered: stock.backordered.unwrap_or_default(),
        });
        let supply = response.supply.into_iter().map(|supply| SupplyRow {
            terms: supply.terms.as_ref().map(Terms::new),
            location_id: supply.location_id,
            supplier_id: supply.supplier_id,
        });
        let competitor_prices = response.competitor_prices.into_iter().map(|entry| CompetitorRow {
            price: entry.price.as_ref().map(money),
            as_of: entry.as_of.as_ref().map(time),
            competitor_id: entry.competitor_id,
        });
        let sales = response.sales.into_iter().map(|sales| SalesRow {
            date: sales.date.as_ref().map(date).unwrap_or_default(),
            units: sales.units,
            promoted_units: sales.promoted_units,
            returned_units: sales.returned_units,
            revenue: sales.revenue.as_ref().map(money),
        });
        Self {
            status: match item.status() {
                ItemStatus::Active => "active",
                ItemStatus::Unlisted => "unlisted",
                ItemStatus::Inactive => "inactive",
                ItemStatus::Deleted => "deleted",
                ItemStatus::Unspecified => "unspecified",
            },
            item_id: item.item_id,
            title: item.title,
            description: item.description,
            category_path: item.category_path,
            brand: item.brand,
            attributes: item.attributes,
            list_price: item.list_price.as_ref().map(money),
            unit_cost: item.unit_cost.as_ref().map(money),
            popularity: statistics.popularity,
            at_limit: statistics.at_limit,
            units: statistics.units,
            revenue: statistics.revenue.as_ref().map(money),
            stock: stock.collect(),
            supply: supply.collect(),
            competitor_prices: competitor_prices.collect(),
            price_rule: response.price_rule.as_ref().map(Rule::new),
            sales: sales.collect(),
            token: response.token,
        }
    }

    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            ("item", self.item_id.clone()),
            ("status", self.status.to_owned()),
            ("title", self.title.clone()),
            ("description", self.description.clone()),
            ("category", self.category_path.join(" > ")),
            ("brand", self.brand.clone()),
            ("list price", self.list_price.clone().unwrap_or_default()),
            ("unit cost", self.unit_cost.clone().unwrap_or_default()),
            ("baskets", output::count(self.popularity)),
            ("units", units(self.units)),
            ("revenue", self.revenue.clone().unwrap_or_default()),
        ];
        if self.at_limit {
            let text =
                "units or revenue stand at the largest sum that is kept; sales since do not count";
            rows.push(("limit", text.to_owned()));
        }
        rows.extend(self.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let stock = self.stock.iter().map(|stock| {
            let place = if stock.location_id.is_empty() { "default" } else { &stock.location_id };
            let mut text = format!("{} at {place}", units(stock.on_hand));
            for (number, what) in [(stock.on_order, "on order"), (stock.backordered, "backordered")]
            {
                if number > 0.0 {
                    text.push_str(&format!(", {} {what}", units(number)));
                }
            }
            ("stock", text)
        });
        rows.extend(stock);
        rows.extend(self.supply.iter().map(|supply| ("supply", supply.text())));
        rows.extend(self.competitor_prices.iter().map(|entry| {
            let when = entry.as_of.as_ref().map(|time| format!(", as of {time}"));
            let price = entry.price.as_deref().unwrap_or_default();
            ("competitor", format!("{} {price}{}", entry.competitor_id, when.unwrap_or_default()))
        }));
        rows.extend(self.price_rule.iter().map(|rule| ("price rule", rule.text())));
        if let (Some(first), Some(last)) = (self.sales.first(), self.sales.last()) {
            let path = chart::sparkline(self.sales.iter().map(|day| day.units));
            let days = self.sales.len();
            rows.push((
                "sales",
                format!(
                    "{path}  units of {days} days with a sale, {} to {}",
                    first.date, last.date
                ),
            ));
        }
        pairs(rows)
    }
}

impl SupplyRow {
    /// Text for people.
    fn text(&self) -> String {
        let place = match self.location_id.as_str() {
            "" | EVERYWHERE => "all locations".to_owned(),
            location => format!("location {location}"),
        };
        let mut parts = vec![place];
        parts.extend(
            Some(format!("from {}", self.supplier_id)).filter(|_| !self.supplier_id.is_empty()),
        );
        parts.extend(self.terms.as_ref().map(Terms::text));
        parts.join(", ")
    }
}

/// Two columns, escaped; empty values left out.
pub(crate) fn pairs(rows: Vec<(&str, String)>) -> String {
    let rows: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        rows.iter().map(|(name, value)| (escape::text(name), escape::text(value))).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    rows.iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<width$}  {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[derive(Debug, Serialize)]
pub(crate) struct UserAnswer {
    user_id: String,
    attributes: BTreeMap<String, String>,
    denied_item_ids: Vec<String>,
    purchased_items: u64,
    window_events: u64,
    history: Vec<HistoryRow>,
    first_met: Option<String>,
    /// Purchases and returns that arrived before count as nothing.
    ledgers_since: Option<String>,
    ledger: Option<LedgerAnswer>,
    token: String,
}

#[derive(Debug, Serialize)]
struct HistoryRow {
    item_id: String,
    purchases: u32,
    events: u32,
    last_event_time: Option<String>,
}

impl UserAnswer {
    pub(crate) fn new(response: GetUserResponse) -> Self {
        let user = response.user.unwrap_or_default();
        let history = response.history.into_iter().map(|item| HistoryRow {
            last_event_time: item.last_event_time.as_ref().map(time),
            item_id: item.item_id,
            purchases: item.purchases,
            events: item.events,
        });
        Self {
            user_id: user.user_id,
            attributes: user.attributes,
            denied_item_ids: user.denied_item_ids,
            purchased_items: response.purchased_items,
            window_events: response.window_events,
            history: history.collect(),
            first_met: response.first_met.as_ref().map(time),
            ledgers_since: response.ledgers_since.as_ref().map(time),
            ledger: response.ledger.map(LedgerAnswer::new),
            token: response.token,
        }
    }

    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            ("user", self.user_id.clone()),
            ("items purchased", output::count(self.purchased_items)),
            ("events in window", output::count(self.window_events)),
            ("denied items", self.denied_item_ids.join(", ")),
            ("first met", self.first_met.clone().unwrap_or_default()),
        ];
        rows.extend(self.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())));
        match (&self.ledger, &self.ledgers_since) {
            (Some(ledger), since) => rows.extend(ledger.lines(since.as_deref())),
            (None, Some(since)) => rows.push(("paid", format!("nothing since {since}"))),
            (None, None) => {}
        }
        let history = self.history.iter().map(|item| {
            vec![
                item.item_id.clone(),
                item.purchases.to_string(),
                item.events.to_string(),
                item.last_event_time.clone().unwrap_or_default(),
            ]
        });
        let history = output::table(&["item", ">purchases", ">events", "last"], history);
        let ledger = self.ledger.as_ref().map(LedgerAnswer::tables).unwrap_or_default();
        format!("{}\n\n{history}{ledger}", pairs(rows))
    }
}
