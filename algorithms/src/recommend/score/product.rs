//! Products of items' factors with a user's vector.

use super::Scoring;
use crate::linalg::prefetch;

/// Numbers that are summed side by side.
const LANES: usize = 8;
/// Candidates between the one that is scored and the one whose factors are asked for.
const AHEAD: usize = 8;
/// Numbers in a cache line.
const LINE: usize = 16;

/// The product of two vectors, summed in one order whatever the processor can.
#[must_use]
pub fn product(left: &[f32], right: &[f32]) -> f64 {
    let (lefts, rights) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest = lefts.remainder().iter().zip(rights.remainder());
    let rest: f32 = rest.map(|(left, right)| left * right).sum();
    let mut lanes = [0f32; LANES];
    for (left, right) in lefts.zip(rights) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += left * right;
        }
    }
    f64::from(lanes.iter().sum::<f32>() + rest)
}

impl Scoring<'_> {
    /// Gives every candidate the product of its row of `factors` with `vector` as its score by
    /// `source`.
    ///
    /// # Panics
    /// When there are fewer rows than items.
    pub fn add_products(&mut self, source: usize, factors: &[f32], vector: &[f32]) {
        let length = vector.len();
        let row = |item: u32| {
            let start = item as usize * length;
            start..start + length
        };
        self.score_ahead(
            source,
            AHEAD,
            |item| row(item).step_by(LINE).for_each(|at| prefetch(factors, at)),
            |item| product(&factors[row(item)], vector),
        );
    }
}
