//! Price rules: those of items, categories and the catalogue, and those of a question.

use mercer_common::{ids::Checker, limits};
use mercer_proto::v1::{CompetitorReference, PriceRule};

use super::{Amount, above, money, within};

/// Largest change of a price, as a share of it.
const LARGEST_CHANGE: f64 = 10.0;
/// Largest price / competitors' price.
const COMPETITOR_INDEX: f64 = 1e6;

/// Checks a rule and leaves its money in the stored form.
pub(crate) fn price_rule(checker: &mut Checker, path: &str, rule: &mut PriceRule, currency: &str) {
    let field = |name: &str| format!("{path}.{name}");
    let floor = money(checker, || field("floor"), &mut rule.floor, currency, Amount::Positive);
    let ceiling =
        money(checker, || field("ceiling"), &mut rule.ceiling, currency, Amount::Positive);
    if floor.zip(ceiling).is_some_and(|(floor, ceiling)| floor > ceiling) {
        checker.violation(field("floor"), "must not be above the ceiling");
    }
    if let Some(margin) = rule.margin_floor
        && !(margin.is_finite() && margin < 1.0)
    {
        checker.violation(field("margin_floor"), format!("is {margin}; must be below 1"));
    }
    within(checker, || field("largest_change"), rule.largest_change, 0.0..=LARGEST_CHANGE);
    let endings = &rule.price_endings;
    checker.count(|| field("price_endings"), endings.len(), limits::PRICE_ENDINGS);
    for (index, ending) in endings.iter().enumerate().take(limits::PRICE_ENDINGS) {
        within(checker, || format!("{path}.price_endings[{index}]"), Some(*ending), 0..=99);
    }
    let (low, high) = (rule.competitor_index_floor, rule.competitor_index_ceiling);
    above(checker, || field("competitor_index_floor"), low, COMPETITOR_INDEX);
    above(checker, || field("competitor_index_ceiling"), high, COMPETITOR_INDEX);
    if low.zip(high).is_some_and(|(low, high)| low > high) {
        let problem = "must not be above competitor_index_ceiling";
        checker.violation(field("competitor_index_floor"), problem);
    }
    if CompetitorReference::try_from(rule.competitor_reference).is_err() {
        let problem = format!("{} is no competitor reference", rule.competitor_reference);
        checker.violation(field("competitor_reference"), problem);
    }
}
