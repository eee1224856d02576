//! Who has each item, and how often items are had together.

use std::ops::Range;

use crate::{
    recommend::control::{Cancelled, Control, Meter},
    sparse::Csr,
};

/// The transpose of a user-item matrix: by label, the users in their order.
pub(super) struct Columns<'a> {
    users: &'a [Csr<'a>],
    /// By label, where its entries begin; one more than there are labels.
    offsets: Vec<usize>,
    entries: Vec<Entry>,
}

/// A user who has an item.
#[derive(Clone, Copy, Default)]
struct Entry {
    part: u32,
    row: u32,
    value: f32,
}

impl<'a> Columns<'a> {
    /// Of `users`, the parts of the matrix in order.
    pub(super) fn new(
        users: &'a [Csr<'a>],
        items: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut meter = Meter::new(control);
        let mut offsets = vec![0; items + 1];
        for part in users {
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
        for (number, part) in (0..).zip(users) {
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
        Ok(Self { users, offsets, entries })
    }

    /// Number of labels.
    pub(super) fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Sum of the squares of a label's values.
    pub(super) fn square(&self, label: usize) -> f64 {
        let square = |entry: &Entry| f64::from(entry.value) * f64::from(entry.value);
        self.of(label).iter().map(square).sum()
    }

    /// Calls `add` with each product of a value of `label` and one of the same user at another label
    /// in `range`, or at itself; users in their order.
    pub(super) fn products(
        &self,
        label: usize,
        range: Range<u32>,
        meter: &mut Meter<'_>,
        mut add: impl FnMut(u32, f64),
    ) -> Result<(), Cancelled> {
        for entry in self.of(label) {
            let part = &self.users[entry.part as usize];
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
