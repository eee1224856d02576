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
    let Some(mut equations) = Equations::new(spec, items, gramian, rows, values) else {
        return vec![0.0; spec.dimensions];
    };
    let mut right = equations.right.clone();
    if !equations.solve(&mut right, 1) {
        return vec![0.0; spec.dimensions];
    }
    right.iter().map(|&value| value as f32).collect()
}

/// What each row of a user's history adds to the scores of `targets`: by target, parallel to
/// `rows`; 0 for what is no evidence.
///
/// The solution is linear in the right side of the equations, which is a sum over the history (Hu,
/// Koren and Volinsky 2008, section 5). The parts of a target add up to the product of its factors
/// with those of [`fold_in`], but for rounding.
///
/// # Panics
/// When the shapes of the arguments do not fit each other, or there is no such target.
#[must_use]
pub fn contributions(
    spec: &FactorSpec,
    items: &FactorMatrix<'_>,
    gramian: &Gramian,
    rows: &[u32],
    values: &[f32],
    targets: &[u32],
) -> Vec<Vec<f64>> {
    if targets.is_empty() {
        return Vec::new();
    }
    let mut contributions = vec![vec![0.0; rows.len()]; targets.len()];
    let Some(mut equations) = Equations::new(spec, items, gramian, rows, values) else {
        return contributions;
    };
    let (n, m) = (spec.dimensions, targets.len());
    let mut rights = vec![0f64; n * m];
    for (at, &target) in targets.iter().enumerate() {
        for (line, &value) in rights.chunks_exact_mut(m).zip(items.row(target as usize)) {
            line[at] = f64::from(value);
        }
    }
    if !equations.solve(&mut rights, m) {
        return contributions;
    }
    for (at, parts) in contributions.iter_mut().enumerate() {
        for ((part, &row), &value) in parts.iter_mut().zip(rows).zip(values) {
            if !is_evidence(value) {
                continue;
            }
            let (weight, target) = spec.cell(value);
            let solved = rights.chunks_exact(m).map(|line| line[at]);
            let product: f64 =
                solved.zip(items.row(row as usize)).map(|(x, &y)| x * f64::from(y)).sum();
            *part = f64::from(weight) * f64::from(target) * product;
        }
    }
    contributions
}

fn is_evidence(value: f32) -> bool {
    value > 0.0 && value.is_finite()
}

/// The normal equations of one user.
struct Equations {
    /// Left side, row by row, of which only the upper triangle is looked at.
    matrix: Vec<f64>,
    right: Vec<f64>,
}

impl Equations {
    /// `None` without evidence.
    fn new(
        spec: &FactorSpec,
        items: &FactorMatrix<'_>,
        gramian: &Gramian,
        rows: &[u32],
        values: &[f32],
    ) -> Option<Self> {
        assert_eq!(rows.len(), values.len(), "a value for each row");
        let n = spec.dimensions;
        assert_eq!(items.dimensions(), n, "factors of other dimensions");
        assert_eq!(gramian.dimensions(), n, "a Gramian of other dimensions");
        let evidence = || rows.iter().zip(values).filter(|(_, value)| is_evidence(**value));
        let count = evidence().count();
        if count == 0 {
            return None;
        }
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
        Some(Self { matrix, right })
    }

    /// Replaces `rights`, a row of `count` numbers an equation, by the solutions; by elimination,
    /// once. Whether there is one.
    fn solve(&mut self, rights: &mut [f64], count: usize) -> bool {
        let n = self.right.len();
        for j in 0..n {
            let (done, below) = self.matrix.split_at_mut((j + 1) * n);
            let (right, rights) = rights.split_at_mut((j + 1) * count);
            let (line, right) = (&done[j * n..], &right[j * count..]);
            let pivot = line[j];
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            let others = below.chunks_exact_mut(n).zip(rights.chunks_exact_mut(count));
            for (i, (other, other_right)) in (j + 1..).zip(others) {
                let factor = line[i] / pivot;
                subtract(&mut other[i..], factor, &line[i..]);
                subtract(other_right, factor, right);
            }
        }
        for j in (0..n).rev() {
            let line = &self.matrix[j * n..(j + 1) * n];
            let (before, known) = rights.split_at_mut((j + 1) * count);
            let right = &mut before[j * count..];
            for (&factor, known) in line[j + 1..].iter().zip(known.chunks_exact(count)) {
                subtract(right, factor, known);
            }
            right.iter_mut().for_each(|value| *value /= line[j]);
        }
        rights.iter().all(|&value| (value as f32).is_finite())
    }
}

fn subtract(from: &mut [f64], factor: f64, values: &[f64]) {
    from.iter_mut().zip(values).for_each(|(sum, value)| *sum -= factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{control::Unattended, recommend::factors::gramian, stats::random::Random};

    #[test]
    fn parts_of_a_history_add_up_to_the_score() {
        const DIMENSIONS: usize = 5;
        let mut random = Random::new(3, 0);
        let factors: Vec<f32> =
            (0..40 * DIMENSIONS).map(|_| random.uniform() as f32 - 0.4).collect();
        let items = FactorMatrix::new(DIMENSIONS, [&factors[..]]).expect("whole rows");
        let gramian = gramian(&items, &Unattended).expect("not cancelled");
        for explicit in [false, true] {
            let spec = FactorSpec {
                dimensions: DIMENSIONS,
                iterations: 1,
                unobserved_weight: 0.1,
                regularization: 0.05,
                frequency_exponent: 1.0,
                steps: 3,
                seed: 0,
                explicit,
            };
            let (rows, values) = ([3, 7, 20, 21], [1.0, -2.0, 0.5, 4.0]);
            let user = fold_in(&spec, &items, &gramian, &rows, &values);
            let targets = [0, 7, 39];
            let parts = contributions(&spec, &items, &gramian, &rows, &values, &targets);
            for (target, parts) in targets.into_iter().zip(parts) {
                let item = items.row(target as usize);
                let score: f64 =
                    item.iter().zip(&user).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                assert!((parts.iter().sum::<f64>() - score).abs() < 1e-6 * (1.0 + score.abs()));
                assert!(parts[1] == 0.0 && parts[0] != 0.0);
            }
            let nothing = contributions(&spec, &items, &gramian, &[1], &[-1.0], &[2, 3]);
            assert_eq!(nothing, [[0.0], [0.0]]);
            assert!(contributions(&spec, &items, &gramian, &rows, &values, &[]).is_empty());
        }
    }
}
