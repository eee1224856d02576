//! Why this price: rules that bound or gave way, and what the change brings.

use mercer_algorithms::price::{
    demand::{Objective, Optimum},
    rules::{Choice, Infeasible, Outcome, Rule, Rules},
};
use mercer_common::{
    money::in_units,
    note::{self, Amount, Goal, NamedRule, Number, Said, Share, Text, note},
};
use mercer_proto::v1::{Note, note::Kind};

use super::curve::Curve;

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

/// A rule with its numbers.
fn named(rule: Rule, rules: &Rules, current: i64, currency: &str) -> NamedRule {
    let amount = |micros: i64| Amount::new(micros, currency);
    let (competitors_price, index_floor, index_ceiling) = rules.competitor.unwrap_or_default();
    let competitors_price = amount(competitors_price);
    match rule {
        Rule::Floor => NamedRule::Floor { floor: amount(rules.floor.unwrap_or_default()) },
        Rule::Ceiling => NamedRule::Ceiling { ceiling: amount(rules.ceiling.unwrap_or_default()) },
        Rule::MarginFloor => {
            let (margin, cost) = rules.margin_floor.unwrap_or_default();
            let lowest = in_units(cost) / (1.0 - margin);
            NamedRule::MarginFloor {
                margin: Share(margin),
                least_price: amount((lowest * 1e6).ceil() as i64),
                unit_cost: amount(cost),
            }
        }
        Rule::LargestChange => NamedRule::LargestChange {
            change: Share(rules.largest_change.unwrap_or_default()),
            from_price: amount(current),
        },
        Rule::CompetitorFloor => NamedRule::CompetitorFloor {
            index_floor: Number(index_floor.unwrap_or_default()),
            competitors_price,
        },
        Rule::CompetitorCeiling => NamedRule::CompetitorCeiling {
            index_ceiling: Number(index_ceiling.unwrap_or_default()),
            competitors_price,
        },
        Rule::TestedRange => {
            let (lowest, highest) =
                rules.tested.map_or((0, 0), |tested| (tested.lowest, tested.highest));
            NamedRule::TestedRange { lowest_tried: amount(lowest), highest_tried: amount(highest) }
        }
        Rule::Endings => {
            let endings: Vec<String> =
                rules.endings.iter().map(|ending| format!("{ending:02}")).collect();
            NamedRule::Endings { endings: Text(endings.join(", ")) }
        }
    }
}

/// Declines a price that rules leave no room for.
pub(super) fn infeasible(
    infeasible: &Infeasible,
    rules: &Rules,
    current: i64,
    currency: &str,
) -> Note {
    let named = |rule| named(rule, rules, current, currency);
    let &Infeasible { rule, against } = infeasible;
    let said = match rule == against {
        true => Said::RuleImpossible { rule: named(rule) },
        false => Said::RulesImpossible { rule: named(rule), against: named(against) },
    };
    note(Kind::Declined, field(rule), said)
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
    let amount = |micros: i64| Amount::new(micros, curve.currency);
    let rounded = |value: f64| amount((value * 1e6).round() as i64);
    let objective = match curve.objective {
        Objective::Profit { .. } => note::Objective::Profit,
        Objective::Revenue => note::Objective::Revenue,
    };
    let (goal, best) = match optimum {
        Optimum::At(price) => (Goal::At, Some(rounded(price))),
        Optimum::Rising => (Goal::Rising, None),
        Optimum::Falling => (Goal::Falling, None),
        Optimum::Flat => (Goal::Flat, None),
    };
    if let Some(cost) = curve.unit_cost.filter(|&cost| cost > current) {
        let (price, unit_cost) = (amount(current), amount(cost));
        let said = Said::CostAbovePrice { price, unit_cost, loss: amount(cost - current) };
        notes.push(note(Kind::Explanation, "unit_cost", said));
    }
    let limit = amount(choice.before_endings);
    for &(broken, outcome) in &choice.outcomes {
        let rule = named(broken, rules, current, curve.currency);
        let (kind, said) = match (outcome, broken) {
            (Outcome::Kept, _) => continue,
            (Outcome::Binding, Rule::Endings) => {
                let (price, before) = (amount(choice.price), limit.clone());
                (Kind::RuleBinding, Said::EndingsBind { rule, price, before })
            }
            (Outcome::Binding, _) => {
                let (limit, optimum) = (limit.clone(), best.clone());
                (Kind::RuleBinding, Said::RuleBinds { rule, limit, objective, goal, optimum })
            }
            (Outcome::Relaxed, Rule::Endings) => {
                let (lowest, highest) = (amount(choice.allowed.0), amount(choice.allowed.1));
                (Kind::RuleRelaxed, Said::EndingsGiveWay { rule, lowest, highest })
            }
            (Outcome::Relaxed, _) => {
                (Kind::RuleRelaxed, Said::RuleGivesWay { rule, price: limit.clone() })
            }
        };
        notes.push(note(kind, field(broken), said));
    }
    let value = |price: i64| curve.demand.value_at(curve.objective, in_units(price));
    let said = match choice.price == current {
        true => Said::CurrentPriceIsBest { price: amount(current) },
        false => Said::PriceChange {
            price: amount(choice.price),
            current_price: amount(current),
            objective,
            expected: rounded(value(choice.price)),
            expected_now: rounded(value(current)),
            units: Number(curve.demand.units_at(in_units(choice.price))),
            units_now: Number(curve.demand.units),
            goal,
            optimum: best,
        },
    };
    notes.push(note(Kind::Explanation, "price", said));
}
