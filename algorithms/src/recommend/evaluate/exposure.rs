//! What lists show of the catalogue.

/// How often each item stands in the lists of one length.
pub(super) struct Exposure {
    counts: Vec<u64>,
    /// Sum of the self-information of what was shown, in bits.
    information: f64,
    shown: u64,
}

impl Exposure {
    pub(super) fn new(items: usize) -> Self {
        Self { counts: vec![0; items], information: 0.0, shown: 0 }
    }

    /// Counts an item that a share of the users, above 0, knew.
    pub(super) fn show(&mut self, item: u32, share: f64) {
        self.counts[item as usize] += 1;
        self.information -= share.log2();
        self.shown += 1;
    }

    /// Distinct items / items.
    pub(super) fn coverage(&self) -> f64 {
        let shown = self.counts.iter().filter(|&&count| count > 0).count();
        shown as f64 / self.counts.len().max(1) as f64
    }

    /// Gini's coefficient of the counts of all items: 0 when all are shown alike, near 1 when one
    /// takes everything; 0 when nothing is shown.
    pub(super) fn gini(&self) -> f64 {
        let mut counts = self.counts.clone();
        counts.sort_unstable();
        let count = counts.len() as f64;
        // sum (2 i - n - 1) x_i / (n sum x), i from 1.
        let weighted = (1..)
            .zip(&counts)
            .map(|(place, &shown)| (2.0 * f64::from(place) - count - 1.0) * shown as f64);
        let weighted: f64 = weighted.sum();
        if self.shown == 0 { 0.0 } else { weighted / (count * self.shown as f64) }
    }

    /// Mean self-information of what was shown, in bits; 0 when nothing was.
    pub(super) fn novelty(&self) -> f64 {
        self.information / self.shown.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_takes_all_or_all_take_the_same() {
        let mut even = Exposure::new(4);
        (0..4).for_each(|item| even.show(item, 0.25));
        assert_eq!((even.coverage(), even.gini(), even.novelty()), (1.0, 0.0, 2.0));
        let mut one = Exposure::new(4);
        (0..8).for_each(|_| one.show(2, 0.5));
        assert_eq!((one.coverage(), one.gini(), one.novelty()), (0.25, 0.75, 1.0));
        let none = Exposure::new(0);
        assert_eq!((none.coverage(), none.gini(), none.novelty()), (0.0, 0.0, 0.0));
    }
}
