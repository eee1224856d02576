//! Numbers as people write them: with thousands separators, decimal commas, currency signs, percent
//! signs and parentheses. Read exactly, as digits and a scale.

use super::Decimals;
use crate::import::reading::cell::{Reason, shorten};

/// A decimal number: `unscaled` / 10^`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) unscaled: i128,
    pub(crate) scale: u32,
}

impl Decimal {
    pub(crate) fn to_f64(self) -> f64 {
        self.unscaled as f64 / 10f64.powi(self.scale.cast_signed())
    }
}

/// What a number may be besides a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra<'a> {
    Nothing,
    /// A percent sign divides by 100.
    Percent,
    /// A currency sign is left out; one of another currency than this is refused.
    Money(&'a str),
}

/// Codes that are written beside amounts.
const CODES: [&str; 36] = [
    "USD", "EUR", "GBP", "JPY", "CNY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN",
    "CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "INR", "BRL", "MXN", "ARS", "CLP", "COP",
    "ZAR", "KRW", "THB", "VND", "IDR", "MYR", "SGD", "HKD", "ILS", "AED",
];

/// Signs and the currencies that are written with them; none stands for several.
const SIGNS: [(&str, &str); 21] = [
    ("R$", "BRL"),
    ("US$", "USD"),
    ("A$", "AUD"),
    ("C$", "CAD"),
    ("CA$", "CAD"),
    ("HK$", "HKD"),
    ("$", ""),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", ""),
    ("￥", ""),
    ("₹", "INR"),
    ("₽", "RUB"),
    ("₺", "TRY"),
    ("₩", "KRW"),
    ("₫", "VND"),
    ("₪", "ILS"),
    ("₴", "UAH"),
    ("฿", "THB"),
    ("zł", "PLN"),
    ("kr", ""),
];

/// What a text says about how its column writes decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nothing: whole, or no number.
    None,
    Point,
    Comma,
    /// `1.234`
    EitherPoint,
    /// `1,234`
    EitherComma,
}

/// Reads a text that is not empty.
pub(crate) fn parse(text: &str, decimals: Decimals, extra: Extra<'_>) -> Result<Decimal, Reason> {
    let wrong = || match extra {
        Extra::Money(_) => format!("`{}` is not an amount", shorten(text)),
        _ => format!("`{}` is not a number", shorten(text)),
    };
    if decimals != Decimals::Comma
        && let Some(plain) = plain(text.as_bytes())
    {
        return Ok(plain);
    }
    let (negative, inner, percent) = bare(text, extra)?.ok_or_else(wrong)?;
    let (point, group) = match decimals {
        Decimals::Comma => (',', '.'),
        Decimals::Point => ('.', ','),
    };
    let mut number = digits(inner, point, group).or_else(|| exponent(inner)).ok_or_else(wrong)?;
    if negative {
        number.unscaled = -number.unscaled;
    }
    if percent {
        number.scale += 2;
    }
    Ok(number)
}

/// Digits with an optional sign and point, the common form.
fn plain(text: &[u8]) -> Option<Decimal> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mut unscaled, mut scale, mut point, mut count) = (0_i128, 0, false, 0);
    for &byte in digits {
        match byte {
            b'0'..=b'9' if count < 36 => {
                unscaled = unscaled * 10 + i128::from(byte - b'0');
                scale += u32::from(point);
                count += 1;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    let unscaled = if negative { -unscaled } else { unscaled };
    (count > 0).then_some(Decimal { unscaled, scale })
}

/// Sign, digits with their separators, and whether it is a percentage; none when it is no number.
fn bare<'a>(text: &'a str, extra: Extra<'_>) -> Result<Option<(bool, &'a str, bool)>, Reason> {
    let mut inner = trim(text);
    let mut negative = false;
    let mut percent = false;
    if let Some(enclosed) = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, inner) = (true, trim(enclosed));
    }
    // Signs stand before or behind currencies, in any order.
    for _ in 0..4 {
        let before = inner;
        for minus in ['-', '−', '–'] {
            if let Some(rest) = inner.strip_prefix(minus).or_else(|| inner.strip_suffix(minus)) {
                if negative {
                    return Ok(None);
                }
                (negative, inner) = (true, trim(rest));
            }
        }
        inner = inner.strip_prefix('+').map_or(inner, trim);
        if extra == Extra::Percent
            && let Some(rest) = inner.strip_suffix('%')
            && !percent
        {
            (percent, inner) = (true, trim(rest));
        }
        if let Extra::Money(currency) = extra {
            inner = without_currency(inner, currency)?;
        }
        if inner == before {
            break;
        }
    }
    Ok(Some((negative, inner, percent)))
}

/// White space of all kinds, which spreadsheets put between numbers and signs.
fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{202f}')
}

fn without_currency<'a>(text: &'a str, currency: &str) -> Result<&'a str, Reason> {
    let first = text.as_bytes().first();
    let last = text.as_bytes().last();
    if first.is_none_or(u8::is_ascii_digit) && last.is_none_or(u8::is_ascii_digit) {
        return Ok(text);
    }
    let signs = SIGNS.iter().copied().chain(CODES.iter().map(|&code| (code, code)));
    for (sign, of) in signs {
        let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) else {
            continue;
        };
        if !of.is_empty() && !currency.is_empty() && of != currency {
            let shown = shorten(text);
            return Err(format!("`{shown}` is in {of}; the cluster's money is {currency}"));
        }
        return Ok(trim(rest));
    }
    Ok(text)
}

/// Digits with groups of three.
fn digits(text: &str, point: char, group: char) -> Option<Decimal> {
    let (whole, fraction) = text.split_once(point).unwrap_or((text, ""));
    let mut separator = None;
    let mut groups = whole.split(|character: char| {
        let splits = character == group
            || matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’' | '_');
        if splits {
            // One kind of separator in one number.
            match separator {
                None => separator = Some(character),
                Some(before) if before != character => separator = Some('\0'),
                Some(_) => {}
            }
        }
        splits
    });
    let first = groups.next().unwrap_or_default();
    let mut all = first.to_owned();
    let mut count = 1;
    for group in groups {
        // In India groups before the last have two digits.
        if !matches!(group.len(), 2 | 3) {
            return None;
        }
        count += 1;
        all.push_str(group);
    }
    if count > 1 && (first.is_empty() || first.len() > 3 || separator == Some('\0')) {
        return None;
    }
    if count > 1
        && whole.len() >= 3
        && !whole[whole.len() - 3..].bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    all.push_str(fraction);
    if all.is_empty() || all.len() > 36 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Decimal { unscaled: all.parse().ok()?, scale: u32::try_from(fraction.len()).ok()? })
}

/// `1.5e3`.
fn exponent(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let Decimal { unscaled, scale } = plain(digits.as_bytes())?;
    let exponent: i32 = exponent.parse().ok().filter(|power: &i32| power.abs() <= 30)?;
    let scale = i32::try_from(scale).ok()? - exponent;
    if scale >= 0 {
        return Some(Decimal { unscaled, scale: scale.cast_unsigned() });
    }
    let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
    Some(Decimal { unscaled: unscaled.checked_mul(factor)?, scale: 0 })
}

/// What a number in text says about decimals.
pub(crate) fn evidence(text: &str) -> Evidence {
    let bytes = text.as_bytes();
    let (mut points, mut commas, mut last) = (0, 0, None);
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            b'.' => (points, last) = (points + 1, Some((index, byte))),
            b',' => (commas, last) = (commas + 1, Some((index, byte))),
            _ => {}
        }
    }
    let Some((at, last)) = last else { return Evidence::None };
    let trimmed = trim(text).trim_matches(|c: char| !c.is_ascii_digit());
    if points > 0 && commas > 0 {
        return if last == b'.' { Evidence::Point } else { Evidence::Comma };
    }
    if points > 1 {
        return Evidence::Comma;
    }
    if commas > 1 {
        return Evidence::Point;
    }
    let before = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let groups = behind == 3 && (1..=3).contains(&before) && !trimmed.starts_with('0');
    match (groups, last) {
        (true, b'.') => Evidence::EitherPoint,
        (true, _) => Evidence::EitherComma,
        (false, b'.') => Evidence::Point,
        (false, _) => Evidence::Comma,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str, decimals: Decimals) -> Result<f64, String> {
        parse(text, decimals, Extra::Money("USD")).map(Decimal::to_f64)
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, expected) in [
            ("12.50", 12.5),
            ("-3", -3.0),
            ("+.5", 0.5),
            ("1,234.50", 1_234.5),
            ("1,234,567", 1_234_567.0),
            ("12,34,567.00", 1_234_567.0),
            ("1 234.5", 1_234.5),
            ("1\u{202f}234", 1_234.0),
            ("1'234.05", 1_234.05),
            ("$1,234.50", 1_234.5),
            ("-$5", -5.0),
            ("$-5", -5.0),
            ("USD 12.50", 12.5),
            ("12.50 USD", 12.5),
            ("(12.50)", -12.5),
            ("($1,000)", -1_000.0),
            ("7-", -7.0),
            ("−7", -7.0),
            ("1.5e3", 1_500.0),
            ("2E-2", 0.02),
        ] {
            assert_eq!(money(text, Decimals::Point), Ok(expected), "{text}");
        }
        for (text, expected) in
            [("12,50", 12.5), ("1.234,50", 1_234.5), ("1.234", 1_234.0), ("-0,5", -0.5)]
        {
            assert_eq!(money(text, Decimals::Comma), Ok(expected), "{text}");
        }
        for text in
            ["", "x", "1,5", "1,23,4", "--1", "1.2.3", "12 PCS", "1e99", "(-1)", "NaN", "5%"]
        {
            assert!(money(text, Decimals::Point).is_err(), "{text}");
        }
        let other = money("€ 12", Decimals::Point).expect_err("another currency");
        assert_eq!(other, "`€ 12` is in EUR; the cluster's money is USD");
        let share = |text| parse(text, Decimals::Point, Extra::Percent).map(Decimal::to_f64);
        assert_eq!(share("95%"), Ok(0.95));
        assert_eq!(share("12.5 %"), Ok(0.125));
        assert!(share("$5").is_err());
    }

    #[test]
    fn what_a_number_tells_of_its_column() {
        for (text, expected) in [
            ("12", Evidence::None),
            ("12.5", Evidence::Point),
            ("12,5", Evidence::Comma),
            ("1,234.5", Evidence::Point),
            ("1.234,5", Evidence::Comma),
            ("1,234,567", Evidence::Point),
            ("1.234.567", Evidence::Comma),
            ("1,234", Evidence::EitherComma),
            ("$1,234", Evidence::EitherComma),
            ("1.234", Evidence::EitherPoint),
            ("0.125", Evidence::Point),
            ("1234.567", Evidence::Point),
        ] {
            assert_eq!(evidence(text), expected, "{text}");
        }
    }
}
