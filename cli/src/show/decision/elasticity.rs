//! How demand answers to the price, as it is shown.

use std::fmt::Write as _;

use mercer_proto::v1::{ElasticityEstimate, ElasticityResponse, elasticity_estimate::Basis};
use serde::Serialize;

use super::{reason::Reason, screen::Screen};
use crate::show::output::{count, money, percent, rounded};

/// An estimate; a part of prices, too.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Elasticity {
    elasticity: f64,
    standard_error: f64,
    pub(crate) basis: &'static str,
    item_elasticity: Option<f64>,
    item_standard_error: Option<f64>,
    pub(crate) item_weight: f64,
    group_path: Vec<String>,
    group_elasticity: f64,
    group_deviation: f64,
    method: String,
    weeks: u32,
    zero_weeks: u32,
    lowest_price: Option<String>,
    highest_price: Option<String>,
    promotion_factor: f64,
}

/// The shape of `--output json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ElasticityAnswer {
    item_id: String,
    version: String,
    #[serde(flatten)]
    elasticity: Option<Elasticity>,
    reasons: Vec<Reason>,
    token: String,
}

impl Elasticity {
    pub(crate) fn new(estimate: ElasticityEstimate) -> Self {
        Self {
            basis: match estimate.basis() {
                Basis::Item => "item",
                Basis::Category => "category",
                Basis::Prior => "prior",
                Basis::Unspecified => "unspecified",
            },
            elasticity: estimate.elasticity,
            standard_error: estimate.standard_error,
            item_elasticity: estimate.item_elasticity,
            item_standard_error: estimate.item_standard_error,
            item_weight: estimate.item_weight,
            group_path: estimate.group_path,
            group_elasticity: estimate.group_elasticity,
            group_deviation: estimate.group_deviation,
            method: estimate.method,
            weeks: estimate.weeks,
            zero_weeks: estimate.zero_weeks,
            lowest_price: estimate.lowest_price.as_ref().map(money),
            highest_price: estimate.highest_price.as_ref().map(money),
            promotion_factor: estimate.promotion_factor,
        }
    }

    /// `-1.62 ± 0.31`.
    pub(crate) fn short(&self) -> String {
        format!("{:.2} ± {:.2}", self.elasticity, self.standard_error)
    }

    /// Names whose evidence the elasticity is.
    pub(crate) fn basis(&self) -> String {
        let group = match &self.group_path[..] {
            [] => "all items".to_owned(),
            path => path.join(" > "),
        };
        let group =
            format!("{group} at {:.2} ± {:.2}", self.group_elasticity, self.group_deviation);
        match self.item_elasticity {
            Some(own) => {
                let error = self.item_standard_error.unwrap_or_default();
                format!(
                    "its own weeks at {own:.2} ± {error:.2} weigh {}, {group} the rest",
                    percent(self.item_weight)
                )
            }
            None => format!("no estimate of its own: {group}"),
        }
    }

    /// The weeks and prices that it was estimated from.
    pub(crate) fn evidence(&self) -> String {
        let mut text = format!("{} weeks", count(self.weeks));
        if self.zero_weeks > 0 {
            let _ = write!(text, ", {} of them without a sale", count(self.zero_weeks));
        }
        if let (Some(lowest), Some(highest)) = (&self.lowest_price, &self.highest_price) {
            let _ = write!(text, ", at prices from {} to {}", rounded(lowest), rounded(highest));
        }
        if !self.method.is_empty() {
            let _ = write!(text, "; {} regression", self.method);
        }
        text
    }

    /// What a promotion does beside its price.
    pub(crate) fn promotion(&self) -> Option<String> {
        let known = self.promotion_factor > 0.0 && (self.promotion_factor - 1.0).abs() > 1e-9;
        known.then(|| format!("x {:.2} at the same price", self.promotion_factor))
    }
}

impl ElasticityAnswer {
    pub(crate) fn new(response: ElasticityResponse) -> Self {
        Self {
            item_id: response.item_id,
            version: response.version,
            elasticity: response.elasticity.map(Elasticity::new),
            reasons: Reason::all(response.notes),
            token: response.token,
        }
    }

    /// Text for people.
    pub(crate) fn text(&self) -> String {
        let mut details = Vec::new();
        let decision = match &self.elasticity {
            Some(estimate) => {
                details.push(("basis", estimate.basis()));
                details.push(("evidence", estimate.evidence()));
                let promotion = estimate.promotion().map(|factor| format!("units {factor}"));
                details.extend(promotion.map(|line| ("promotion", line)));
                format!(
                    "elasticity {}: a price 1 % higher changes units by {:+.2} %",
                    estimate.short(),
                    estimate.elasticity
                )
            }
            None => "elasticity unknown".to_owned(),
        };
        details.push(("version", self.version.clone()));
        let screen = Screen {
            subject: format!("item {}", self.item_id),
            decision,
            reasons: &self.reasons,
            details,
            picture: String::new(),
        };
        screen.text()
    }
}
