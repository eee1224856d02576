//! Eigenvectors of symmetric matrices.

/// Steps after which an eigenvalue is taken as it is; two or three are common.
const STEPS: usize = 60;

/// `matrix = sum of values[i] * vector_i vector_i'`, with orthonormal vectors.
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    /// Vector after vector.
    pub(crate) vectors: Vec<f64>,
}

/// Decomposes a symmetric matrix of `n` rows: Householder's reduction to a tridiagonal matrix and
/// implicit QL steps (Bowdler, Martin, Reinsch and Wilkinson 1968; EISPACK's tred2 and tql2).
pub(crate) fn eigen(matrix: &[f64], n: usize) -> Eigen {
    let mut vectors = matrix.to_vec();
    let mut values = vec![0.0; n];
    let mut off = vec![0.0; n];
    if n > 0 {
        reduce(&mut vectors, &mut values, &mut off, n);
        diagonalise(&mut vectors, &mut values, &mut off, n);
    }
    Eigen { values, vectors }
}

/// Leaves the diagonal, the elements beside it and the transformation, as rows, in its arguments.
fn reduce(rows: &mut [f64], diagonal: &mut [f64], off: &mut [f64], n: usize) {
    let at = |row: usize, column: usize| row * n + column;
    for j in 0..n {
        diagonal[j] = rows[at(j, n - 1)];
    }
    for i in (1..n).rev() {
        let scale: f64 = diagonal[..i].iter().map(|value| value.abs()).sum();
        let mut h = 0.0;
        if scale == 0.0 {
            off[i] = diagonal[i - 1];
            for j in 0..i {
                diagonal[j] = rows[at(j, i - 1)];
                rows[at(j, i)] = 0.0;
                rows[at(i, j)] = 0.0;
            }
        } else {
            for value in &mut diagonal[..i] {
                *value /= scale;
                h += *value * *value;
            }
            let f = diagonal[i - 1];
            let g = if f > 0.0 { -h.sqrt() } else { h.sqrt() };
            off[i] = scale * g;
            h -= f * g;
            diagonal[i - 1] = f - g;
            off[..i].fill(0.0);
            for j in 0..i {
                let f = diagonal[j];
                rows[at(i, j)] = f;
                let mut g = off[j] + rows[at(j, j)] * f;
                let row = &rows[at(j, j + 1)..at(j, i)];
                for ((value, d), e) in row.iter().zip(&diagonal[j + 1..i]).zip(&mut off[j + 1..i]) {
                    g += value * d;
                    *e += value * f;
                }
                off[j] = g;
            }
            let mut f = 0.0;
            for (e, d) in off[..i].iter_mut().zip(&diagonal[..i]) {
                *e /= h;
                f += *e * d;
            }
            let half = f / (h + h);
            for (e, d) in off[..i].iter_mut().zip(&diagonal[..i]) {
                *e -= half * d;
            }
            for j in 0..i {
                let (f, g) = (diagonal[j], off[j]);
                let row = &mut rows[at(j, j)..at(j, i)];
                for ((value, d), e) in row.iter_mut().zip(&diagonal[j..i]).zip(&off[j..i]) {
                    *value -= f * e + g * d;
                }
                diagonal[j] = rows[at(j, i - 1)];
                rows[at(j, i)] = 0.0;
            }
        }
        diagonal[i] = h;
    }
    for i in 0..n - 1 {
        rows[at(i, n - 1)] = rows[at(i, i)];
        rows[at(i, i)] = 1.0;
        let h = diagonal[i + 1];
        let (before, next) = rows.split_at_mut(at(i + 1, 0));
        let next = &mut next[..=i];
        if h != 0.0 {
            for (d, value) in diagonal.iter_mut().zip(&*next) {
                *d = value / h;
            }
            for row in before.chunks_exact_mut(n) {
                let row = &mut row[..=i];
                let g: f64 = next.iter().zip(&*row).map(|(left, right)| left * right).sum();
                for (value, d) in row.iter_mut().zip(&*diagonal) {
                    *value -= g * d;
                }
            }
        }
        next.fill(0.0);
    }
    for j in 0..n {
        diagonal[j] = rows[at(j, n - 1)];
        rows[at(j, n - 1)] = 0.0;
    }
    rows[at(n - 1, n - 1)] = 1.0;
    off[0] = 0.0;
}

/// Leaves the eigenvalues in `diagonal` and the eigenvectors in `rows`.
fn diagonalise(rows: &mut [f64], diagonal: &mut [f64], off: &mut [f64], n: usize) {
    off.rotate_left(1);
    off[n - 1] = 0.0;
    let (mut shift, mut size) = (0.0, 0f64);
    for l in 0..n {
        size = size.max(diagonal[l].abs() + off[l].abs());
        let small = f64::EPSILON * size;
        let m = (l..n - 1).find(|&m| off[m].abs() <= small).unwrap_or(n - 1);
        for _ in 0..STEPS {
            if m == l || off[l].abs() <= small {
                break;
            }
            let g = diagonal[l];
            let p = (diagonal[l + 1] - g) / (2.0 * off[l]);
            let r = p.hypot(1.0).copysign(p);
            diagonal[l] = off[l] / (p + r);
            diagonal[l + 1] = off[l] * (p + r);
            let second = diagonal[l + 1];
            let h = g - diagonal[l];
            diagonal[l + 2..].iter_mut().for_each(|value| *value -= h);
            shift += h;
            let mut p = diagonal[m];
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let (mut s, mut s2) = (0.0, 0.0);
            let e = off[l + 1];
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let g = c * off[i];
                let h = c * p;
                let r = p.hypot(off[i]);
                off[i + 1] = s * r;
                s = off[i] / r;
                c = p / r;
                p = c * diagonal[i] - s * g;
                diagonal[i + 1] = h + s * (c * g + s * diagonal[i]);
                let (left, right) = rows.split_at_mut((i + 1) * n);
                let (left, right) = (&mut left[i * n..], &mut right[..n]);
                for (left, right) in left.iter_mut().zip(right) {
                    let h = *right;
                    *right = s * *left + c * h;
                    *left = c * *left - s * h;
                }
            }
            p = -s * s2 * c3 * e * off[l] / second;
            off[l] = s * p;
            diagonal[l] = c * p;
        }
        diagonal[l] += shift;
        off[l] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    #[test]
    fn vectors_are_orthonormal_and_rebuild_the_matrix() {
        for n in [1usize, 2, 3, 17, 64] {
            for rank in [n, n.div_ceil(3)] {
                let mut random = Random::new(n as u64, rank as u64);
                let factors: Vec<f64> = (0..n * rank).map(|_| random.normal()).collect();
                let dot = |left: &[f64], right: &[f64]| -> f64 {
                    left.iter().zip(right).map(|(left, right)| left * right).sum()
                };
                let matrix: Vec<f64> = (0..n * n)
                    .map(|at| {
                        let (i, j) = (at / n * rank, at % n * rank);
                        dot(&factors[i..i + rank], &factors[j..j + rank])
                    })
                    .collect();
                let Eigen { values, vectors } = eigen(&matrix, n);
                for i in 0..n {
                    for j in 0..n {
                        let (left, right) = (&vectors[i * n..][..n], &vectors[j * n..][..n]);
                        let expected = if i == j { 1.0 } else { 0.0 };
                        assert!((dot(left, right) - expected).abs() < 1e-12, "{n} {rank}");
                        let rebuilt: f64 = (0..n)
                            .map(|k| values[k] * vectors[k * n + i] * vectors[k * n + j])
                            .sum();
                        assert!((rebuilt - matrix[i * n + j]).abs() < 1e-10 * n as f64);
                    }
                }
            }
        }
        let nothing = eigen(&[0.0; 9], 3);
        assert_eq!(nothing.values, [0.0; 3]);
        assert!(nothing.vectors.iter().all(|value| value.is_finite()));
    }
}
