//! Times as people and systems write them. What can mean two things is told apart from what cannot.

mod format;

use jiff::{
    Timestamp,
    civil::{self, DateTime},
    tz::Offset,
};

pub(crate) use self::format::{TimeFormat, short_formats};
use super::Dates;
use crate::import::reading::cell::{Reason, shorten};

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stamp {
    Instant(Timestamp),
    /// Without zone.
    Local(DateTime),
}

/// Reading of a text as a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A text that means one time.
    Time(Stamp),
    /// `03/04/2024`: two numbers whose order must be known, and the rest.
    Ordered { first: i8, second: i8, year: i16, rest: Rest },
    /// `03/04/24`.
    ShortYear,
    /// `20240403`: a day, or seconds since 1970.
    Compact(i64),
    /// `45657.5`: a day of a spreadsheet, or seconds since 1970.
    Serial(f64),
    /// Nothing that is known.
    Other,
}

/// Part of a text that follows a date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rest {
    clock: civil::Time,
    /// 24:00, the midnight at the end of the day.
    at_end: bool,
    offset: Option<Offset>,
}

/// Reads a text that is not empty: by the formats that the user named, else as it must be meant.
pub(crate) fn parse(
    text: &str,
    formats: &[TimeFormat],
    dates: Option<Dates>,
) -> Result<Stamp, Reason> {
    if let Some(stamp) = formats.iter().find_map(|format| format.read(text)) {
        return Ok(stamp);
    }
    let shown = || shorten(text);
    match see(text) {
        Seen::Time(stamp) => Ok(stamp),
        Seen::Ordered { first, second, year, rest } => {
            let (day, month) = match dates {
                Some(Dates::Dmy) => (first, second),
                Some(Dates::Mdy) => (second, first),
                Some(Dates::Ymd) | None => {
                    return Err(format!("`{}` needs --dates dmy or --dates mdy", shown()));
                }
            };
            let order = if dates == Some(Dates::Dmy) { "dmy" } else { "mdy" };
            civil::Date::new(year, month, day)
                .map(|date| rest.at(date))
                .map_err(|_| format!("`{}` is no date with --dates {order}", shown()))
        }
        Seen::ShortYear => {
            let (format, _) = short_formats(text).swap_remove(0);
            Err(format!("`{}` has a year of two digits: say --time-format '{format}'", shown()))
        }
        Seen::Compact(number) if dates == Some(Dates::Ymd) => compact(number)
            .map(Stamp::Local)
            .ok_or_else(|| format!("`{}` is no date with --dates ymd", shown())),
        Seen::Compact(_) => Err(format!(
            "`{}` can be a day or seconds: say --time-format %Y%m%d or --time-format epoch",
            shown()
        )),
        Seen::Serial(_) => Err(format!(
            "`{}` can be a spreadsheet's day or seconds: say --time-format excel (or excel-1904), \
             or --time-format epoch",
            shown()
        )),
        Seen::Other => Err(format!(
            "`{}` is not a time; write it like 2026-01-31T12:00:00Z or 2026-01-31 12:00:00, or say \
             how it is written, such as --time-format '%d.%m.%Y %H:%M'",
            shown()
        )),
    }
}

/// The day of a number such as 20240131.
pub(crate) fn compact(number: i64) -> Option<DateTime> {
    let part = |number: i64| i8::try_from(number % 100).ok();
    let year = i16::try_from(number / 10_000).ok()?;
    let date = civil::Date::new(year, part(number / 100)?, part(number)?).ok()?;
    Some(date.to_datetime(civil::Time::midnight()))
}

/// Whether a text begins with a year of four digits and a sign: it means one time, or none.
pub(crate) fn begins_with_year(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, c, d, b'-' | b'/', ..]
        if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
}

/// What a text, without white space around it, is as a time.
pub(crate) fn see(text: &str) -> Seen {
    let mut reader = Reader { rest: text };
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
        && let Some(seen) = number(text)
    {
        return seen;
    }
    if let Some(seen) = compact_date(text) {
        return seen;
    }
    if let Some(seen) = numeric_date(&mut reader).or_else(|| named_date(text)) {
        return seen;
    }
    // Rarer forms of ISO 8601, such as 20240131T120000Z and 2024-01-31T12:00[Europe/Berlin].
    if let Ok(time) = text.parse::<jiff::Zoned>() {
        return Seen::Time(Stamp::Instant(time.timestamp()));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Seen::Time(Stamp::Instant(time));
    }
    match text.parse::<DateTime>() {
        Ok(time) if text.contains(['T', 't']) => Seen::Time(Stamp::Local(time)),
        _ => Seen::Other,
    }
}

fn number(text: &str) -> Option<Seen> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.trim_start_matches('-');
    if whole.len() - digits.len() > 1 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if digits.is_empty() || fraction.contains(['.', '-']) {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    if whole.len() == 8 && fraction.is_empty() {
        return Some(Seen::Compact(i64::try_from(number).ok()?));
    }
    if fraction.is_empty()
        && let Some(local) = digits_of_a_time(number)
    {
        return Some(Seen::Time(Stamp::Local(local)));
    }
    if whole.len() <= 7 {
        return Some(Seen::Serial(text.parse().ok()?));
    }
    // Seconds of years from 1973 have nine digits at least.
    let per_unit: i128 = match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let mut nanos = number.checked_mul(per_unit)?;
    if !fraction.is_empty() {
        let digits = fraction.get(..9.min(fraction.len()))?;
        let parts: i128 = digits.parse().ok()?;
        let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
        nanos += number.signum().max(0) * parts * per_unit / scale;
    }
    let time = Timestamp::from_nanosecond(nanos);
    Some(time.map_or(Seen::Other, |time| Seen::Time(Stamp::Instant(time))))
}

/// The time of 14 digits such as 20240131101530, or 12 without seconds: as seconds or parts of them
/// since 1970 these would be long before anything was sold on-line, or centuries ahead.
fn digits_of_a_time(number: i128) -> Option<DateTime> {
    let number = i64::try_from(number).ok()?;
    let (minutes, second) = match number {
        190_001_010_000..=209_912_312_359 => (number, 0),
        19_000_101_000_000..=20_991_231_235_959 => (number / 100, number % 100),
        _ => return None,
    };
    let date = compact(minutes / 10_000)?;
    let part = |number: i64| u32::try_from(number % 100).ok();
    let clock = time(part(minutes / 100)?, part(minutes)?, u32::try_from(second).ok()?, 0)?;
    Some(date.date().to_datetime(clock))
}

/// A day of eight digits and a time of day: `20240131 1015`.
fn compact_date(text: &str) -> Option<Seen> {
    let mut reader = Reader { rest: text };
    let (number, _) = reader.number().filter(|&(_, width)| width == 8)?;
    let behind = reader.rest.strip_prefix(' ')?.trim();
    let minutes = Some(behind).filter(|text| text.len() <= 2).and_then(|text| text.parse().ok());
    let rest = match minutes {
        // Of the first hour, whose zeros a column of numbers loses.
        Some(minutes) => Rest { clock: time(0, minutes, 0, 0)?, at_end: false, offset: None },
        None => reader.rest()?,
    };
    let date = compact(number.into()).map(DateTime::date);
    Some(date.map_or(Seen::Other, |date| Seen::Time(rest.at(date))))
}

/// Three numbers and what follows.
fn numeric_date(reader: &mut Reader<'_>) -> Option<Seen> {
    let (first, width) = reader.number()?;
    let separator = reader.one_of(&['-', '/', '.'])?;
    let (second, second_width) = reader.number()?;
    reader.take(separator).then_some(())?;
    let (third, last_width) = reader.number()?;
    if second_width > 2 {
        return None;
    }
    let rest = reader.rest()?;
    let small = |number: u32| i8::try_from(number).ok();
    if width == 4 && last_width <= 2 {
        let year = i16::try_from(first).ok()?;
        let date = civil::Date::new(year, small(second)?, small(third)?).ok();
        return Some(date.map_or(Seen::Other, |date| Seen::Time(rest.at(date))));
    }
    match (width, last_width) {
        (1 | 2, 4) => {
            let (first, second) = (small(first)?, small(second)?);
            Some(Seen::Ordered { first, second, year: i16::try_from(third).ok()?, rest })
        }
        (1 | 2, 1 | 2) => Some(Seen::ShortYear),
        _ => None,
    }
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A date with the English name of its month, such as `Tue, 5 Mar 2024 10:01:10 +0100`.
fn named_date(text: &str) -> Option<Seen> {
    let mut reader = Reader { rest: text };
    let named = |word: &str, names: &[&str]| {
        let lower = word.to_ascii_lowercase();
        let place = names.iter().position(|name| lower.starts_with(name))?;
        i8::try_from(place + 1).ok()
    };
    let mut word = reader.word();
    if named(word, &DAYS).is_some() && named(word, &MONTHS).is_none() {
        reader.gap();
        word = reader.word();
    }
    let (day, month, year);
    if word.is_empty() {
        day = reader.number()?.0;
        reader.gap();
        month = named(reader.word(), &MONTHS)?;
        reader.gap();
        year = reader.number()?;
    } else {
        month = named(word, &MONTHS)?;
        reader.gap();
        day = reader.number()?.0;
        for ending in ["st", "nd", "rd", "th"] {
            reader.rest = reader.rest.strip_prefix(ending).unwrap_or(reader.rest);
        }
        reader.gap();
        year = reader.number()?;
    }
    let rest = reader.rest()?;
    let year = match year {
        (year, 4) => year,
        // 05-MAR-24, as databases write it.
        (_, 2) => return Some(Seen::ShortYear),
        _ => return None,
    };
    let date = civil::Date::new(i16::try_from(year).ok()?, month, i8::try_from(day).ok()?).ok();
    Some(date.map_or(Seen::Other, |date| Seen::Time(rest.at(date))))
}

/// Names of offsets that stand for one each, in minutes: those of RFC 2822 and of Europe, and a few
/// more. `CST`, `IST` and `BST` stand for several.
const ZONES: [(&str, i32); 17] = [
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("WET", 0),
    ("WEST", 60),
    ("MSK", 180),
    ("JST", 540),
    ("EST", -300),
    ("EDT", -240),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AEST", 600),
    ("AEDT", 660),
];

impl Rest {
    fn at(self, date: civil::Date) -> Stamp {
        let date = if self.at_end { date.tomorrow().unwrap_or(date) } else { date };
        let local = date.to_datetime(self.clock);
        match self.offset.map(|offset| offset.to_timestamp(local)) {
            Some(Ok(time)) => Stamp::Instant(time),
            // Outside the calendar either way, which is told where the time is checked.
            Some(Err(_)) | None => Stamp::Local(local),
        }
    }
}

/// Part of a text that is left to be read.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// A number of at most ten digits, and how many digits there were.
    fn number(&mut self) -> Option<(u32, usize)> {
        let (mut number, mut width) = (0_u32, 0);
        for byte in self.rest.bytes().take_while(u8::is_ascii_digit) {
            if width < 10 {
                number = number.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
            }
            width += 1;
        }
        self.rest = &self.rest[width..];
        (width > 0).then_some((number, width))
    }

    fn word(&mut self) -> &'a str {
        let length = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }

    fn gap(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', ',', '-', '.', '/']);
    }

    fn one_of(&mut self, characters: &[char]) -> Option<char> {
        let next = self.rest.chars().next().filter(|next| characters.contains(next))?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn take(&mut self, character: char) -> bool {
        self.one_of(&[character]).is_some()
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// A time of day and an offset, up to the end; both may be missing.
    fn rest(&mut self) -> Option<Rest> {
        let mut clock = civil::Time::midnight();
        let (mut offset, mut at_end) = (None, false);
        let before = self.rest;
        if self.one_of(&['T', 't', ' ', ',']).is_some() {
            self.spaces();
            if !self.rest.is_empty() {
                match self
                    .rest
                    .strip_prefix("24:00")
                    .map(|rest| rest.strip_prefix(":00").unwrap_or(rest))
                {
                    Some(rest) => (at_end, self.rest) = (true, rest),
                    None => clock = self.clock()?,
                }
                self.spaces();
                offset = self.offset()?;
            }
        } else if !before.is_empty() {
            offset = self.offset()?;
        }
        self.rest.is_empty().then_some(Rest { clock, at_end, offset })
    }

    fn clock(&mut self) -> Option<civil::Time> {
        let (mut hour, width) = self.number()?;
        let (mut minute, mut second, mut nanos) = (0, 0, 0);
        match width {
            0..=2 => {}
            // 1030 and 103015, whose leading zero a column of numbers loses.
            3 | 4 => return time(hour / 100, hour % 100, 0, 0),
            5 | 6 => return time(hour / 10_000, hour / 100 % 100, hour % 100, 0),
            _ => return None,
        }
        let mut precise = false;
        let mut dotted = Reader { rest: self.rest };
        if dotted.take('.') && dotted.number().is_some_and(|(_, width)| width == 2) {
            // 10.30, and 10.30.15.
            precise = true;
            self.take('.');
            minute = self.number()?.0;
            if self.take('.') {
                second = self.number().filter(|&(_, width)| width == 2)?.0;
            }
        } else if self.take(':') {
            precise = true;
            minute = self.number().filter(|&(_, width)| width == 2)?.0;
            if self.take(':') {
                second = self.number().filter(|&(_, width)| width == 2)?.0;
                if self.one_of(&['.', ',']).is_some() {
                    let digits: String =
                        self.rest.chars().take_while(char::is_ascii_digit).take(9).collect();
                    self.number_skipped();
                    nanos = format!("{digits:0<9}").parse().ok()?;
                }
            }
        }
        let mut ahead = Reader { rest: self.rest };
        ahead.spaces();
        let half = ahead.word().to_ascii_lowercase();
        let dotted = ahead.rest.to_ascii_lowercase();
        let (half, rest) = match (half.as_str(), dotted.as_str()) {
            ("am" | "pm", _) => (half, ahead.rest),
            ("a" | "p", ".m.") => (format!("{half}m"), ""),
            _ if precise => return time(hour, minute, second, nanos),
            _ => return None,
        };
        self.rest = rest;
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half == "pm" { 12 } else { 0 };
        time(hour, minute, second, nanos)
    }

    fn number_skipped(&mut self) {
        self.rest = self.rest.trim_start_matches(|character: char| character.is_ascii_digit());
    }

    /// `Z`, `UTC`, `GMT`, `+01`, `+0100`, `+01:00` or a name such as `CET`; none at the end.
    #[expect(clippy::option_option, reason = "no offset is not a wrong offset")]
    fn offset(&mut self) -> Option<Option<Offset>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        for name in ["UTC", "GMT", "Z", "utc", "gmt", "z"] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                if rest.is_empty() {
                    return Some(Some(Offset::UTC));
                }
                break;
            }
        }
        if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == self.rest) {
            self.rest = "";
            return Offset::from_seconds(minutes * 60).ok().map(Some);
        }
        let sign = match self.one_of(&['+', '-', '−'])? {
            '+' => 1,
            _ => -1,
        };
        let (mut hours, width) = self.number()?;
        let mut minutes = 0;
        if width == 4 {
            (hours, minutes) = (hours / 100, hours % 100);
        } else if width > 2 {
            return None;
        } else if self.take(':') {
            minutes = self.number().filter(|&(_, width)| width == 2)?.0;
        }
        if hours > 18 || minutes > 59 {
            return None;
        }
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
        Offset::from_seconds(sign * seconds).ok().map(Some)
    }
}

fn time(hour: u32, minute: u32, second: u32, nanos: i32) -> Option<civil::Time> {
    let small = |number: u32| i8::try_from(number).ok();
    // A leap second is the last one of its minute, as everywhere else.
    civil::Time::new(small(hour)?, small(minute)?, small(second.min(59))?, nanos).ok()
}

#[cfg(test)]
mod tests;
