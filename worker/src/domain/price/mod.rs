//! What to charge for an item: the best price under the rules, the curve it was chosen from, and
//! why.

mod curve;
mod reasons;
mod rule;

use mercer_algorithms::price::{
    demand::{Demand, Form, Objective, Optimum},
    pool::ELASTICITY_BOUNDS,
    rules::{Choice, Rules, choose},
};
use mercer_common::{
    ids::EVERYWHERE,
    limits,
    money::{MinorUnit, from_micros, to_micros},
    note::{Amount, Number, Said, Units, note},
    rpc::status::InvalidRequest,
};
use mercer_proto::{
    internal::ElasticityResult,
    v1::{
        DemandForm, Note, PriceObjective, PriceProposal, PriceRequest, PriceResponse, note::Kind,
    },
};

use super::{
    DecideError, Facts,
    demand::{
        Offers, Outlook, Total, current_price, form_of, item_elasticity, repetition_note,
        series_at, show_elasticity, show_forecast, start_note,
    },
};
use curve::Curve;
use rule::{RulesInForce, tested};

/// Levels at which demand's distribution is asked for.
const LEVELS: [f64; 9] = [0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98];
/// Those of `LEVELS` that the answer's forecast shows.
const SHOWN: [f64; 3] = [0.1, 0.5, 0.9];

/// The price to charge for the item.
///
/// # Errors
/// [`DecideError::NotTrained`] before the first training of `demand` and `elasticity`, and
/// [`DecideError::Invalid`] when the request is not what it must be. An item that cannot be priced
/// is an answer that says why.
pub(crate) fn price(
    facts: &Facts<'_>,
    request: &PriceRequest,
) -> Result<PriceResponse, DecideError> {
    let horizon = match request.horizon {
        0 => limits::DEFAULT_HORIZON_DAYS,
        days => days.min(limits::HORIZON_DAYS),
    };
    let (elasticity, mut notes) = item_elasticity(facts)?;
    let series = series_at(facts, EVERYWHERE)?;
    let objective = match request.objective() {
        PriceObjective::Revenue => PriceObjective::Revenue,
        PriceObjective::Profit | PriceObjective::Unspecified => PriceObjective::Profit,
    };
    let demand_form = match request.demand_form() {
        DemandForm::Unspecified => facts.defaults.demand_form(),
        form => form,
    };
    let unit_cost = unit_cost(facts, request, &mut notes)?;
    let current = current_price(facts);
    notes.extend(stand_in(facts, current));
    let form = form_of(demand_form);
    let mut at_current = 1.0;
    if let Some(current) = current {
        let offers = Offers::new(facts, &elasticity, form, Some(current));
        at_current = offers.effect(Some(current), false);
        let usual = series.forecast.sum_mean(horizon.into());
        notes.extend(anchor(facts, usual, at_current, &offers, current));
    }
    let outlook = |effect: f64| Outlook::new(&series.forecast, vec![effect; horizon as usize]);
    let total = outlook(at_current).total(horizon, &LEVELS);
    let rules = RulesInForce::new(facts, request.rule.as_ref(), &mut notes)?;
    let mut response = PriceResponse {
        item_id: request.item_id.clone(),
        version: facts.version.to_owned(),
        current_price: current.map(|micros| from_micros(micros, facts.currency)),
        unit_cost: unit_cost.map(|micros| from_micros(micros, facts.currency)),
        objective: objective.into(),
        demand_form: demand_form.into(),
        elasticity: Some(show_elasticity(&elasticity, facts.currency)),
        rule: Some(rules.merged.encode()),
        ..Default::default()
    };
    let question = Question {
        objective,
        form,
        unit_cost,
        current,
        elasticity: &elasticity,
        total: &total,
        horizon,
        points: match request.curve_points {
            0 => limits::DEFAULT_CURVE_POINTS,
            points => points.min(limits::CURVE_POINTS),
        },
    };
    let factor = match propose(facts, &question, &rules, &mut notes) {
        Ok(answer) => {
            response.proposal = Some(answer.proposal);
            response.curve = answer.curve;
            answer.factor
        }
        Err(declined) => {
            notes.insert(0, declined);
            1.0
        }
    };
    let mut said = series.notes.clone();
    said.extend(start_note(facts, &series));
    said.extend(repetition_note(&series, horizon));
    if let Some(proposal) = &response.proposal
        && factor != 1.0
    {
        let price = proposal.price.as_ref().and_then(|price| to_micros(price, facts.currency).ok());
        let price = Amount::new(price.unwrap_or_default(), facts.currency);
        let at_price = Said::ForecastAtPrice { price, factor: Number(factor) };
        said.push(note(Kind::Explanation, "price", at_price));
    }
    let outlook = outlook(at_current * factor);
    response.forecast =
        Some(show_forecast(facts, &series, &outlook, horizon, SHOWN.to_vec(), said));
    response.notes = notes;
    Ok(response)
}

/// What a price is to be found for.
struct Question<'a> {
    objective: PriceObjective,
    form: Form,
    /// Cost of a unit in millionths, as all money here.
    unit_cost: Option<i64>,
    current: Option<i64>,
    elasticity: &'a ElasticityResult,
    /// Demand over the horizon at the current price, without a promotion, at [`LEVELS`].
    total: &'a Total,
    /// Horizon in days.
    horizon: u32,
    points: u32,
}

struct Answer {
    proposal: PriceProposal,
    curve: Vec<mercer_proto::v1::PricePoint>,
    /// Units at the proposed price / units at the current price.
    factor: f64,
}

/// The proposal, or the note that declines it.
fn propose(
    facts: &Facts<'_>,
    question: &Question<'_>,
    rules: &RulesInForce,
    notes: &mut Vec<Note>,
) -> Result<Answer, Note> {
    let declined = |field: &str, said: Said| note(Kind::Declined, field, said);
    if let Some(status) = facts.not_for_sale() {
        return Err(declined("status", Said::NotPricedByStatus { status }));
    }
    let Some(current) = question.current else {
        return Err(declined("list_price", Said::NoPriceKnown {}));
    };
    let objective = match (question.objective, question.unit_cost) {
        (PriceObjective::Revenue, _) => Objective::Revenue,
        (_, Some(unit_cost)) => Objective::Profit { unit_cost: money(unit_cost) },
        (_, None) => return Err(declined("unit_cost", Said::NoUnitCost {})),
    };
    let units = question.total.mean;
    if units <= 0.0 {
        let horizon = Number(question.horizon.into());
        return Err(declined("demand", Said::NoDemand { horizon }));
    }
    let demand = Demand {
        form: question.form,
        price: money(current),
        units,
        elasticity: question.elasticity.elasticity.into(),
    };
    let tested = tested(facts, question.elasticity, current, notes);
    let limits =
        Rules { tested: Some(tested), ..rules.limits(facts, question.unit_cost, current)? };
    let choice = choose(&demand, objective, current, &limits)
        .map_err(|infeasible| reasons::infeasible(&infeasible, &limits, current, facts.currency))?;
    let curve = Curve {
        demand,
        objective,
        unit_cost: question.unit_cost,
        deviation: question.elasticity.standard_error.into(),
        bounds: ELASTICITY_BOUNDS,
        total: question.total,
        currency: facts.currency,
    };
    let optimum = demand.optimum(objective);
    reasons::explain(&curve, &choice, &limits, current, optimum, notes);
    Ok(answer(&curve, &choice, current, optimum, question.points))
}

fn answer(
    curve: &Curve<'_>,
    choice: &Choice,
    current: i64,
    optimum: Optimum,
    points: u32,
) -> Answer {
    let unconstrained = match optimum {
        Optimum::At(price) => {
            let micros = MinorUnit::of(curve.currency).estimate((price * 1e6).round() as i64);
            Some(from_micros(micros, curve.currency))
        }
        Optimum::Rising | Optimum::Falling | Optimum::Flat => None,
    };
    let proposal = PriceProposal {
        price: Some(from_micros(choice.price, curve.currency)),
        change: (choice.price - current) as f64 / current as f64,
        unconstrained_price: unconstrained,
        expected: Some(curve.point(choice.price)),
        current: Some(curve.point(current)),
    };
    let ratio = choice.price as f64 / current as f64;
    Answer {
        proposal,
        curve: curve.points(choice.allowed, [current, choice.price], points),
        factor: curve.demand.form.response(ratio, curve.demand.elasticity),
    }
}

/// What stands in for a list price that the catalogue lacks.
fn stand_in(facts: &Facts<'_>, current: Option<i64>) -> Option<Note> {
    let price = Amount::new(current?, facts.currency);
    let said = match facts.item.list_price_micros() {
        Some(listed) if listed > 0 => return None,
        Some(_) => Said::ListPriceNotPositive { price },
        None => Said::NoListPrice { price },
    };
    Some(note(Kind::DefaultUsed, "list_price", said))
}

/// The request's cost, else the catalogue's.
fn unit_cost(
    facts: &Facts<'_>,
    request: &PriceRequest,
    notes: &mut Vec<Note>,
) -> Result<Option<i64>, DecideError> {
    let asked = request.unit_cost.as_ref().map(|cost| to_micros(cost, facts.currency)).transpose();
    let asked = asked.map_err(|error| InvalidRequest::field("unit_cost", error.to_string()))?;
    let cost = asked.or(facts.item.unit_cost_micros());
    if let Some(negative) = cost.filter(|&cost| cost < 0) {
        let unit_cost = Amount::new(negative, facts.currency);
        notes.push(note(Kind::DataIgnored, "unit_cost", Said::UnitCostNegative { unit_cost }));
    }
    Ok(cost.filter(|&cost| cost >= 0))
}

/// Why demand at the current price is not the usual one, where it differs by 5 % or more.
fn anchor(
    facts: &Facts<'_>,
    usual: f64,
    factor: f64,
    offers: &Offers<'_>,
    current: i64,
) -> Option<Note> {
    let (low, high) = offers.recent_prices()?;
    ((factor - 1.0).abs() >= 0.05 && usual > 0.0).then(|| {
        let said = Said::DemandAtCurrentPrice {
            price: Amount::new(current, facts.currency),
            units: Units(usual * factor),
            usual: Number(usual),
            lowest: Amount::new(low, facts.currency),
            highest: Amount::new(high, facts.currency),
        };
        note(Kind::Explanation, "current_price", said)
    })
}

/// Millionths as units of currency.
fn money(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
