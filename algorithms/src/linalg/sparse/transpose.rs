//! From users with their items to items with their users.

use super::{Csr, CsrBuf};

/// The transpose of the parts of a matrix of users by label: users, through the parts in order, by
/// item row.
///
/// # Panics
/// When `users` and `row_of_label` disagree on the items.
#[must_use]
pub fn transpose(users: &[Csr<'_>], row_of_label: &[u32]) -> CsrBuf {
    let items = row_of_label.len();
    let weighted = users.iter().any(Csr::is_weighted);
    let mut offsets = vec![0u64; items + 1];
    for part in users {
        assert_eq!(part.width(), items, "a row for each label");
        for row in 0..part.rows() {
            for &label in part.columns(row) {
                offsets[row_of_label[label as usize] as usize + 1] += 1;
            }
        }
    }
    for item in 0..items {
        offsets[item + 1] += offsets[item];
    }
    let mut next = offsets.clone();
    let entries = offsets[items] as usize;
    let mut columns = vec![0u32; entries];
    let mut values = weighted.then(|| vec![1f32; entries]);
    let mut user = 0;
    for part in users {
        for row in 0..part.rows() {
            let weights = part.values(row);
            for (at, &label) in part.columns(row).iter().enumerate() {
                let next = &mut next[row_of_label[label as usize] as usize];
                columns[*next as usize] = user;
                if let (Some(values), Some(weights)) = (&mut values, weights) {
                    values[*next as usize] = weights[at];
                }
                *next += 1;
            }
            user += 1;
        }
    }
    CsrBuf { offsets, columns, values }
}
