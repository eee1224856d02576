use ndarray::Array2;
use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended,
    linalg::sparse::CsrBuf,
    recommend::{
        best::concatenate, popularity::order, similarity::Neighbours, synthetic::power_law,
    },
};

const ITEMS: usize = 13;

fn users() -> impl Strategy<Value = Vec<Vec<(u32, f32)>>> {
    let value = prop_oneof![Just(1.0f32), Just(0.5), 0.1f32..4.0];
    let user = proptest::collection::btree_map(0..ITEMS as u32, value, 0..6);
    proptest::collection::vec(user.prop_map(|user| user.into_iter().collect()), 0..40)
}

fn matrix(users: &[Vec<(u32, f32)>]) -> CsrBuf {
    let mut matrix = CsrBuf::new(true);
    users.iter().for_each(|user| matrix.push_row(&mut user.clone()));
    matrix
}

fn row_of_label() -> Vec<u32> {
    order(&(0..ITEMS as u64).map(|row| row * 7 % 5).collect::<Vec<_>>())
}

fn gram(users: &[Vec<(u32, f32)>]) -> Array2<f64> {
    let mut gram = Array2::zeros((ITEMS, ITEMS));
    for user in users {
        for &(left, first) in user {
            for &(right, second) in user {
                gram[[left as usize, right as usize]] += f64::from(first) * f64::from(second);
            }
        }
    }
    gram
}

/// Inverse by elimination with row exchange.
fn inverse(matrix: &Array2<f64>) -> Array2<f64> {
    let order = matrix.nrows();
    let mut left = matrix.clone();
    let mut right = Array2::eye(order);
    for at in 0..order {
        let magnitude = |row: &usize| left[[*row, at]].abs();
        let pivot = (at..order).max_by(|a, b| magnitude(a).total_cmp(&magnitude(b)));
        let pivot = pivot.expect("there are rows");
        for column in 0..order {
            left.swap([at, column], [pivot, column]);
            right.swap([at, column], [pivot, column]);
        }
        let scale = left[[at, at]];
        for column in 0..order {
            left[[at, column]] /= scale;
            right[[at, column]] /= scale;
        }
        for row in (0..order).filter(|&row| row != at) {
            let factor = left[[row, at]];
            for column in 0..order {
                left[[row, column]] -= factor * left[[at, column]];
                right[[row, column]] -= factor * right[[at, column]];
            }
        }
    }
    right
}

/// Weights by source row and target row.
fn dense(neighbours: &Neighbours, row_of_label: &[u32]) -> Array2<f64> {
    let mut weights = Array2::zeros((ITEMS, ITEMS));
    for (source, bounds) in neighbours.offsets.windows(2).enumerate() {
        for at in bounds[0] as usize..bounds[1] as usize {
            let target = row_of_label[neighbours.targets[at] as usize] as usize;
            weights[[source, target]] = f64::from(neighbours.weights[at]);
        }
    }
    weights
}

proptest! {
    #[test]
    fn ease_equals_plain_loops_for_any_blocks(
        users in users(),
        regularization in 0.5f64..20.0,
        block in 1usize..15,
    ) {
        let row_of_label = row_of_label();
        let buffer = matrix(&users);
        let view = [buffer.view(ITEMS).expect("sound")];
        let neighbours =
            ease::in_blocks(regularization, &view, &row_of_label, ITEMS, block, &Unattended)
                .expect("unattended");
        let inverse = inverse(&(gram(&users) + Array2::<f64>::eye(ITEMS) * regularization));
        let weights = dense(&neighbours, &row_of_label);
        for source in 0..ITEMS {
            for target in 0..ITEMS {
                let (i, j) = (row_of_label[source] as usize, row_of_label[target] as usize);
                let expected = if source == target {
                    0.0
                } else {
                    -inverse[[source, target]] / inverse[[target, target]]
                };
                prop_assert!((weights[[i, j]] - expected).abs() < 1e-6);
            }
        }
    }
}

fn by_rows(weights: &Array2<f64>, row_of_label: &[u32]) -> Array2<f64> {
    let mut rows = Array2::zeros((ITEMS, ITEMS));
    for ((source, target), &weight) in weights.indexed_iter() {
        rows[[row_of_label[source] as usize, row_of_label[target] as usize]] = weight;
    }
    rows
}

proptest! {
    #[test]
    fn sparse_ease_equals_plain_loops(users in users(), regularization in 0.5f64..20.0) {
        let row_of_label = row_of_label();
        let buffer = matrix(&users);
        let view = [buffer.view(ITEMS).expect("sound")];
        let spec = SparseEaseSpec { regularization, neighbourhood: ITEMS };
        let all = 0..ITEMS as u32;
        let found = sparse_ease(&spec, &view, &row_of_label, all, ITEMS, &Unattended);
        let found = dense(&found.expect("unattended"), &row_of_label);
        let gram = by_rows(&gram(&users), &row_of_label);
        for target in 0..ITEMS {
            let near = |item: &usize| *item == target || gram[[*item, target]] > 0.0;
            let near: Vec<usize> = (0..ITEMS).filter(near).collect();
            let among = Array2::from_shape_fn((near.len(), near.len()), |(row, column)| {
                let ridge = if row == column { regularization } else { 0.0 };
                gram[[near[row], near[column]]] + ridge
            });
            let inverse = inverse(&among);
            let own = near.iter().position(|&item| item == target).expect("it is near itself");
            for source in (0..ITEMS).filter(|&source| source != target) {
                let expected = near.iter().position(|&item| item == source);
                let expected = expected.map_or(0.0, |at| -inverse[[at, own]] / inverse[[own, own]]);
                prop_assert!((found[[source, target]] - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn slim_meets_the_conditions_of_its_minimum(
        users in users(),
        l1 in 0.0f64..2.0,
        l2 in 0.01f64..5.0,
    ) {
        let row_of_label = row_of_label();
        let buffer = matrix(&users);
        let view = [buffer.view(ITEMS).expect("sound")];
        let spec = SlimSpec { l1, l2, neighbourhood: ITEMS };
        let found = slim(&spec, &view, &row_of_label, 0..ITEMS as u32, ITEMS, &Unattended);
        let weights = dense(&found.expect("unattended"), &row_of_label);
        let gram = by_rows(&gram(&users), &row_of_label);
        let scale = 1.0 + gram.iter().copied().fold(0.0, f64::max);
        for target in 0..ITEMS {
            for source in (0..ITEMS).filter(|&source| source != target) {
                let weight = weights[[source, target]];
                let fitted: f64 =
                    (0..ITEMS).map(|item| gram[[source, item]] * weights[[item, target]]).sum();
                let slope = fitted - gram[[source, target]] + l2 * weight + l1;
                prop_assert!(weight >= 0.0);
                prop_assert!(slope >= -1e-5 * scale);
                prop_assert!(weight == 0.0 || slope <= 1e-5 * scale);
            }
        }
    }

    #[test]
    fn splits_change_nothing(users in users(), cut in 0usize..40, split in 0..=ITEMS as u32) {
        let row_of_label = row_of_label();
        let (first, second) = users.split_at(cut.min(users.len()));
        let buffers = [matrix(&users), matrix(first), matrix(second)];
        let views = buffers.each_ref().map(|buffer| buffer.view(ITEMS).expect("sound"));
        let (whole, parts) = views.split_at(1);
        let all = 0..ITEMS as u32;
        let ease = |users| ease(3.0, users, &row_of_label, 4, &Unattended).expect("unattended");
        prop_assert_eq!(ease(whole), ease(parts));
        let spec = SparseEaseSpec { regularization: 1.0, neighbourhood: 5 };
        let sparse = |users, sources| {
            sparse_ease(&spec, users, &row_of_label, sources, 3, &Unattended).expect("unattended")
        };
        let pieces = vec![sparse(parts, 0..split), sparse(parts, split..ITEMS as u32)];
        prop_assert_eq!(sparse(whole, all.clone()), concatenate(pieces));
        let spec = SlimSpec { l1: 0.1, l2: 1.0, neighbourhood: 5 };
        let slim = |users, sources| {
            slim(&spec, users, &row_of_label, sources, 3, &Unattended).expect("unattended")
        };
        let pieces = vec![slim(parts, 0..split), slim(parts, split..ITEMS as u32)];
        prop_assert_eq!(slim(whole, all), concatenate(pieces));
    }

    #[test]
    fn no_values_and_settings_give_what_is_no_weight(
        users in users(),
        scale in prop_oneof![Just(1e-17f32), Just(1.0), Just(2e13)],
        regularization in prop_oneof![any::<f64>(), Just(0.0)],
        l1 in any::<f64>(),
        l2 in prop_oneof![any::<f64>(), Just(0.0)],
        neighbourhood in 0usize..ITEMS,
    ) {
        let mut users = users;
        users.iter_mut().flatten().for_each(|(_, value)| *value *= scale);
        let row_of_label = row_of_label();
        let buffer = matrix(&users);
        let view = [buffer.view(ITEMS).expect("sound")];
        let all = 0..ITEMS as u32;
        let whole = ease(regularization, &view, &row_of_label, 3, &Unattended);
        let spec = SparseEaseSpec { regularization, neighbourhood };
        let sparse = sparse_ease(&spec, &view, &row_of_label, all.clone(), 3, &Unattended);
        let spec = SlimSpec { l1, l2, neighbourhood };
        let slim = slim(&spec, &view, &row_of_label, all, 3, &Unattended);
        for found in [whole, sparse, slim] {
            let found = found.expect("unattended");
            prop_assert_eq!(found.offsets.len(), ITEMS + 1);
            prop_assert!(found.weights.iter().all(|weight| weight.is_finite() && *weight != 0.0));
        }
    }
}

#[test]
fn nothing_comes_of_nothing() {
    let empty = matrix(&[]);
    for (items, offsets) in [(0, vec![0]), (2, vec![0; 3])] {
        let rows: Vec<u32> = (0..items).collect();
        let view = [empty.view(items as usize).expect("sound")];
        let found = ease(1.0, &view, &rows, 3, &Unattended).expect("unattended");
        assert_eq!(found.offsets, offsets);
        let spec = SparseEaseSpec { regularization: 1.0, neighbourhood: 2 };
        let found = sparse_ease(&spec, &view, &rows, 0..items, 3, &Unattended);
        assert_eq!(found.expect("unattended").offsets, offsets);
    }
}

#[test]
fn threads_change_nothing() {
    const ITEMS: usize = 300;
    let matrix = power_law(400, ITEMS, 4_000, 0.8, 7);
    let view = [matrix.view(ITEMS).expect("sound")];
    let rows: Vec<u32> = (0..ITEMS as u32).rev().collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let sparse = SparseEaseSpec { regularization: 5.0, neighbourhood: 20 };
            let net = SlimSpec { l1: 0.5, l2: 2.0, neighbourhood: 20 };
            let all = 0..ITEMS as u32;
            [
                ease::in_blocks(5.0, &view, &rows, 10, 64, &Unattended),
                sparse_ease(&sparse, &view, &rows, all.clone(), 10, &Unattended),
                slim(&net, &view, &rows, all, 10, &Unattended),
            ]
        })
    };
    let alone = run(1);
    assert!(alone.iter().all(|found| found.as_ref().is_ok_and(|found| !found.targets.is_empty())));
    assert_eq!(alone, run(3));
}
