//! How many baskets bought an item.

use std::collections::BTreeSet;

use mercer_common::limits;

/// Distinct baskets of an item, by keyed hashes that are spread evenly.
///
/// Since version 3 of what records mean, only the lowest 65,536 hashes are kept. As long as there are
/// fewer, the count is exact; then it is estimated by how densely the lowest ones lie, within about
/// 0.4 %: Bar-Yossef et al., Counting distinct elements in a data stream, 2002. Either way it never
/// falls, and is equal for equal sets of baskets, whatever order they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baskets {
    lowest: BTreeSet<u64>,
    /// Whether others were left out.
    is_full: bool,
}

impl Baskets {
    /// Restores the baskets from hashes that [`Self::hashes`] gave.
    pub(crate) fn new(hashes: Vec<u64>, is_full: bool) -> Self {
        Self { lowest: hashes.into_iter().collect(), is_full }
    }

    /// Notes a basket.
    pub(crate) fn insert(&mut self, hash: u64, is_bounded: bool) {
        let lies_above = self.is_full && self.lowest.last().is_some_and(|last| hash > *last);
        if lies_above || !self.lowest.insert(hash) || !is_bounded {
            return;
        }
        while self.lowest.len() > limits::BASKETS {
            self.lowest.pop_last();
            self.is_full = true;
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let kept = self.lowest.len() as u64;
        match self.lowest.last() {
            Some(&highest) if self.is_full => {
                // The lowest k of n hashes end at about k / (n + 1) of their range.
                let spread = (u128::from(kept - 1) << 64) / (u128::from(highest) + 1);
                u64::try_from(spread).unwrap_or(u64::MAX).max(kept + 1)
            }
            _ => kept,
        }
    }

    /// The hashes that are kept, ascending.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.lowest.iter().copied()
    }

    /// Whether more were met than are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64: the hashes of as many baskets.
    fn hashes(count: u64) -> impl DoubleEndedIterator<Item = u64> {
        (1..=count).map(|number| {
            let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    #[test]
    fn counts_exactly_up_to_the_bound_then_within_a_percent() {
        let mut baskets = Baskets::default();
        let mut before = 0;
        for (count, hash) in (1..).zip(hashes(1_000_000)) {
            baskets.insert(hash, true);
            baskets.insert(hash, true);
            let found = baskets.count();
            assert!(found >= before, "{count}: {found} after {before}");
            before = found;
            if count <= limits::BASKETS as u64 {
                assert_eq!(found, count);
            } else {
                let ratio = found as f64 / count as f64;
                assert!((0.985..1.015).contains(&ratio), "{found} of {count}");
            }
        }
        assert_eq!(baskets.hashes().count(), limits::BASKETS);
    }

    #[test]
    fn order_and_what_was_kept_before_make_no_difference() {
        let count = 3 * limits::BASKETS as u64;
        let mut forwards = Baskets::default();
        hashes(count).for_each(|hash| forwards.insert(hash, true));
        let mut backwards = Baskets::default();
        hashes(count).rev().for_each(|hash| backwards.insert(hash, true));
        assert_eq!(forwards, backwards);

        // All were kept until records began to mean that there is a bound.
        let mut late = Baskets::default();
        hashes(count).skip(1).for_each(|hash| late.insert(hash, false));
        assert_eq!(late.count(), count - 1);
        hashes(1).for_each(|hash| late.insert(hash, true));
        assert_eq!(late, forwards);
        let stored = Baskets::new(late.hashes().collect(), late.is_full());
        assert_eq!(stored, late);
    }
}
