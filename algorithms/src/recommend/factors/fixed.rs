//! The side that stands still during a half-step.

use super::{FactorSpec, gramian::Gramian, matrix::FactorMatrix};
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::{
        aligned::Aligned,
        dense::{multiply, view},
        eigen::{Eigen, eigen},
        lanes::LANES,
    },
};

/// Rows that are rotated at once.
const BLOCK: usize = 256;

/// Factors of the side that stands still, made ready to solve rows of the other side.
///
/// They are turned into the basis of their Gramian's eigenvectors. There the part of the normal
/// equations that all rows share, `unobserved_weight * Gramian + regularization`, is a diagonal:
/// a step of conjugate gradients costs nothing beyond the row's own entries, and the diagonal is a
/// good preconditioner for free. A copy, as large as the factors: one serves any number of calls.
#[derive(Debug)]
pub struct Fixed {
    rows: usize,
    dimensions: usize,
    /// Length of a row.
    pub(super) stride: usize,
    pub(super) factors: Aligned,
    /// Eigenvalues of the Gramian, times the weight of unobserved cells; padded with 0.
    pub(super) shared: Vec<f64>,
    /// From the factors' basis to that of `factors`, row by row; `None` where they are the same.
    pub(super) rotation: Option<Vec<f32>>,
}

impl Fixed {
    /// Turns `factors`, whose Gramian is `gramian`, under the numbers they have in `factors`.
    ///
    /// # Errors
    /// When `control` says so.
    ///
    /// # Panics
    /// When `spec`, `factors` and `gramian` are not of as many dimensions.
    pub fn new(
        spec: &FactorSpec,
        factors: &FactorMatrix<'_>,
        gramian: &Gramian,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let dimensions = spec.dimensions;
        assert_eq!(factors.dimensions(), dimensions, "factors of other dimensions");
        assert_eq!(gramian.dimensions(), dimensions, "a Gramian of other dimensions");
        let stride = dimensions.next_multiple_of(LANES);
        let mut shared = vec![0.0; stride];
        let weight = spec.unobserved();
        let rotation = (weight > 0.0).then(|| {
            let Eigen { values, vectors } = eigen(gramian.sums(), dimensions);
            let mut rotation = vec![0f32; stride * stride];
            for (j, &value) in values.iter().enumerate() {
                shared[j] = weight * value.max(0.0);
                for i in 0..dimensions {
                    rotation[i * stride + j] = vectors[j * dimensions + i] as f32;
                }
            }
            rotation
        });
        let rows = factors.rows();
        let mut turned = Aligned::zeroed(rows * stride);
        let jobs = turned.chunks_mut(BLOCK * stride).zip((0..).step_by(BLOCK)).collect();
        let scratch = || vec![0f32; BLOCK * stride];
        work_off(jobs, control, scratch, |scratch, meter, (block, first): (&mut [f32], usize)| {
            let copies = if rotation.is_some() { &mut scratch[..block.len()] } else { &mut *block };
            for (row, copy) in (first..).zip(copies.chunks_exact_mut(stride)) {
                copy[..dimensions].copy_from_slice(factors.row(row));
            }
            let count = block.len() / stride;
            if let Some(rotation) = &rotation {
                let rotation = view(rotation, stride, stride);
                multiply(view(&scratch[..block.len()], count, stride), rotation, block);
            }
            meter.add((block.len() * stride) as u64 / 4)
        })?;
        Ok(Self { rows, dimensions, stride, factors: turned, shared, rotation })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a row, without padding.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }
}
