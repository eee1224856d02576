//! What every column of a file holds, whatever it will be used for.

use anyhow::Result;

use crate::import::{
    reading::{
        Table,
        cell::{Cell, shorten},
    },
    values::{
        Decimals, Extra, Nulls, Role,
        number::{self, Evidence},
        time::{self, Seen},
    },
};

/// Numbers that are kept of a column to tell which of them lie far out.
const KEPT: usize = 4_096;
/// Beyond so many spans of the middle half of its numbers a number lies far out.
const FAR: f64 = 50.0;

/// Profile of the values of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub(super) filled: u64,
    numbers: u64,
    times: u64,
    commas: bool,
    /// The column holds lists, which are not read.
    lists: bool,
    pub(super) example: String,
    largest: Option<(f64, u64)>,
    smallest: Option<(f64, u64)>,
    kept: Vec<f64>,
}

impl Profile {
    /// Profiles of all columns, and the number of rows.
    pub(super) fn of(table: &mut Table) -> Result<(Vec<Self>, u64)> {
        let columns = 0..table.columns().len();
        let mut profiles: Vec<Self> = (columns.clone())
            .map(|column| Self { lists: table.holds_lists(column), ..Self::default() })
            .collect();
        let projection: Vec<usize> = columns.filter(|&column| !profiles[column].lists).collect();
        let nulls = Nulls::default();
        let mut rows = 0;
        table.read(&projection, &mut |line| {
            rows += 1;
            let Ok(cells) = line.cells else { return Ok(()) };
            for (cell, &column) in cells.iter().zip(&projection) {
                profiles[column].see(cell, line.number, &nulls);
            }
            Ok(())
        })?;
        Ok((profiles, rows))
    }

    fn see(&mut self, cell: &Cell<'_>, line: u64, nulls: &Nulls) {
        let number = match cell {
            Cell::Null => return,
            Cell::Text(text) => {
                let text = text.trim();
                if text.is_empty() || nulls.is_missing(text, Role::Plain) {
                    return;
                }
                if self.example.is_empty() {
                    self.example = shorten(text);
                }
                self.commas |= number::evidence(text) == Evidence::Comma;
                let decimals = if self.commas { Decimals::Comma } else { Decimals::Point };
                let number = number::parse(text, decimals, Extra::Money("")).ok();
                let begins = text.as_bytes()[0].is_ascii_alphanumeric();
                if number.is_none() && begins && !matches!(time::see(text), Seen::Other) {
                    self.times += 1;
                }
                number.map(number::Decimal::to_f64)
            }
            Cell::Instant(_) | Cell::Local(_) => {
                self.times += 1;
                None
            }
            other => other.to_number().ok().flatten(),
        };
        if self.example.is_empty() {
            self.example = shorten(&cell.to_label().ok().flatten().unwrap_or_default());
        }
        self.filled += 1;
        let Some(number) = number.filter(|number| number.is_finite()) else { return };
        self.numbers += 1;
        if self.largest.is_none_or(|(largest, _)| number > largest) {
            self.largest = Some((number, line));
        }
        if self.smallest.is_none_or(|(smallest, _)| number < smallest) {
            self.smallest = Some((number, line));
        }
        // The first numbers, then every so many: the same for the same file.
        if self.kept.len() < KEPT {
            self.kept.push(number);
        } else if self.numbers.is_multiple_of(97) {
            let place = usize::try_from(self.numbers / 97).unwrap_or(0) % KEPT;
            self.kept[place] = number;
        }
    }

    /// Kind of the values, for people.
    pub(super) fn holds(&self) -> &'static str {
        match self.filled {
            _ if self.lists => "lists",
            0 => "nothing",
            filled if self.times == filled => "times",
            filled if self.numbers == filled => "numbers",
            filled if self.times * 10 > filled * 9 => "times, mostly",
            filled if self.numbers * 10 > filled * 9 => "numbers, mostly",
            _ => "text",
        }
    }

    /// Numbers that lie far outside of what the column holds otherwise, with their lines.
    pub(super) fn far_out(&mut self) -> Vec<(f64, u64)> {
        if self.numbers < 20 || self.numbers * 10 < self.filled * 9 {
            return Vec::new();
        }
        self.kept.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| self.kept[(self.kept.len() - 1) * share / 4];
        let (low, middle, high) = (at(1), at(2), at(3));
        // A column of one number has no span of its own.
        let span = (high - low).max(middle.abs() * 0.1).max(f64::MIN_POSITIVE);
        let ends = [self.smallest, self.largest].into_iter().flatten();
        ends.filter(|&(number, _)| (number - middle).abs() > FAR * span).collect()
    }
}
