//! Factors of all users or items, as the parts that shards wrote.

use thiserror::Error;

/// Why slices are not rows of factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FactorError {
    /// Rows have no dimension.
    #[error("factors of 0 dimensions")]
    Dimensions,
    /// A part does not hold whole rows.
    #[error("part {part} does not hold whole rows of {dimensions} numbers")]
    Length {
        /// Index of the part.
        part: usize,
        /// Numbers of a row.
        dimensions: usize,
    },
    /// Rows are numbered in 32 bits.
    #[error("more rows than 32 bits can number")]
    Rows,
    /// An order names a row that does not exist.
    #[error("there is no row {row}")]
    Order {
        /// The row.
        row: u32,
    },
}

/// Rows of `dimensions` numbers, borrowed from one or more slices that follow each other.
#[derive(Clone, Debug)]
pub struct FactorMatrix<'a> {
    dimensions: usize,
    parts: Vec<&'a [f32]>,
    /// Rows up to the end of each part.
    ends: Vec<usize>,
    order: Option<&'a [u32]>,
}

impl<'a> FactorMatrix<'a> {
    /// Checks and wraps `parts`, each whole rows, in their order.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn new(
        dimensions: usize,
        parts: impl IntoIterator<Item = &'a [f32]>,
    ) -> Result<Self, FactorError> {
        if dimensions == 0 {
            return Err(FactorError::Dimensions);
        }
        let parts: Vec<_> = parts.into_iter().collect();
        let mut ends = Vec::with_capacity(parts.len());
        let mut rows = 0;
        for (part, values) in parts.iter().enumerate() {
            if values.len() % dimensions != 0 {
                return Err(FactorError::Length { part, dimensions });
            }
            rows += values.len() / dimensions;
            ends.push(rows);
        }
        u32::try_from(rows).map_err(|_| FactorError::Rows)?;
        Ok(Self { dimensions, parts, ends, order: None })
    }

    /// The same factors under other numbers: row `i` of the result is row `order[i]` of these. So
    /// items that lie by row are read by label, as training matrices name them.
    ///
    /// # Errors
    /// When `order` names a row that does not exist.
    pub fn renumbered(&self, order: &'a [u32]) -> Result<Self, FactorError> {
        let stored = self.stored_rows();
        if let Some(&row) = order.iter().find(|&&row| row as usize >= stored) {
            return Err(FactorError::Order { row });
        }
        Ok(Self { order: Some(order), ..self.clone() })
    }

    /// Numbers of a row.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.order.map_or(self.stored_rows(), <[u32]>::len)
    }

    /// A row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [f32] {
        self.stored_row(self.order.map_or(row, |order| order[row] as usize))
    }

    pub(super) fn stored_rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// A row by its place in the parts, however rows are numbered.
    pub(super) fn stored_row(&self, row: usize) -> &'a [f32] {
        let part = self.ends.partition_point(|&end| end <= row);
        let first = if part == 0 { 0 } else { self.ends[part - 1] };
        let start = (row - first) * self.dimensions;
        &self.parts[part][start..start + self.dimensions]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_over_parts_and_under_other_numbers() {
        let (first, second) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0]);
        let matrix = FactorMatrix::new(2, [&first[..], &[], &second]).expect("whole rows");
        let rows: Vec<_> = (0..3).map(|row| matrix.row(row)).collect();
        assert_eq!(rows, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let order = [2, 0];
        let renumbered = matrix.renumbered(&order).expect("rows exist");
        assert_eq!((renumbered.rows(), renumbered.row(0)), (2, &[5.0, 6.0][..]));
        let wrong = |dimensions| FactorMatrix::new(dimensions, [&first[..], &second]).map(|_| ());
        assert_eq!(wrong(4), Err(FactorError::Length { part: 1, dimensions: 4 }));
        assert_eq!(wrong(0), Err(FactorError::Dimensions));
        assert_eq!(matrix.renumbered(&[3]).map(|_| ()), Err(FactorError::Order { row: 3 }));
    }
}
