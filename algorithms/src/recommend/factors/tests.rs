use super::*;
use crate::{
    recommend::{control::Unattended, random::Random, synthetic::power_law},
    sparse::CsrBuf,
};

fn spec(dimensions: usize) -> FactorSpec {
    FactorSpec {
        dimensions,
        iterations: 3,
        unobserved_weight: 0.1,
        regularization: 0.02,
        frequency_exponent: 1.0,
        steps: 3,
        seed: 7,
        explicit: false,
    }
}

/// Users by item with values in 0.25 to 4.
fn weighted(users: usize, items: usize, entries: usize, seed: u64) -> CsrBuf {
    let mut matrix = power_law(users, items, entries, 0.8, seed);
    let mut random = Random::new(seed, 1);
    matrix.values =
        Some(matrix.columns.iter().map(|_| 0.25 + 3.75 * random.uniform() as f32).collect());
    matrix
}

fn whole(dimensions: usize, factors: &[f32]) -> FactorMatrix<'_> {
    FactorMatrix::new(dimensions, [factors]).expect("whole rows")
}

/// The user's equations, solved by elimination with pivots.
fn reference(
    spec: &FactorSpec,
    items: &FactorMatrix<'_>,
    rows: &[u32],
    values: &[f32],
) -> Vec<f64> {
    let n = spec.dimensions;
    let wide =
        |row: usize| items.row(row).iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let mut system = vec![vec![0f64; n + 1]; n];
    if !spec.explicit {
        for row in 0..items.rows() {
            let item = wide(row);
            for i in 0..n {
                for j in 0..n {
                    system[i][j] += spec.unobserved_weight * item[i] * item[j];
                }
            }
        }
    }
    let unobserved = if spec.explicit { 0.0 } else { spec.unobserved_weight };
    let frequency = rows.len() as f64 + unobserved * items.rows() as f64;
    for (i, line) in system.iter_mut().enumerate() {
        line[i] += spec.regularization * frequency.powf(spec.frequency_exponent);
    }
    for (&row, &value) in rows.iter().zip(values) {
        let item = wide(row as usize);
        let value = f64::from(value);
        let (weight, target) = if spec.explicit { (1.0, value) } else { (value, 1.0) };
        for i in 0..n {
            for j in 0..n {
                system[i][j] += weight * item[i] * item[j];
            }
            system[i][n] += weight * target * item[i];
        }
    }
    for j in 0..n {
        let pivot = (j..n).max_by(|&a, &b| system[a][j].abs().total_cmp(&system[b][j].abs()));
        system.swap(j, pivot.expect("n - j rows"));
        for i in 0..n {
            if i != j {
                let factor = system[i][j] / system[j][j];
                for k in j..=n {
                    system[i][k] -= factor * system[j][k];
                }
            }
        }
    }
    (0..n).map(|i| system[i][n] / system[i][i]).collect()
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    let size = expected.iter().fold(1e-3f64, |size, value| size.max(value.abs()));
    for (&found, expected) in found.iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() <= tolerance * size, "{found} {expected}");
    }
}

#[test]
fn folding_in_and_many_steps_solve_the_equations() {
    for (dimensions, explicit, exponent) in
        [(1, false, 1.0), (5, true, 1.0), (16, false, 0.0), (40, false, 0.5), (64, true, 0.0)]
    {
        let exact =
            FactorSpec { explicit, frequency_exponent: exponent, steps: 200, ..spec(dimensions) };
        let matrix = weighted(30, 80, 500, 3);
        let view = matrix.view(80).expect("a valid matrix");
        let items = start(&FactorSpec { seed: 1, ..exact }, 0..80);
        let items: Vec<f32> = items.iter().map(|value| value * 8.0).collect();
        let items = whole(dimensions, &items);
        let known = gramian(&items, &Unattended).expect("never cancelled");
        let solved = half_step(&exact, &items, &known, &view, &[], &Unattended);
        let solved = solved.expect("never cancelled");
        for (user, solved) in solved.chunks(dimensions).enumerate() {
            let (rows, values) = (view.columns(user), view.values(user).expect("weighted"));
            let expected = reference(&exact, &items, rows, values);
            let folded = fold_in(&exact, &items, &known, rows, values);
            assert_close(&folded, &expected, 1e-6);
            assert_close(solved, &expected, 3e-5);
        }
    }
}

#[test]
fn only_positive_values_are_evidence() {
    let spec = spec(8);
    let factors = start(&spec, 0..20);
    let items = whole(8, &factors);
    let known = gramian(&items, &Unattended).expect("never cancelled");
    let fold = |rows: &[u32], values: &[f32]| fold_in(&spec, &items, &known, rows, values);
    let plain = fold(&[3, 9], &[1.0, 2.0]);
    assert!(plain.iter().any(|&value| value != 0.0));
    assert_eq!(fold(&[3, 4, 9, 5, 6], &[1.0, -1.0, 2.0, 0.0, f32::NAN]), plain);
    assert_eq!(fold(&[], &[]), [0.0; 8]);
    assert_eq!(fold(&[4], &[-2.0]), [0.0; 8]);
}

#[test]
fn half_steps_lower_the_loss() {
    for (dimensions, explicit) in [(1, false), (16, false), (100, false), (16, true), (512, false)]
    {
        let spec = FactorSpec { explicit, iterations: 0, ..spec(dimensions) };
        let users = if dimensions == 512 { 60 } else { 300 };
        let matrix = weighted(users, 120, users * 15, 5);
        let parts = [matrix.view(120).expect("a valid matrix")];
        let labels: Vec<u32> = (0..120).collect();
        let mut last = f64::INFINITY;
        for iterations in 1..5 {
            let spec = FactorSpec { iterations, ..spec };
            let found = train(&spec, &parts, &labels, &Unattended).expect("never cancelled");
            let (users, items) = (whole(dimensions, &found.users), whole(dimensions, &found.items));
            let loss = loss(&spec, &users, &items, &parts, &Unattended).expect("never cancelled");
            assert!(loss < last, "{dimensions} {explicit} {iterations}: {loss} after {last}");
            last = loss;
        }
    }
}

#[test]
fn loss_is_the_plain_sum() {
    for explicit in [false, true] {
        let spec = FactorSpec { explicit, frequency_exponent: 0.5, ..spec(6) };
        let matrix = weighted(40, 25, 200, 2);
        let view = matrix.view(25).expect("a valid matrix");
        let (users, items) = (start(&FactorSpec { seed: 1, ..spec }, 0..40), start(&spec, 0..25));
        let (users, items) = (whole(6, &users), whole(6, &items));
        let dot = |left: &[f32], right: &[f32]| -> f64 {
            left.iter().zip(right).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let mut expected = 0.0;
        let unobserved = if explicit { 0.0 } else { spec.unobserved_weight };
        let mut counts = [0usize; 25];
        for user in 0..40 {
            let (columns, values) = (view.columns(user), view.values(user).expect("weighted"));
            for item in 0..25 {
                let score = dot(users.row(user), items.row(item));
                if let Ok(at) = columns.binary_search(&(item as u32)) {
                    counts[item] += 1;
                    let value = f64::from(values[at]);
                    let (weight, target) = if explicit { (1.0, value) } else { (value, 1.0) };
                    expected += weight * (target - score).powi(2);
                }
                expected += unobserved * score * score;
            }
            let frequency = (columns.len() as f64 + unobserved * 25.0).sqrt();
            expected += spec.regularization * frequency * dot(users.row(user), users.row(user));
        }
        for (item, &count) in counts.iter().enumerate() {
            let frequency = (count as f64 + unobserved * 40.0).sqrt();
            expected += spec.regularization * frequency * dot(items.row(item), items.row(item));
        }
        let found = loss(&spec, &users, &items, &[view], &Unattended).expect("never cancelled");
        assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
    }
}
