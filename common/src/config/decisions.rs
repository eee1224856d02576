//! Demand, prices and orders: how they are trained, and what they fall back to.

use serde::{Deserialize, Serialize};

/// Forecasts of demand.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemandConfig {
    /// The newest days of the log that are not complete yet and are left out of training.
    pub lateness_days: u32,
    /// An item has a series of its own at a location with stock, supply terms or this many days
    /// with a sale; other locations get a share of the item's forecast.
    pub min_sale_days: u32,
    /// With fewer days since the first sale the category's profile helps out.
    pub min_history_days: u32,
    /// With fewer days with a sale the category's profile helps out.
    pub min_history_sales: u32,
    /// Days whose forecast is kept; later ones repeat its last week.
    pub horizon_days: u32,
    /// Methods that are tried on each series.
    pub methods: Vec<String>,
}

impl Default for DemandConfig {
    fn default() -> Self {
        let methods = [
            "naive",
            "seasonal-naive",
            "weekday-mean",
            "moving-average",
            "ses",
            "theta",
            "croston",
            "sba",
            "tsb",
        ];
        Self {
            lateness_days: 2,
            min_sale_days: 10,
            min_history_days: 56,
            min_history_sales: 8,
            horizon_days: 56,
            methods: methods.map(String::from).to_vec(),
        }
    }
}

/// How units depend on the price, when a request does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemandForm {
    /// A percentage of price changes units by a constant percentage.
    #[default]
    ConstantElasticity,
    /// A unit of money changes units by a constant number.
    Linear,
    /// A unit of money changes units by a constant percentage.
    SemiLog,
}

/// Elasticities and prices.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceConfig {
    /// How units depend on the price.
    pub demand_form: DemandForm,
    /// Largest change of a price at once, as a share of it.
    pub largest_change: f64,
    /// How far beyond the prices of its history an item may be priced, as a share of them.
    pub extrapolation: f64,
    /// Competitors' prices older than this, relative to the newest, do not count.
    pub competitor_max_age_days: f64,
    /// Weeks from which an item has an elasticity of its own.
    pub min_weeks: u32,
    /// Share of weeks without a sale above which a Poisson regression is used.
    pub poisson_zero_share: f64,
    /// Elasticity where no item of any group has one.
    pub prior_elasticity: f64,
    /// Standard deviation of the prior.
    pub prior_deviation: f64,
}

impl Default for PriceConfig {
    fn default() -> Self {
        Self {
            demand_form: DemandForm::default(),
            largest_change: 0.2,
            extrapolation: 0.1,
            competitor_max_age_days: 30.0,
            min_weeks: 12,
            poisson_zero_share: 0.1,
            prior_elasticity: -2.0,
            prior_deviation: 1.0,
        }
    }
}

/// How often demand is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Share of order cycles without a stock-out.
    Cycle(f64),
    /// Share of units delivered from stock.
    FillRate(f64),
}

/// Orders: the terms where neither the item nor its supplier has any.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryConfig {
    /// Mean days from order to delivery.
    pub lead_time_days: f64,
    /// Standard deviation of the lead time in days.
    pub lead_time_deviation_days: f64,
    /// Days between two chances to order; 0 means that stock is watched continuously.
    pub review_period_days: f64,
    /// Cost of placing one order, in the cluster's currency; 20 where that is USD, and nothing
    /// elsewhere: what 20 is worth depends on the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_cost: Option<f64>,
    /// Cost of holding a unit for a year, as a share of its cost.
    pub holding_rate: f64,
    /// Smallest order, in units.
    pub minimum_order_quantity: f64,
    /// Orders are whole multiples of this number of units.
    pub pack_size: f64,
    /// An order never covers more days of mean demand than this.
    pub maximum_cover_days: f64,
    /// How often demand is to be met.
    pub service: Service,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self {
            lead_time_days: 7.0,
            lead_time_deviation_days: 2.0,
            review_period_days: 7.0,
            order_cost: None,
            holding_rate: 0.25,
            minimum_order_quantity: 1.0,
            pack_size: 1.0,
            maximum_cover_days: 180.0,
            service: Service::Cycle(0.95),
        }
    }
}
