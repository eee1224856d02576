//! Decided prices in the form of the API.

use mercer_algorithms::price::demand::Form;
use mercer_common::money::from_micros;
use mercer_proto::v1::{DemandForm, PricePoint, PriceProposal, PriceResponse};

use super::{Decision, Proposal, SHOWN, curve::Point, question::Question};
use crate::domain::{
    demand::{DemandSeries, encode_elasticity, encode_forecast},
    facts::Facts,
};

/// A decision as an answer.
pub(super) fn response(
    facts: &Facts<'_>,
    question: &Question,
    series: &DemandSeries<'_>,
    decision: Decision<'_>,
) -> PriceResponse {
    let currency = facts.currency;
    let mut response = PriceResponse {
        item_id: facts.item.id().to_owned(),
        version: facts.version.to_owned(),
        current_price: decision.current.map(|micros| from_micros(micros, currency)),
        unit_cost: decision.unit_cost.map(|micros| from_micros(micros, currency)),
        objective: question.objective.into(),
        demand_form: encode_form(question.form).into(),
        elasticity: Some(encode_elasticity(&decision.elasticity, currency)),
        rule: Some(decision.rule.encode()),
        forecast: Some(encode_forecast(
            facts,
            series,
            &decision.outlook,
            question.horizon,
            SHOWN.to_vec(),
            decision.forecast_notes,
        )),
        notes: decision.notes,
        ..PriceResponse::default()
    };
    if let Some(proposal) = &decision.proposal {
        response.proposal = Some(encode_proposal(proposal, currency));
        for point in &proposal.curve {
            response.curve.push(encode_point(point, currency));
        }
    }
    response
}

fn encode_proposal(proposal: &Proposal, currency: &str) -> PriceProposal {
    let Proposal { expected, current, unconstrained, .. } = proposal;
    PriceProposal {
        price: Some(from_micros(expected.price, currency)),
        change: (expected.price - current.price) as f64 / current.price as f64,
        unconstrained_price: unconstrained.map(|micros| from_micros(micros, currency)),
        expected: Some(encode_point(expected, currency)),
        current: Some(encode_point(current, currency)),
    }
}

fn encode_point(point: &Point, currency: &str) -> PricePoint {
    PricePoint {
        price: Some(from_micros(point.price, currency)),
        units: point.units,
        revenue: Some(from_micros(point.revenue, currency)),
        profit: point.profit.map(|micros| from_micros(micros, currency)),
        low: Some(from_micros(point.low, currency)),
        high: Some(from_micros(point.high, currency)),
    }
}

fn encode_form(form: Form) -> DemandForm {
    match form {
        Form::ConstantElasticity => DemandForm::ConstantElasticity,
        Form::Linear => DemandForm::Linear,
        Form::SemiLog => DemandForm::SemiLog,
    }
}
