//! What an import tells in the end.

use std::fmt::Write as _;

use mercer_common::{escape, money::MinorUnit};
use serde::Serialize;

use super::{
    ask::Question,
    chunk::Accepted,
    mapping::{Kind, listed},
    rejects::{ReasonCount, Reject},
    rows::collector::{Amounts, Outcome},
};
use crate::show::output;

/// Rows, units and money of a part of the rows, as the files have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Total {
    /// Name of this part of the rows.
    pub(crate) what: String,
    pub(crate) rows: u64,
    pub(crate) units: f64,
    /// Millionths.
    pub(crate) amount_micros: i128,
}

/// Sums of all rows: together they are what the files hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Totals(pub(crate) Vec<Total>);

impl Totals {
    /// Adds a row.
    pub(crate) fn add(&mut self, outcome: &Outcome, amounts: Amounts) {
        let what = match outcome {
            Outcome::Taken { is_return: true } => "returns",
            Outcome::Taken { is_return: false } => "accepted",
            Outcome::Skipped(why) => why,
            Outcome::Asked(_) | Outcome::Refused(_) => "rejected",
        };
        let place = self.0.iter().position(|total| total.what == what).unwrap_or_else(|| {
            self.0.push(Total { what: what.to_owned(), ..Total::default() });
            self.0.len() - 1
        });
        let total = &mut self.0[place];
        total.rows += 1;
        total.units += amounts.units.filter(|units| units.is_finite()).unwrap_or_default();
        total.amount_micros += i128::from(amounts.micros.unwrap_or_default());
    }

    /// Moves an accepted row to the rejected ones.
    pub(crate) fn refuse(&mut self, row: &Accepted) {
        let before = if row.is_return { "returns" } else { "accepted" };
        if let Some(total) = self.0.iter_mut().find(|total| total.what == before) {
            total.rows = total.rows.saturating_sub(1);
            total.units -= row.amounts.units.unwrap_or_default();
            total.amount_micros -= i128::from(row.amounts.micros.unwrap_or_default());
        }
        self.0.retain(|total| total.rows > 0);
        self.add(&Outcome::Refused(Vec::new()), row.amounts);
    }

    /// Rows that were left out.
    pub(crate) fn skipped(&self) -> u64 {
        let taken = ["accepted", "returns", "rejected"];
        let skipped = self.0.iter().filter(|total| !taken.contains(&total.what.as_str()));
        skipped.map(|total| total.rows).sum()
    }
}

/// Rows of an import that its source has loaded before.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) source: String,
    pub(crate) known: u64,
    /// Rows that were loaded with other content.
    pub(crate) changed: u64,
    /// Known rows of the time of the files that they do not have.
    pub(crate) missing: u64,
    /// Rows that an earlier file of the import has, too.
    pub(crate) repeated: u64,
    /// Rows that an earlier file of the import has with other content.
    pub(crate) differing: u64,
}

impl Known {
    /// Questions that only the user can answer.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        if self.differing > 0 {
            let about = format!(
                "an earlier one of these files has {} with other content, for example another quantity \
                 or price: which file is right?",
                output::rows(self.differing)
            );
            let later = ("--correct", "the later one, in the order of the command".to_owned());
            let earlier = ("--keep", "the earlier one".to_owned());
            questions.push(Question::new(about, [later, earlier]));
        }
        let keep = ("--keep", "what was loaded: only new rows are loaded".to_owned());
        if self.changed > 0 {
            let about = format!(
                "source {} has loaded {} with other content, for example another quantity or price: \
                 what is right?",
                self.source,
                output::rows(self.changed)
            );
            let correct = ("--correct", "the files: their rows replace what was loaded".to_owned());
            questions.push(Question::new(about, [correct, keep.clone()]));
        }
        if self.missing > 0 {
            let about = format!(
                "source {} has loaded {} of the same time that the files do not have: what is right?",
                self.source,
                output::rows(self.missing)
            );
            let complete =
                ("--complete", "the files: rows that they do not have are taken out".to_owned());
            questions.push(Question::new(about, [complete, keep]));
        }
        questions
    }

    /// What only the user can say of rows that another source has loaded.
    pub(crate) fn shared(&self, other: &str, rows: u64) -> Question {
        let about = format!(
            "source {other} has loaded {} that look the same, and {} has loaded nothing yet: is it \
             the same data?",
            output::rows(rows),
            self.source
        );
        let same = format!("--source {other}");
        let means = "the same: what is known is not loaded again".to_owned();
        let others = "no, others that look alike: all of them are loaded".to_owned();
        Question::new(about, [(same.as_str(), means), ("--apart", others)])
    }

    fn write(&self, text: &mut String) {
        let mut said = Vec::new();
        for (count, what) in [
            (self.changed, "loaded with other content"),
            (self.missing, "loaded that these files do not have"),
            (self.repeated, "in several of these files, counted once"),
            (self.differing, "in several of these files with other content"),
        ] {
            if count > 0 {
                said.push(format!("{} {what}", output::rows(count)));
            }
        }
        if !said.is_empty() {
            let _ = write!(text, "\nof source {}: {}", self.source, said.join(", "));
        }
    }
}

/// Outcome of an import.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Kind of the records in the files.
    pub(crate) kind: String,
    /// Rows read.
    pub(crate) rows: u64,
    /// Rows that were accepted.
    pub(crate) accepted: u64,
    /// Events that were loaded: the others were before. `None` for what is no event.
    pub(crate) new: Option<u64>,
    /// Which rows the events' source has loaded before; `None` for what is no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Known>,
    /// The import that loaded them, if any was to be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import: Option<String>,
    /// Rows that were not accepted.
    pub(crate) rejected: u64,
    /// Why rows were rejected, most frequent first.
    pub(crate) reasons: Vec<ReasonCount>,
    /// The first rejected rows.
    pub(crate) rejects: Vec<Reject>,
    /// Rows that were left out on purpose.
    pub(crate) skipped: u64,
    /// Sums over the rows.
    pub(crate) totals: Totals,
    /// Notes on how the files were read.
    pub(crate) notes: Vec<String>,
    /// Nothing was loaded, as more than so many rows were rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_back: Option<u64>,
    /// Currency of all amounts.
    pub(crate) currency: String,
    /// More rows than so many were rejected, some of them by the server after others were loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beyond: Option<u64>,
    /// Columns that were not used.
    pub(crate) unused_columns: Vec<String>,
    /// Wall time.
    pub(crate) seconds: f64,
    /// Seconds of these until all files were read and checked.
    pub(crate) check_seconds: f64,
    /// Queries that carry it see everything that was imported.
    pub(crate) token: String,
}

impl Report {
    /// A report of an import that has sent nothing yet.
    pub(crate) fn new(kind: Kind, rows: u64, totals: Totals) -> Self {
        Self {
            kind: kind.to_string(),
            rows,
            accepted: 0,
            new: None,
            source: None,
            import: None,
            rejected: 0,
            reasons: Vec::new(),
            rejects: Vec::new(),
            skipped: totals.skipped(),
            totals,
            notes: Vec::new(),
            held_back: None,
            currency: String::new(),
            beyond: None,
            unused_columns: Vec::new(),
            seconds: 0.0,
            check_seconds: 0.0,
            token: String::new(),
        }
    }

    /// Why the import is a failure, if it is one.
    pub(crate) fn failure(&self) -> Option<String> {
        if let Some(most) = self.held_back {
            return Some(format!(
                "nothing was loaded: {} of {} rejected, and at most {} may be; mend the file or how it \
                 is read, or load the rest with --max-rejects {}",
                output::count(self.rejected),
                output::rows(self.rows),
                output::count(most),
                self.rejected
            ));
        }
        if self.accepted == 0 && self.rejected > 0 {
            let rejected = output::count(self.rejected);
            return Some(format!("no row was accepted, {rejected} rejected"));
        }
        self.beyond.map(|most| {
            format!(
                "{} of {} rejected, as the server refused some, and at most {} may be; what was loaded \
                 stays: {}",
                output::count(self.rejected),
                output::rows(self.rows),
                output::count(most),
                output::rows(self.accepted)
            )
        })
    }

    /// Text for people.
    pub(crate) fn table(&self) -> String {
        let rate = self.rows as f64 / self.seconds.max(1e-9);
        let mut text = format!(
            "{} {} of {} accepted in {:.1} s ({rate:.0} rows/s)",
            output::count(self.accepted),
            self.kind,
            output::rows(self.rows),
            self.seconds,
        );
        if self.rows == 0 {
            text.push_str("\nthere are no rows: nothing has changed");
        }
        match self.new {
            Some(0) if self.accepted > 0 => {
                text.push_str("\nall of them were already loaded; nothing has changed");
            }
            Some(new) if new < self.accepted => {
                let _ = write!(
                    text,
                    "\nnew: {}, already loaded: {}",
                    output::count(new),
                    output::count(self.accepted - new)
                );
            }
            _ => {}
        }
        if let Some(known) = &self.source {
            known.write(&mut text);
        }
        if let Some(import) = &self.import {
            let _ = write!(text, "\nto take it out again: mercer imports undo {import}");
        }
        self.write_totals(&mut text);
        for note in &self.notes {
            let _ = write!(text, "\n{}", escape::text(note));
        }
        if !self.unused_columns.is_empty() {
            let _ =
                write!(text, "\ncolumns not used: {}", escape::text(&listed(&self.unused_columns)));
        }
        if self.rejected > 0 {
            let _ = writeln!(text, "\n{} rejected:", output::rows(self.rejected));
            let reasons = self
                .reasons
                .iter()
                .map(|reason| vec![output::count(reason.count), reason.reason.clone()]);
            text.push_str(&output::table(&[">rows", "reason"], reasons));
            let _ = writeln!(text, "\nthe first {}:", self.rejects.len());
            let rejects = self.rejects.iter().map(|reject| {
                vec![
                    reject.file.clone(),
                    reject.line.to_string(),
                    format!("{} {}", reject.field, reject.reason).trim_start().to_owned(),
                ]
            });
            text.push_str(&output::table(&["file", ">line", "reason"], rejects));
        }
        text
    }

    /// Sums of events, where there is more than one part of them or money.
    fn write_totals(&self, text: &mut String) {
        let Totals(totals) = &self.totals;
        if totals.iter().all(|total| total.units == 0.0 && total.amount_micros == 0) {
            for total in totals.iter().filter(|_| self.skipped > 0) {
                let _ = write!(text, "\n{} {}", output::rows(total.rows), total.what);
            }
            return;
        }
        let rows = totals.iter().map(|total| {
            vec![
                total.what.clone(),
                output::count(total.rows),
                output::units(total.units),
                amount(total.amount_micros, &self.currency),
            ]
        });
        text.push('\n');
        text.push_str(&output::table(&["", ">rows", ">units", ">amount"], rows));
    }
}

/// A sum in a currency, to its smallest unit.
fn amount(micros: i128, currency: &str) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let minor = MinorUnit::of(currency);
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let digits = minor.digits() as usize;
    let whole = output::count(whole);
    if digits == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{:0digits$}", part / u128::from(minor.micros().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_the_digits_of_their_currency() {
        for (currency, expected) in
            [("USD", "-1,234.50"), ("JPY", "-1,234"), ("KWD", "-1,234.500"), ("", "-1,234.50")]
        {
            assert_eq!(amount(-1_234_500_000, currency), expected, "{currency}");
        }
    }
}
