//! Goes through the rows that a file announces, beside those that its source has loaded: what is
//! known, new, changed and missing, and the register as it will be.
//!
//! A known row is missing when it lies from the first to the last event of the file and the file does
//! not have it. That is looked at only where the file holds at least half of what is known of its
//! span: two stores' exports of one day share no row, and none of them lacks the other's.

use mercer_common::artifact::ArtifactStore;
use mercer_proto::v1::RowChoice;

use super::{
    ImportError,
    compare::{Compared, compare},
    others::{Other, most_shared},
    register::{Month, MonthWriter, Months, OpenMonth, months_of, of_day, rewrite},
    row::{Day, Known, Row},
};

/// Known rows that one import may replace or take out.
pub(super) const REPLACED: usize = 250_000;
/// Rows of one key that a day may have: they are compared together.
const TWINS: usize = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

/// How a file is announced.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) source: String,
    pub(super) import: String,
    /// The import's number within its source.
    pub(super) number: u32,
    /// In seconds since 1970, both inclusive.
    pub(super) span: (i64, i64),
    pub(super) changed: RowChoice,
    pub(super) missing: RowChoice,
}

/// How many rows were found to be what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) known: u64,
    pub(super) new: u64,
    pub(super) changed: u64,
    pub(super) missing: u64,
}

/// What an announcement comes to.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) counts: Counts,
    /// Known rows from the first to the last event that the file does not have, however few it has.
    pub(super) lacking: u64,
    /// Another source that has loaded rows of the file, and how many.
    pub(super) shared: Option<(String, u64)>,
    /// States that were not told yet, a byte each.
    pub(super) states: Vec<u8>,
    /// The months as they will be, of those that change.
    pub(super) staged: Months,
    /// Months that will hold nothing.
    pub(super) emptied: Vec<Month>,
    /// Known rows that are taken out, by day.
    pub(super) taken: Vec<(Day, Known)>,
}

/// An announcement under way.
pub(super) struct Announcement {
    store: ArtifactStore,
    months: Months,
    terms: Terms,
    counts: Counts,
    /// Known rows within the span.
    within: u64,
    /// The day under way, its known rows, and how many of them have had their turn.
    day: Option<Day>,
    known: Vec<Known>,
    turn: usize,
    /// Rows of one key.
    group: Vec<Row>,
    states: Vec<u8>,
    output: Vec<Known>,
    open: Option<(Month, OpenMonth, MonthWriter)>,
    staged: Months,
    changed: Vec<(Day, Known)>,
    missing: Vec<(Day, Known)>,
    too_many: bool,
    others: Vec<Other>,
}

impl Announcement {
    /// An announcement of a file whose source has loaded `months`; of a new source the `others` are
    /// looked at, too.
    pub(super) fn new(
        store: ArtifactStore,
        months: Months,
        others: Vec<Other>,
        terms: Terms,
    ) -> Self {
        Self {
            store,
            months,
            terms,
            counts: Counts::default(),
            within: 0,
            day: None,
            known: Vec::new(),
            turn: 0,
            group: Vec::new(),
            states: Vec::new(),
            output: Vec::new(),
            open: None,
            staged: Months::new(),
            changed: Vec::new(),
            missing: Vec::new(),
            too_many: false,
            others,
        }
    }

    /// Takes rows of a day, which with those before are ascending; returns the states that are known
    /// by now, in their order.
    pub(super) fn rows(&mut self, day: Day, rows: &[Row]) -> Result<Vec<u8>, ImportError> {
        if self.day.is_some_and(|last| day < last) {
            return Err(ImportError::unordered("rows.day", "is before the day of the rows before"));
        }
        if self.day != Some(day) {
            self.move_to(day)?;
        }
        for &row in rows {
            if let Some(last) = self.group.last() {
                if (row.key, row.content) < (last.key, last.content) {
                    let problem = "are not ascending by key and content";
                    return Err(ImportError::unordered("rows.rows", problem));
                }
                if row.key != last.key {
                    self.end_group()?;
                }
            }
            if self.group.len() >= TWINS {
                let problem = format!("have one key more than {TWINS} times in a day");
                return Err(ImportError::unordered("rows.rows", &problem));
            }
            self.group.push(row);
        }
        Ok(std::mem::take(&mut self.states))
    }

    /// Ends the announcement.
    pub(super) fn finish(mut self) -> Result<Announced, ImportError> {
        self.end_day()?;
        if let Some(day) = self.day
            && let Some(month) = Month::of(day)
        {
            for day in day + 1..=*month.days().end() {
                self.pass(day)?;
            }
        }
        self.close_month()?;
        let matched = self.counts.known + self.counts.changed;
        let lacking = self.counts.missing;
        if matched == 0 || matched * 2 < self.within {
            (self.missing, self.counts.missing) = (Vec::new(), 0);
        }
        let takes_changed = self.terms.changed == RowChoice::File;
        let takes_missing = self.terms.missing == RowChoice::File;
        let taken = if takes_changed { self.counts.changed } else { 0 }
            + if takes_missing { self.counts.missing } else { 0 };
        if taken > REPLACED as u64 || (self.too_many && taken > 0) {
            return Err(ImportError::TooManyReplaced { limit: REPLACED });
        }
        let mut taken = if takes_changed { self.changed } else { Vec::new() };
        let mut emptied = Vec::new();
        if takes_missing {
            self.missing.sort_unstable();
            let mut whole = self.months;
            whole.extend(self.staged.clone());
            let Terms { source, import, .. } = &self.terms;
            let phase = without(import);
            for month in months_of(&self.missing) {
                let file = rewrite(&self.store, source, &phase, &whole, month, |day, rows| {
                    // Both are sorted, and every row that goes is there.
                    let mut out = of_day(&self.missing, day).peekable();
                    rows.retain(|known| out.next_if_eq(known).is_none());
                })?;
                match file {
                    Some(file) => _ = self.staged.insert(month, file),
                    None => emptied.push(month),
                }
            }
            emptied.iter().for_each(|month| _ = self.staged.remove(month));
            taken.append(&mut self.missing);
        }
        Ok(Announced {
            counts: self.counts,
            lacking,
            shared: most_shared(self.others),
            states: self.states,
            staged: self.staged,
            emptied,
            taken,
        })
    }

    /// Ends the day under way, passes those between, and begins another one.
    fn move_to(&mut self, day: Day) -> Result<(), ImportError> {
        self.end_day()?;
        let out_of_calendar = || ImportError::unordered("rows.day", "is outside the calendar");
        let month = Month::of(day).ok_or_else(out_of_calendar)?;
        let from = match self.day {
            Some(last) => last + 1,
            None => *month.days().start(),
        };
        for between in from..day {
            self.enter(Month::of(between).ok_or_else(out_of_calendar)?)?;
            self.pass(between)?;
        }
        self.enter(month)?;
        self.day = Some(day);
        self.known = self.known_of(day);
        self.turn = 0;
        for other in &mut self.others {
            other.move_to(&self.store, day)?;
        }
        Ok(())
    }

    /// Makes `month` the one that is written.
    fn enter(&mut self, month: Month) -> Result<(), ImportError> {
        if self.open.as_ref().is_some_and(|(open, ..)| *open == month) {
            return Ok(());
        }
        self.close_month()?;
        let known = OpenMonth::open(&self.store, &self.months, month)?;
        let Terms { source, import, .. } = &self.terms;
        let writer = MonthWriter::create(&self.store, source, import, month)?;
        self.open = Some((month, known, writer));
        Ok(())
    }

    fn close_month(&mut self) -> Result<(), ImportError> {
        let Some((month, _, writer)) = self.open.take() else { return Ok(()) };
        if let Some(file) = writer.finish()? {
            self.staged.insert(month, file);
        }
        Ok(())
    }

    fn known_of(&self, day: Day) -> Vec<Known> {
        self.open.as_ref().map_or_else(Vec::new, |(_, known, _)| known.day(day).to_vec())
    }

    /// A day of which the file holds nothing.
    fn pass(&mut self, day: Day) -> Result<(), ImportError> {
        for known in self.known_of(day) {
            self.miss(day, known);
        }
        self.flush(day)
    }

    fn end_group(&mut self) -> Result<(), ImportError> {
        let (Some(day), Some(first)) = (self.day, self.group.first()) else { return Ok(()) };
        let key = first.key;
        for other in &mut self.others {
            other.count(day, &key, self.group.len());
        }
        while let Some(&known) = self.known.get(self.turn).filter(|known| known.key < key) {
            self.turn += 1;
            self.miss(day, known);
        }
        let rest = &self.known[self.turn..];
        let same = rest.partition_point(|known| known.key == key);
        let Compared { states, stay, new, changed, missing } = compare(&self.group, &rest[..same]);
        self.turn += same;
        self.group.clear();
        self.states.extend(states.iter().map(|state| *state as u8));
        self.counts.known += stay.len() as u64;
        self.counts.new += new.len() as u64;
        self.counts.changed += changed.len() as u64;
        let old = changed.iter().map(|(old, _)| old);
        let within = stay.iter().chain(old).filter(|known| self.is_within(day, known)).count();
        self.within += within as u64;
        let begin = self.output.len();
        let number = self.terms.number;
        self.output.extend(stay);
        self.output.extend(new.into_iter().map(|row| Known::of(row, number)));
        for (old, row) in changed {
            note(&mut self.changed, &mut self.too_many, day, old);
            let replaces = self.terms.changed == RowChoice::File;
            self.output.push(if replaces { Known::of(row, number) } else { old });
        }
        for known in missing {
            self.miss(day, known);
        }
        self.output[begin..].sort_unstable();
        if self.output.len() >= 4_096 { self.flush(day) } else { Ok(()) }
    }

    fn end_day(&mut self) -> Result<(), ImportError> {
        self.end_group()?;
        let Some(day) = self.day else { return Ok(()) };
        while let Some(&known) = self.known.get(self.turn) {
            self.turn += 1;
            self.miss(day, known);
        }
        self.flush(day)
    }

    /// The file does not have a known row. It stays, until all is known that decides.
    fn miss(&mut self, day: Day, known: Known) {
        if self.is_within(day, &known) {
            self.within += 1;
            self.counts.missing += 1;
            note(&mut self.missing, &mut self.too_many, day, known);
        }
        self.output.push(known);
    }

    fn is_within(&self, day: Day, known: &Known) -> bool {
        let time = i64::from(day) * DAY_SECONDS + i64::from(known.second);
        (self.terms.span.0..=self.terms.span.1).contains(&time)
    }

    fn flush(&mut self, day: Day) -> Result<(), ImportError> {
        if let Some((.., writer)) = &mut self.open {
            writer.append(day, &self.output)?;
        }
        self.output.clear();
        Ok(())
    }
}

/// The phase of the months without rows that the file lacks.
pub(super) fn without(import: &str) -> String {
    format!("{import}-without")
}

/// Remembers a row that may be taken out, as long as not too many are.
fn note(rows: &mut Vec<(Day, Known)>, too_many: &mut bool, day: Day, known: Known) {
    if rows.len() < REPLACED {
        rows.push((day, known));
    } else {
        *too_many = true;
    }
}

#[cfg(test)]
mod tests;
