//! Users by item and items by user, side by side.

use thiserror::Error;

use crate::{
    control::{Cancelled, Control, Meter},
    linalg::sparse::Csr,
};

/// Why arrays do not make an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UserIndexError {
    /// Rows and columns are not those of one matrix.
    #[error("{what}: {found}, not {expected}")]
    Shape {
        /// Number that differs.
        what: &'static str,
        /// Number as given.
        found: usize,
        /// Number that the users' rows make.
        expected: usize,
    },
    /// Some parts have values and some have none.
    #[error("some parts of the matrix have values and some have none")]
    Mixed,
}

/// Mean and norms of each user's row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserMoments {
    /// Mean over the user's values; over all items in a matrix of ones.
    pub means: Vec<f32>,
    /// Euclidean length of the row.
    pub norms: Vec<f32>,
    /// Euclidean length of the centred row; 0 when all its values are equal, but for rounding.
    pub deviations: Vec<f32>,
}

impl UserMoments {
    /// Moments of all rows of all parts, in order.
    ///
    /// # Errors
    /// When `control` says so.
    pub fn new(rows: &[Csr<'_>], control: &dyn Control) -> Result<Self, Cancelled> {
        let mut meter = Meter::new(control);
        let mut moments = Self::default();
        for part in rows {
            for row in 0..part.rows() {
                let length = part.columns(row).len();
                let (mean, square, centred) = match part.values(row) {
                    Some(values) => of_values(values),
                    None => of_ones(length, part.width()),
                };
                moments.means.push(mean as f32);
                moments.norms.push(square.sqrt() as f32);
                let is_flat = centred <= 1e-12 * square;
                moments.deviations.push(if is_flat { 0.0 } else { centred.sqrt() as f32 });
                meter.add(8 + length as u64)?;
            }
        }
        Ok(moments)
    }
}

/// Mean, sum of squares and of squared deviations.
pub(super) fn of_values(values: &[f32]) -> (f64, f64, f64) {
    let sum = values.iter().fold(0.0, |sum, &value| sum + f64::from(value));
    let mean = if values.is_empty() { 0.0 } else { sum / values.len() as f64 };
    values.iter().fold((mean, 0.0, 0.0), |(mean, square, centred), &value| {
        let (value, off) = (f64::from(value), f64::from(value) - mean);
        (mean, square + value * value, centred + off * off)
    })
}

/// Mean, sum of squares and of squared deviations of `length` ones among `items` numbers, the
/// others 0.
fn of_ones(length: usize, items: usize) -> (f64, f64, f64) {
    let (length, items) = (length as f64, (items as f64).max(1.0));
    (length / items, length, length - length * length / items)
}

/// A user-item matrix by user and by item, borrowed.
///
/// Users are numbered through the parts of `rows` in order; the columns of these are labels. Items
/// are numbered through the parts of `columns` in order, by row.
#[derive(Clone, Copy, Debug)]
pub struct UserIndex<'a> {
    rows: &'a [Csr<'a>],
    columns: &'a [Csr<'a>],
    moments: &'a UserMoments,
    row_of_label: &'a [u32],
    label_of_row: &'a [u32],
    is_weighted: bool,
}

impl<'a> UserIndex<'a> {
    /// Wraps the two sides of one matrix. `row_of_label` and `label_of_row` are inverse to each
    /// other, which is not checked.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn new(
        rows: &'a [Csr<'a>],
        columns: &'a [Csr<'a>],
        moments: &'a UserMoments,
        row_of_label: &'a [u32],
        label_of_row: &'a [u32],
    ) -> Result<Self, UserIndexError> {
        let users = rows.iter().map(Csr::rows).sum();
        let items = row_of_label.len();
        let widths = |parts: &[Csr<'_>], expected| {
            parts.iter().map(Csr::width).find(|&width| width != expected).unwrap_or(expected)
        };
        let entries = |parts: &[Csr<'_>]| parts.iter().map(Csr::entries).sum::<usize>();
        for (what, found, expected) in [
            ("width of the rows", widths(rows, items), items),
            ("width of the columns", widths(columns, users), users),
            ("columns", columns.iter().map(Csr::rows).sum(), items),
            ("labels", label_of_row.len(), items),
            ("entries of the columns", entries(columns), entries(rows)),
            ("means", moments.means.len(), users),
            ("norms", moments.norms.len(), users),
            ("deviations", moments.deviations.len(), users),
        ] {
            if found != expected {
                return Err(UserIndexError::Shape { what, found, expected });
            }
        }
        let parts = || rows.iter().chain(columns);
        let is_weighted = parts().any(Csr::is_weighted);
        if parts().any(|part| part.is_weighted() != is_weighted) {
            return Err(UserIndexError::Mixed);
        }
        Ok(Self { rows, columns, moments, row_of_label, label_of_row, is_weighted })
    }

    /// Number of users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.moments.means.len()
    }

    /// Number of items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.row_of_label.len()
    }

    /// Tells whether values are stored.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.is_weighted
    }

    pub(super) fn moments(&self) -> &'a UserMoments {
        self.moments
    }

    /// Labels of a user, ascending, with values if there are any.
    pub(super) fn user(&self, user: u32) -> (&'a [u32], Option<&'a [f32]>) {
        find(self.rows, user)
    }

    /// Users of an item, ascending, with values if there are any; nobody has an item that there is
    /// not.
    pub(super) fn item(&self, row: u32) -> (&'a [u32], Option<&'a [f32]>) {
        find(self.columns, row)
    }

    /// # Panics
    /// When there is no such label.
    pub(super) fn row_of_label(&self, label: u32) -> u32 {
        self.row_of_label[label as usize]
    }

    pub(super) fn label_of_row(&self, row: u32) -> Option<u32> {
        self.label_of_row.get(row as usize).copied()
    }
}

/// A row of all parts; there are few of these.
fn find<'a>(parts: &[Csr<'a>], row: u32) -> (&'a [u32], Option<&'a [f32]>) {
    let mut row = row as usize;
    for part in parts {
        if row < part.rows() {
            return (part.columns(row), part.values(row));
        }
        row -= part.rows();
    }
    (&[], None)
}
