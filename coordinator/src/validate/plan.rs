//! Plans of prices and promotions, and how many days a question is about.

use mercer_common::{ids::Checker, limits, time::Day};
use mercer_proto::v1::PlannedPrice;

use super::{Amount, money};

/// Fills in the number of days when it is 0, and checks it.
pub(crate) fn horizon(checker: &mut Checker, field: String, days: &mut u32) {
    if *days > limits::HORIZON_DAYS {
        let limit = limits::HORIZON_DAYS;
        checker.violation(field, format!("is {days} days; at most {limit} are allowed"));
    }
    if *days == 0 {
        *days = limits::DEFAULT_HORIZON_DAYS;
    }
}

/// Checks a plan and leaves its money in the stored form.
pub(crate) fn plan(checker: &mut Checker, path: &str, plan: &mut [PlannedPrice], currency: &str) {
    checker.count(|| path.into(), plan.len(), limits::PLAN_ENTRIES);
    for (index, entry) in plan.iter_mut().enumerate().take(limits::PLAN_ENTRIES) {
        let field = |name: &str| format!("{path}[{index}].{name}");
        let mut day = |name, date: Option<_>| {
            let day = date.and_then(Day::from_api);
            if day.is_none() {
                checker.violation(field(name), "must be a date from 1990 to 2169");
            }
            day
        };
        let (start, end) = (day("start_date", entry.start_date), day("end_date", entry.end_date));
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            checker.violation(field("start_date"), "must not be after end_date");
        }
        money(checker, || field("price"), &mut entry.price, currency, Amount::Positive);
    }
}
