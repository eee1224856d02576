//! The k best of a stream in memory of 2k.

/// Keeps the k best by (score descending, key ascending).
///
/// Reusable: [`TopK::drain`] empties it. Scores must be finite and at least 0, keys distinct.
#[derive(Debug)]
pub(crate) struct TopK {
    k: usize,
    // Score bits above the inverted key: the larger, the better.
    entries: Vec<u64>,
    worst: u64,
}

impl TopK {
    /// Keeps `k` entries, or all when there are fewer.
    pub(crate) fn new(k: usize) -> Self {
        Self { k, entries: Vec::new(), worst: 0 }
    }

    /// Offers an entry.
    #[inline]
    pub(crate) fn push(&mut self, score: f32, key: u32) {
        let entry = u64::from(score.to_bits()) << 32 | u64::from(!key);
        if entry <= self.worst {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() >= (2 * self.k).max(16) {
            self.shrink();
        }
    }

    /// Hands out the kept entries, best first, and starts afresh.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(f32, u32)) {
        self.shrink();
        self.entries.sort_unstable_by(|left, right| right.cmp(left));
        for &entry in &self.entries {
            take(f32::from_bits((entry >> 32) as u32), !(entry as u32));
        }
        self.entries.clear();
        self.worst = 0;
    }

    fn shrink(&mut self) {
        let Some(last) = self.k.checked_sub(1) else {
            self.entries.clear();
            self.worst = u64::MAX;
            return;
        };
        if self.entries.len() > self.k {
            let (_, worst, _) =
                self.entries.select_nth_unstable_by(last, |left, right| right.cmp(left));
            self.worst = *worst;
            self.entries.truncate(self.k);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_sorting(
            scores in proptest::collection::vec(0u8..6, 0..200),
            k in 0usize..30,
        ) {
            let mut top = TopK::new(k);
            // A second round shows that draining starts afresh.
            for _ in 0..2 {
                for (key, &score) in (0..).zip(&scores) {
                    top.push(f32::from(score), key);
                }
                let mut expected: Vec<(u8, u32)> = scores.iter().copied().zip(0..).collect();
                expected.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
                expected.truncate(k);
                let mut kept = Vec::new();
                top.drain(|score, key| kept.push((score as u8, key)));
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
