//! A price as it is shown: the proposal, the curve that it was chosen from, and why.

use std::fmt::Write as _;

use mercer_proto::{
    google::r#type::Money,
    v1::{
        CompetitorReference, DemandForm, PriceObjective, PricePoint, PriceProposal, PriceResponse,
        PriceRule,
    },
};
use serde::Serialize;

use super::{
    Answer, Elasticity, ForecastAnswer, chart,
    reason::{Reason, brief},
    screen::Screen,
};
use crate::show::output::{self, change, money, percent, rounded, units};

/// Characters of the longest bar.
const PICTURE: usize = 30;

/// The shape of `--output json`. Amounts are decimal strings in the currency named.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PriceAnswer {
    pub(crate) item_id: String,
    version: String,
    pub(crate) proposal: Option<Proposal>,
    pub(crate) current_price: Option<String>,
    pub(crate) unit_cost: Option<String>,
    currency: String,
    objective: &'static str,
    demand_form: &'static str,
    pub(crate) elasticity: Option<Elasticity>,
    curve: Vec<Point>,
    rule: Option<Rule>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) forecast: Option<ForecastAnswer>,
    token: String,
}

/// What to charge, and what is to be expected.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Proposal {
    pub(crate) price: String,
    /// Relative to the current price.
    pub(crate) change: f64,
    unconstrained_price: Option<String>,
    expected: Option<Point>,
    current: Option<Point>,
}

/// A point of the curve.
#[derive(Clone, Debug, Serialize)]
struct Point {
    price: String,
    units: f64,
    revenue: Option<String>,
    profit: Option<String>,
    low: Option<String>,
    high: Option<String>,
    /// What the objective counts, in units of the currency.
    #[serde(skip)]
    value: f64,
}

/// The rules in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_floor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_change: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    price_endings: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    competitor_index_floor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    competitor_index_ceiling: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    competitor_reference: Option<&'static str>,
}

/// Amount in units of the currency, for pictures.
fn amount(money: &Money) -> f64 {
    money.units as f64 + f64::from(money.nanos) / 1e9
}

impl Point {
    fn new(point: &PricePoint, objective: PriceObjective) -> Self {
        let price = point.price.clone().unwrap_or_default();
        let counted = match objective {
            PriceObjective::Revenue => &point.revenue,
            PriceObjective::Profit | PriceObjective::Unspecified => &point.profit,
        };
        Self {
            price: money(&price),
            units: point.units,
            revenue: point.revenue.as_ref().map(money),
            profit: point.profit.as_ref().map(money),
            low: point.low.as_ref().map(money),
            high: point.high.as_ref().map(money),
            value: counted.as_ref().map(amount).unwrap_or_default(),
        }
    }

    /// `profit 12.30 USD (80 % between 8.00 and 15.00) with 41.5 units`.
    fn text(&self, objective: &str, currency: &str) -> String {
        let value = if objective == "revenue" { &self.revenue } else { &self.profit };
        let mut text = match value {
            Some(value) => format!("{objective} {} {currency}", rounded(value)),
            None => {
                let revenue = self.revenue.as_deref().map_or("?".into(), rounded);
                format!("revenue {revenue} {currency}")
            }
        };
        if let (Some(low), Some(high)) = (&self.low, &self.high) {
            let _ = write!(text, " (80 % between {} and {})", rounded(low), rounded(high));
        }
        let _ = write!(text, " with {} units", units(self.units));
        text
    }
}

impl Proposal {
    fn new(proposal: PriceProposal, objective: PriceObjective) -> Self {
        let point = |point: &PricePoint| Point::new(point, objective);
        Self {
            price: proposal.price.as_ref().map(money).unwrap_or_default(),
            change: proposal.change,
            unconstrained_price: proposal.unconstrained_price.as_ref().map(money),
            expected: proposal.expected.as_ref().map(point),
            current: proposal.current.as_ref().map(point),
        }
    }
}

impl Rule {
    pub(crate) fn new(rule: &PriceRule) -> Self {
        Self {
            floor: rule.floor.as_ref().map(money),
            ceiling: rule.ceiling.as_ref().map(money),
            margin_floor: rule.margin_floor,
            largest_change: rule.largest_change,
            price_endings: rule.price_endings.clone(),
            competitor_index_floor: rule.competitor_index_floor,
            competitor_index_ceiling: rule.competitor_index_ceiling,
            competitor_reference: match rule.competitor_reference() {
                CompetitorReference::Mean => Some("mean"),
                CompetitorReference::Lowest => Some("lowest"),
                CompetitorReference::Highest => Some("highest"),
                CompetitorReference::Unspecified => None,
            },
        }
    }

    /// The rules that are set, in one line.
    pub(crate) fn text(&self) -> String {
        let range = |low: Option<String>, high: Option<String>| match (low, high) {
            (Some(low), Some(high)) => Some(format!("{low} to {high}")),
            (Some(low), None) => Some(format!("at least {low}")),
            (None, Some(high)) => Some(format!("at most {high}")),
            (None, None) => None,
        };
        let mut parts = Vec::new();
        parts.extend(range(self.floor.clone(), self.ceiling.clone()).map(|r| format!("price {r}")));
        parts.extend(self.margin_floor.map(|share| format!("margin at least {}", percent(share))));
        parts.extend(self.largest_change.map(|share| format!("change at most {}", percent(share))));
        if !self.price_endings.is_empty() {
            let endings: Vec<String> =
                self.price_endings.iter().map(|ending| format!("{ending:02}")).collect();
            parts.push(format!("ending in {}", endings.join(" ")));
        }
        let index = |bound: Option<f64>| bound.map(|bound| format!("{bound:.2}"));
        let bounds =
            range(index(self.competitor_index_floor), index(self.competitor_index_ceiling));
        parts.extend(bounds.map(|bounds| {
            format!(
                "{bounds} times the competitors' {}",
                self.competitor_reference.unwrap_or("mean")
            )
        }));
        parts.join("; ")
    }
}

impl PriceAnswer {
    pub(crate) fn new(response: PriceResponse) -> Self {
        let objective = response.objective();
        let of_any = response.current_price.as_ref().or(response.unit_cost.as_ref());
        let curve = response.curve.iter().map(|point| Point::new(point, objective));
        Self {
            currency: of_any.map(|money| money.currency_code.clone()).unwrap_or_default(),
            objective: match objective {
                PriceObjective::Revenue => "revenue",
                PriceObjective::Profit | PriceObjective::Unspecified => "profit",
            },
            demand_form: match response.demand_form() {
                DemandForm::Linear => "linear",
                DemandForm::SemiLog => "semi-log",
                DemandForm::ConstantElasticity | DemandForm::Unspecified => "constant-elasticity",
            },
            curve: curve.collect(),
            proposal: response.proposal.map(|proposal| Proposal::new(proposal, objective)),
            current_price: response.current_price.as_ref().map(money),
            unit_cost: response.unit_cost.as_ref().map(money),
            elasticity: response.elasticity.map(Elasticity::new),
            rule: response.rule.as_ref().map(Rule::new),
            reasons: Reason::all(response.notes),
            forecast: response.forecast.map(ForecastAnswer::new),
            item_id: response.item_id,
            version: response.version,
            token: response.token,
        }
    }

    /// Decision in one line.
    pub(crate) fn headline(&self) -> String {
        let current = self.current_price.as_deref().unwrap_or("an unknown price");
        let currency = &self.currency;
        let Some(proposal) = &self.proposal else {
            return match &self.current_price {
                Some(price) => format!("no proposal; the current price is {price} {currency}"),
                None => "no proposal; no current price is known".into(),
            };
        };
        let text = match &proposal.price {
            price if Some(price) == self.current_price.as_ref() => {
                format!("keep {price} {currency}")
            }
            price => {
                let change = change(proposal.change);
                format!("charge {price} {currency} in place of {current} ({change})")
            }
        };
        let unconstrained = proposal.unconstrained_price.as_ref();
        match unconstrained.filter(|&price| *price != proposal.price) {
            Some(price) => {
                format!("{text}; without rules it would be {} {currency}", rounded(price))
            }
            None => text,
        }
    }

    /// What the proposal and the current price are expected to bring.
    pub(crate) fn expected(&self) -> Vec<(&'static str, String)> {
        let Some(proposal) = &self.proposal else { return Vec::new() };
        let mut lines = Vec::new();
        let line = |point: &Point| point.text(self.objective, &self.currency);
        lines.extend(proposal.expected.as_ref().map(|point| ("proposed", line(point))));
        let kept = Some(&proposal.price) == self.current_price.as_ref();
        lines.extend(
            proposal.current.as_ref().filter(|_| !kept).map(|point| ("current", line(point))),
        );
        lines
    }

    /// The reasons, a line each.
    pub(crate) fn why(&self) -> Vec<String> {
        Reason::lines(&self.reasons)
    }

    /// The curve with a bar for what the objective counts; no more than about `most` rows, with
    /// the current and the proposed price among them.
    pub(crate) fn curve_table(&self, most: usize) -> String {
        let best = self.curve.iter().map(|point| point.value).fold(0.0, f64::max);
        let step = self.curve.len().div_ceil(most.max(1)).max(1);
        let proposed = self.proposal.as_ref().map(|proposal| &proposal.price);
        let mark = |point: &Point| match (
            Some(&point.price) == proposed,
            Some(&point.price) == self.current_price.as_ref(),
        ) {
            (true, true) => "current and proposed",
            (true, false) => "proposed",
            (false, true) => "current",
            (false, false) => "",
        };
        let last = self.curve.len().saturating_sub(1);
        let shown = self.curve.iter().enumerate().filter(|&(index, point)| {
            index % step == 0 || index == last || !mark(point).is_empty()
        });
        let picture = format!("={}", self.objective);
        let headers = [">price", ">units", ">revenue", ">profit", ">low", ">high", &picture];
        let rows = shown.map(|(_, point)| {
            let optional = |text: &Option<String>| text.as_deref().map(rounded).unwrap_or_default();
            let bar = chart::bar(point.value, best, PICTURE);
            let mark = mark(point);
            let picture = match (bar.is_empty(), mark.is_empty()) {
                (_, true) => bar,
                (true, false) => format!("◄ {mark}"),
                (false, false) => format!("{bar} ◄ {mark}"),
            };
            vec![
                point.price.clone(),
                units(point.units),
                optional(&point.revenue),
                optional(&point.profit),
                optional(&point.low),
                optional(&point.high),
                picture,
            ]
        });
        let dropping = ["high", "low", self.objective];
        output::Table::new(&headers, rows).dropping(&dropping).to_string()
    }
}

impl Answer for PriceAnswer {
    const HEADERS: &'static [&'static str] =
        &["item", ">current", ">proposed", ">change", ">units", ">expected", "elasticity", "why"];
    const DROPPING: &'static [&'static str] =
        &["elasticity", "units", "expected", "change", "current"];

    fn text(&self) -> String {
        let mut details = self.expected();
        if let Some(cost) = &self.unit_cost {
            details.push(("unit cost", format!("{} {}", rounded(cost), self.currency)));
        }
        if let Some(estimate) = &self.elasticity {
            details.push(("elasticity", estimate.short()));
            details.push(("", estimate.basis()));
            details.push(("", estimate.evidence()));
        }
        if let Some(rule) = self.rule.as_ref().map(Rule::text).filter(|text| !text.is_empty()) {
            details.push(("rules", rule));
        }
        if let Some(forecast) = &self.forecast {
            let when = if self.proposal.is_some() { "at the proposed price" } else { "as it is" };
            details.push(("forecast", format!("{when}: {}", forecast.headline())));
            details.push(("", forecast.basis()));
        }
        details.push(("version", self.version.clone()));
        let curve =
            if self.curve.is_empty() { String::new() } else { self.curve_table(usize::MAX) };
        let screen = Screen {
            subject: format!("item {}", self.item_id),
            decision: self.headline(),
            reasons: &self.reasons,
            details,
            picture: curve,
        };
        screen.text()
    }

    fn row(&self) -> Vec<String> {
        let expected = self.proposal.as_ref().and_then(|proposal| proposal.expected.as_ref());
        let value = expected.and_then(|point| match self.objective {
            "revenue" => point.revenue.clone(),
            _ => point.profit.clone(),
        });
        vec![
            self.item_id.clone(),
            self.current_price.clone().unwrap_or_default(),
            self.proposal.as_ref().map_or_else(|| "none".into(), |p| p.price.clone()),
            self.proposal.as_ref().map(|p| change(p.change)).unwrap_or_default(),
            expected.map(|point| units(point.units)).unwrap_or_default(),
            value.as_deref().map(rounded).unwrap_or_default(),
            self.elasticity.as_ref().map(Elasticity::short).unwrap_or_default(),
            brief(&self.reasons),
        ]
    }
}
