//! Sums of products over all factors.

use ndarray::Array2;

use super::matrix::FactorMatrix;
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::dense::{multiply, view},
};

/// Rows whose products are summed in `f32`.
const BLOCK: usize = 256;
/// Sums are kept apart for at most so many spans of rows, and added up in their order.
const SPANS: usize = 32;

/// `sum over rows of row row'`: how alike the dimensions are over all users or items.
#[derive(Clone, Debug, PartialEq)]
pub struct Gramian {
    dimensions: usize,
    sums: Vec<f64>,
}

impl Gramian {
    /// From its rows, one after another; `None` unless there are `dimensions` of that length.
    #[must_use]
    pub fn from_sums(dimensions: usize, sums: Vec<f64>) -> Option<Self> {
        (dimensions.checked_mul(dimensions) == Some(sums.len()))
            .then_some(Self { dimensions, sums })
    }

    /// Length of a row.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Rows of the matrix, one after another.
    #[must_use]
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Sum of the products of the elements: that of all squared scores, where `other` is of users
    /// and this of items.
    pub(super) fn inner(&self, other: &Self) -> f64 {
        self.sums.iter().zip(&other.sums).map(|(left, right)| left * right).sum()
    }
}

/// The Gramian of all rows, over their places in the parts whatever their numbers are.
///
/// Blocks of rows are summed in an order that the number of rows alone decides, so the result is
/// the same bits for any split into parts and any number of threads. Needs the memory of at most 33
/// Gramians.
///
/// # Errors
/// When `control` says so.
pub fn gramian(factors: &FactorMatrix<'_>, control: &dyn Control) -> Result<Gramian, Cancelled> {
    let (rows, dimensions) = (factors.stored_rows(), factors.dimensions());
    let square = dimensions * dimensions;
    let span = rows.div_ceil(SPANS).next_multiple_of(BLOCK).max(8 * BLOCK);
    let mut spans = vec![0f64; rows.div_ceil(span) * square];
    let jobs = spans.chunks_mut(square).enumerate().collect();
    work_off(
        jobs,
        control,
        || (vec![0f32; BLOCK * dimensions], vec![0f32; square]),
        |(block, products), meter, (index, sums)| {
            let first: usize = index * span;
            for start in (first..rows.min(first + span)).step_by(BLOCK) {
                let count = BLOCK.min(rows - start);
                let block = &mut block[..count * dimensions];
                for (row, copy) in (start..).zip(block.chunks_exact_mut(dimensions)) {
                    copy.copy_from_slice(factors.stored_row(row));
                }
                let block = view(block, count, dimensions);
                multiply(block.t(), block, products);
                for (sum, &product) in sums.iter_mut().zip(&*products) {
                    *sum += f64::from(product);
                }
                meter.add((count * square) as u64 / 4)?;
            }
            Ok(())
        },
    )?;
    let mut sums = vec![0f64; square];
    for span in spans.chunks(square) {
        sums.iter_mut().zip(span).for_each(|(sum, &part)| *sum += part);
    }
    Ok(Gramian { dimensions, sums })
}

/// Covariance of the dimensions over all rows; 0 where there are none.
///
/// The scores `p'q` of a vector `p` with all rows `q` have the standard deviation
/// `sqrt(p' C p)`, exactly: the scale of the source, known before a row is scored.
///
/// # Panics
/// When `gramian` is not of as many dimensions.
#[must_use]
pub fn covariance(factors: &FactorMatrix<'_>, gramian: &Gramian) -> Array2<f64> {
    let dimensions = factors.dimensions();
    assert_eq!(gramian.dimensions, dimensions, "a Gramian of other factors");
    let rows = factors.stored_rows();
    let mut means = vec![0f64; dimensions];
    for row in 0..rows {
        for (mean, &value) in means.iter_mut().zip(factors.stored_row(row)) {
            *mean += f64::from(value);
        }
    }
    let scale = 1.0 / rows.max(1) as f64;
    means.iter_mut().for_each(|mean| *mean *= scale);
    Array2::from_shape_fn((dimensions, dimensions), |(i, j)| {
        gramian.sums[i * dimensions + j] * scale - means[i] * means[j]
    })
}
