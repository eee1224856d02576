//! What a plan of prices and promotions makes of demand.

use mercer_common::{
    money,
    note::{Amount, Days, Number, Said, Share, note},
    time::Day,
};
use mercer_proto::v1::{Note, PlannedPrice, note::Kind};

use super::{
    elasticity,
    offers::{LARGEST_EFFECT, Offers},
    series::DemandSeries,
};
use crate::domain::{
    DecideError,
    facts::{Facts, ItemElasticity},
};

/// Days that a plan can change.
const PLANNED_DAYS: u32 = 365;

/// What the plan makes of each of the first `horizon` days' demand; empty without a plan.
///
/// A day's effect is that of its offer over the mean effect of recent offers ([`Offers`]), within
/// a factor of 10. Days beyond the horizon are named in a note, as is what is missing.
///
/// # Errors
/// [`DecideError::Invalid`] when a price is not money of this cluster, or a date is none.
pub(crate) fn planned_effects(
    facts: &Facts<'_>,
    series: &DemandSeries<'_>,
    plan: &[PlannedPrice],
    horizon: u32,
    notes: &mut Vec<Note>,
) -> Result<Vec<f64>, DecideError> {
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    let Ok((elasticity, _)) = elasticity::item_elasticity(facts) else {
        notes.push(note(Kind::DataIgnored, "plan", Said::PlanNotUnderstood {}));
        return Ok(Vec::new());
    };
    let current = current_price(facts);
    if current.is_none() && plan.iter().any(|entry| entry.price.is_some()) {
        notes.push(note(Kind::DataIgnored, "plan.price", Said::PlannedPricesLeftOut {}));
    }

    let offers = Offers::new(facts, &elasticity, facts.defaults.demand_form, current);
    let horizon = horizon.clamp(1, PLANNED_DAYS);
    let (first, last) = (series.day(1), series.day(horizon));
    // A day that two entries name takes the later one.
    let mut raw = vec![1.0; horizon as usize];
    let mut outside = 0;
    for entry in plan {
        let (start, end) = days_of(entry)?;
        let price = entry.price.as_ref().map(|price| money::to_micros(price, facts.currency));
        let price = price.transpose().map_err(|error| invalid("plan.price", &error.to_string()))?;
        let price = price.filter(|&price| price > 0);
        let inside = start.max(first)..=end.min(last);
        let length = |from: Day, to: Day| (u32::from(to.0) + 1).saturating_sub(from.0.into());
        outside += length(start, end).saturating_sub(length(*inside.start(), *inside.end()));
        if inside.start() <= inside.end() {
            let from = usize::from(inside.start().0 - first.0);
            let to = usize::from(inside.end().0 - first.0);
            raw[from..=to].fill(offers.raw_effect(price, entry.promotion));
        }
    }
    let mut effects = Vec::with_capacity(raw.len());
    let mut capped = 0;
    for raw in raw {
        let effect = raw.clamp(1.0 / LARGEST_EFFECT, LARGEST_EFFECT);
        capped += u32::from(effect != raw);
        effects.push(effect);
    }
    notes.push(explanation(&effects, &elasticity, &offers, current, facts));
    if capped > 0 {
        let said = Said::PlanCut { largest: Number(LARGEST_EFFECT), days: Days(capped.into()) };
        notes.push(note(Kind::WeakEvidence, "plan", said));
    }
    if outside > 0 {
        let said = Said::PlanOutsideHorizon { days: Days(outside.into()), first, last };
        notes.push(note(Kind::DataIgnored, "plan", said));
    }
    Ok(effects)
}

fn explanation(
    effects: &[f64],
    elasticity: &ItemElasticity,
    offers: &Offers<'_>,
    current: Option<i64>,
    facts: &Facts<'_>,
) -> Note {
    let changed: Vec<f64> = effects.iter().copied().filter(|&effect| effect != 1.0).collect();
    let count = changed.len() as f64;
    if changed.is_empty() {
        return note(Kind::Explanation, "plan", Said::PlanChangesNothing {});
    }
    let amount = |micros: i64| Some(Amount::new(micros, facts.currency));
    let (lowest, highest, price) = match (offers.recent_prices(), current) {
        (Some((low, high)), _) if low < high => (amount(low), amount(high), None),
        (Some((price, _)), _) | (None, Some(price)) => (None, None, amount(price)),
        (None, None) => (None, None, None),
    };
    let share = changed.iter().sum::<f64>() / count;
    let said = Said::PlanChangesDemand {
        days: Days(count),
        share: Share((1_000.0 * share).round() / 1_000.0),
        elasticity: Number(elasticity.value.into()),
        promotion: Number(elasticity.promotion_factor.into()),
        lowest,
        highest,
        price,
    };
    note(Kind::Explanation, "plan", said)
}

/// The catalogue's list price, else the mean price paid in the last week with a sale, in
/// millionths.
pub(crate) fn current_price(facts: &Facts<'_>) -> Option<i64> {
    let catalogued = facts.item.list_price_micros().filter(|&micros| micros > 0);
    let trained = facts.item_demand();
    catalogued
        .or_else(|| trained.and_then(|demand| demand.paid_price))
        .or_else(|| trained.and_then(|demand| demand.list_price))
}

/// The first and the last day of an entry.
fn days_of(entry: &PlannedPrice) -> Result<(Day, Day), DecideError> {
    let day = |date: Option<_>, field: &str| {
        date.and_then(Day::from_api).ok_or_else(|| invalid(field, "must be a date from 1990 on"))
    };
    let start = day(entry.start_date, "plan.start_date")?;
    let end = day(entry.end_date, "plan.end_date")?;
    Ok((start, end))
}

fn invalid(field: &str, description: &str) -> DecideError {
    mercer_common::rpc::status::InvalidRequest::field(field, description).into()
}
