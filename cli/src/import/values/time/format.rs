//! Formats of times that the user names, and those that are proposed.

use std::fmt;

use jiff::{Timestamp, civil, fmt::strtime};

use super::Stamp;

/// How times are written, as the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// Units of 1970: how many a second.
    Epoch(i64),
    /// Days of a spreadsheet since this day.
    Serial(civil::Date),
    /// Pattern as of `strftime`.
    Pattern(String),
}

impl TimeFormat {
    /// Reads `--time-format`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.trim() {
            "epoch" | "epoch-s" => Self::Epoch(1),
            "epoch-ms" => Self::Epoch(1_000),
            "epoch-us" => Self::Epoch(1_000_000),
            "excel" => Self::Serial(civil::date(1899, 12, 30)),
            "excel-1904" => Self::Serial(civil::date(1904, 1, 1)),
            pattern if pattern.contains('%') => Self::Pattern(pattern.to_owned()),
            other => {
                return Err(format!(
                    "`{other}` is not a format such as %d/%m/%Y, epoch, epoch-ms, epoch-us, excel \
                     or excel-1904"
                ));
            }
        })
    }

    /// Name as `--time-format` takes it.
    fn name(&self) -> &str {
        match self {
            Self::Epoch(1) => "epoch",
            Self::Epoch(1_000) => "epoch-ms",
            Self::Epoch(_) => "epoch-us",
            Self::Serial(first) if first.year() == 1904 => "excel-1904",
            Self::Serial(_) => "excel",
            Self::Pattern(pattern) => pattern,
        }
    }

    /// The time that `text` is in this format, if it is.
    pub(super) fn read(&self, text: &str) -> Option<Stamp> {
        match self {
            Self::Epoch(per_second) => {
                let number: i128 = text.parse().ok()?;
                let nanos = number.checked_mul(1_000_000_000 / i128::from(*per_second))?;
                Timestamp::from_nanosecond(nanos).ok().map(Stamp::Instant)
            }
            Self::Serial(first) => serial(*first, text.parse().ok()?),
            Self::Pattern(pattern) => {
                let broken = strtime::parse(pattern, text).ok()?;
                if broken.offset().is_some() || broken.timestamp().is_some() {
                    return broken.to_timestamp().ok().map(Stamp::Instant);
                }
                let local = broken.to_datetime().or_else(|_| {
                    Ok::<_, jiff::Error>(broken.to_date()?.to_datetime(civil::Time::midnight()))
                });
                local.ok().map(Stamp::Local)
            }
        }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

fn serial(first: civil::Date, days: f64) -> Option<Stamp> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    // Within the calendar.
    let (whole, millis) = (days.trunc() as i64, (days.fract() * 86_400_000.0).round() as i64);
    let span = jiff::Span::new().try_days(whole).ok()?.try_milliseconds(millis).ok()?;
    first.to_datetime(civil::Time::midnight()).checked_add(span).ok().map(Stamp::Local)
}

/// The formats of `--time-format` for a date with a year of two digits like `text`: day, month or year
/// first, or day or year where the month has its name.
pub(crate) fn short_formats(text: &str) -> Vec<(String, &'static str)> {
    let is_named = text.bytes().filter(u8::is_ascii_alphabetic).count() > 2;
    let orders: &[(&[&str], &str)] = if is_named {
        &[(&["%d", "%y"], "day, month, year"), (&["%y", "%d"], "year, month, day")]
    } else {
        &[
            (&["%d", "%m", "%y"], "day, month, year"),
            (&["%m", "%d", "%y"], "month, day, year"),
            (&["%y", "%m", "%d"], "year, month, day"),
        ]
    };
    let is_half = text.to_ascii_lowercase().trim_end_matches('.').ends_with('m');
    let clock = [if is_half { "%I" } else { "%H" }, "%M", "%S", "%f"];
    orders.iter().map(|(date, means)| (format_like(text, date, clock), *means)).collect()
}

/// The format of a text whose numbers are these, in their order.
fn format_like(text: &str, date: &[&str], clock: [&str; 4]) -> String {
    let mut numbers = date.iter().chain(&clock);
    let mut format = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if digits > 0 {
            format.push_str(numbers.next().unwrap_or(&"%f"));
            rest = &rest[digits..];
        } else if letters > 2 {
            format.push_str(if letters == 3 { "%b" } else { "%B" });
            rest = &rest[letters..];
        } else if letters > 0 {
            format.push_str("%p");
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '.');
        } else {
            format.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    format
}
