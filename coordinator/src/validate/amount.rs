//! Amounts of money, numbers within bounds, and labels.

use std::{fmt::Display, ops::RangeInclusive};

use mercer_common::{ids::Checker, money as micros};
use mercer_proto::google::r#type::Money;

/// The amounts that a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Any amount.
    Signed,
    /// An amount of 0 or more.
    NotNegative,
    /// An amount above 0.
    Positive,
}

/// The micro-units of an amount of the cluster's currency; `None` when absent or refused.
pub(crate) fn amount(
    checker: &mut Checker,
    field: impl FnOnce() -> String,
    money: Option<&Money>,
    currency: &str,
    allowed: Amount,
) -> Option<i64> {
    let problem = match micros::to_micros(money?, currency) {
        Ok(micros) if micros < 0 && allowed == Amount::NotNegative => {
            "must not be negative".to_owned()
        }
        Ok(micros) if micros <= 0 && allowed == Amount::Positive => "must be above 0".to_owned(),
        Ok(micros) => return Some(micros),
        Err(error) => error.to_string(),
    };
    checker.violation(field(), problem);
    None
}

/// Like [`amount`], and leaves the amount in the form that Mercer stores.
pub(crate) fn money(
    checker: &mut Checker,
    field: impl FnOnce() -> String,
    money: &mut Option<Money>,
    currency: &str,
    allowed: Amount,
) -> Option<i64> {
    let checked = amount(checker, field, money.as_ref(), currency, allowed);
    *money = checked.map(|checked| micros::from_micros(checked, currency));
    checked
}

/// Requires a number within bounds, both inclusive; no number is.
pub(crate) fn within<T: PartialOrd + Display + Copy>(
    checker: &mut Checker,
    field: impl FnOnce() -> String,
    value: Option<T>,
    bounds: RangeInclusive<T>,
) {
    if let Some(value) = value
        && !bounds.contains(&value)
    {
        let (low, high) = (bounds.start(), bounds.end());
        checker.violation(field(), format!("is {value}; must lie within {low} and {high}"));
    }
}

/// Requires a number above 0 and at most `highest`; no number is.
pub(crate) fn above(
    checker: &mut Checker,
    field: impl FnOnce() -> String,
    value: Option<f64>,
    highest: f64,
) {
    if let Some(value) = value
        && !(value > 0.0 && value <= highest)
    {
        checker.violation(field(), format!("is {value}; must be above 0 and at most {highest}"));
    }
}

/// Requires a name of 1 to 256 bytes without control characters.
pub(crate) fn label(checker: &mut Checker, field: impl Fn() -> String, label: &str) {
    if label.is_empty() {
        checker.violation(field(), "must not have an empty name");
    }
    checker.label(field, label);
}
