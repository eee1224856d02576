//! What to charge for an item: the best price under the rules, the curve it was chosen from, and
//! why.

mod curve;
mod encode;
mod question;
mod reasons;
mod rule;

use mercer_algorithms::price::{
    demand::{Demand, Objective, Optimum},
    pool::ELASTICITY_BOUNDS,
    rules::{Choice, Rules, choose},
};
use mercer_common::{
    ids::EVERYWHERE,
    money::{MinorUnit, in_units},
    note::{Amount, Number, Said, Units, note},
};
use mercer_proto::v1::{Note, PriceObjective, PriceRequest, PriceResponse, note::Kind};

use self::{
    curve::{Curve, Point},
    question::Question,
    rule::{RulesInForce, tested},
};
use super::{
    DecideError,
    demand::{
        DemandSeries, Offers, Outlook, Total, current_price, item_elasticity, repetition_note,
        series_at, start_note,
    },
    facts::{Facts, ItemElasticity},
};
use crate::shard::PriceRule;

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
    let (elasticity, notes) = item_elasticity(facts)?;
    let series = series_at(facts, EVERYWHERE)?;
    let question = Question::decode(request, facts)?;
    let decision = decide(facts, &question, &series, elasticity, notes);
    Ok(encode::response(facts, &question, &series, decision))
}

/// What is decided about an item's price. Amounts are millionths of the cluster's currency.
struct Decision<'a> {
    current: Option<i64>,
    unit_cost: Option<i64>,
    elasticity: ItemElasticity,
    /// The rule in force.
    rule: PriceRule,
    /// `None` where a note declines it.
    proposal: Option<Proposal>,
    notes: Vec<Note>,
    /// Demand at the proposed price, else at the current one.
    outlook: Outlook<'a>,
    forecast_notes: Vec<Note>,
}

/// The price to charge, and what it brings.
struct Proposal {
    /// The best price without rules; `None` where there is none.
    unconstrained: Option<i64>,
    /// What the proposed price earns.
    expected: Point,
    /// What the current price earns.
    current: Point,
    curve: Vec<Point>,
    /// Units at the proposed price / units at the current price.
    factor: f64,
}

/// `notes` are those on the elasticity.
fn decide<'a>(
    facts: &Facts<'_>,
    question: &Question,
    series: &'a DemandSeries<'_>,
    elasticity: ItemElasticity,
    mut notes: Vec<Note>,
) -> Decision<'a> {
    let horizon = question.horizon;
    let unit_cost = unit_cost(facts, question, &mut notes);
    let current = current_price(facts);
    notes.extend(stand_in(facts, current));
    let mut at_current = 1.0;
    if let Some(current) = current {
        let offers = Offers::new(facts, &elasticity, question.form, Some(current));
        at_current = offers.effect(Some(current), false);
        let usual = series.forecast.sum_mean(horizon.into());
        notes.extend(anchor(facts, usual, at_current, &offers, current));
    }
    let outlook = |effect: f64| Outlook::new(&series.forecast, vec![effect; horizon as usize]);
    let total = outlook(at_current).total(horizon, &LEVELS);
    let rules = RulesInForce::new(facts, question.rule.as_ref(), &mut notes);
    let evidence = Evidence { unit_cost, current, elasticity: &elasticity, total: &total };
    let proposal = match propose(facts, question, &evidence, &rules, &mut notes) {
        Ok(proposal) => Some(proposal),
        Err(declined) => {
            notes.insert(0, declined);
            None
        }
    };

    let factor = proposal.as_ref().map_or(1.0, |proposal| proposal.factor);
    let mut forecast_notes = series.notes.clone();
    forecast_notes.extend(start_note(facts, series));
    forecast_notes.extend(repetition_note(series, horizon));
    if let Some(proposal) = &proposal
        && factor != 1.0
    {
        let price = Amount::new(proposal.expected.price, facts.currency);
        let said = Said::ForecastAtPrice { price, factor: Number(factor) };
        forecast_notes.push(note(Kind::Explanation, "price", said));
    }
    Decision {
        current,
        unit_cost,
        elasticity,
        rule: rules.merged,
        proposal,
        notes,
        outlook: outlook(at_current * factor),
        forecast_notes,
    }
}

/// What a price is found from.
struct Evidence<'a> {
    /// Cost of a unit in millionths, as all money here.
    unit_cost: Option<i64>,
    current: Option<i64>,
    elasticity: &'a ItemElasticity,
    /// Demand over the horizon at the current price, without a promotion, at [`LEVELS`].
    total: &'a Total,
}

/// The proposal, or the note that declines it.
fn propose(
    facts: &Facts<'_>,
    question: &Question,
    evidence: &Evidence<'_>,
    rules: &RulesInForce,
    notes: &mut Vec<Note>,
) -> Result<Proposal, Note> {
    let declined = |field: &str, said: Said| note(Kind::Declined, field, said);
    if let Some(status) = facts.not_for_sale() {
        return Err(declined("status", Said::NotPricedByStatus { status }));
    }
    let Some(current) = evidence.current else {
        return Err(declined("list_price", Said::NoPriceKnown {}));
    };
    let objective = match (question.objective, evidence.unit_cost) {
        (PriceObjective::Revenue, _) => Objective::Revenue,
        (_, Some(unit_cost)) => Objective::Profit { unit_cost: in_units(unit_cost) },
        (_, None) => return Err(declined("unit_cost", Said::NoUnitCost {})),
    };
    let units = evidence.total.mean;
    if units <= 0.0 {
        let horizon = Number(question.horizon.into());
        return Err(declined("demand", Said::NoDemand { horizon }));
    }
    let demand = Demand {
        form: question.form,
        price: in_units(current),
        units,
        elasticity: evidence.elasticity.value.into(),
    };
    let tested = tested(facts, evidence.elasticity, current, notes);
    let limits =
        Rules { tested: Some(tested), ..rules.limits(facts, evidence.unit_cost, current)? };
    let choice = choose(&demand, objective, current, &limits)
        .map_err(|infeasible| reasons::infeasible(&infeasible, &limits, current, facts.currency))?;
    let curve = Curve {
        demand,
        objective,
        unit_cost: evidence.unit_cost,
        deviation: evidence.elasticity.standard_error.into(),
        bounds: ELASTICITY_BOUNDS,
        total: evidence.total,
        currency: facts.currency,
    };
    let optimum = demand.optimum(objective);
    reasons::explain(&curve, &choice, &limits, current, optimum, notes);
    Ok(proposal(&curve, &choice, current, optimum, question.points))
}

fn proposal(
    curve: &Curve<'_>,
    choice: &Choice,
    current: i64,
    optimum: Optimum,
    points: u32,
) -> Proposal {
    let ratio = choice.price as f64 / current as f64;
    Proposal {
        unconstrained: match optimum {
            Optimum::At(price) => {
                Some(MinorUnit::of(curve.currency).estimate((price * 1e6).round() as i64))
            }
            Optimum::Rising | Optimum::Falling | Optimum::Flat => None,
        },
        expected: curve.point(choice.price),
        current: curve.point(current),
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

/// The question's cost, else the catalogue's.
fn unit_cost(facts: &Facts<'_>, question: &Question, notes: &mut Vec<Note>) -> Option<i64> {
    let cost = question.unit_cost.or(facts.item.unit_cost_micros());
    if let Some(negative) = cost.filter(|&cost| cost < 0) {
        let unit_cost = Amount::new(negative, facts.currency);
        notes.push(note(Kind::DataIgnored, "unit_cost", Said::UnitCostNegative { unit_cost }));
    }
    cost.filter(|&cost| cost >= 0)
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

#[cfg(test)]
mod tests;
