//! One value of a table, and what it means as an id, a number, an amount of money or a time.

use std::borrow::Cow;

use jiff::{Timestamp, civil, tz::TimeZone};

/// A value as the file holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Missing, or empty text.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// A decimal number: `unscaled` / 10^`scale`.
    Decimal { unscaled: i128, scale: u32 },
    /// True or false.
    Bool(bool),
    /// A point in time.
    Instant(Timestamp),
    /// A date and time of day without zone.
    Local(civil::DateTime),
    /// A time of day.
    Clock(civil::Time),
    /// A value that is not readable, and why.
    Malformed(&'static str),
}

/// Text on what a value should have been.
pub(crate) type Reason = String;

impl<'a> Cell<'a> {
    /// What is wrong with bytes that are no text.
    pub(crate) const NOT_UTF8: &'static str = "is not UTF-8";

    /// Text, or null when it is empty.
    pub(crate) fn text(text: &'a str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(Cow::Borrowed(text)) }
    }

    /// Reads the cell as an id or a label: whole numbers in decimal.
    pub(crate) fn to_label(&self) -> Result<Option<String>, Reason> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Text(text) => text.as_ref().to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) if number.is_nan() => return Ok(None),
            // Columns of whole numbers with gaps are often stored as floats.
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                format!("{number:.0}")
            }
            Self::Float(number) => number.to_string(),
            Self::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
            Self::Bool(value) => value.to_string(),
            Self::Instant(time) => time.to_string(),
            Self::Local(time) if time.time() == civil::Time::midnight() => time.date().to_string(),
            Self::Local(time) => time.to_string(),
            Self::Clock(time) => time.to_string(),
            Self::Malformed(reason) => return Err((*reason).into()),
        }))
    }

    /// Reads the cell as a number.
    pub(crate) fn to_number(&self) -> Result<Option<f64>, Reason> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Text(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(None);
                }
                text.parse().map_err(|_| format!("`{}` is not a number", shorten(text)))?
            }
            Self::Integer(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Decimal { unscaled, scale } => *unscaled as f64 / 10f64.powi(*scale as i32),
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Instant(_) | Self::Local(_) | Self::Clock(_) => {
                return Err("is a time, not a number".into());
            }
            Self::Malformed(reason) => return Err((*reason).into()),
        }))
    }

    /// As money, in millionths; text and decimals exactly, anything finer rounds half away from 0.
    pub(crate) fn to_micros(&self) -> Result<Option<i64>, Reason> {
        let micros = match self {
            Self::Text(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(None);
                }
                match parse_decimal(text) {
                    Some((unscaled, scale)) => decimal_micros(unscaled, scale),
                    None => return Err(format!("`{}` is not an amount", shorten(text))),
                }
            }
            Self::Integer(number) => decimal_micros(*number, 0),
            Self::Decimal { unscaled, scale } => decimal_micros(*unscaled, *scale),
            other => match other.to_number()? {
                None => return Ok(None),
                Some(number) => float_micros(number),
            },
        };
        micros.map(Some).ok_or_else(|| "is outside ±9.2 trillion".into())
    }

    /// As a truth value: true, false, yes, no, or a number (above 0 is true).
    pub(crate) fn to_bool(&self) -> Result<Option<bool>, Reason> {
        if let Self::Text(text) = self {
            match text.trim().to_ascii_lowercase().as_str() {
                "" => return Ok(None),
                "true" | "yes" | "y" | "t" => return Ok(Some(true)),
                "false" | "no" | "n" | "f" => return Ok(Some(false)),
                _ => {}
            }
        }
        match self.to_number() {
            Ok(number) => Ok(number.map(|number| number > 0.0)),
            Err(_) => Err(format!("`{}` is not true or false", self.shown())),
        }
    }

    /// As a time. Whole numbers are seconds since 1970, or milli-, micro- or nanoseconds when
    /// they are too large for that; `zone` applies where the value has none.
    pub(crate) fn to_time(&self, zone: &TimeZone) -> Result<Option<Timestamp>, Reason> {
        let invalid = |_| "is outside the calendar".to_owned();
        let local = |time: civil::DateTime| zone.to_timestamp(time).map(Some).map_err(invalid);
        match self {
            Self::Null => Ok(None),
            Self::Instant(time) => Ok(Some(*time)),
            Self::Local(time) => local(*time),
            Self::Integer(number) => epoch(*number).map(Some),
            Self::Float(number) if number.is_nan() => Ok(None),
            Self::Float(number) if number.abs() < 1e11 => {
                // Below 10^20 nanoseconds.
                let nanos = (number * 1e9).round() as i128;
                Timestamp::from_nanosecond(nanos).map(Some).map_err(invalid)
            }
            // The cast saturates, and fails then.
            Self::Float(number) => epoch(*number as i128).map(Some),
            Self::Text(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(None);
                }
                if let Ok(time) = text.parse::<Timestamp>() {
                    return Ok(Some(time));
                }
                if let Ok(number) = text.parse::<i128>() {
                    return epoch(number).map(Some);
                }
                if let Ok(time) = text.parse::<civil::DateTime>() {
                    return local(time);
                }
                Err(format!(
                    "`{}` is not a time; write it like 2026-01-31T12:00:00Z or 2026-01-31 12:00:00",
                    shorten(text)
                ))
            }
            Self::Clock(_) => Err("is a time of day without a date".into()),
            Self::Decimal { .. } | Self::Bool(_) => Err("is not a time".into()),
            Self::Malformed(reason) => Err((*reason).into()),
        }
    }

    /// Text of the cell for messages.
    fn shown(&self) -> String {
        match self.to_label() {
            Ok(label) => shorten(&label.unwrap_or_default()),
            Err(reason) => reason,
        }
    }
}

/// At most 40 characters of `text`, for messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn epoch(number: i128) -> Result<Timestamp, Reason> {
    let nanos_per_unit: i128 = match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    number
        .checked_mul(nanos_per_unit)
        .and_then(|nanos| Timestamp::from_nanosecond(nanos).ok())
        .ok_or_else(|| format!("{number} is not a time in seconds since 1970"))
}

/// Digits and scale of a plain decimal number such as `-12.50`.
fn parse_decimal(text: &str) -> Option<(i128, u32)> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
        // Exponents are rare in money; they go through a double.
        let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        return float_micros(number).map(|micros| (i128::from(micros), 6));
    }
    let unscaled: i128 = all()
        .try_fold(0i128, |sum, byte| sum.checked_mul(10)?.checked_add(i128::from(byte - b'0')))?;
    Some((if negative { -unscaled } else { unscaled }, u32::try_from(fraction.len()).ok()?))
}

fn decimal_micros(unscaled: i128, scale: u32) -> Option<i64> {
    let micros = if scale <= 6 {
        unscaled.checked_mul(10i128.pow(6 - scale))?
    } else {
        let divisor = 10i128.checked_pow(scale - 6)?;
        (unscaled + unscaled.signum() * (divisor / 2)) / divisor
    };
    i64::try_from(micros).ok()
}

fn float_micros(number: f64) -> Option<i64> {
    let micros = (number * 1e6).round();
    (micros.abs() < 9.2e18).then_some(micros as i64)
}

fn decimal_text(unscaled: i128, scale: u32) -> String {
    if scale == 0 {
        return unscaled.to_string();
    }
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Cell<'_> {
        Cell::text(value)
    }

    #[test]
    fn numbers_become_decimal_ids() {
        assert_eq!(Cell::Integer(900).to_label(), Ok(Some("900".into())));
        assert_eq!(Cell::Float(900.0).to_label(), Ok(Some("900".into())));
        assert_eq!(Cell::Float(f64::NAN).to_label(), Ok(None));
        assert_eq!(Cell::Decimal { unscaled: -50, scale: 3 }.to_label(), Ok(Some("-0.05".into())));
        assert_eq!(text("").to_label(), Ok(None));
    }

    #[test]
    fn money_is_exact() {
        let micros = |value| text(value).to_micros();
        assert_eq!(micros("0.1"), Ok(Some(100_000)));
        assert_eq!(micros("-12.3456785"), Ok(Some(-12_345_679)));
        assert_eq!(micros(".5"), Ok(Some(500_000)));
        assert_eq!(micros("1e2"), Ok(Some(100_000_000)));
        assert_eq!(micros("9223372036854.775807"), Ok(Some(i64::MAX)));
        assert!(micros("9223372036854.775808").is_err());
        for bad in ["x", "NaN", "inf", "1,5", "-", "."] {
            assert!(micros(bad).is_err(), "{bad}");
        }
        assert_eq!(Cell::Float(1.39).to_micros(), Ok(Some(1_390_000)));
        assert!(Cell::Float(f64::INFINITY).to_micros().is_err());
    }

    #[test]
    fn times_with_and_without_zone() {
        let zone = TimeZone::get("America/New_York").expect("known zone");
        let time = |cell: Cell<'_>| cell.to_time(&zone).expect("a time").expect("not null");
        let expected: Timestamp = "2017-01-01T11:53:26Z".parse().expect("valid");
        for value in [
            "2017-01-01T11:53:26Z",
            "2017-01-01T12:53:26+01:00",
            "2017-01-01 06:53:26",
            "2017-01-01T06:53:26",
            "1483271606",
            "1483271606000",
            "1483271606000000",
            "1483271606000000000",
        ] {
            assert_eq!(time(text(value)), expected, "{value}");
        }
        assert_eq!(time(Cell::Float(1_483_271_606.0)), expected);
        assert_eq!(time(text("2017-07-01")).to_string(), "2017-07-01T04:00:00Z");
        for bad in ["yesterday", "2017-13-01", "01/02/2017"] {
            assert!(text(bad).to_time(&zone).is_err(), "{bad}");
        }
    }

    #[test]
    fn truth_values() {
        for (value, expected) in [("yes", true), ("FALSE", false), ("0", false), ("0.5", true)] {
            assert_eq!(text(value).to_bool(), Ok(Some(expected)));
        }
        assert_eq!(text("maybe").to_bool(), Err("`maybe` is not true or false".into()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_and_no_number_makes_a_reading_panic(value in "\\PC*", number: i128, float: f64, scale in 0u32..=38) {
            let decimal = Cell::Decimal { unscaled: number, scale };
            for cell in [Cell::text(&value), Cell::Integer(number), Cell::Float(float), decimal] {
                let _ = (cell.to_label(), cell.to_number(), cell.to_micros(), cell.to_bool());
                let _ = cell.to_time(&TimeZone::UTC);
            }
        }

        #[test]
        fn decimal_text_is_exact(units in -9_000_000_000_000i64..9_000_000_000_000, micros in 0i64..1_000_000) {
            let total = units * 1_000_000 + if units < 0 { -micros } else { micros };
            let text = format!("{units}.{micros:06}");
            proptest::prop_assert_eq!(Cell::text(&text).to_micros(), Ok(Some(total)));
        }
    }
}
