//! Compressed sparse rows, borrowed from a mapped file or owned.

use std::ops::RangeInclusive;

use thiserror::Error;

/// Values whose products, and sums of 2^32 of these, stay normal numbers of `f32`.
pub const VALUES: RangeInclusive<f32> = 1e-18..=1e14;

/// Why arrays are not compressed sparse rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CsrError {
    /// `offsets` is empty, does not start with 0, falls, or does not end at the number of entries.
    #[error("offsets do not cover the entries at row {row}")]
    Offsets {
        /// The first row that is wrong.
        row: usize,
    },
    /// There are not as many values as columns.
    #[error("{values} values for {columns} columns")]
    Length {
        /// Entries of `columns`.
        columns: usize,
        /// Entries of `values`.
        values: usize,
    },
    /// A column lies beyond the width, or a row's columns do not ascend strictly.
    #[error("columns of row {row} are not ascending and below the width")]
    Columns {
        /// The row.
        row: usize,
    },
    /// A value lies outside [`VALUES`].
    #[error("value {index} is not within 1e-18 and 1e14")]
    Value {
        /// Index into `values`.
        index: usize,
    },
}

/// Rows of strictly ascending columns with positive values, borrowed.
///
/// What the constructor checked holds for ever, so kernels may rely on it.
#[derive(Clone, Copy, Debug)]
pub struct Csr<'a> {
    offsets: &'a [u64],
    columns: &'a [u32],
    values: Option<&'a [f32]>,
    width: usize,
}

impl<'a> Csr<'a> {
    /// Checks and wraps: `offsets` has one entry more than there are rows; `values` is parallel to
    /// `columns`, absent when all are 1; every column is below `width`.
    ///
    /// # Errors
    /// Says which array is wrong, and where.
    pub fn new(
        offsets: &'a [u64],
        columns: &'a [u32],
        values: Option<&'a [f32]>,
        width: usize,
    ) -> Result<Self, CsrError> {
        let ends = [offsets.first().copied(), offsets.last().copied()];
        if ends != [Some(0), Some(columns.len() as u64)] {
            return Err(CsrError::Offsets { row: 0 });
        }
        for (row, bounds) in offsets.windows(2).enumerate() {
            let entries = usize::try_from(bounds[0])
                .ok()
                .zip(usize::try_from(bounds[1]).ok())
                .and_then(|(start, end)| columns.get(start..end))
                .ok_or(CsrError::Offsets { row })?;
            let ascending = entries.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascending || entries.last().is_some_and(|&last| last as usize >= width) {
                return Err(CsrError::Columns { row });
            }
        }
        if let Some(values) = values {
            if values.len() != columns.len() {
                return Err(CsrError::Length { columns: columns.len(), values: values.len() });
            }
            let wrong = values.iter().position(|value| !VALUES.contains(value));
            if let Some(index) = wrong {
                return Err(CsrError::Value { index });
            }
        }
        Ok(Self { offsets, columns, values, width })
    }

    /// Wraps arrays that [`Csr::new`] has accepted before, without reading them again. Any others
    /// give wrong results or a panic later.
    #[must_use]
    pub fn verified(
        offsets: &'a [u64],
        columns: &'a [u32],
        values: Option<&'a [f32]>,
        width: usize,
    ) -> Self {
        Self { offsets, columns, values, width }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Columns of a row, ascending.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn columns(&self, row: usize) -> &'a [u32] {
        &self.columns[self.range(row)]
    }

    /// Values of a row, parallel to its columns; `None` when all are 1.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn values(&self, row: usize) -> Option<&'a [f32]> {
        self.values.map(|values| &values[self.range(row)])
    }

    /// Tells whether values are stored.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.values.is_some()
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }
}

/// Owned rows, built one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct CsrBuf {
    /// Ends of the rows, behind a 0: one entry more than there are rows.
    pub offsets: Vec<u64>,
    /// Columns of all rows.
    pub columns: Vec<u32>,
    /// Parallel to `columns`; absent when all are 1.
    pub values: Option<Vec<f32>>,
}

impl CsrBuf {
    /// Makes a matrix without rows; `weighted` says whether values are kept.
    #[must_use]
    pub fn new(weighted: bool) -> Self {
        Self { offsets: vec![0], columns: Vec::new(), values: weighted.then(Vec::new) }
    }

    /// Appends a row given in any order of distinct columns; sorts `entries` by column.
    pub fn push_row(&mut self, entries: &mut [(u32, f32)]) {
        entries.sort_unstable_by_key(|&(column, _)| column);
        self.columns.extend(entries.iter().map(|&(column, _)| column));
        if let Some(values) = &mut self.values {
            values.extend(entries.iter().map(|&(_, value)| value));
        }
        self.offsets.push(self.columns.len() as u64);
    }

    /// Checks and borrows.
    ///
    /// # Errors
    /// As [`Csr::new`].
    pub fn view(&self, width: usize) -> Result<Csr<'_>, CsrError> {
        Csr::new(&self.offsets, &self.columns, self.values.as_deref(), width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_kernels_rely_on() {
        let check = |offsets: &[u64], columns: &[u32], values: Option<&[f32]>| {
            Csr::new(offsets, columns, values, 4).map(|_| ())
        };
        assert_eq!(check(&[0, 2, 2], &[0, 3], Some(&[1.0, 0.5])), Ok(()));
        assert_eq!(check(&[], &[], None), Err(CsrError::Offsets { row: 0 }));
        assert_eq!(check(&[0, 1], &[0, 3], None), Err(CsrError::Offsets { row: 0 }));
        assert_eq!(check(&[0, 3, 2], &[0, 3], None), Err(CsrError::Offsets { row: 0 }));
        assert_eq!(check(&[0, 2, 1, 2], &[0, 3], None), Err(CsrError::Offsets { row: 1 }));
        assert_eq!(check(&[0, 2], &[3, 0], None), Err(CsrError::Columns { row: 0 }));
        assert_eq!(check(&[0, 2], &[1, 1], None), Err(CsrError::Columns { row: 0 }));
        assert_eq!(check(&[0, 0, 2], &[0, 4], None), Err(CsrError::Columns { row: 1 }));
        let length = CsrError::Length { columns: 2, values: 1 };
        assert_eq!(check(&[0, 2], &[0, 3], Some(&[1.0])), Err(length));
        for value in [0.0, -1.0, 1e-19, 1e15, f32::NAN, f32::INFINITY] {
            let wrong = Err(CsrError::Value { index: 1 });
            assert_eq!(check(&[0, 2], &[0, 3], Some(&[1.0, value])), wrong);
        }
    }

    #[test]
    fn rows_come_back_sorted() {
        let mut rows = CsrBuf::new(true);
        rows.push_row(&mut [(3, 0.5), (1, 2.0)]);
        rows.push_row(&mut []);
        let view = rows.view(4).expect("valid rows");
        assert_eq!((view.rows(), view.entries()), (2, 2));
        assert_eq!(view.columns(0), [1, 3]);
        assert_eq!(view.values(0), Some(&[2.0, 0.5][..]));
        assert!(view.columns(1).is_empty());
    }
}
