//! Rows of a table as the messages of the API.

mod catalogue;
mod check;
mod clears;
pub(crate) mod collector;
mod events;
mod market;
mod shown;
mod supply;

pub(crate) use self::clears::Blank;

use std::borrow::Cow;

use mercer_common::{limits, rpc::status::Violation};
use prost_types::Timestamp;

use super::{
    identity::Rows,
    mapping::Source,
    values::{Extra, Role, Row, words::EventTypes},
};

/// What is wrong with a row; never empty.
pub(super) type Invalid = Vec<Violation>;

/// What becomes of units below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Negative {
    /// They are returns; at price 0 without a user they are write-offs and left out.
    Return,
    /// Their rows are left out and counted.
    Skip,
    /// Their rows are refused.
    Refuse,
}

/// What every reading of rows needs to know beyond its values.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Currency of all money.
    pub(crate) currency: String,
    /// Separator of the levels of a `category` column.
    pub(crate) category_separator: String,
    pub(crate) event_types: EventTypes,
    /// Nothing when the user did not say.
    pub(crate) negative: Option<Negative>,
    pub(crate) blank: Blank,
    /// Says what stands for each row of events, where that is needed.
    pub(crate) rows: Option<Rows>,
}

/// Takes the fields of one row and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) row: Row<'a>,
    invalid: Invalid,
}

impl<'a> Reader<'a> {
    pub(super) fn new(row: Row<'a>) -> Self {
        Self { row, invalid: Vec::new() }
    }

    /// What `read` makes of the field's cells; `None` when the file or the row lacks it, or when
    /// it cannot be read, which is noted.
    pub(super) fn get<'s, T>(
        &mut self,
        field: &str,
        source: Option<&'s Source>,
        read: impl FnOnce(&'s Source, &Row<'a>) -> Result<Option<T>, String>,
    ) -> Option<T> {
        read(source?, &self.row).unwrap_or_else(|reason| {
            self.invalid.push(Violation::new(field, reason));
            None
        })
    }

    /// An id or a label.
    pub(super) fn label(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        let role = match field {
            "user_id" | "basket_id" | "session_id" => Role::Plain,
            _ => Role::Name,
        };
        let source = source?;
        match source.label(&self.row, role) {
            Ok(label) => label.map(Cow::into_owned),
            Err(reason) => {
                self.invalid.push(Violation::new(field, reason));
                None
            }
        }
    }

    /// A text that may be cut to at most so many bytes, which is counted under `what`.
    pub(super) fn cut(
        &mut self,
        field: &str,
        source: Option<&Source>,
        most: usize,
        what: &'static str,
    ) -> Option<String> {
        let label = self.label(field, source)?;
        Some(self.at_most(label, most, what))
    }

    fn at_most(&self, mut text: String, most: usize, what: &'static str) -> String {
        if text.len() > most {
            let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(text[..end].trim_end().len());
            self.row.values.change(what);
        }
        text
    }

    /// A title or a name, on one line and cut to what the API takes.
    pub(super) fn title(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        let label = self.label(field, source)?;
        Some(self.shortened(&label))
    }

    /// Part of a cell, on one line and cut to what the API takes.
    pub(super) fn shortened(&self, text: &str) -> String {
        let breaks = |character: char| matches!(character, '\n' | '\r' | '\t');
        let mut line = text.to_owned();
        if line.contains(breaks) {
            let what = "titles and names had line breaks or tabs, which are spaces now";
            self.row.values.change(what);
            let lines = line.split(breaks).map(str::trim).filter(|part| !part.is_empty());
            line = lines.collect::<Vec<_>>().join(" ");
        }
        self.at_most(line, limits::LABEL_BYTES, "titles and names were cut to 256 bytes")
    }

    pub(super) fn number(&mut self, field: &str, source: Option<&Source>) -> Option<f64> {
        self.get(field, source, |source, row| source.number(row, Extra::Nothing))
    }

    /// A share such as `0.95` or `95%`.
    pub(super) fn share(&mut self, field: &str, source: Option<&Source>) -> Option<f64> {
        self.get(field, source, |source, row| source.number(row, Extra::Percent))
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.invalid.push(Violation::new(field, reason));
    }

    /// Tells whether nothing is wrong so far.
    pub(super) fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }

    /// The value, unless reading it or checking it found something wrong.
    pub(super) fn finish<T>(mut self, value: T, found: Invalid) -> Result<T, Invalid> {
        self.invalid.extend(found);
        if self.invalid.is_empty() { Ok(value) } else { Err(self.invalid) }
    }
}

/// The API's form of a time.
pub(crate) fn api_time(time: jiff::Timestamp) -> Timestamp {
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        (seconds, nanos) = (seconds - 1, nanos + 1_000_000_000);
    }
    Timestamp { seconds, nanos }
}
