//! The rows that a source has loaded: a file a month, sorted by (day, key, content).
//!
//! Files are artifacts: checksummed, mapped, never changed. An import writes the months that it
//! touches anew and swaps them in metadata when it is finished; what nothing names is removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{self, Date};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, SectionWriter, Sections},
    layout,
};

use super::row::{Day, Known};

layout! {
    /// A month of a source.
    enum File: "import-register-1" {
        /// Rows by (day, key, content).
        ROWS: Known,
        /// Where the rows of each of 31 days end.
        DAY_ENDS: u64,
    }
}

/// From 1990 to 2126, whatever the time zone.
const EVENT_DAYS: std::ops::RangeInclusive<Day> = 7_304..=57_340;
/// Days in a month, at most.
const DAYS: usize = 31;

/// A calendar month, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    /// First day of the month.
    first: Date,
}

impl Month {
    /// The month of a day; `None` where no event can be.
    pub(super) fn of(day: Day) -> Option<Self> {
        if !EVENT_DAYS.contains(&day) {
            return None;
        }
        date(day).map(|date| Self { first: date.first_of_month() })
    }

    /// The month of a name such as `2026-01`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        format!("{name}-01").parse().ok().map(|first| Self { first })
    }

    pub(super) fn name(self) -> String {
        format!("{:04}-{:02}", self.first.year(), self.first.month())
    }

    /// Days of the month, in order.
    pub(super) fn days(self) -> std::ops::RangeInclusive<Day> {
        number(self.first)..=number(self.first.last_of_month())
    }
}

fn date(day: Day) -> Option<Date> {
    civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).ok()
}

fn number(date: Date) -> Day {
    let since = date.duration_since(civil::date(1970, 1, 1));
    Day::try_from(since.as_hours() / 24).unwrap_or_default()
}

/// The files of a source, by month.
pub(super) type Months = BTreeMap<Month, ArtifactRef>;

/// A month as it is read.
#[derive(Debug)]
pub(super) struct OpenMonth {
    first: Day,
    /// Where each day ends among the rows.
    ends: Vec<u64>,
    file: Option<Sections>,
}

impl OpenMonth {
    /// The month of a source, empty if it has loaded nothing of it.
    pub(super) fn open(
        store: &ArtifactStore,
        months: &Months,
        month: Month,
    ) -> Result<Self, ArtifactError> {
        let first = *month.days().start();
        let Some(artifact) = months.get(&month) else {
            return Ok(Self { first, ends: vec![0; DAYS], file: None });
        };
        let file = File::LAYOUT.open(store, artifact)?;
        let ends = file.get(File::DAY_ENDS).to_vec();
        let rows = file.get(File::ROWS).len() as u64;
        if ends.len() != DAYS || !ends.is_sorted() || ends.last() != Some(&rows) {
            return Err(file.layout("its days do not divide its rows"));
        }
        Ok(Self { first, ends, file: Some(file) })
    }

    /// The rows of a day of the month.
    pub(super) fn day(&self, day: Day) -> &[Known] {
        let Some(file) = &self.file else { return &[] };
        let place = usize::try_from(day - self.first).unwrap_or(DAYS);
        let Some(&end) = self.ends.get(place) else { return &[] };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        &file.get(File::ROWS)[index(start)..index(end)]
    }

    /// Number of rows of the month.
    pub(super) fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }
}

/// Writes a month, day by day in order.
pub(super) struct MonthWriter {
    writer: SectionWriter,
    first: Day,
    ends: Vec<u64>,
    rows: u64,
}

impl MonthWriter {
    pub(super) fn create(
        store: &ArtifactStore,
        source: &str,
        import: &str,
        month: Month,
    ) -> Result<Self, ArtifactError> {
        let writer = File::LAYOUT.writer(store, source, import, &month.name())?;
        Ok(Self { writer, first: *month.days().start(), ends: Vec::new(), rows: 0 })
    }

    /// Appends rows of a day that is not before the last one.
    pub(super) fn append(&mut self, day: Day, rows: &[Known]) -> Result<(), ArtifactError> {
        let place = usize::try_from(day - self.first).unwrap_or_default().min(DAYS - 1);
        while self.ends.len() < place {
            self.ends.push(self.rows);
        }
        self.rows += rows.len() as u64;
        self.writer.write(File::ROWS, rows)
    }

    /// The file; `None` when it would hold nothing.
    pub(super) fn finish(mut self) -> Result<Option<ArtifactRef>, ArtifactError> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.ends.resize(DAYS, self.rows);
        self.writer.write(File::DAY_ENDS, &self.ends)?;
        self.writer.finish().map(Some)
    }
}

/// Writes a month anew: `edit` changes the rows of each day. `None` when nothing is left.
pub(super) fn rewrite(
    store: &ArtifactStore,
    source: &str,
    phase: &str,
    months: &Months,
    month: Month,
    mut edit: impl FnMut(Day, &mut Vec<Known>),
) -> Result<Option<ArtifactRef>, ArtifactError> {
    let known = OpenMonth::open(store, months, month)?;
    let mut writer = MonthWriter::create(store, source, phase, month)?;
    for day in month.days() {
        let mut rows = known.day(day).to_vec();
        edit(day, &mut rows);
        rows.sort_unstable();
        writer.append(day, &rows)?;
    }
    writer.finish()
}

/// The rows of a day among sorted ones.
pub(super) fn of_day(rows: &[(Day, Known)], day: Day) -> impl Iterator<Item = Known> {
    let start = rows.partition_point(|(of, _)| *of < day);
    let end = rows.partition_point(|(of, _)| *of <= day);
    rows[start..end].iter().map(|(_, known)| *known)
}

/// The months of rows.
pub(super) fn months_of(rows: &[(Day, Known)]) -> BTreeSet<Month> {
    rows.iter().filter_map(|(day, _)| Month::of(*day)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: u8) -> Known {
        Known { key: [key; 12], content: [0; 4], import: 1, second: 7 }
    }

    #[test]
    fn a_month_gives_back_its_days() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        let month = Month::parse("2024-02").expect("a month");
        let (first, last) = month.days().into_inner();
        assert_eq!((last - first, month.name().as_str()), (28, "2024-02"));
        assert_eq!(Month::of(first), Some(month));
        assert_ne!(Month::of(last + 1), Some(month));
        let mut writer = MonthWriter::create(&store, "shop", "one", month).expect("begins");
        writer.append(first + 1, &[known(1)]).expect("written");
        writer.append(first + 1, &[known(2)]).expect("written");
        writer.append(last, &[known(3)]).expect("written");
        let file = writer.finish().expect("written").expect("holds something");
        let months = Months::from([(month, file)]);
        let open = OpenMonth::open(&store, &months, month).expect("opens");
        assert_eq!(open.rows(), 3);
        assert_eq!(open.day(first + 1), [known(1), known(2)]);
        assert_eq!(open.day(last), [known(3)]);
        for empty in [first, first + 2, last - 1, last + 1, first - 1] {
            assert!(open.day(empty).is_empty(), "{empty}");
        }
        let nothing = OpenMonth::open(&store, &Months::new(), month).expect("opens");
        assert!(nothing.day(first).is_empty());
        let empty = MonthWriter::create(&store, "shop", "two", month).expect("begins");
        assert!(empty.finish().expect("ended").is_none());
    }
}
