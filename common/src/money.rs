//! Money as Mercer stores it: `i64` millionths of the cluster's one currency.

use mercer_proto::google::r#type::Money;
use thiserror::Error;

/// Currencies whose smallest unit is no hundredth, by its decimal digits (ISO 4217, of 2024).
const OTHER_DIGITS: [(&str, u32); 26] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// The smallest unit of a currency: what prices are whole multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinorUnit {
    digits: u32,
}

impl MinorUnit {
    /// That of a currency; a hundredth where the code is not known.
    #[must_use]
    pub fn of(currency: &str) -> Self {
        let found = OTHER_DIGITS.binary_search_by_key(&currency, |(code, _)| code);
        Self { digits: found.map_or(2, |place| OTHER_DIGITS[place].1) }
    }

    /// Decimal digits of an amount in it.
    #[must_use]
    pub fn digits(self) -> u32 {
        self.digits
    }

    /// Millionths of the currency in it.
    #[must_use]
    pub fn micros(self) -> i64 {
        1_000_000 / 10_i64.pow(self.digits)
    }

    /// An estimate, in whole units where the currency has no smaller ones.
    #[must_use]
    pub fn estimate(self, micros: i64) -> i64 {
        if self.digits > 0 { micros } else { self.nearest(micros) }
    }

    /// An amount as a sentence names it: `4.99`, and two digits more where the smallest unit does
    /// not tell it.
    #[must_use]
    pub fn shown(self, micros: i64) -> String {
        let sign = if micros < 0 { "-" } else { "" };
        let size = i128::from(micros).unsigned_abs();
        let is_told = size >= 1_000_000 || size % u128::from(self.micros().unsigned_abs()) == 0;
        let digits = if is_told { self.digits } else { (self.digits + 2).min(6) };
        let step = 10_u128.pow(6 - digits);
        let units = (size + step / 2) / step;
        let whole = 10_u128.pow(digits);
        if digits == 0 {
            return format!("{sign}{units}");
        }
        let width = digits as usize;
        format!("{sign}{}.{:0width$}", units / whole, units % whole)
    }

    fn nearest(self, micros: i64) -> i64 {
        let step = i128::from(self.micros());
        let half = step / 2 * i128::from(micros.signum());
        let steps = (i128::from(micros) + half) / step * step;
        i64::try_from(steps).unwrap_or(micros)
    }
}

/// Why an amount was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MoneyError {
    /// Another currency than the cluster's.
    #[error("currency `{found}` is not the cluster's `{expected}`")]
    Currency {
        /// Code that was sent.
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

/// Micro-units as a number to compute with, in whole units.
#[must_use]
pub fn in_units(micros: i64) -> f64 {
    micros as f64 / 1e6
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

/// The API's form of a sum of micro-units; its whole units end where those of a `Money` do.
#[must_use]
pub fn from_sum(micros: i128, currency: &str) -> Money {
    let whole = micros / 1_000_000;
    let end = if whole < 0 { i64::MIN } else { i64::MAX };
    Money {
        currency_code: currency.to_owned(),
        units: i64::try_from(whole).unwrap_or(end),
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
            assert_eq!(from_sum(micros.into(), "USD"), from_micros(micros, "USD"));
        }
        let sum = i128::from(i64::MAX) * 3 + 2;
        assert_eq!(from_sum(sum, "USD"), money(27_670_116_110_564, 327_423_000));
        assert_eq!(from_sum(i128::MAX, "USD").units, i64::MAX);
        assert_eq!(to_micros(&money(1, 999_999_500), "USD"), Ok(2_000_000));
    }

    #[test]
    fn each_currency_has_its_smallest_unit() {
        assert!(OTHER_DIGITS.is_sorted_by_key(|(code, _)| code));
        let shown = |currency: &str, micros: &[i64]| -> Vec<String> {
            micros.iter().map(|&micros| MinorUnit::of(currency).shown(micros)).collect()
        };
        let amounts = [264_990_000, 330_000_000, -1_500_000, 250_000, 0];
        assert_eq!(shown("USD", &amounts), ["264.99", "330.00", "-1.50", "0.25", "0.00"]);
        assert_eq!(shown("JPY", &amounts), ["265", "330", "-2", "0.25", "0"]);
        assert_eq!(shown("KWD", &amounts), ["264.990", "330.000", "-1.500", "0.250", "0.000"]);
        assert_eq!(
            shown("USD", &[123_456, 1_234_567, i64::MAX]),
            ["0.1235", "1.23", "9223372036854.78"]
        );
        let of = |currency: &str| {
            let minor = MinorUnit::of(currency);
            (minor.micros(), minor.estimate(1_499_999), minor.estimate(-1_500_000))
        };
        assert_eq!(of("EUR"), (10_000, 1_499_999, -1_500_000));
        assert_eq!(of("JPY"), (1_000_000, 1_000_000, -2_000_000));
        assert_eq!(of("KWD"), (1_000, 1_499_999, -1_500_000));
        assert_eq!(of("CLF"), (100, 1_499_999, -1_500_000));
        assert_eq!(MinorUnit::of("JPY").estimate(i64::MAX), i64::MAX, "no larger one is kept");
    }

    #[test]
    fn refuses_what_is_not_money_of_this_cluster() {
        assert!(matches!(to_micros(&money(1, 0), "EUR"), Err(MoneyError::Currency { .. })));
        assert_eq!(to_micros(&money(i64::MAX, 0), "USD"), Err(MoneyError::Overflow));
        assert_eq!(to_micros(&money(1, -1), "USD"), Err(MoneyError::Nanos));
        assert_eq!(to_micros(&money(0, 1_000_000_000), "USD"), Err(MoneyError::Nanos));
    }
}
