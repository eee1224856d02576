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
    /// As of `strftime`.
    Pattern(String),
}

impl TimeFormat {
    /// Of `--time-format`.
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

    /// As `--time-format` takes it.
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
    #[expect(clippy::cast_possible_truncation, reason = "within the calendar")]
    let (whole, millis) = (days.trunc() as i64, (days.fract() * 86_400_000.0).round() as i64);
    let span = jiff::Span::new().try_days(whole).ok()?.try_milliseconds(millis).ok()?;
    first.to_datetime(civil::Time::midnight()).checked_add(span).ok().map(Stamp::Local)
}

/// The formats of `--time-format` for a date of two-digit numbers like `text`: day, month or year
/// first.
pub(crate) fn short_formats(text: &str) -> [String; 3] {
    [["%d", "%m", "%y"], ["%m", "%d", "%y"], ["%y", "%m", "%d"]].map(|date| {
        let is_half = text.to_ascii_lowercase().ends_with(['m', '.']);
        let clock = [if is_half { "%I" } else { "%H" }, "%M", "%S", "%f"];
        let mut directives = date.into_iter().chain(clock);
        let mut format = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            if length > 0 {
                format.push_str(directives.next().unwrap_or("%f"));
                rest = &rest[length..];
            } else if next.is_ascii_alphabetic() {
                format.push_str("%p");
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '.');
            } else {
                format.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        format
    })
}
