//! What a shard knows of an item.

pub(super) mod baskets;
mod series;
mod stock;

use std::{cmp::Reverse, sync::Arc};

use mercer_proto::v1::ItemStatus;
use smol_str::SmolStr;

use self::baskets::Baskets;
pub use self::{
    series::{SalesDay, Series},
    stock::Stock,
};
use super::{
    labels::Labels,
    terms::{PriceRule, Supply},
};

/// What a shard knows of an item.
#[derive(Debug)]
pub struct ItemState {
    pub(crate) id: SmolStr,
    pub(crate) title: Box<str>,
    pub(crate) description: Box<str>,
    pub(crate) category_path: Arc<[Arc<str>]>,
    pub(crate) brand: Arc<str>,
    pub(crate) attributes: Box<[(Arc<str>, Arc<str>)]>,
    pub(crate) list_price_micros: Option<i64>,
    pub(crate) unit_cost_micros: Option<i64>,
    pub(crate) status: ItemStatus,
    pub(crate) baskets: Baskets,
    pub(crate) units_micros: i64,
    pub(crate) revenue_micros: i64,
    pub(crate) stock: Vec<Stock>,
    pub(crate) series: Series,
    pub(crate) supply: Vec<Supply>,
    pub(crate) competitor_prices: Vec<CompetitorEntry>,
    pub(crate) price_rule: Option<Box<PriceRule>>,
    pub(crate) embedding: Box<[f32]>,
}

/// What a competitor asks for an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompetitorEntry {
    /// Which competitor.
    pub competitor: Arc<str>,
    /// Above 0.
    pub price_micros: i64,
    /// When it was seen, in milliseconds since 1970.
    pub as_of_ms: i64,
}

impl ItemState {
    /// An item known from its id only.
    pub(crate) fn stub(id: SmolStr, labels: &mut Labels) -> Self {
        Self {
            id,
            title: Box::default(),
            description: Box::default(),
            category_path: labels.path(&[]),
            brand: labels.label(""),
            attributes: Box::default(),
            list_price_micros: None,
            unit_cost_micros: None,
            status: ItemStatus::Unlisted,
            baskets: Baskets::default(),
            units_micros: 0,
            revenue_micros: 0,
            stock: Vec::new(),
            series: Series::default(),
            supply: Vec::new(),
            competitor_prices: Vec::new(),
            price_rule: None,
            embedding: Box::default(),
        }
    }

    /// The item's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Empty when not catalogued.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Empty when not catalogued.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// From the broadest to the narrowest.
    #[must_use]
    pub fn category_path(&self) -> &[Arc<str>] {
        &self.category_path
    }

    /// Empty when not catalogued.
    #[must_use]
    pub fn brand(&self) -> &str {
        &self.brand
    }

    /// Attributes, by name.
    #[must_use]
    pub fn attributes(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.attributes
    }

    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        Some(&self.attributes[found].1)
    }

    /// The price of one unit before discounts, in millionths.
    #[must_use]
    pub fn list_price_micros(&self) -> Option<i64> {
        self.list_price_micros
    }

    /// What one unit costs the shop, in millionths.
    #[must_use]
    pub fn unit_cost_micros(&self) -> Option<i64> {
        self.unit_cost_micros
    }

    /// Whether it is sold and recommended.
    #[must_use]
    pub fn status(&self) -> ItemStatus {
        self.status
    }

    /// Distinct baskets (else sessions, else user days) that bought the item; above 65,536 within
    /// about 0.4 %.
    #[must_use]
    pub fn popularity(&self) -> u64 {
        self.baskets.count()
    }

    /// Units sold; returns do not reduce them.
    #[must_use]
    pub fn units(&self) -> f64 {
        self.units_micros as f64 / 1e6
    }

    /// Money paid for the units sold, in millionths.
    #[must_use]
    pub fn revenue_micros(&self) -> i64 {
        self.revenue_micros
    }

    /// Whether a sum, or one of a day, is the largest that is kept: what was sold since does not
    /// count.
    #[must_use]
    pub fn is_at_limit(&self) -> bool {
        self.units_micros == i64::MAX || self.revenue_micros == i64::MAX
    }

    /// Stock, by location.
    #[must_use]
    pub fn stock(&self) -> &[Stock] {
        &self.stock
    }

    /// Stock at `location`, or `None` when none was ever set there.
    #[must_use]
    pub fn stock_at(&self, location: &str) -> Option<&Stock> {
        let found = self.stock.binary_search_by(|stock| (*stock.location).cmp(location)).ok()?;
        Some(&self.stock[found])
    }

    /// Daily sales by location.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Terms and suppliers, by location.
    #[must_use]
    pub fn supply(&self) -> &[Supply] {
        &self.supply
    }

    /// Competitors' prices, by competitor; the latest 64 of them.
    #[must_use]
    pub fn competitor_prices(&self) -> &[CompetitorEntry] {
        &self.competitor_prices
    }

    /// The item's own rule.
    #[must_use]
    pub fn price_rule(&self) -> Option<&PriceRule> {
        self.price_rule.as_deref()
    }

    /// Embedding of its text or image, as the caller supplied it; empty when none was.
    #[must_use]
    pub fn embedding(&self) -> &[f32] {
        &self.embedding
    }
}

/// The place of an item in the order by (popularity descending, slot, id).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Popular {
    pub(crate) popularity: Reverse<u64>,
    pub(crate) slot: u16,
    pub(crate) id: SmolStr,
}
