//! What the factorization minimises.

use super::{FactorSpec, gramian::gramian, matrix::FactorMatrix};
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::sparse::Csr,
};

/// Rows whose terms are summed before they are added to the others.
const BLOCK: usize = 1024;

/// The objective of the [module](super): what half-steps make smaller.
///
/// `matrix` are users by item in parts that follow each other, one row for each of `users`, columns
/// of `items`. Summed in an order that the number of users alone decides.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When the shapes of the arguments do not fit each other.
pub fn loss(
    spec: &FactorSpec,
    users: &FactorMatrix<'_>,
    items: &FactorMatrix<'_>,
    matrix: &[Csr<'_>],
    control: &dyn Control,
) -> Result<f64, Cancelled> {
    let rows: usize = matrix.iter().map(Csr::rows).sum();
    assert_eq!(rows, users.rows(), "a row for each user");
    let mut sums = vec![0f64; rows.div_ceil(BLOCK)];
    let jobs = sums.iter_mut().zip((0..).step_by(BLOCK)).collect();
    work_off(
        jobs,
        control,
        || (),
        |(), meter, (sum, first): (&mut f64, usize)| {
            for row in first..rows.min(first + BLOCK) {
                let (columns, values) = entries(matrix, row);
                let user = users.row(row);
                for (at, &column) in columns.iter().enumerate() {
                    let (weight, target) = spec.cell(values.map_or(1.0, |values| values[at]));
                    let error = f64::from(target) - dot(user, items.row(column as usize));
                    *sum += f64::from(weight) * error * error;
                }
                *sum += spec.penalty(columns.len(), items.rows()) * dot(user, user);
                meter.add((columns.len() * spec.dimensions) as u64)?;
            }
            Ok(())
        },
    )?;
    let mut total: f64 = sums.iter().sum();
    let mut counts = vec![0usize; items.rows()];
    for part in matrix {
        for row in 0..part.rows() {
            part.columns(row).iter().for_each(|&column| counts[column as usize] += 1);
        }
    }
    for (item, &count) in counts.iter().enumerate() {
        let factors = items.row(item);
        total += spec.penalty(count, rows) * dot(factors, factors);
    }
    if spec.unobserved() > 0.0 {
        let (users, items) = (gramian(users, control)?, gramian(items, control)?);
        total += spec.unobserved() * users.inner(&items);
    }
    Ok(total)
}

/// A row's columns and values.
fn entries<'a>(parts: &[Csr<'a>], mut row: usize) -> (&'a [u32], Option<&'a [f32]>) {
    for part in parts {
        if row < part.rows() {
            return (part.columns(row), part.values(row));
        }
        row -= part.rows();
    }
    (&[], None)
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(&left, &right)| f64::from(left) * f64::from(right)).sum()
}
