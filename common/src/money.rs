//! Money as Mercer stores it: `i64` millionths of the cluster's one currency.

use mercer_proto::google::r#type::Money;
use thiserror::Error;

/// Why an amount was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MoneyError {
    /// Another currency than the cluster's.
    #[error("currency `{found}` is not the cluster's `{expected}`")]
    Currency {
        /// As sent.
        found: String,
        /// As the cluster was created.
        expected: String,
    },
    /// More than `i64` micro-units hold.
    #[error("amount is outside ±9.2 trillion")]
    Overflow,
    /// Signs of units and nanos differ, or nanos are out of range.
    #[error("nanos must lie within ±999,999,999 and have the sign of units")]
    Nanos,
}

/// Checks and converts an amount to micro-units, rounding half away from zero.
/// An empty currency code means the cluster's.
///
/// # Errors
/// See [`MoneyError`].
pub fn to_micros(money: &Money, currency: &str) -> Result<i64, MoneyError> {
    if !money.currency_code.is_empty() && money.currency_code != currency {
        return Err(MoneyError::Currency {
            found: money.currency_code.clone(),
            expected: currency.to_owned(),
        });
    }
    let opposite_signs =
        (money.units > 0 && money.nanos < 0) || (money.units < 0 && money.nanos > 0);
    if money.nanos.unsigned_abs() > 999_999_999 || opposite_signs {
        return Err(MoneyError::Nanos);
    }
    let rounded = (i64::from(money.nanos) + 500 * i64::from(money.nanos.signum())) / 1_000;
    money
        .units
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(rounded))
        .ok_or(MoneyError::Overflow)
}

/// The API's form of micro-units.
#[must_use]
pub fn from_micros(micros: i64, currency: &str) -> Money {
    Money {
        currency_code: currency.to_owned(),
        units: micros / 1_000_000,
        nanos: i32::try_from(micros % 1_000_000 * 1_000).expect("below 10^9"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(units: i64, nanos: i32) -> Money {
        Money { currency_code: "USD".into(), units, nanos }
    }

    #[test]
    fn converts_both_ways() {
        for micros in [0, 1, -1, 1_999_999, -1_750_000, i64::MAX, i64::MIN] {
            assert_eq!(to_micros(&from_micros(micros, "USD"), "USD"), Ok(micros));
        }
        assert_eq!(to_micros(&money(1, 999_999_500), "USD"), Ok(2_000_000));
    }

    #[test]
    fn refuses_what_is_not_money_of_this_cluster() {
        assert!(matches!(to_micros(&money(1, 0), "EUR"), Err(MoneyError::Currency { .. })));
        assert_eq!(to_micros(&money(i64::MAX, 0), "USD"), Err(MoneyError::Overflow));
        assert_eq!(to_micros(&money(1, -1), "USD"), Err(MoneyError::Nanos));
        assert_eq!(to_micros(&money(0, 1_000_000_000), "USD"), Err(MoneyError::Nanos));
    }
}
