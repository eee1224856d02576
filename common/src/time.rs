//! Times as Mercer stores them: whole seconds since 1990-01-01T00:00:00Z, in 32 bits, and local
//! days since 1990-01-01, in 16.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use mercer_proto::google::r#type;

/// 1990-01-01T00:00:00Z in seconds since 1970.
const EPOCH: i64 = 631_152_000;

/// Seconds since 1990-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub u32);

impl EventTime {
    /// The whole second of `seconds` since 1970, or `None` outside 1990 to 2126.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        u32::try_from(seconds.checked_sub(EPOCH)?).ok().map(Self)
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        EPOCH + i64::from(self.0)
    }

    /// The instant as a timestamp.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.unix_seconds()).expect("within jiff's range")
    }
}

/// The first day, a Monday.
const FIRST_DATE: Date = jiff::civil::date(1990, 1, 1);

/// A local day: days since 1990-01-01, to 2169.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u16);

impl Day {
    /// The day of an instant where the clocks show `zone`.
    #[must_use]
    pub fn of(time: EventTime, zone: &TimeZone) -> Self {
        let date = zone.to_datetime(time.timestamp()).date();
        // An event of the first hours of 1990 may lie in 1989 to the west.
        Self::from_date(date).unwrap_or_default()
    }

    /// The day of a date, or `None` outside 1990 to 2169.
    #[must_use]
    pub fn from_date(date: Date) -> Option<Self> {
        let days = (date - FIRST_DATE).get_days();
        u16::try_from(days).ok().map(Self)
    }

    /// The day of an API date, or `None` when it is no date, or outside 1990 to 2169.
    #[must_use]
    pub fn from_api(date: r#type::Date) -> Option<Self> {
        let year = i16::try_from(date.year).ok()?;
        let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
        Self::from_date(Date::new(year, month, day).ok()?)
    }

    /// The day of a number as files hold it; one that is too large is the last day.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self(u16::try_from(number).unwrap_or(u16::MAX))
    }

    /// The day as a date.
    #[must_use]
    pub fn date(self) -> Date {
        FIRST_DATE + i32::from(self.0).days()
    }

    /// The same day as the API writes it.
    #[must_use]
    pub fn to_api(self) -> r#type::Date {
        let date = self.date();
        r#type::Date {
            year: date.year().into(),
            month: date.month().into(),
            day: date.day().into(),
        }
    }

    /// 0 for Monday to 6 for Sunday.
    #[must_use]
    pub fn weekday(self) -> usize {
        usize::from(self.0 % 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_the_local_clock() {
        let time = |text: &str| {
            EventTime::from_unix_seconds(text.parse::<Timestamp>().expect("a time").as_second())
                .expect("in range")
        };
        let zone = TimeZone::get("America/New_York").expect("a zone");
        let late = time("2017-03-12T04:59:59Z");
        assert_eq!(Day::of(late, &zone).date(), jiff::civil::date(2017, 3, 11));
        assert_eq!(Day::of(late, &TimeZone::UTC).date(), jiff::civil::date(2017, 3, 12));
        assert_eq!(Day::of(time("1990-01-01T00:00:00Z"), &zone), Day(0));
    }

    #[test]
    fn dates_convert_both_ways() {
        for day in [0, 1, 58, 9_999, u16::MAX].map(Day) {
            assert_eq!(Day::from_api(day.to_api()), Some(day));
            assert_eq!(Day::from_number(day.0.into()), day);
            assert_eq!(day.weekday(), day.date().weekday().to_monday_zero_offset() as usize);
        }
        let bad = [(2017, 2, 29), (1989, 12, 31), (2017, 13, 1), (0, 0, 0), (70_000, 1, 1)];
        for (year, month, day) in bad {
            assert_eq!(Day::from_api(r#type::Date { year, month, day }), None);
        }
    }
}
