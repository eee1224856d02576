#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::{
    control::Unattended,
    linalg::sparse::{Csr, CsrBuf},
    recommend::score::Profile,
};

const ITEMS: usize = 9;

/// Rows of a small matrix; `None` for a pair that is not there.
type Dense = Vec<Vec<Option<f32>>>;

fn dense() -> impl Strategy<Value = Dense> {
    let value = prop_oneof![
        2 => Just(None),
        2 => prop_oneof![Just(1.0f32), Just(2.0), Just(5.0)].prop_map(Some),
    ];
    let row = proptest::collection::vec(value, ITEMS);
    proptest::collection::vec(row, 1..14)
}

/// The label of row `r` is `(4 r + 2) % 9`.
fn labels() -> (Vec<u32>, Vec<u32>) {
    let label_of_row: Vec<u32> =
        (0..ITEMS as u32).map(|row| (4 * row + 2) % ITEMS as u32).collect();
    let row_of_label = crate::recommend::popularity::inverse(&label_of_row);
    (row_of_label, label_of_row)
}

struct Owned {
    rows: Vec<CsrBuf>,
    columns: Vec<CsrBuf>,
}

/// Rows by user over labels and columns by item row over users, each in two parts.
fn owned(dense: &Dense, weighted: bool) -> Owned {
    let (_, label_of_row) = labels();
    let mut rows = vec![CsrBuf::new(weighted), CsrBuf::new(weighted)];
    for (user, values) in dense.iter().enumerate() {
        let entries = values.iter().zip(&label_of_row);
        let mut entries: Vec<(u32, f32)> =
            entries.filter_map(|(value, &label)| value.map(|value| (label, value))).collect();
        rows[usize::from(user >= dense.len() / 2)].push_row(&mut entries);
    }
    let mut columns = vec![CsrBuf::new(weighted), CsrBuf::new(weighted)];
    for item in 0..ITEMS {
        let entries = (0..).zip(dense);
        let mut entries: Vec<(u32, f32)> =
            entries.filter_map(|(user, row)| row[item].map(|value| (user, value))).collect();
        columns[usize::from(item >= 4)].push_row(&mut entries);
    }
    Owned { rows, columns }
}

fn with_index<T>(dense: &Dense, weighted: bool, run: impl FnOnce(&UserIndex<'_>) -> T) -> T {
    let owned = owned(dense, weighted);
    let rows: Vec<Csr<'_>> =
        owned.rows.iter().map(|part| part.view(ITEMS).expect("sound")).collect();
    let columns: Vec<Csr<'_>> =
        owned.columns.iter().map(|part| part.view(dense.len()).expect("sound")).collect();
    let moments = UserMoments::new(&rows, &Unattended).expect("not cancelled");
    let (row_of_label, label_of_row) = labels();
    let index = UserIndex::new(&rows, &columns, &moments, &row_of_label, &label_of_row);
    run(&index.expect("one matrix"))
}

/// Similarity and common items by plain loops.
fn plain(
    similarity: UserSimilarity,
    weighted: bool,
    query: &[Option<f32>],
    other: &[Option<f32>],
) -> (f64, u32) {
    let value =
        |value: &Option<f32>| value.map(|value| if weighted { f64::from(value) } else { 1.0 });
    let query: Vec<Option<f64>> = query.iter().map(|value| value.map(f64::from)).collect();
    let other: Vec<Option<f64>> = other.iter().map(value).collect();
    let centred = |row: &[Option<f64>]| -> Vec<f64> {
        let known: Vec<f64> = row.iter().flatten().copied().collect();
        let sum: f64 = known.iter().sum();
        match similarity {
            UserSimilarity::Cosine => row.iter().map(|value| value.unwrap_or(0.0)).collect(),
            UserSimilarity::Pearson if weighted => {
                let mean = sum / known.len() as f64;
                row.iter().map(|value| value.map_or(0.0, |value| value - mean)).collect()
            }
            UserSimilarity::Pearson => {
                row.iter().map(|value| value.unwrap_or(0.0) - sum / ITEMS as f64).collect()
            }
        }
    };
    let (left, right) = (centred(&query), centred(&other));
    let norm = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>().sqrt();
    let dot: f64 = left.iter().zip(&right).map(|(left, right)| left * right).sum();
    let common = query.iter().zip(&other).filter(|(l, r)| l.is_some() && r.is_some()).count();
    (dot / (norm(&left) * norm(&right)), common as u32)
}

fn profile(query: &[Option<f32>]) -> (Vec<u32>, Vec<f32>) {
    (0..).zip(query).filter_map(|(row, value)| value.map(|value| (row, value))).unzip()
}

proptest! {
    #[test]
    fn equals_plain_loops(
        users in dense(),
        query in proptest::collection::vec(
            proptest::option::of(prop_oneof![Just(1.0f32), Just(-1.0), 0.1f32..3.0]),
            ITEMS,
        ),
        weighted: bool,
        k in 1..6usize,
    ) {
        let (rows, weights) = profile(&query);
        let profile = Profile { rows: &rows, weights: &weights };
        let mut search = UserSearch::default();
        with_index(&users, weighted, |index| {
            for similarity in UserSimilarity::ALL {
                let own = Some(1);
                let all = search.similar_users(index, similarity, profile, own, 99, usize::MAX);
                for (user, other) in (0..).zip(&users) {
                    let (expected, common) = plain(similarity, weighted, &query, other);
                    let found = all.iter().find(|found| found.user == user);
                    match found {
                        _ if user == 1 => prop_assert_eq!(found, None),
                        Some(found) => {
                            prop_assert!((found.similarity - expected).abs() < 2e-6);
                            prop_assert!(found.similarity > 0.0 && found.similarity < 1.0 + 1e-6);
                            prop_assert_eq!(found.common, common);
                        }
                        None => prop_assert!(
                            common == 0 || !expected.is_finite() || expected < 2e-6
                        ),
                    }
                }
                let is_sorted = all.is_sorted_by(|left, right| {
                    left.similarity > right.similarity
                        || left.similarity == right.similarity && left.user < right.user
                });
                prop_assert!(is_sorted);
                let best = search.similar_users(index, similarity, profile, own, k, usize::MAX);
                prop_assert_eq!(&best[..], &all[..k.min(all.len())]);
                // What a small budget finds is a part of the truth.
                for budget in [0, 1, 3, 8] {
                    let some = search.similar_users(index, similarity, profile, own, k, budget);
                    prop_assert!(some.len() <= k.min(all.len()));
                    for found in some {
                        let known = all.iter().find(|known| known.user == found.user);
                        let known = known.expect("found without a budget");
                        prop_assert!((known.similarity - found.similarity).abs() < 1e-9);
                        prop_assert_eq!(known.common, found.common);
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn scores_are_sums_over_neighbours(users in dense(), weighted: bool, limit in 0..12usize) {
        let mut search = UserSearch::default();
        with_index(&users, weighted, |index| {
            for similarity in UserSimilarity::ALL {
                let neighbours: Vec<SimilarUser> = (0..users.len() as u32)
                    .map(|user| SimilarUser { user, similarity: 0.25, common: 1 })
                    .collect();
                let all = search.scores(index, similarity, &neighbours, usize::MAX);
                prop_assert!(all.is_sorted_by_key(|&(row, _)| row));
                let is_centred = weighted && similarity == UserSimilarity::Pearson;
                for item in 0..ITEMS {
                    let expected: f64 = users
                        .iter()
                        .filter_map(|row| {
                            let own = row[item].map(f64::from)?;
                            let known: Vec<f64> =
                                row.iter().flatten().copied().map(f64::from).collect();
                            let mean = known.iter().sum::<f64>() / known.len() as f64;
                            let value = if weighted { own } else { 1.0 };
                            Some(0.25 * (if is_centred { value - mean } else { value }))
                        })
                        .sum();
                    let found = all.iter().find(|&&(row, _)| row as usize == item);
                    let found = found.map_or(0.0, |&(_, score)| f64::from(score));
                    prop_assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
                }
                let some = search.scores(index, similarity, &neighbours, limit);
                prop_assert_eq!(some.len(), limit.min(all.len()));
                let worst = some.iter().map(|&(_, score)| score).fold(f32::INFINITY, f32::min);
                let left = all.iter().filter(|pair| !some.contains(pair));
                prop_assert!(left.clone().all(|&(_, score)| score <= worst));
            }
            Ok(())
        })?;
    }
}

#[test]
fn blocks_of_users_follow_each_other() {
    // Some 2.1 blocks; similarities fall with what else a user has, and tie often.
    let mut users: Dense = Vec::new();
    for number in 0..70_000_u32 {
        let bits = number * 7 + 1;
        let values = (0..ITEMS as u32).map(|item| ((bits >> item) & 1 == 1).then_some(1.0));
        users.push(values.collect());
    }
    let query = [Some(1.0), None, Some(2.0), None, None, Some(1.0), None, None, None];
    let (rows, weights) = profile(&query);
    let profile = Profile { rows: &rows, weights: &weights };
    let mut expected: Vec<(f64, u32)> = (0..)
        .zip(&users)
        .filter_map(|(user, row)| {
            let (similarity, common) = plain(UserSimilarity::Cosine, false, &query, row);
            (common > 0).then_some((similarity, user))
        })
        .collect();
    expected.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    with_index(&users, false, |index| {
        let mut search = UserSearch::default();
        for k in [3, 700, 3_000, usize::MAX] {
            let found =
                search.similar_users(index, UserSimilarity::Cosine, profile, None, k, usize::MAX);
            assert_eq!(found.len(), k.min(expected.len()));
            // Those that tie, but for rounding, are in the order of users.
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found.similarity - expected.0).abs() < 1e-6);
                assert_eq!(found.user, expected.1);
            }
        }
    });
}

#[test]
fn refuses_two_halves_of_different_matrices() {
    let users = vec![vec![Some(1.0); ITEMS]; 3];
    let owned = owned(&users, true);
    let rows: Vec<Csr<'_>> = owned.rows.iter().map(|part| part.view(ITEMS).unwrap()).collect();
    let columns: Vec<Csr<'_>> = owned.columns.iter().map(|part| part.view(3).unwrap()).collect();
    let moments = UserMoments::new(&rows, &Unattended).unwrap();
    let none = UserMoments::default();
    let (row_of_label, label_of_row) = labels();
    let problem = |rows, columns, moments| {
        UserIndex::new(rows, columns, moments, &row_of_label, &label_of_row).err()
    };
    assert_eq!(problem(&rows, &columns, &moments), None);
    let shape = |what, found, expected| Some(UserIndexError::Shape { what, found, expected });
    assert_eq!(problem(&rows[..1], &columns, &moments), shape("width of the columns", 3, 1));
    assert_eq!(problem(&rows, &columns[..1], &moments), shape("columns", 4, 9));
    assert_eq!(problem(&rows, &columns, &none), shape("means", 0, 3));
    let ones = CsrBuf { values: None, ..owned.rows[0].clone() };
    let mixed = [ones.view(ITEMS).unwrap(), rows[1]];
    assert_eq!(problem(&mixed, &columns, &moments), Some(UserIndexError::Mixed));
}
