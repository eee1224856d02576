//! Times that a series lacks.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _, civil::Weekday, tz::TimeZone};

use super::series::Series;

const DAY: i64 = 86_400;
/// Shortest and longest months, in days.
const MONTHS: std::ops::RangeInclusive<i64> = 28 * DAY..=31 * DAY;

/// What stands in for values that a series lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Fill {
    /// 0, as for sales of a day without a line.
    Zero,
    /// The value before the gap.
    Previous,
    /// On the line from the value before the gap to the one after it.
    Linear,
}

/// The times that lie between the first and the last of a series, one usual step from each other,
/// and have no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gaps {
    /// Index of the value before each gap, and the times that are missing in it.
    missing: Vec<(usize, Vec<Timestamp>)>,
}

/// Time from one value to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Seconds(i64),
    Months(i64),
}

impl Gaps {
    /// Finds the gaps of a series in the order of its `times`. The usual step is the most frequent
    /// one; in a series of days, weekdays that it never has are none that it lacks.
    pub(super) fn of(times: &[Timestamp]) -> Self {
        let Some(step) = Step::of(times) else { return Self { missing: Vec::new() } };
        let weekdays: Vec<Weekday> = times.iter().map(|time| weekday(*time)).collect();
        let mut missing = Vec::new();
        for (at, pair) in times.windows(2).enumerate() {
            let mut between = step.between(pair[0], pair[1]);
            if step == Step::Seconds(DAY) {
                between.retain(|time| weekdays.contains(&weekday(*time)));
            }
            if !between.is_empty() {
                missing.push((at, between));
            }
        }
        Self { missing }
    }

    /// Number of missing values.
    pub(super) fn count(&self) -> usize {
        self.missing.iter().map(|(_, times)| times.len()).sum()
    }

    /// `20 values, the first of them 2025-03-01`.
    pub(super) fn text(&self, series: &Series) -> Option<String> {
        let (at, times) = self.missing.first()?;
        let noun = if self.count() == 1 { "value" } else { "values, the first of them" };
        Some(format!("{} {noun} {}", self.count(), label(&series.labels[*at], times[0])))
    }

    /// Puts a value at each time that is missing.
    pub(super) fn fill(&self, series: &mut Series, fill: Fill) {
        for (at, times) in self.missing.iter().rev() {
            let (before, after) = (series.values[*at], series.values[at + 1]);
            let steps = (times.len() + 1) as f64;
            let mut values = Vec::new();
            for number in 1..=times.len() {
                values.push(match fill {
                    Fill::Zero => 0.0,
                    Fill::Previous => before,
                    Fill::Linear => before + (after - before) * number as f64 / steps,
                });
            }
            let like = series.labels[*at].clone();
            let labels: Vec<String> = times.iter().map(|time| label(&like, *time)).collect();
            series.values.splice(at + 1..at + 1, values);
            series.labels.splice(at + 1..at + 1, labels);
        }
    }
}

impl Step {
    /// The most frequent difference, the shortest of several; `None` of fewer than three values, or
    /// when no half of the differences is the same.
    fn of(times: &[Timestamp]) -> Option<Self> {
        if times.len() < 3 {
            return None;
        }
        let differences = times.windows(2).map(|pair| pair[1].as_second() - pair[0].as_second());
        let (step, count) = most_frequent(differences)?;
        if is_monthly(times, step) {
            let months = times.windows(2).map(|pair| month(pair[1]) - month(pair[0]));
            return most_frequent(months).map(|(months, _)| Self::Months(months));
        }
        (2 * count >= times.len() - 1 && step > 0).then_some(Self::Seconds(step))
    }

    /// The times strictly between two, in steps from the first. What is less than half a step away
    /// from the second is the second: a local day may have 23 hours.
    fn between(self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut times = Vec::new();
        match self {
            Self::Seconds(step) => {
                let steps = (to.as_second() - from.as_second() + step / 2) / step;
                for number in 1..steps {
                    times.extend(Timestamp::from_second(from.as_second() + number * step).ok());
                }
            }
            Self::Months(step) => {
                let steps = (month(to) - month(from)) / step.max(1);
                let start = from.to_zoned(TimeZone::UTC);
                for number in 1..steps {
                    let time = start.checked_add((number * step).months()).ok();
                    times.extend(time.map(|time| time.timestamp()));
                }
            }
        }
        times
    }
}

/// Whether all times lie on one day of the month, or on the last, months or more apart.
fn is_monthly(times: &[Timestamp], step: i64) -> bool {
    let days: Vec<_> = times.iter().map(|time| time.to_zoned(TimeZone::UTC).date()).collect();
    let same = days.iter().all(|day| day.day() == days[0].day());
    let last = days.iter().all(|day| day.day() == day.days_in_month());
    step >= *MONTHS.start() && (same || last)
}

/// Months since the year 0.
fn month(time: Timestamp) -> i64 {
    let date = time.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month())
}

fn weekday(time: Timestamp) -> Weekday {
    time.to_zoned(TimeZone::UTC).weekday()
}

fn most_frequent(values: impl Iterator<Item = i64>) -> Option<(i64, usize)> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().rev().max_by_key(|&(_, count)| count)
}

/// A time as the file writes the one before it: a number, a date, or a time.
fn label(like: &str, time: Timestamp) -> String {
    if like.parse::<i64>().is_ok() {
        return time.as_second().to_string();
    }
    match like.len() {
        10 => time.to_zoned(TimeZone::UTC).date().to_string(),
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(labels: &[&str]) -> Vec<Timestamp> {
        labels.iter().map(|label| format!("{label}T00:00:00Z").parse().expect("a date")).collect()
    }

    fn series(labels: &[&str], values: &[f64]) -> Series {
        Series {
            id: "a".into(),
            labels: labels.iter().map(ToString::to_string).collect(),
            times: times(labels),
            values: values.to_vec(),
        }
    }

    #[test]
    fn missing_days_are_named_and_filled() {
        let days = [6, 7, 8, 9, 10, 11, 12, 13, 16, 17].map(|day| format!("2025-01-{day:02}"));
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        let whole = series(&days, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 6.0, 7.0]);
        let gaps = Gaps::of(&whole.times);
        assert_eq!(gaps.text(&whole).as_deref(), Some("2 values, the first of them 2025-01-14"));
        let filled = |fill: Fill| {
            let mut series = whole.clone();
            gaps.fill(&mut series, fill);
            assert_eq!(series.labels[8..10], ["2025-01-14", "2025-01-15"]);
            series.values[7..].to_vec()
        };
        assert_eq!(filled(Fill::Zero), [3.0, 0.0, 0.0, 6.0, 7.0]);
        assert_eq!(filled(Fill::Previous), [3.0, 3.0, 3.0, 6.0, 7.0]);
        assert_eq!(filled(Fill::Linear), [3.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn months_and_working_days_have_no_gaps_by_themselves() {
        let months = ["2025-01-31", "2025-02-28", "2025-03-31", "2025-05-31", "2025-06-30"];
        let whole = series(&months, &[1.0; 5]);
        assert_eq!(Gaps::of(&whole.times).text(&whole).as_deref(), Some("1 value 2025-04-30"));
        let first = ["2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01"];
        assert_eq!(Gaps::of(&times(&first)).count(), 0);
        // Two weeks from Monday to Friday, and a Wednesday that is missing.
        let days = [6, 7, 8, 9, 10, 13, 14, 16, 17].map(|day| format!("2025-01-{day:02}"));
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        let whole = series(&days, &[1.0; 9]);
        assert_eq!(Gaps::of(&whole.times).text(&whole).as_deref(), Some("1 value 2025-01-15"));
    }

    #[test]
    fn numbers_are_times_as_well() {
        let times: Vec<Timestamp> =
            [1, 2, 3, 5].map(|second| Timestamp::from_second(second).expect("a time")).into();
        let mut series = Series {
            id: "a".into(),
            labels: ["1", "2", "3", "5"].map(String::from).into(),
            times,
            values: vec![1.0, 2.0, 3.0, 5.0],
        };
        let gaps = Gaps::of(&series.times);
        gaps.fill(&mut series, Fill::Linear);
        assert_eq!(series.labels, ["1", "2", "3", "4", "5"]);
        // What has no usual step lacks nothing.
        let odd = [1, 2, 5, 11, 30].map(|second| Timestamp::from_second(second).expect("a time"));
        assert_eq!(Gaps::of(&odd).count(), 0);
        assert_eq!(Gaps::of(&odd[..2]).count(), 0);
    }
}
