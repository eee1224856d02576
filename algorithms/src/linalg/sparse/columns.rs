//! Matrices by column: who has each item, and how often items are had together.

use std::{cmp::Ordering, ops::Range};

use super::Csr;
use crate::control::{Cancelled, Control, Meter};

/// The transpose of a matrix: by column (a label), the rows in their order.
pub(crate) struct Columns<'a> {
    rows: &'a [Csr<'a>],
    /// The number of the first row of each part, and behind it that of all rows.
    starts: Vec<u32>,
    /// Where the entries of each label begin; one more than there are labels.
    offsets: Vec<usize>,
    entries: Vec<Entry>,
}

/// A row that has a column.
#[derive(Clone, Copy, Default)]
struct Entry {
    part: u32,
    row: u32,
    value: f32,
}

impl Entry {
    /// Orders rows through all parts.
    fn key(&self) -> (u32, u32) {
        (self.part, self.row)
    }
}

impl<'a> Columns<'a> {
    /// Transposes the parts of a matrix, in order, with `items` columns.
    pub(crate) fn new(
        rows: &'a [Csr<'a>],
        items: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut meter = Meter::new(control);
        let mut starts = vec![0];
        for part in rows {
            starts.push(starts[starts.len() - 1] + part.rows() as u32);
        }
        let mut offsets = vec![0; items + 1];
        for part in rows {
            for row in 0..part.rows() {
                let columns = part.columns(row);
                columns.iter().for_each(|&label| offsets[label as usize + 1] += 1);
                meter.add(1 + columns.len() as u64)?;
            }
        }
        for label in 0..items {
            offsets[label + 1] += offsets[label];
        }
        let mut next = offsets.clone();
        let mut entries = vec![Entry::default(); offsets[items]];
        for (number, part) in (0..).zip(rows) {
            for row in 0..part.rows() {
                let columns = part.columns(row);
                let values = part.values(row);
                for (at, &label) in columns.iter().enumerate() {
                    let value = values.map_or(1.0, |values| values[at]);
                    let next = &mut next[label as usize];
                    entries[*next] = Entry { part: number, row: row as u32, value };
                    *next += 1;
                }
                meter.add(1 + 4 * columns.len() as u64)?;
            }
        }
        Ok(Self { rows, starts, offsets, entries })
    }

    /// Number of labels.
    pub(crate) fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of rows in all parts.
    pub(crate) fn rows(&self) -> usize {
        self.starts[self.rows.len()] as usize
    }

    /// Rows of a label, numbered through all parts, with their values.
    pub(crate) fn rows_of(&self, label: usize) -> impl ExactSizeIterator<Item = (usize, f64)> {
        let entries = self.of(label).iter();
        entries.map(|entry| {
            let row = self.starts[entry.part as usize] + entry.row;
            (row as usize, f64::from(entry.value))
        })
    }

    /// Sum of the squares of a label's values.
    pub(crate) fn square(&self, label: usize) -> f64 {
        self.of(label).iter().map(|entry| f64::from(entry.value) * f64::from(entry.value)).sum()
    }

    /// Sum of the products of two labels' values.
    pub(crate) fn product(&self, left: usize, right: usize) -> f64 {
        let (mut left, mut right) = (self.of(left), self.of(right));
        let mut sum = 0.0;
        while let ([first, others @ ..], [second, rest @ ..]) = (left, right) {
            match first.key().cmp(&second.key()) {
                Ordering::Less => left = others,
                Ordering::Greater => right = rest,
                Ordering::Equal => {
                    sum += f64::from(first.value) * f64::from(second.value);
                    (left, right) = (others, rest);
                }
            }
        }
        sum
    }

    /// Calls `add` with each product of a value of `label` and one of the same row at another label
    /// in `range`, or at itself; rows in their order.
    pub(crate) fn products(
        &self,
        label: usize,
        range: Range<u32>,
        meter: &mut Meter<'_>,
        mut add: impl FnMut(u32, f64),
    ) -> Result<(), Cancelled> {
        for entry in self.of(label) {
            let part = &self.rows[entry.part as usize];
            let columns = part.columns(entry.row as usize);
            let start = columns.partition_point(|&column| column < range.start);
            let end = columns.partition_point(|&column| column < range.end);
            let own = f64::from(entry.value);
            match part.values(entry.row as usize) {
                Some(values) => columns[start..end]
                    .iter()
                    .zip(&values[start..end])
                    .for_each(|(&column, &value)| add(column, own * f64::from(value))),
                None => columns[start..end].iter().for_each(|&column| add(column, own)),
            }
            meter.add(4 + (end - start) as u64)?;
        }
        Ok(())
    }

    fn of(&self, label: usize) -> &[Entry] {
        &self.entries[self.offsets[label]..self.offsets[label + 1]]
    }
}
