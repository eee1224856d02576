//! Why this price: rules that bound or gave way, and what the change brings.

use mercer_algorithms::price::{
    demand::{Objective, Optimum},
    rules::{Choice, Infeasible, Outcome, Rule, Rules},
};
use mercer_common::money::MinorUnit;
use mercer_proto::v1::{Note, note::Kind};

use super::{
    super::{note, note::number},
    curve::Curve,
    money,
};

/// The field that a note about a rule names.
fn field(rule: Rule) -> &'static str {
    match rule {
        Rule::Floor => "price_rule.floor",
        Rule::Ceiling => "price_rule.ceiling",
        Rule::MarginFloor => "price_rule.margin_floor",
        Rule::LargestChange => "price_rule.largest_change",
        Rule::CompetitorFloor => "price_rule.competitor_index_floor",
        Rule::CompetitorCeiling => "price_rule.competitor_index_ceiling",
        Rule::TestedRange => "tested_range",
        Rule::Endings => "price_rule.price_endings",
    }
}

/// A rule with its numbers, as a sentence names it.
fn name(rule: Rule, rules: &Rules, current: i64, minor: MinorUnit) -> String {
    let at = |micros: Option<i64>| micros.map(|micros| minor.shown(micros)).unwrap_or_default();
    let competitor = rules.competitor.unwrap_or_default();
    let index = |share: Option<f64>| {
        let share = share.unwrap_or_default();
        format!("{} x {}", number(share), minor.shown(competitor.0))
    };
    match rule {
        Rule::Floor => format!("the floor of {}", at(rules.floor)),
        Rule::Ceiling => format!("the ceiling of {}", at(rules.ceiling)),
        Rule::MarginFloor => {
            let (margin, cost) = rules.margin_floor.unwrap_or_default();
            let lowest = money(cost) / (1.0 - margin);
            format!(
                "the margin floor of {} % (at least {} at a cost of {})",
                number(margin * 100.0),
                minor.shown((lowest * 1e6).ceil() as i64),
                minor.shown(cost)
            )
        }
        Rule::LargestChange => format!(
            "the largest change of {} % from {}",
            number(rules.largest_change.unwrap_or_default() * 100.0),
            minor.shown(current)
        ),
        Rule::CompetitorFloor => {
            format!("the competitor index floor of {}", index(competitor.1))
        }
        Rule::CompetitorCeiling => {
            format!("the competitor index ceiling of {}", index(competitor.2))
        }
        Rule::TestedRange => {
            let (lowest, highest) =
                rules.tested.map_or((0, 0), |tested| (tested.lowest, tested.highest));
            format!(
                "the range of tested prices {} to {}",
                minor.shown(lowest),
                minor.shown(highest)
            )
        }
        Rule::Endings => {
            let endings: Vec<String> =
                rules.endings.iter().map(|ending| format!("{ending:02}")).collect();
            format!("price endings {}", endings.join(", "))
        }
    }
}

/// Declines a price that rules leave no room for.
pub(super) fn infeasible(
    infeasible: &Infeasible,
    rules: &Rules,
    current: i64,
    minor: MinorUnit,
) -> Note {
    let &Infeasible { rule, against } = infeasible;
    let name = |rule| name(rule, rules, current, minor);
    let message = if rule == against {
        format!("No price keeps {}.", name(rule))
    } else {
        format!("No price keeps both {} and {}.", name(against), name(rule))
    };
    note(Kind::Declined, field(rule), message)
}

/// Says what was decided and what stood in the way.
pub(super) fn explain(
    curve: &Curve<'_>,
    choice: &Choice,
    rules: &Rules,
    current: i64,
    optimum: Optimum,
    notes: &mut Vec<Note>,
) {
    let minor = MinorUnit::of(curve.currency);
    let what = match curve.objective {
        Objective::Profit { .. } => "profit",
        Objective::Revenue => "revenue",
    };
    let goal = match optimum {
        Optimum::At(price) => {
            format!("{what} would be highest at {}", minor.shown((price * 1e6).round() as i64))
        }
        Optimum::Rising => format!("{what} would rise with the price without end"),
        Optimum::Falling => format!("{what} would rise the lower the price"),
        Optimum::Flat => format!("{what} would be the same at every price"),
    };
    if let Some(cost) = curve.unit_cost.filter(|&cost| cost > current) {
        let message = format!(
            "The unit cost of {} is above the current price of {}: each unit loses {}.",
            minor.shown(cost),
            minor.shown(current),
            minor.shown(cost - current)
        );
        notes.push(note(Kind::Explanation, "unit_cost", message));
    }
    for &(rule, outcome) in &choice.outcomes {
        let name = capitalised(&name(rule, rules, current, minor));
        let (kind, message) = match (outcome, rule) {
            (Outcome::Kept, _) => continue,
            (Outcome::Binding, Rule::Endings) => {
                let (price, before) =
                    (minor.shown(choice.price), minor.shown(choice.before_endings));
                (Kind::RuleBinding, format!("{name}: {price} instead of {before}."))
            }
            (Outcome::Binding, _) => {
                let limit = minor.shown(choice.before_endings);
                (Kind::RuleBinding, format!("{name} holds the price at {limit}; {goal}."))
            }
            (Outcome::Relaxed, Rule::Endings) => {
                let (low, high) = choice.allowed;
                let range = format!("{} and {}", minor.shown(low), minor.shown(high));
                let message = format!("{name}: none without a loss lies between {range}.");
                (Kind::RuleRelaxed, message)
            }
            (Outcome::Relaxed, _) => {
                let price = minor.shown(choice.before_endings);
                let message = format!(
                    "{name} cannot be kept beside rules that come before it; {price} is as near as \
                     they allow."
                );
                (Kind::RuleRelaxed, message)
            }
        };
        notes.push(note(kind, field(rule), message));
    }
    let value = |price: i64| curve.demand.value_at(curve.objective, money(price));
    let (proposed, present) = (value(choice.price), value(current));
    let message = if choice.price == current {
        format!("The current price of {} is the best that the rules allow.", minor.shown(current))
    } else {
        format!(
            "At {} instead of {} {what} is expected to be {} instead of {}, with {} instead of {} \
             units; without rules {goal}.",
            minor.shown(choice.price),
            minor.shown(current),
            minor.shown((proposed * 1e6).round() as i64),
            minor.shown((present * 1e6).round() as i64),
            number(curve.demand.units_at(money(choice.price))),
            number(curve.demand.units),
        )
    };
    notes.push(note(Kind::Explanation, "price", message));
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
