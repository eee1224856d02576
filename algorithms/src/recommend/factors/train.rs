//! The whole factorization in one process.

use super::{FactorMatrix, FactorSpec, Fixed, gramian, start};
use crate::{
    control::{Cancelled, Control},
    linalg::sparse::{Csr, transpose},
};

/// Factors of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// Factors of users, in the order of the matrix.
    pub users: Vec<f32>,
    /// Factors of items, by row.
    pub items: Vec<f32>,
}

/// Factorizes `users`, the parts of a matrix by label, from [`start`].
///
/// The same half-steps with the same bits as where shards share the work.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When `users` and `row_of_label` disagree on the items.
pub fn train(
    spec: &FactorSpec,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    control: &dyn Control,
) -> Result<Factors, Cancelled> {
    let columns = transpose(users, row_of_label);
    let rows = columns.offsets.len() - 1;
    let count = users.iter().map(Csr::rows).sum();
    let columns = columns.view(count).expect("a transposed matrix is sound");
    let mut items = start(spec, 0..rows as u32);
    let mut factors = vec![Vec::new(); users.len()];
    for _ in 0..spec.iterations {
        let matrix = matrix(spec, [items.as_slice()]);
        let known = gramian(&matrix, control)?;
        let by_label = matrix.renumbered(row_of_label).expect("labels have rows");
        let fixed = Fixed::new(spec, &by_label, &known, control)?;
        for (part, previous) in users.iter().zip(&mut factors) {
            *previous = fixed.solve(spec, part, previous, control)?;
        }
        drop(fixed);
        let matrix = self::matrix(spec, factors.iter().map(Vec::as_slice));
        let known = gramian(&matrix, control)?;
        let fixed = Fixed::new(spec, &matrix, &known, control)?;
        items = fixed.solve(spec, &columns, &items, control)?;
    }
    Ok(Factors { users: factors.concat(), items })
}

fn matrix<'a>(spec: &FactorSpec, parts: impl IntoIterator<Item = &'a [f32]>) -> FactorMatrix<'a> {
    FactorMatrix::new(spec.dimensions, parts).expect("rows of the dimensions")
}
