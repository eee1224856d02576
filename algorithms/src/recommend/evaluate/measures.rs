//! Measures of one list.

use ndarray::ArrayViewMut1;

use crate::recommend::{hybrid::lists::ndcg, score::Scored};

/// Recall, NDCG, precision, hit: in this order, each for every length.
pub(super) const KINDS: usize = 4;

/// Measures `list` cut at each of `at` against `test`, which is ascending, into `row`.
pub(super) fn measure(
    test: &[u32],
    list: &[Scored],
    at: &[usize],
    mut row: ArrayViewMut1<'_, f64>,
) {
    let is_hit: Vec<bool> =
        list.iter().map(|scored| test.binary_search(&scored.candidate).is_ok()).collect();
    for (index, &length) in at.iter().enumerate() {
        let found = is_hit.iter().take(length).filter(|&&is_hit| is_hit).count() as f64;
        let recall = found / test.len() as f64;
        let precision = found / length.max(1) as f64;
        let ndcg = ndcg(is_hit.iter().copied(), length, test.len());
        let hit = if found > 0.0 { 1.0 } else { 0.0 };
        for (kind, value) in [recall, ndcg, precision, hit].into_iter().enumerate() {
            row[kind * at.len() + index] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;

    #[test]
    fn counts_what_a_cut_shows() {
        let list: Vec<Scored> =
            [4, 9, 2].map(|candidate| Scored { candidate, score: 1.0 }).to_vec();
        let mut row = Array1::zeros(2 * KINDS);
        measure(&[2, 4, 7], &list, &[1, 4], row.view_mut());
        let gain = 1.0 + 0.5;
        let ideal = 1.0 + 1.0 / 3f64.log2() + 0.5;
        let expected = [1.0 / 3.0, 2.0 / 3.0, 1.0, gain / ideal, 1.0, 0.5, 1.0, 1.0];
        assert!((row - Array1::from(expected.to_vec())).iter().all(|d| d.abs() < 1e-12));
        let mut row = Array1::ones(KINDS);
        measure(&[3], &list, &[3], row.view_mut());
        assert!(row.iter().all(|value| value.total_cmp(&0.0).is_eq()), "{row}");
    }
}
