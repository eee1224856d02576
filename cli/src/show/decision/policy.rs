//! An order policy as it is shown.

use std::fmt::Write as _;

use anyhow::Result;
use mercer_proto::v1::{
    Policy, PolicyResponse, ServiceTarget, SupplyTerms, service_target::Target,
};
use serde::Serialize;

use super::{
    Answer,
    forecast::place,
    reason::{Reason, brief, declined},
    screen::Screen,
};
use crate::show::{
    output::{date, money, percent, rounded, units},
    sheet::{Cell, Sheet},
};

/// The shape of `--output json`. Quantities are in units.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyAnswer {
    pub(crate) item_id: String,
    /// `*` for all locations together.
    pub(crate) location_id: String,
    version: String,
    pub(crate) policy: Option<PolicyNumbers>,
    stock: Option<Stock>,
    pub(crate) terms: Option<Terms>,
    supplier_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    single_period: Option<SinglePeriod>,
    pub(crate) reasons: Vec<Reason>,
    token: String,
}

/// When to order, and how much.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyNumbers {
    lead_time_demand: Option<LeadTimeDemand>,
    safety_stock: f64,
    reorder_point: f64,
    order_up_to: f64,
    economic_order_quantity: f64,
    pub(crate) order_quantity: f64,
    unrounded_order_quantity: f64,
    order_value: Option<String>,
    /// Currency of the value.
    #[serde(skip)]
    currency: String,
    days_of_cover: Option<f64>,
    stock_out_date: Option<String>,
    expected_cycle_service: f64,
    expected_fill_rate: f64,
    undershoot: f64,
}

#[derive(Clone, Debug, Serialize)]
struct LeadTimeDemand {
    days: f64,
    mean: f64,
    standard_deviation: f64,
    quantile: f64,
    level: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Stock {
    on_hand: f64,
    on_order: f64,
    backordered: f64,
    position: f64,
}

/// Conditions of buying; absent ones are not set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Terms {
    lead_time_days: Option<f64>,
    lead_time_deviation_days: Option<f64>,
    review_period_days: Option<f64>,
    order_cost: Option<String>,
    /// Currency of the order cost.
    #[serde(skip)]
    currency: String,
    holding_rate: Option<f64>,
    minimum_order_quantity: Option<f64>,
    pack_size: Option<f64>,
    maximum_cover_days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle_service: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_rate: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct SinglePeriod {
    quantity: f64,
    critical_ratio: f64,
    mean_demand: f64,
}

impl PolicyNumbers {
    fn new(policy: Policy) -> Self {
        Self {
            lead_time_demand: policy.lead_time_demand.map(|demand| LeadTimeDemand {
                days: demand.days,
                mean: demand.mean,
                standard_deviation: demand.standard_deviation,
                quantile: demand.quantile,
                level: demand.level,
            }),
            safety_stock: policy.safety_stock,
            reorder_point: policy.reorder_point,
            order_up_to: policy.order_up_to,
            economic_order_quantity: policy.economic_order_quantity,
            order_quantity: policy.order_quantity,
            unrounded_order_quantity: policy.unrounded_order_quantity,
            order_value: policy.order_value.as_ref().map(money),
            currency: policy.order_value.map(|value| value.currency_code).unwrap_or_default(),
            days_of_cover: policy.days_of_cover,
            stock_out_date: policy.stock_out_date.as_ref().map(date),
            expected_cycle_service: policy.expected_cycle_service,
            expected_fill_rate: policy.expected_fill_rate,
            undershoot: policy.undershoot,
        }
    }
}

impl Terms {
    pub(crate) fn new(terms: &SupplyTerms) -> Self {
        let target = terms.service.as_ref().and_then(|service: &ServiceTarget| service.target);
        let (cycle_service, fill_rate) = match target {
            Some(Target::CycleService(share)) => (Some(share), None),
            Some(Target::FillRate(share)) => (None, Some(share)),
            None => (None, None),
        };
        Self {
            lead_time_days: terms.lead_time_days,
            lead_time_deviation_days: terms.lead_time_deviation_days,
            review_period_days: terms.review_period_days,
            order_cost: terms.order_cost.as_ref().map(money),
            currency: terms
                .order_cost
                .as_ref()
                .map(|cost| cost.currency_code.clone())
                .unwrap_or_default(),
            holding_rate: terms.holding_rate,
            minimum_order_quantity: terms.minimum_order_quantity,
            pack_size: terms.pack_size,
            maximum_cover_days: terms.maximum_cover_days,
            cycle_service,
            fill_rate,
        }
    }

    /// The terms that are set, in one line.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(days) = self.lead_time_days {
            let deviation = self.lead_time_deviation_days;
            let deviation = deviation.map(|deviation| format!(" ± {deviation}"));
            parts.push(format!("delivered in {days}{} days", deviation.unwrap_or_default()));
        }
        parts.extend(self.review_period_days.map(|days| match days {
            0.0 => "ordered at any time".to_owned(),
            1.0 => "ordered daily".to_owned(),
            days => format!("ordered every {days} days"),
        }));
        parts.extend(
            self.order_cost.as_ref().map(|cost| format!("{cost} {} an order", self.currency)),
        );
        parts.extend(
            self.holding_rate
                .map(|rate| format!("holding costs {} of the cost a year", percent(rate))),
        );
        parts.extend(self.minimum_order_quantity.map(|least| format!("at least {least} units")));
        parts.extend(self.pack_size.map(|size| format!("packs of {size} units")));
        parts.extend(self.maximum_cover_days.map(|days| format!("covering at most {days} days")));
        parts.extend(self.cycle_service.map(|share| format!("cycle service {}", percent(share))));
        parts.extend(self.fill_rate.map(|share| format!("fill rate {}", percent(share))));
        parts.join(", ")
    }
}

impl PolicyAnswer {
    pub(crate) fn new(response: PolicyResponse) -> Self {
        Self {
            item_id: response.item_id,
            location_id: response.location_id,
            version: response.version,
            policy: response.policy.map(PolicyNumbers::new),
            stock: response.stock.map(|stock| Stock {
                on_hand: stock.on_hand,
                on_order: stock.on_order,
                backordered: stock.backordered,
                position: stock.position,
            }),
            terms: response.terms.as_ref().map(Terms::new),
            supplier_id: response.supplier_id,
            single_period: response.single_period.map(|order| SinglePeriod {
                quantity: order.quantity,
                critical_ratio: order.critical_ratio,
                mean_demand: order.mean_demand,
            }),
            reasons: Reason::all(response.notes),
            token: response.token,
        }
    }

    /// Decision in one line.
    pub(crate) fn headline(&self) -> String {
        let Some(policy) = self.policy.as_ref().filter(|_| declined(&self.reasons).is_none())
        else {
            return "no order proposed".into();
        };
        if policy.order_quantity > 0.0 {
            let mut text = format!("order {} units now", units(policy.order_quantity));
            if let Some(value) = &policy.order_value {
                let _ = write!(text, ", worth {} {}", rounded(value), policy.currency);
            }
            return text;
        }
        "order nothing now".into()
    }

    /// The figures behind it, a line each.
    pub(crate) fn figures(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if let Some(stock) = &self.stock {
            let mut line = format!(
                "{} on hand + {} on order - {} backordered = {} units",
                units(stock.on_hand),
                units(stock.on_order),
                units(stock.backordered),
                units(stock.position)
            );
            if let Some(days) = self.policy.as_ref().and_then(|policy| policy.days_of_cover) {
                let _ = write!(line, "; what is on hand lasts {} days", units(days));
            }
            if let Some(day) = self.policy.as_ref().and_then(|p| p.stock_out_date.as_ref()) {
                let _ = write!(line, ", until {day}");
            }
            lines.push(("stock", line));
        }
        if let Some(policy) = &self.policy {
            lines.push((
                "policy",
                format!(
                    "order at {} units or below, up to {} units; safety stock {} units{}",
                    units(policy.reorder_point),
                    units(policy.order_up_to),
                    units(policy.safety_stock),
                    match policy.undershoot {
                        0.0 => String::new(),
                        undershoot => format!(", undershoot {} units", units(undershoot)),
                    }
                ),
            ));
            lines.push((
                "",
                format!(
                    "economic order quantity {} units; keeps {} of cycles and {} of units",
                    units(policy.economic_order_quantity),
                    percent(policy.expected_cycle_service),
                    percent(policy.expected_fill_rate)
                ),
            ));
            // An order that arrives at once has no demand to cover.
            if let Some(demand) = policy.lead_time_demand.as_ref().filter(|it| it.days > 0.0) {
                lines.push((
                    "demand",
                    format!(
                        "{} ± {} units in the {} days until an order can help; {} of the time at \
                         most {} units",
                        units(demand.mean),
                        units(demand.standard_deviation),
                        units(demand.days),
                        percent(demand.level),
                        units(demand.quantile)
                    ),
                ));
            }
        }
        if let Some(order) = &self.single_period {
            lines.push((
                "season",
                format!(
                    "buy {} units once for {} units expected; critical ratio {:.3}",
                    units(order.quantity),
                    units(order.mean_demand),
                    order.critical_ratio
                ),
            ));
        }
        if let Some(terms) = self.terms.as_ref().map(Terms::text).filter(|text| !text.is_empty()) {
            let supplier = match self.supplier_id.as_str() {
                "" => String::new(),
                supplier => format!("supplier {supplier}: "),
            };
            lines.push(("terms", format!("{supplier}{terms}")));
        }
        lines
    }

    /// The reasons, a line each.
    pub(crate) fn why(&self) -> Vec<String> {
        Reason::lines(&self.reasons)
    }

    /// The columns of [`write`](Self::write).
    pub(crate) const COLUMNS: [&'static str; 16] = [
        "item_id",
        "location_id",
        "supplier_id",
        "order_quantity",
        "order_value",
        "on_hand",
        "on_order",
        "backordered",
        "safety_stock",
        "reorder_point",
        "order_up_to",
        "economic_order_quantity",
        "days_of_cover",
        "stock_out_date",
        "declined",
        "version",
    ];

    /// Adds a row to a sheet, in full precision.
    pub(crate) fn write(&self, sheet: &mut Sheet) -> Result<()> {
        let policy = self.policy.as_ref();
        let number = |value: fn(&PolicyNumbers) -> f64| {
            Cell::Number(policy.map(|policy| value(policy).to_string()).unwrap_or_default())
        };
        let stock = |value: fn(&Stock) -> f64| {
            let stock = self.stock.as_ref().map(|stock| value(stock).to_string());
            Cell::Number(stock.unwrap_or_default())
        };
        let order_value = policy.and_then(|policy| policy.order_value.clone()).unwrap_or_default();
        let days_of_cover = policy.and_then(|policy| policy.days_of_cover);
        let stock_out = policy.and_then(|policy| policy.stock_out_date.as_deref());
        let declined = declined(&self.reasons).unwrap_or_default();
        sheet.write(&[
            Cell::Text(&self.item_id),
            Cell::Text(&self.location_id),
            Cell::Text(&self.supplier_id),
            number(|policy| policy.order_quantity),
            Cell::Number(order_value),
            stock(|stock| stock.on_hand),
            stock(|stock| stock.on_order),
            stock(|stock| stock.backordered),
            number(|policy| policy.safety_stock),
            number(|policy| policy.reorder_point),
            number(|policy| policy.order_up_to),
            number(|policy| policy.economic_order_quantity),
            Cell::Number(days_of_cover.map(|days| days.to_string()).unwrap_or_default()),
            Cell::Text(stock_out.unwrap_or_default()),
            Cell::Text(&declined),
            Cell::Text(&self.version),
        ])
    }
}

impl Answer for PolicyAnswer {
    const HEADERS: &'static [&'static str] = &[
        "item",
        "location",
        ">order",
        ">value",
        ">position",
        ">reorder at",
        ">up to",
        ">days of cover",
        "why",
    ];
    const DROPPING: &'static [&'static str] =
        &["position", "up to", "value", "days of cover", "reorder at", "location"];

    fn text(&self) -> String {
        let mut details = self.figures();
        details.push(("version", self.version.clone()));
        let screen = Screen {
            subject: format!("item {}, {}", self.item_id, place(&self.location_id)),
            decision: self.headline(),
            reasons: &self.reasons,
            details,
            picture: String::new(),
        };
        screen.text()
    }

    fn row(&self) -> Vec<String> {
        let number = |value: fn(&PolicyNumbers) -> f64| {
            self.policy.as_ref().map(|policy| units(value(policy))).unwrap_or_default()
        };
        let policy = self.policy.as_ref();
        let ordered = policy.filter(|_| declined(&self.reasons).is_none());
        vec![
            self.item_id.clone(),
            self.location_id.clone(),
            ordered.map_or_else(|| "none".into(), |policy| units(policy.order_quantity)),
            ordered.and_then(|p| p.order_value.as_deref()).map(rounded).unwrap_or_default(),
            self.stock.as_ref().map(|stock| units(stock.position)).unwrap_or_default(),
            number(|policy| policy.reorder_point),
            number(|policy| policy.order_up_to),
            policy.and_then(|policy| policy.days_of_cover).map(units).unwrap_or_default(),
            brief(&self.reasons),
        ]
    }
}
