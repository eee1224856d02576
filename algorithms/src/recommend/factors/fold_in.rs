//! Factors of a user who was not there when the factors were trained, or who changed since.

use super::{FactorSpec, gramian::Gramian, matrix::FactorMatrix};

/// The factors that minimise the objective for one user against fixed items, exactly.
///
/// `rows` of `items` are the user's whole history, in any order, with the values that the training
/// matrix would have; a value of 0 or less, or one that is no number, is no evidence and left out.
/// Equals what half-steps converge to for a user with this row. Zeros without evidence, or where the
/// equations have no single solution.
///
/// # Panics
/// When the shapes of the arguments do not fit each other.
#[must_use]
pub fn fold_in(
    spec: &FactorSpec,
    items: &FactorMatrix<'_>,
    gramian: &Gramian,
    rows: &[u32],
    values: &[f32],
) -> Vec<f32> {
    assert_eq!(rows.len(), values.len(), "a value for each row");
    let n = spec.dimensions;
    assert_eq!(items.dimensions(), n, "factors of other dimensions");
    assert_eq!(gramian.dimensions(), n, "a Gramian of other dimensions");
    let evidence = || {
        let pairs = rows.iter().zip(values);
        pairs.filter(|(_, value)| **value > 0.0 && value.is_finite())
    };
    let count = evidence().count();
    if count == 0 {
        return vec![0.0; n];
    }
    // Only the upper triangle is looked at.
    let unobserved = spec.unobserved();
    let mut matrix: Vec<f64> = gramian.sums().iter().map(|sum| unobserved * sum).collect();
    let penalty = spec.penalty(count, items.rows());
    matrix.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal += penalty);
    let mut right = vec![0f64; n];
    let mut item = vec![0f64; n];
    for (&row, &value) in evidence() {
        let (weight, target) = spec.cell(value);
        let (weight, target) = (f64::from(weight), f64::from(target));
        for (wide, &narrow) in item.iter_mut().zip(items.row(row as usize)) {
            *wide = f64::from(narrow);
        }
        for (i, line) in matrix.chunks_exact_mut(n).enumerate() {
            let scale = weight * item[i];
            right[i] += scale * target;
            line[i..].iter_mut().zip(&item[i..]).for_each(|(sum, value)| *sum += scale * value);
        }
    }
    if !solve(&mut matrix, &mut right) {
        return vec![0.0; n];
    }
    right.iter().map(|&value| value as f32).collect()
}

/// Solves a symmetric positive definite system by elimination; `matrix` holds the upper triangle.
/// Whether it could.
fn solve(matrix: &mut [f64], right: &mut [f64]) -> bool {
    let n = right.len();
    for j in 0..n {
        let (done, below) = matrix.split_at_mut((j + 1) * n);
        let line = &done[j * n..];
        let pivot = line[j];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        for (i, other) in (j + 1..).zip(below.chunks_exact_mut(n)) {
            let factor = line[i] / pivot;
            other[i..].iter_mut().zip(&line[i..]).for_each(|(sum, value)| *sum -= factor * value);
            right[i] -= factor * right[j];
        }
    }
    for j in (0..n).rev() {
        let line = &matrix[j * n..(j + 1) * n];
        let known: f64 = line[j + 1..].iter().zip(&right[j + 1..]).map(|(a, x)| a * x).sum();
        right[j] = (right[j] - known) / line[j];
    }
    right.iter().all(|&value| (value as f32).is_finite())
}
