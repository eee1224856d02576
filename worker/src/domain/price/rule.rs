//! The rules in force: merged field by field, and turned into limits in millionths.

use mercer_algorithms::price::rules::{Rules, Tested};
use mercer_common::note::{Amount, Number, Reference, Said, Share, WhyWithinTried, note};
use mercer_proto::v1::{Note, note::Kind};

use crate::{
    domain::facts::{Facts, ItemElasticity},
    shard::{self, CompetitorReference, PriceRule},
};

/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// The rules that hold for an item.
pub(super) struct RulesInForce {
    /// The narrowest rule that sets a field decides it.
    pub(super) merged: PriceRule,
    floor: Option<i64>,
    ceiling: Option<i64>,
    /// What competitors ask, when an index refers to it and it is known.
    competitors: Option<i64>,
}

impl RulesInForce {
    /// Merges the question's rule, the item's, those of its categories from the narrowest, that
    /// for everything, and the defaults.
    pub(super) fn new(facts: &Facts<'_>, asked: Option<&PriceRule>, notes: &mut Vec<Note>) -> Self {
        let mut merged = PriceRule::default();
        for rule in asked.into_iter().chain(facts.item.price_rule()) {
            merged = fill(merged, rule);
        }
        for rule in facts.directory.price_rules(facts.item.category_path()) {
            merged = fill(merged, rule);
        }
        merged = fill(merged, &facts.defaults.price_rule);
        let micros = |amount: &Option<shard::Amount>| {
            amount.as_ref().and_then(|amount| amount.micros(facts.currency).ok())
        };
        let (floor, ceiling) = (micros(&merged.floor), micros(&merged.ceiling));
        let refers = merged.competitor_index_floor.or(merged.competitor_index_ceiling).is_some();
        let competitors = refers.then(|| competitors(facts, &merged, notes)).flatten();
        Self { merged, floor, ceiling, competitors }
    }

    /// The same as limits of a price; the note that declines it when a rule cannot be checked.
    pub(super) fn limits(
        &self,
        facts: &Facts<'_>,
        unit_cost: Option<i64>,
        current: i64,
    ) -> Result<Rules, Note> {
        let Self { merged, .. } = self;
        let margin_floor = match (merged.margin_floor, unit_cost) {
            (Some(margin), Some(cost)) => Some((margin, cost)),
            (None, _) => None,
            (Some(margin), None) => {
                let said = Said::MarginWithoutCost { margin: Share(margin) };
                return Err(note(Kind::Declined, "unit_cost", said));
            }
        };
        debug_assert!(current > 0);
        let (low, high) = (merged.competitor_index_floor, merged.competitor_index_ceiling);
        Ok(Rules {
            step: facts.minor().micros(),
            floor: self.floor,
            ceiling: self.ceiling,
            margin_floor,
            largest_change: merged.largest_change,
            competitor: self.competitors.map(|price| (price, low, high)),
            tested: None,
            endings: merged.price_endings.clone(),
        })
    }
}

/// Sets the fields that narrower rules left open.
fn fill(narrow: PriceRule, wide: &PriceRule) -> PriceRule {
    let endings = if narrow.price_endings.is_empty() {
        wide.price_endings.clone()
    } else {
        narrow.price_endings
    };
    PriceRule {
        floor: narrow.floor.or_else(|| wide.floor.clone()),
        ceiling: narrow.ceiling.or_else(|| wide.ceiling.clone()),
        margin_floor: narrow.margin_floor.or(wide.margin_floor),
        largest_change: narrow.largest_change.or(wide.largest_change),
        price_endings: endings,
        competitor_index_floor: narrow.competitor_index_floor.or(wide.competitor_index_floor),
        competitor_index_ceiling: narrow.competitor_index_ceiling.or(wide.competitor_index_ceiling),
        competitor_reference: narrow.competitor_reference.or(wide.competitor_reference),
    }
}

/// The competitors' price that indices refer to, without those that are too old.
fn competitors(facts: &Facts<'_>, rule: &PriceRule, notes: &mut Vec<Note>) -> Option<i64> {
    let field = "price_rule.competitor_index";
    let entries = facts.item.competitor_prices();
    let Some(newest) = entries.iter().map(|entry| entry.as_of_ms).max() else {
        notes.push(note(Kind::DataIgnored, field, Said::NoCompetitorPrice {}));
        return None;
    };
    let days = facts.defaults.competitor_max_age_days;
    let mut prices = Vec::with_capacity(entries.len());
    for entry in entries {
        let age = newest.saturating_sub(entry.as_of_ms) as f64;
        if age <= days * DAY_MS && entry.price_micros > 0 {
            prices.push(entry.price_micros);
        }
    }
    let left_out = entries.len() - prices.len();
    if left_out > 0 {
        let said = Said::CompetitorPricesTooOld {
            left_out: Number(left_out as f64),
            all: Number(entries.len() as f64),
            days: Number(days),
        };
        notes.push(note(Kind::DataIgnored, "competitor_prices", said));
    }
    let (price, reference) = match rule.competitor_reference {
        Some(CompetitorReference::Lowest) => (prices.iter().copied().min(), Reference::Lowest),
        Some(CompetitorReference::Highest) => (prices.iter().copied().max(), Reference::Highest),
        Some(CompetitorReference::Mean) | None => {
            let sum: i128 = prices.iter().copied().map(i128::from).sum();
            let mean = sum.checked_div(prices.len() as i128);
            (mean.and_then(|mean| i64::try_from(mean).ok()), Reference::Mean)
        }
    };
    if let Some(price) = price {
        let said = Said::CompetitorReference {
            price: Amount::new(price, facts.currency),
            competitors: Number(prices.len() as f64),
            reference,
        };
        notes.push(note(Kind::Explanation, field, said));
    }
    price
}

/// The prices of which demand is known: those of the history and the current one, and a margin
/// around them where the item's own weeks tell an elasticity below -1.
pub(super) fn tested(
    facts: &Facts<'_>,
    elasticity: &ItemElasticity,
    current: i64,
    notes: &mut Vec<Note>,
) -> Tested {
    let ItemElasticity { value, own, .. } = elasticity;
    let value = *value;
    let why = match own.elasticity {
        None => Some(WhyWithinTried::NoOwnElasticity),
        Some(estimate) if estimate >= 0.0 => Some(WhyWithinTried::OwnElasticityAbove0),
        Some(_) if value >= -1.0 => Some(WhyWithinTried::Inelastic),
        Some(_) => None,
    };
    let amount = |micros: i64| Amount::new(micros, facts.currency);
    let charged = match own.lowest_price {
        lowest if lowest > 0 => lowest..=own.highest_price.max(lowest),
        _ => current..=current,
    };
    if !charged.contains(&current) {
        let said = Said::CurrentPriceNotTried {
            price: amount(current),
            lowest: amount(*charged.start()),
            highest: amount(*charged.end()),
        };
        notes.push(note(Kind::WeakEvidence, "current_price", said));
    }
    let (lowest, highest) = (current.min(*charged.start()), current.max(*charged.end()));
    let Some(why) = why else {
        let margin = facts.defaults.price_extrapolation.clamp(0.0, 10.0);
        let lowest = (lowest as f64 * (1.0 - margin).max(0.0)).ceil() as i64;
        let highest = (highest as f64 * (1.0 + margin)).floor() as i64;
        return Tested { lowest: lowest.max(1), highest, is_hard: false };
    };
    let said = Said::PriceWithinTried {
        elasticity: Number(value.into()),
        lowest: amount(lowest),
        highest: amount(highest),
        why,
    };
    notes.push(note(Kind::WeakEvidence, "tested_range", said));
    Tested { lowest, highest, is_hard: true }
}
