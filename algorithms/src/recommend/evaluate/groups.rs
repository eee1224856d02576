//! Users by how much is known of them, found items by how old they are.

use crate::recommend::{
    hybrid::data::{Dataset, SECONDS_PER_DAY},
    sequences::Sequences,
};

/// A third of the users, or of the items that they wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Least and greatest number of events of a user, or of days since an item's first event.
    pub range: (u64, u64),
    /// Users with test items, or test items that are in training, counted once a user.
    pub count: usize,
    /// Recall at each length: mean over the users, or found / count.
    pub recall: Vec<f64>,
    /// Mean NDCG at each length over the users; empty for items.
    pub ndcg: Vec<f64>,
}

/// Thirds of `users`, each a range of values: index of the third by user, and the ranges of those
/// that are not empty.
pub(super) fn thirds(values: &[u64]) -> (Vec<usize>, Vec<(u64, u64)>) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let Some(&last) = sorted.last() else { return (Vec::new(), Vec::new()) };
    let mut ends: Vec<u64> =
        [1, 2].map(|third| sorted[(sorted.len() * third).div_ceil(3) - 1]).to_vec();
    ends.push(last);
    ends.dedup();
    let of_values: Vec<usize> =
        values.iter().map(|value| ends.partition_point(|end| end < value)).collect();
    let ranges = (0..ends.len()).map(|index| {
        let members = || values.iter().zip(&of_values).filter(|&(_, &own)| own == index);
        let least = members().map(|(value, _)| *value).min().unwrap_or_default();
        (least, members().map(|(value, _)| *value).max().unwrap_or_default())
    });
    let ranges = ranges.collect();
    (of_values, ranges)
}

/// Days from an item's first event to the newest of all; `None` for items without events.
pub(super) fn ages(data: &Dataset<'_>) -> Vec<Option<u64>> {
    let mut first = vec![None; data.items];
    let sequences: Sequences<'_> = data.sequences;
    for user in 0..sequences.users() {
        let history = sequences.of(user);
        for (&item, &time) in history.items.iter().zip(history.times) {
            let first: &mut Option<u32> = &mut first[item as usize];
            *first = Some(first.map_or(time, |first| first.min(time)));
        }
    }
    let ages =
        first.into_iter().map(|time| Some(u64::from((data.as_of - time?) / SECONDS_PER_DAY)));
    ages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_are_ranges_of_values() {
        let (own, ranges) = thirds(&[5, 1, 9, 2, 7, 3]);
        assert_eq!(ranges, [(1, 2), (3, 5), (7, 9)]);
        assert_eq!(own, [1, 0, 2, 0, 2, 1]);
        // All alike is one group.
        assert_eq!(thirds(&[4, 4]), (vec![0, 0], vec![(4, 4)]));
        assert_eq!(thirds(&[]), (vec![], vec![]));
    }
}
