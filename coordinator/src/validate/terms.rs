//! Terms of supply: those of items and suppliers, and those of a question.

use mercer_common::{ids::Checker, limits};
use mercer_proto::v1::{ServiceTarget, SupplyTerms, service_target::Target};

use super::{Amount, above, money, within};

/// Longest time between two chances to order, in days.
const REVIEW_PERIOD_DAYS: f64 = 365.0;
/// Highest yearly cost of holding, as a share of the unit's cost.
const HOLDING_RATE: f64 = 10.0;

/// Checks terms and leaves their money in the stored form.
pub(crate) fn supply_terms(
    checker: &mut Checker,
    path: &str,
    terms: &mut SupplyTerms,
    currency: &str,
) {
    let field = |name: &str| format!("{path}.{name}");
    let lead_time = 0.0..=f64::from(limits::LEAD_TIME_DAYS);
    within(checker, || field("lead_time_days"), terms.lead_time_days, lead_time.clone());
    let deviation = terms.lead_time_deviation_days;
    within(checker, || field("lead_time_deviation_days"), deviation, lead_time);
    let review = terms.review_period_days;
    within(checker, || field("review_period_days"), review, 0.0..=REVIEW_PERIOD_DAYS);
    let order_cost = &mut terms.order_cost;
    money(checker, || field("order_cost"), order_cost, currency, Amount::NotNegative);
    above(checker, || field("holding_rate"), terms.holding_rate, HOLDING_RATE);
    let minimum = terms.minimum_order_quantity;
    above(checker, || field("minimum_order_quantity"), minimum, limits::QUANTITY);
    above(checker, || field("pack_size"), terms.pack_size, limits::QUANTITY);
    above(checker, || field("maximum_cover_days"), terms.maximum_cover_days, limits::QUANTITY);
    if let Some(service) = terms.service {
        check_service(checker, &field("service"), service);
    }
}

fn check_service(checker: &mut Checker, path: &str, service: ServiceTarget) {
    let (name, share) = match service.target {
        Some(Target::CycleService(share)) => ("cycle_service", share),
        Some(Target::FillRate(share)) => ("fill_rate", share),
        None => {
            checker.violation(path, "must name cycle_service or fill_rate");
            return;
        }
    };
    if !(share > 0.0 && share < 1.0) {
        let problem = format!("is {share}; must be above 0 and below 1");
        checker.violation(format!("{path}.{name}"), problem);
    }
}
