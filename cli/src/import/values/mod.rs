//! What the cells of a file mean: which words stand for nothing, how numbers and times are written.
//!
//! Whatever can mean two things is decided for a whole column, by the user or by its own cells, never
//! cell by cell; see `survey.rs`.

pub(crate) mod number;
pub(crate) mod time;
pub(crate) mod words;

use std::{
    borrow::Cow,
    cell::{Cell as Counter, RefCell},
};

use indexmap::IndexMap;
use jiff::{Timestamp, tz::TimeZone};

use self::time::Stamp;
pub(crate) use self::{
    number::{Decimal, Extra},
    time::TimeFormat,
    words::Nulls,
};
use super::reading::cell::{Cell, Reason};

/// The order of day, month and year where all are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dates {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

/// What stands before the decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decimals {
    #[default]
    Point,
    Comma,
}

/// Decisions for a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColumnReading {
    pub(crate) decimals: Decimals,
    pub(crate) dates: Option<Dates>,
    /// Whole numbers that are ids: `.0` is left out.
    pub(crate) whole: bool,
}

/// What a field holds, as far as words for missing go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Users, baskets, sessions, numbers and times: all words for missing hold.
    Plain,
    /// Items, titles, locations and attributes, where `NA` and `None` are names.
    Name,
}

/// How all cells of a file are read.
#[derive(Debug)]
pub(crate) struct Values {
    /// Zone of times that name none.
    pub(crate) zone: TimeZone,
    /// Currency of amounts.
    pub(crate) currency: String,
    pub(crate) nulls: Nulls,
    pub(crate) formats: Vec<TimeFormat>,
    /// Readings by cell of a row.
    pub(crate) columns: Vec<ColumnReading>,
    /// Times that name no zone.
    pub(crate) local_times: Counter<u64>,
    /// Local times that a change of the clocks skips or repeats.
    pub(crate) shifted: Counter<u64>,
    /// What was changed in cells, for people: words and how often.
    pub(crate) changed: RefCell<IndexMap<&'static str, u64>>,
}

impl Values {
    /// Readings of a file whose columns hold nothing special.
    pub(crate) fn new(zone: TimeZone, currency: &str) -> Self {
        Self {
            zone,
            currency: currency.to_owned(),
            nulls: Nulls::default(),
            formats: Vec::new(),
            columns: Vec::new(),
            local_times: Counter::new(0),
            shifted: Counter::new(0),
            changed: RefCell::default(),
        }
    }

    fn column(&self, cell: usize) -> ColumnReading {
        self.columns.get(cell).copied().unwrap_or_default()
    }

    /// Notes that a cell was changed.
    pub(crate) fn change(&self, what: &'static str) {
        *self.changed.borrow_mut().entry(what).or_default() += 1;
    }

    /// A point in time of a stamp.
    fn instant(&self, stamp: Stamp) -> Result<Timestamp, Reason> {
        match stamp {
            Stamp::Instant(time) => Ok(time),
            Stamp::Local(local) => {
                self.local_times.set(self.local_times.get() + 1);
                let ambiguous = self.zone.to_ambiguous_timestamp(local);
                if ambiguous.is_ambiguous() {
                    self.shifted.set(self.shifted.get() + 1);
                }
                ambiguous.compatible().map_err(|_| "is outside the calendar".to_owned())
            }
        }
    }

    /// A time in text.
    pub(crate) fn time(
        &self,
        text: &str,
        dates: Option<Dates>,
    ) -> Result<Option<Timestamp>, Reason> {
        let text = text.trim();
        if text.is_empty() || self.nulls.is_missing(text, Role::Plain) {
            return Ok(None);
        }
        self.instant(time::parse(text, &self.formats, dates)?).map(Some)
    }
}

/// The cells of a row and how they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) cells: &'a [Cell<'a>],
    pub(crate) values: &'a Values,
}

impl<'a> Row<'a> {
    /// A cell as an id or a label.
    pub(crate) fn label(&self, cell: usize, role: Role) -> Result<Option<Cow<'a, str>>, Reason> {
        let Cell::Text(text) = &self.cells[cell] else {
            return Ok(self.cells[cell].to_label()?.map(Cow::Owned));
        };
        let trimmed = text.trim();
        if trimmed.is_empty() || self.values.nulls.is_missing(trimmed, role) {
            return Ok(None);
        }
        if self.values.column(cell).whole {
            return Ok(Some(trimmed.strip_suffix(".0").unwrap_or(trimmed).to_owned().into()));
        }
        // White space around an id or a name is never part of it.
        Ok(Some(Cow::Borrowed(trimmed)))
    }

    /// A cell as an exact decimal number, unless it is a floating-point number.
    fn decimal(&self, cell: usize, extra: Extra<'_>) -> Result<Option<Decimal>, Reason> {
        match &self.cells[cell] {
            Cell::Text(text) => {
                let text = text.trim();
                if text.is_empty() || self.values.nulls.is_missing(text, Role::Plain) {
                    return Ok(None);
                }
                number::parse(text, self.values.column(cell).decimals, extra).map(Some)
            }
            Cell::Integer(number) => Ok(Some(Decimal { unscaled: *number, scale: 0 })),
            Cell::Decimal { unscaled, scale } => {
                Ok(Some(Decimal { unscaled: *unscaled, scale: *scale }))
            }
            _ => Ok(None),
        }
    }

    /// A cell as a number.
    pub(crate) fn number(&self, cell: usize, extra: Extra<'_>) -> Result<Option<f64>, Reason> {
        match &self.cells[cell] {
            // Read as ever: to the nearest double.
            Cell::Text(text)
                if self.values.column(cell).decimals == Decimals::Point
                    && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                text.parse()
                    .map(Some)
                    .or_else(|_| Ok(self.decimal(cell, extra)?.map(Decimal::to_f64)))
            }
            Cell::Text(text) if matches!(text.trim(), "inf" | "-inf" | "Infinity") => {
                Ok(text.trim().parse().ok())
            }
            Cell::Text(_) => Ok(self.decimal(cell, extra)?.map(Decimal::to_f64)),
            other => other.to_number(),
        }
    }

    /// A cell as an exact number; floating-point numbers count in millionths.
    pub(crate) fn exact(&self, cell: usize, extra: Extra<'_>) -> Result<Option<Decimal>, Reason> {
        match &self.cells[cell] {
            Cell::Text(_) | Cell::Integer(_) | Cell::Decimal { .. } => self.decimal(cell, extra),
            other => {
                let micros = other.to_micros()?;
                Ok(micros.map(|micros| Decimal { unscaled: micros.into(), scale: 6 }))
            }
        }
    }

    /// A cell as true or false.
    pub(crate) fn flag(&self, cell: usize) -> Result<Option<bool>, Reason> {
        match &self.cells[cell] {
            Cell::Text(text) if self.values.nulls.is_missing(text.trim(), Role::Plain) => Ok(None),
            Cell::Text(text) if text.contains([',', '$', '%', '(']) => {
                let extra = Extra::Money(&self.values.currency);
                Ok(self.decimal(cell, extra)?.map(|number| number.unscaled > 0))
            }
            other => other.to_bool(),
        }
    }

    /// A cell as a time.
    pub(crate) fn time(&self, cell: usize) -> Result<Option<Timestamp>, Reason> {
        let values = self.values;
        match &self.cells[cell] {
            Cell::Text(text) => values.time(text, values.column(cell).dates),
            Cell::Local(local) => values.instant(Stamp::Local(*local)).map(Some),
            // A day or seconds as a number is as open as in text.
            Cell::Integer(number)
                if number.unsigned_abs() < 100_000_000
                    || (100_000_000_000..21_000_000_000_000).contains(number) =>
            {
                values.time(&number.to_string(), values.column(cell).dates)
            }
            Cell::Integer(number) if !values.formats.is_empty() => {
                values.time(&number.to_string(), values.column(cell).dates)
            }
            Cell::Float(number) if number.abs() < 1e8 => {
                values.time(&number.to_string(), values.column(cell).dates)
            }
            other => other.to_time(&values.zone),
        }
    }

    /// Order of the dates of a cell.
    pub(crate) fn dates(&self, cell: usize) -> Option<Dates> {
        self.values.column(cell).dates
    }
}
