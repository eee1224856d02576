//! Order by popularity.

use std::cmp::Reverse;

/// Rows by (count descending, row ascending): entry `l` is the row with label `l`.
///
/// # Panics
/// When there are more than `u32::MAX` rows.
#[must_use]
pub fn order(counts: &[u64]) -> Vec<u32> {
    let rows = u32::try_from(counts.len()).expect("rows are numbered in 32 bits");
    let mut order: Vec<u32> = (0..rows).collect();
    order.sort_by_key(|&row| Reverse(counts[row as usize]));
    order
}

/// The inverse of a permutation: the label of each row from [`order`], or the other way round.
///
/// # Panics
/// When `order` is not a permutation.
#[must_use]
pub fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    for (label, &row) in (0..).zip(order) {
        inverse[row as usize] = label;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_row_order() {
        let order = order(&[1, 3, 0, 3, 1]);
        assert_eq!(order, [1, 3, 0, 4, 2]);
        assert_eq!(inverse(&order), [2, 0, 4, 1, 3]);
    }
}
