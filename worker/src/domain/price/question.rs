//! What a price is asked for.

use mercer_algorithms::price::demand::Form;
use mercer_common::{limits, money::to_micros, rpc::status::InvalidRequest};
use mercer_proto::v1::{PriceObjective, PriceRequest};

use crate::{
    domain::facts::{Facts, form_of},
    shard::PriceRule,
};

/// A question with everything that it left open filled in.
pub(super) struct Question {
    /// Never unspecified.
    pub(super) objective: PriceObjective,
    pub(super) form: Form,
    /// Days whose demand counts.
    pub(super) horizon: u32,
    /// Points of the curve.
    pub(super) points: u32,
    /// Cost of a unit in millionths, where the question tells it.
    pub(super) unit_cost: Option<i64>,
    /// The narrowest rule.
    pub(super) rule: Option<PriceRule>,
}

impl Question {
    /// The question of a message.
    ///
    /// # Errors
    /// With the field of an amount that is none, or not money of this cluster.
    pub(super) fn decode(
        request: &PriceRequest,
        facts: &Facts<'_>,
    ) -> Result<Self, InvalidRequest> {
        let unit_cost = request.unit_cost.as_ref().map(|cost| to_micros(cost, facts.currency));
        let unit_cost = unit_cost
            .transpose()
            .map_err(|error| InvalidRequest::field("unit_cost", error.to_string()))?;
        let rule = request.rule.as_ref().map(PriceRule::decode).transpose();
        let rule = rule.map_err(|error| InvalidRequest::field("rule", error.to_string()))?;
        Ok(Self {
            objective: match request.objective() {
                PriceObjective::Revenue => PriceObjective::Revenue,
                PriceObjective::Profit | PriceObjective::Unspecified => PriceObjective::Profit,
            },
            form: form_of(request.demand_form()).unwrap_or(facts.defaults.demand_form),
            horizon: match request.horizon {
                0 => limits::DEFAULT_HORIZON_DAYS,
                days => days.min(limits::HORIZON_DAYS),
            },
            points: match request.curve_points {
                0 => limits::DEFAULT_CURVE_POINTS,
                points => points.min(limits::CURVE_POINTS),
            },
            unit_cost,
            rule,
        })
    }
}
