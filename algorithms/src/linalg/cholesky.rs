//! Small symmetric positive definite matrices, by Cholesky's factorisation.

use ndarray::{Array1, Array2};

/// A column whose part that earlier columns do not explain is smaller than this share of its
/// square is linearly dependent.
const DEPENDENT: f64 = 1e-9;

/// The inverse of a positive definite matrix of which the lower triangle is given, by Cholesky's
/// factorisation of its correlation form, so that units of the columns do not matter. `None` where a
/// column is a linear combination of those before it.
pub(crate) fn inverse(gram: &Array2<f64>) -> Option<Array2<f64>> {
    let columns = gram.nrows();
    let scale: Array1<f64> = gram.diag().mapv(f64::sqrt);
    if scale.iter().any(|&scale| !(scale > 0.0 && scale.is_finite())) {
        return None;
    }
    let mut factor = Array2::<f64>::zeros((columns, columns));
    for i in 0..columns {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| factor[[i, k]] * factor[[j, k]]).sum();
            let rest = gram[[i, j]] / (scale[i] * scale[j]) - known;
            if i != j {
                factor[[i, j]] = rest / factor[[j, j]];
            } else if rest > DEPENDENT {
                factor[[i, i]] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    // The inverse of the factor, column by column; then L'^-1 L^-1.
    let mut lower = Array2::<f64>::zeros((columns, columns));
    for j in 0..columns {
        for i in j..columns {
            let known: f64 = (j..i).map(|k| factor[[i, k]] * lower[[k, j]]).sum();
            let unit = if i == j { 1.0 } else { 0.0 };
            lower[[i, j]] = (unit - known) / factor[[i, i]];
        }
    }
    let correlation = lower.t().dot(&lower);
    Some(Array2::from_shape_fn((columns, columns), |(i, j)| {
        correlation[[i, j]] / (scale[i] * scale[j])
    }))
}

/// Solves a symmetric positive definite system whose lower triangle is given, row by row,
/// by Cholesky's factorisation. `None` where the matrix is not positive definite.
pub(crate) fn solve(matrix: &[f64], right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    let mut lower = matrix.to_vec();
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let rest = lower[i * n + j] - dot;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                lower[i * n + i] = rest.sqrt();
            } else {
                lower[i * n + j] = rest / lower[j * n + j];
            }
        }
    }
    let mut solution = right.to_vec();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| lower[i * n + k] * solution[k]).sum();
        solution[i] = (solution[i] - dot) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| lower[k * n + i] * solution[k]).sum();
        solution[i] = (solution[i] - dot) / lower[i * n + i];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_and_solutions_undo_the_matrix() {
        let matrix =
            Array2::from_shape_vec((3, 3), vec![4.0, 2.0, 1.0, 2.0, 5.0, 3.0, 1.0, 3.0, 6.0])
                .expect("three rows");
        let found = inverse(&matrix).expect("a positive definite matrix");
        let unit: Array2<f64> = Array2::eye(3);
        assert!((matrix.dot(&found) - &unit).iter().all(|rest| rest.abs() < 1e-12), "{found}");
        let right = [1.0, -2.0, 0.5];
        let slice = matrix.as_slice().expect("rows that lie together");
        let solved = Array1::from(solve(slice, &right).expect("a positive definite matrix"));
        assert!(
            (matrix.dot(&solved) - Array1::from(right.to_vec())).iter().all(|d| d.abs() < 1e-12)
        );
    }

    #[test]
    fn what_has_no_inverse_is_refused() {
        let dependent = Array2::from_shape_vec((2, 2), vec![1.0, 2.0, 2.0, 4.0]).expect("two rows");
        assert_eq!(inverse(&dependent), None);
        assert_eq!(inverse(&Array2::zeros((1, 1))), None);
        assert_eq!(inverse(&Array2::from_elem((1, 1), f64::NAN)), None);
        assert_eq!(solve(&[1.0, 2.0, 2.0, 1.0], &[1.0, 1.0]), None);
        assert_eq!(solve(&[f64::INFINITY], &[1.0]), None);
    }
}
