//! The least-squares problem of one target and its neighbourhood.

use crate::{
    control::{Cancelled, Meter},
    linalg::sparse::Columns,
};

/// Products of the items of a neighbourhood with each other and with the target; keeps its memory
/// between targets.
pub(super) struct Problem {
    items: usize,
    /// Square matrix, row after row, in the order of the neighbourhood.
    products: Vec<f64>,
    with_target: Vec<f64>,
    target_square: f64,
    /// Place of each row of the matrix among those with any item, plus 1; 0 for the others.
    places: Vec<u32>,
    rows: Vec<usize>,
    /// Where the items of each place end in `values`.
    ends: Vec<usize>,
    /// Items of the rows: place in the neighbourhood and value.
    values: Vec<(u32, f64)>,
}

impl Problem {
    /// Makes room for the rows of a matrix.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            items: 0,
            products: Vec::new(),
            with_target: Vec::new(),
            target_square: 0.0,
            places: vec![0; rows],
            rows: Vec::new(),
            ends: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Number of items in the neighbourhood.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Products of an item with all of the neighbourhood.
    pub(super) fn products(&self, item: usize) -> &[f64] {
        &self.products[item * self.items..][..self.items]
    }

    /// Product of an item with itself.
    pub(super) fn square(&self, item: usize) -> f64 {
        self.products[item * self.items + item]
    }

    /// Products of the items with the target.
    pub(super) fn with_target(&self) -> &[f64] {
        &self.with_target
    }

    /// Product of the target with itself.
    pub(super) fn target_square(&self) -> f64 {
        self.target_square
    }

    /// Becomes the problem of `target` and its `neighbourhood`, labels that are distinct.
    ///
    /// Gathers, of each row of the matrix, what it has of the neighbourhood, and adds up the pairs:
    /// linear in the entries of the items' columns, where few rows have many of the items.
    pub(super) fn pose(
        &mut self,
        columns: &Columns<'_>,
        neighbourhood: &[u32],
        target: usize,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        self.items = neighbourhood.len();
        self.products.clear();
        self.products.resize(self.items * self.items, 0.0);
        self.with_target.clear();
        self.with_target.resize(self.items, 0.0);
        self.gather(columns, neighbourhood, meter)?;
        let mut start = 0;
        for &end in &self.ends {
            let values = &self.values[start..end];
            for (at, &(item, value)) in values.iter().enumerate() {
                let products = &mut self.products[item as usize * self.items..];
                for &(other, factor) in &values[..=at] {
                    products[other as usize] += value * factor;
                }
            }
            meter.add(1 + (values.len() * values.len() / 2) as u64)?;
            start = end;
        }
        for item in 0..self.items {
            for other in 0..item {
                self.products[other * self.items + item] = self.products[item * self.items + other];
            }
        }
        self.target_square = 0.0;
        for (row, value) in columns.rows_of(target) {
            self.target_square += value * value;
            if let Some(place) = self.places[row].checked_sub(1) {
                let place = place as usize;
                let start = if place == 0 { 0 } else { self.ends[place - 1] };
                for &(item, factor) in &self.values[start..self.ends[place]] {
                    self.with_target[item as usize] += value * factor;
                }
                meter.add((self.ends[place] - start) as u64)?;
            }
        }
        for row in self.rows.drain(..) {
            self.places[row] = 0;
        }
        Ok(())
    }

    /// Fills `rows`, `places`, `ends` and `values`.
    fn gather(
        &mut self,
        columns: &Columns<'_>,
        neighbourhood: &[u32],
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        self.ends.clear();
        for &label in neighbourhood {
            let before = self.rows.len();
            for (row, _) in columns.rows_of(label as usize) {
                let place = &mut self.places[row];
                if *place == 0 {
                    self.rows.push(row);
                    self.ends.push(0);
                    *place = self.rows.len() as u32;
                }
                self.ends[*place as usize - 1] += 1;
            }
            meter.add(2 * (self.rows.len() - before) as u64 + 1)?;
        }
        let mut length = 0;
        // Where the next item of each row goes; at last, where they end.
        for end in &mut self.ends {
            length += std::mem::replace(end, length);
        }
        self.values.clear();
        self.values.resize(length, (0, 0.0));
        for (item, &label) in (0..).zip(neighbourhood) {
            for (row, value) in columns.rows_of(label as usize) {
                let end = &mut self.ends[self.places[row] as usize - 1];
                self.values[*end] = (item, value);
                *end += 1;
            }
        }
        meter.add(4 * length as u64)
    }
}
