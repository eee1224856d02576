use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::{popularity, synthetic},
};

/// Dense rows: what every user thinks of every item.
fn dense(matrix: &CsrBuf, items: usize) -> Vec<Vec<f64>> {
    let view = matrix.view(items).expect("a valid matrix");
    (0..view.rows())
        .map(|row| {
            let mut dense = vec![0.0; items];
            for (at, &column) in view.columns(row).iter().enumerate() {
                dense[column as usize] = view.values(row).map_or(1.0, |v| f64::from(v[at]));
            }
            dense
        })
        .collect()
}

const OPTIONS: SimilarityOptions = SimilarityOptions {
    shrinkage: 0.0,
    alpha: 0.8,
    beta: 0.3,
    asymmetry: 0.2,
    bm25_k1: 1.2,
    bm25_b: 0.75,
};

/// Number of a user's items.
fn held(user: &[f64]) -> f64 {
    user.iter().filter(|value| **value > 0.0).count() as f64
}

/// Values of an item, by user.
fn column(users: &[Vec<f64>], item: usize) -> impl Iterator<Item = f64> {
    users.iter().map(move |user| user[item])
}

/// Sum of an item's values.
fn sum(users: &[Vec<f64>], item: usize) -> f64 {
    column(users, item).sum()
}

/// Number of an item's users.
fn degree(users: &[Vec<f64>], item: usize) -> f64 {
    column(users, item).filter(|value| *value > 0.0).count() as f64
}

/// What each entry counts for, by user and item.
fn entries(
    similarity: Similarity,
    options: &SimilarityOptions,
    users: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let items = users.first().map_or(0, Vec::len);
    let mean_length = (0..items).map(|item| sum(users, item)).sum::<f64>() / items as f64;
    let SimilarityOptions { alpha, bm25_k1: k1, bm25_b: b, .. } = *options;
    let mut entries = vec![vec![0.0; items]; users.len()];
    for (user, entries) in users.iter().zip(&mut entries) {
        let total: f64 = user.iter().sum();
        let frequency = ((items as f64).ln() - held(user).ln_1p()).max(0.0);
        for (item, (&value, entry)) in user.iter().zip(entries).enumerate() {
            if value <= 0.0 {
                continue;
            }
            *entry = match similarity {
                Similarity::P3 | Similarity::Rp3Beta => (value / total.sqrt()).powf(alpha),
                Similarity::TfIdf => value.sqrt() * frequency,
                Similarity::Bm25 => {
                    let length = 1.0 - b + b * sum(users, item) / mean_length;
                    value * (k1 + 1.0) / (k1 * length + value) * frequency
                }
                Similarity::AdjustedCosine => value - total / held(user),
                Similarity::Pearson => value - sum(users, item) / degree(users, item),
                Similarity::Jaccard | Similarity::Llr => 1.0,
                Similarity::ItemCosine | Similarity::AsymmetricCosine => value,
            };
        }
    }
    entries
}

/// Log-likelihood ratio of two items with `common` of `n` users in common and these degrees; 0 where
/// chance would bring as many.
fn log_likelihood_ratio(common: f64, left: f64, right: f64, n: f64) -> f64 {
    if common * n <= left * right {
        return 0.0;
    }
    let cells = [
        (common, left * right),
        (left - common, left * (n - right)),
        (right - common, (n - left) * right),
        (n - left - right + common, (n - left) * (n - right)),
    ];
    let seen = cells.into_iter().filter(|&(seen, _)| seen > 0.0);
    2.0 * seen.map(|(seen, margins)| seen * (seen * n / margins).ln()).sum::<f64>()
}

/// The similarities of `sources` to all items by plain loops; none is below 0 where one is kept.
fn reference(
    similarity: Similarity,
    options: &SimilarityOptions,
    users: &[Vec<f64>],
    sources: &[u32],
) -> Vec<Vec<f64>> {
    let items = users.first().map_or(0, Vec::len);
    let square = |item: usize| column(users, item).map(|value| value * value).sum::<f64>();
    let SimilarityOptions { alpha, beta, asymmetry, shrinkage, .. } = *options;
    let entries = entries(similarity, options, users);
    let squares = (0..items).map(|item| column(&entries, item).map(|entry| entry * entry));
    let norms: Vec<f64> = squares.map(|squares| squares.sum::<f64>().sqrt()).collect();
    // By these, users who have all items say nothing.
    let by_rarity = matches!(similarity, Similarity::TfIdf | Similarity::Bm25);
    let mut weights = vec![vec![0.0; items]; sources.len()];
    for (&source, weights) in sources.iter().zip(&mut weights) {
        let i = source as usize;
        for (j, weight) in weights.iter_mut().enumerate() {
            let both = users.iter().filter(|user| user[i] > 0.0 && user[j] > 0.0);
            let speaking =
                both.filter(|user| !by_rarity || (items as f64).ln() > held(user).ln_1p());
            let common = speaking.count() as f64;
            if common == 0.0 {
                continue;
            }
            let product: f64 = entries.iter().map(|row| row[i] * row[j]).sum();
            let (left, right) = (degree(users, i), degree(users, j));
            let plain = match similarity {
                Similarity::P3 => product / sum(users, i).powf(alpha),
                Similarity::Rp3Beta => {
                    product / sum(users, i).powf(alpha) / sum(users, j).powf(beta)
                }
                Similarity::Bm25 => product,
                Similarity::AsymmetricCosine => {
                    product / (square(i).powf(asymmetry) * square(j).powf(1.0 - asymmetry))
                }
                Similarity::Jaccard => common / (left + right - common),
                Similarity::Llr => log_likelihood_ratio(common, left, right, users.len() as f64),
                _ if norms[i] * norms[j] == 0.0 => 0.0,
                _ => product / (norms[i] * norms[j]),
            };
            let shrunk = plain * common / (common + shrinkage);
            // Roundings of what cancels out decide nothing.
            if shrunk > 1e-9 {
                *weight = shrunk;
            }
        }
    }
    weights
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-5 * right.abs() + 1e-6
}

/// Checks lists against the reference: right weights, in order, and nothing better left out.
fn check(
    neighbours: &Neighbours,
    reference: &[Vec<f64>],
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(neighbours.offsets.len(), sources.len() + 1);
    let rows = sources.iter().zip(neighbours.offsets.windows(2)).zip(reference);
    for ((&source, bounds), expected) in rows {
        let range = bounds[0] as usize..bounds[1] as usize;
        let targets = &neighbours.targets[range.clone()];
        let weights = &neighbours.weights[range];
        // What rounds to nothing may be left out or kept.
        let related = (0..).zip(expected).filter(|&(j, &weight)| j != source && weight > 1e-6);
        prop_assert!(targets.len() >= related.count().min(k));
        prop_assert!(targets.len() <= k);
        for (&target, &weight) in targets.iter().zip(weights) {
            prop_assert_ne!(target, source);
            let expected = expected[target as usize];
            prop_assert!(near(f64::from(weight), expected), "{weight}, not {expected}");
        }
        for at in 1..targets.len() {
            let tie = weights[at - 1] == weights[at];
            let row = |at: usize| row_of_label[targets[at] as usize];
            prop_assert!(weights[at - 1] > weights[at] || (tie && row(at - 1) < row(at)));
        }
        let worst = weights.last().map_or(0.0, |&weight| f64::from(weight));
        for (label, &weight) in (0..).zip(expected) {
            if label != source && !targets.contains(&label) && targets.len() == k && k > 0 {
                prop_assert!(weight <= worst * (1.0 + 1e-5) + 1e-9);
            }
        }
    }
    Ok(())
}

fn neighbours(
    similarity: Similarity,
    parts: &[CsrBuf],
    items: usize,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
) -> Neighbours {
    neighbours_with(similarity, &OPTIONS, parts, items, sources, row_of_label, k)
}

fn neighbours_with(
    similarity: Similarity,
    options: &SimilarityOptions,
    parts: &[CsrBuf],
    items: usize,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
) -> Neighbours {
    let users: Vec<Csr<'_>> =
        parts.iter().map(|part| part.view(items).expect("a valid matrix")).collect();
    let statistics = statistics(&users, items, &Unattended).expect("never cancelled");
    top_neighbours(similarity, options, &users, &statistics, sources, row_of_label, k, &Unattended)
        .expect("never cancelled")
}

/// Rows of a matrix and its items, sometimes weighted.
fn matrices() -> impl Strategy<Value = (CsrBuf, usize)> {
    let row = |items: u32| proptest::collection::btree_map(0..items, 0.01f32..9.0, 0..12);
    (1u32..30, any::<bool>()).prop_flat_map(move |(items, is_weighted)| {
        proptest::collection::vec(row(items), 0..40).prop_map(move |rows| {
            let mut matrix = CsrBuf::new(is_weighted);
            for row in rows {
                matrix.push_row(&mut row.into_iter().collect::<Vec<_>>());
            }
            (matrix, items as usize)
        })
    })
}

/// A permutation that is not the identity.
fn rows(items: usize) -> Vec<u32> {
    (0..items as u32).rev().collect()
}

/// The rows `range` of a matrix.
fn part(matrix: &CsrBuf, range: std::ops::Range<usize>) -> CsrBuf {
    let entries = matrix.offsets[range.start] as usize..matrix.offsets[range.end] as usize;
    let offsets = &matrix.offsets[range.start..=range.end];
    CsrBuf {
        offsets: offsets.iter().map(|offset| offset - offsets[0]).collect(),
        columns: matrix.columns[entries.clone()].to_vec(),
        values: matrix.values.as_ref().map(|values| values[entries].to_vec()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equals_plain_loops((matrix, items) in matrices(), k in 0usize..20) {
        let dense = dense(&matrix, items);
        let sources: Vec<u32> = (0..items as u32).collect();
        let parts = [matrix];
        for similarity in Similarity::ALL {
            let reference = reference(similarity, &OPTIONS, &dense, &sources);
            let found = neighbours(similarity, &parts, items, &sources, &rows(items), k);
            check(&found, &reference, &sources, &rows(items), k)
                .map_err(|error| TestCaseError::fail(format!("{similarity}: {error}")))?;
            let options = SimilarityOptions { shrinkage: 7.0, alpha: 1.0, ..OPTIONS };
            let reference = super::tests::reference(similarity, &options, &dense, &sources);
            let found = neighbours_with(
                similarity, &options, &parts, items, &sources, &rows(items), k,
            );
            check(&found, &reference, &sources, &rows(items), k)
                .map_err(|error| TestCaseError::fail(format!("shrunk {similarity}: {error}")))?;
        }
    }
}

/// Values that differ from entry to entry.
fn weigh(matrix: &mut CsrBuf) {
    let values = (0..matrix.columns.len()).map(|at| 0.25 + (at * 7919 % 101) as f32 / 16.0);
    matrix.values = Some(values.collect());
}

/// Renames columns so that labels say nothing about popularity.
fn scatter(matrix: &mut CsrBuf, items: u32) {
    matrix.columns.iter_mut().for_each(|column| *column = (*column * 89 + 150) % items);
    for bounds in matrix.offsets.windows(2) {
        matrix.columns[bounds[0] as usize..bounds[1] as usize].sort_unstable();
    }
}

#[test]
fn dense_rows_equal_plain_loops() {
    let items = 300;
    let mut matrix = synthetic::power_law(6_000, items, 60_000, 0.9, 3);
    let sources = [0, 1, 2, 17, 101, 299];
    // As labelled, then with popular columns everywhere, then with values.
    for round in 0..3 {
        let dense = dense(&matrix, items);
        for similarity in Similarity::ALL {
            let reference = reference(similarity, &OPTIONS, &dense, &sources);
            let parts = [matrix.clone()];
            let found = neighbours(similarity, &parts, items, &sources, &rows(items), 25);
            check(&found, &reference, &sources, &rows(items), 25).expect("as by plain loops");
        }
        if round == 0 {
            scatter(&mut matrix, items as u32);
        } else {
            weigh(&mut matrix);
        }
    }
}

#[test]
fn a_rare_column_that_is_better_than_popular_ones_is_found() {
    // All users have 0; 1 to 40 are in the head; 130 is not, but has more of the users.
    let mut matrix = CsrBuf::new(false);
    for user in 0..600 {
        let mut columns = vec![(0, 1.0), (1 + user % 40, 1.0), (71 + user % 50, 1.0)];
        if user % 20 == 0 {
            columns.push((130, 1.0));
        }
        matrix.push_row(&mut columns);
    }
    let order = rows(200);
    for similarity in [Similarity::ItemCosine, Similarity::P3] {
        let found = neighbours(similarity, &[matrix.clone()], 200, &[0], &order, 3);
        assert_eq!(found.targets[0], 130, "{similarity}");
        // Ties go to the lower row.
        assert_eq!(found.targets[1..], [40, 39], "{similarity}");
    }
}

#[test]
fn threads_parts_and_calls_do_not_change_a_bit() {
    let items = 700;
    let mut matrix = synthetic::power_law(9_000, items, 90_000, 0.9, 11);
    let order = rows(items);
    let in_pool = |threads: usize, parts: &[CsrBuf], sources: &[u32], similarity| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool starts")
            .install(|| neighbours(similarity, parts, items, sources, &order, 30))
    };
    for _ in 0..2 {
        let whole = [matrix.clone()];
        let parts = [part(&matrix, 0..10), part(&matrix, 10..10), part(&matrix, 10..9_000)];
        for similarity in Similarity::ALL {
            let expected = in_pool(1, &whole, &order, similarity);
            assert_eq!(in_pool(3, &parts, &order, similarity), expected);
            let mut joined = Neighbours { offsets: vec![0], ..Neighbours::default() };
            for sources in order.chunks(97) {
                let found = in_pool(2, &parts, sources, similarity);
                let base = joined.targets.len() as u64;
                joined.offsets.extend(found.offsets[1..].iter().map(|offset| base + offset));
                joined.targets.extend(found.targets);
                joined.weights.extend(found.weights);
            }
            assert_eq!(joined, expected);
        }
        weigh(&mut matrix);
    }
}

#[test]
fn parts_with_and_without_values_mix() {
    let items = 60;
    let mut weighted = synthetic::power_law(200, items, 1_500, 0.7, 5);
    let plain = part(&weighted, 0..100);
    weighted.values = Some(vec![1.0; weighted.columns.len()]);
    let tail = part(&weighted, 100..200);
    let sources = rows(items);
    for similarity in Similarity::ALL {
        let whole = [weighted.clone()];
        let expected = neighbours(similarity, &whole, items, &sources, &sources, 10);
        let mixed = [plain.clone(), tail.clone()];
        assert_eq!(neighbours(similarity, &mixed, items, &sources, &sources, 10), expected);
    }
}

#[test]
fn statistics_equal_plain_sums() {
    let items = 90;
    let mut matrix = synthetic::power_law(500, items, 4_000, 0.8, 2);
    weigh(&mut matrix);
    let view = [matrix.view(items).expect("a valid matrix")];
    let found = statistics(&view, items, &Unattended).expect("never cancelled");
    let dense = dense(&matrix, items);
    for item in 0..items {
        let column: Vec<f64> = dense.iter().map(|user| user[item]).collect();
        assert_eq!(found.degree[item] as usize, column.iter().filter(|v| **v > 0.0).count());
        assert!(near(found.sum[item], column.iter().sum()));
        assert!(near(found.norm[item].powi(2), column.iter().map(|v| v * v).sum()));
        let walk = dense.iter().zip(&column).map(|(user, v)| v / user.iter().sum::<f64>());
        assert!(near(found.walk[item], walk.sum()));
    }
}

#[test]
fn products_that_underflow_neither_vanish_nor_repeat() {
    let mut matrix = CsrBuf::new(true);
    for _ in 0..40 {
        matrix.push_row(&mut [(0, 1e14), (1, 1e-18), (2, 1e-18), (3, 1e-18)]);
    }
    let rows = [0, 1, 2, 3];
    let found = neighbours(Similarity::P3, &[matrix], 4, &rows, &rows, 9);
    assert_eq!(found.offsets, [0, 3, 6, 9, 12]);
    assert_eq!(found.targets[3..], [0, 2, 3, 0, 1, 3, 0, 1, 2]);
}

struct StopAfter(std::sync::atomic::AtomicI64);

impl Control for StopAfter {
    fn checkpoint(&self) -> Result<(), Cancelled> {
        let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        if left > 0 { Ok(()) } else { Err(Cancelled) }
    }
}

#[test]
fn stops_when_told_and_reports_all_work_otherwise() {
    let items = 2_000;
    let matrix = synthetic::power_law(20_000, items, 200_000, 0.8, 4);
    let users = [matrix.view(items).expect("a valid matrix")];
    let sources = popularity::inverse(&rows(items));
    let known = statistics(&users, items, &Unattended).expect("never cancelled");
    let run = |control: &dyn Control| {
        let rows = &rows(items);
        top_neighbours(Similarity::P3, &OPTIONS, &users, &known, &sources, rows, 10, control)
    };
    assert_eq!(run(&StopAfter(5.into())), Err(Cancelled));

    #[derive(Default)]
    struct Watch(std::sync::atomic::AtomicU64, std::sync::atomic::AtomicU64);
    impl Control for Watch {
        fn checkpoint(&self) -> Result<(), Cancelled> {
            Ok(())
        }
        fn begin(&self, total: u64) {
            self.0.fetch_add(total, std::sync::atomic::Ordering::Relaxed);
        }
        fn advance(&self, done: u64) {
            self.1.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let watch = Watch::default();
    run(&watch).expect("not cancelled");
    assert!(watch.0.load(std::sync::atomic::Ordering::Relaxed) > 0);
    assert_eq!(watch.0.into_inner(), watch.1.into_inner());
}

/// Kernels that look at no bounds run on a copy that is checked, for what was verified in a mapped
/// file may have changed since.
#[test]
fn a_column_beyond_the_items_is_refused_before_any_kernel_runs() {
    let items = 50;
    let matrix = synthetic::power_law(80, items, 600, 0.8, 4);
    let sound = [matrix.view(items).expect("a valid matrix")];
    let known = statistics(&sound, items, &Unattended).expect("never cancelled");
    for (place, beyond) in [(0, items), (300, items + 1), (599, u32::MAX as usize)] {
        let mut columns = matrix.columns.clone();
        let place = place.min(columns.len() - 1);
        columns[place] = beyond as u32;
        let changed = Csr::verified(&matrix.offsets, &columns, matrix.values.as_deref(), items);
        for similarity in Similarity::ALL {
            let known = known.clone();
            let made = std::panic::catch_unwind(|| {
                let rows = &rows(items);
                SimilarityMatrix::new(similarity, &OPTIONS, &[changed], known, rows, &Unattended)
            });
            assert!(made.is_err(), "{similarity:?} with column {beyond} at {place}");
        }
    }
}
