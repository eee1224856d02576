use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended, linalg::sparse::CsrBuf, recommend::synthetic::power_law,
    stats::random::Random,
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
        let line = system[j].clone();
        for (_, other) in system.iter_mut().enumerate().filter(|&(i, _)| i != j) {
            let factor = other[j] / line[j];
            other.iter_mut().zip(&line).for_each(|(value, above)| *value -= factor * above);
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
        let (users, last_iteration) = if dimensions == 512 { (60, 2) } else { (300, 4) };
        let matrix = weighted(users, 120, users * 15, 5);
        let parts = [matrix.view(120).expect("a valid matrix")];
        let labels: Vec<u32> = (0..120).collect();
        let mut last = f64::INFINITY;
        for iterations in 1..=last_iteration {
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
            for (item, count) in counts.iter_mut().enumerate() {
                let score = dot(users.row(user), items.row(item));
                if let Ok(at) = columns.binary_search(&(item as u32)) {
                    *count += 1;
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

/// A matrix cut after some rows.
fn parts(matrix: &CsrBuf, cuts: &[usize]) -> Vec<CsrBuf> {
    let rows = matrix.offsets.len() - 1;
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (rows + 1)).collect();
    bounds.extend([0, rows]);
    bounds.sort_unstable();
    let mut parts = Vec::new();
    for bounds in bounds.windows(2) {
        let mut part = CsrBuf::new(matrix.values.is_some());
        for row in bounds[0]..bounds[1] {
            let mut entries = Vec::new();
            for at in matrix.offsets[row] as usize..matrix.offsets[row + 1] as usize {
                let value = matrix.values.as_ref().map_or(1.0, |values| values[at]);
                entries.push((matrix.columns[at], value));
            }
            part.push_row(&mut entries);
        }
        parts.push(part);
    }
    parts
}

fn on<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a few threads").install(run)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_split_and_any_threads_give_the_same_bits(
        dimensions in prop_oneof![Just(1usize), Just(7), Just(16), Just(33), Just(64), Just(300)],
        cuts in prop::collection::vec(0usize..1_000, 0..4),
        threads in 1usize..4,
        explicit: bool,
        is_weighted: bool,
    ) {
        let (users, items) = (150, 70);
        let spec = FactorSpec { explicit, iterations: 2, ..spec(dimensions) };
        let mut matrix = weighted(users, items, 1_500, 11);
        if !is_weighted {
            matrix.values = None;
        }
        let row_of_label: Vec<u32> = (0..items as u32).map(|label| (label * 11 + 3) % items as u32).collect();
        let train = |parts: &[CsrBuf]| {
            let parts: Vec<Csr<'_>> =
                parts.iter().map(|part| part.view(items).expect("a valid matrix")).collect();
            let found = train(&spec, &parts, &row_of_label, &Unattended).expect("never cancelled");
            let (users, factors) = (whole(dimensions, &found.users), whole(dimensions, &found.items));
            let by_label = factors.renumbered(&row_of_label).expect("labels have rows");
            let loss = loss(&spec, &users, &by_label, &parts, &Unattended).expect("never cancelled");
            (found, loss)
        };
        let expected = on(1, || train(std::slice::from_ref(&matrix)));
        let found = on(threads, || train(&parts(&matrix, &cuts)));
        prop_assert_eq!(&found, &expected);

        // Factors in parts of any length are the same factors.
        let factors = &expected.0.users;
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (users + 1) * dimensions).collect();
        bounds.extend([0, factors.len()]);
        bounds.sort_unstable();
        let slices = bounds.windows(2).map(|pair| &factors[pair[0]..pair[1]]);
        let split = FactorMatrix::new(dimensions, slices).expect("whole rows");
        let known = |factors: &FactorMatrix<'_>| gramian(factors, &Unattended).expect("never cancelled");
        let whole = whole(dimensions, factors);
        prop_assert_eq!(on(threads, || known(&split)), on(1, || known(&whole)));
        prop_assert_eq!(covariance(&split, &known(&split)), covariance(&whole, &known(&whole)));
        let first = start(&spec, 0..users as u32);
        let cut = bounds[1] / dimensions;
        let halves = [start(&spec, 0..cut as u32), start(&spec, cut as u32..users as u32)].concat();
        prop_assert_eq!(first, halves);
    }

    #[test]
    fn whatever_the_weights_factors_are_finite(
        values in prop::collection::vec(
            prop_oneof![Just(1e-18f32), Just(1e14), Just(1.0), 1e-6f32..1e6],
            40,
        ),
        unobserved_weight in prop_oneof![Just(0.0), Just(1e-9), Just(1.0), Just(1e6)],
        regularization in prop_oneof![Just(0.0), Just(1e-12), Just(0.1), Just(1e9)],
        explicit: bool,
    ) {
        let spec = FactorSpec { unobserved_weight, regularization, explicit, ..spec(6) };
        let mut matrix = CsrBuf::new(true);
        for user in values.chunks(4) {
            let items = user.iter().enumerate();
            matrix.push_row(&mut items.map(|(at, &value)| ((at as u32 * 3) % 8, value)).collect::<Vec<_>>());
        }
        matrix.push_row(&mut []);
        let users = [matrix.view(9).expect("a valid matrix")];
        let labels: Vec<u32> = (0..9).collect();
        let found = train(&spec, &users, &labels, &Unattended).expect("never cancelled");
        prop_assert!(found.users.iter().chain(&found.items).all(|value| value.is_finite()));
        prop_assert_eq!(&found.users[10 * 6..], &[0.0; 6]);
        prop_assert_eq!(&found.items[8 * 6..], &[0.0; 6]);
        let items = whole(6, &found.items);
        let known = gramian(&items, &Unattended).expect("never cancelled");
        for user in 0..11 {
            let (rows, values) = (users[0].columns(user), users[0].values(user).expect("weighted"));
            let folded = fold_in(&spec, &items, &known, rows, values);
            prop_assert!(folded.iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn covariance_gives_the_deviation_of_all_scores() {
    let spec = spec(5);
    let factors: Vec<f32> = start(&spec, 0..300).iter().map(|value| value + 0.05).collect();
    let items = whole(5, &factors);
    let covariance = covariance(&items, &gramian(&items, &Unattended).expect("never cancelled"));
    let user = ndarray::arr1(&[0.3, -1.0, 0.2, 0.7, 2.0]);
    let scores: Vec<f64> = (0..300)
        .map(|row| items.row(row).iter().zip(&user).map(|(&a, b)| f64::from(a) * b).sum())
        .collect();
    let mean = scores.iter().sum::<f64>() / 300.0;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 300.0;
    let found = user.dot(&covariance.dot(&user));
    assert!((found - variance).abs() < 1e-6 * variance, "{found} {variance}");
}
