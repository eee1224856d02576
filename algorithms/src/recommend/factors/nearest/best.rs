//! The nearest rows of a source so far.

use crate::recommend::similarity::Neighbours;

/// Keeps the `k` greatest by (cosine descending, row ascending).
#[derive(Clone, Default)]
pub(super) struct Best {
    k: usize,
    bar: u64,
    /// Positive floats order like their bits; then the lower row is the greater.
    keys: Vec<u64>,
}

impl Best {
    pub(super) fn new(k: usize) -> Self {
        Self { k, bar: if k == 0 { u64::MAX } else { key(0.0, 0) }, keys: Vec::new() }
    }

    /// A cosine below this is not among the best.
    #[inline(always)]
    pub(super) fn bar(&self) -> f32 {
        f32::from_bits((self.bar >> 32) as u32)
    }

    #[inline(always)]
    pub(super) fn push(&mut self, cosine: f32, row: u32) {
        let key = key(cosine, row);
        if key > self.bar {
            self.keys.push(key);
            if self.keys.len() >= 2 * self.k {
                self.settle();
            }
        }
    }

    #[cold]
    fn settle(&mut self) {
        if self.keys.len() > self.k {
            let by_key = |left: &u64, right: &u64| right.cmp(left);
            self.bar = *self.keys.select_nth_unstable_by(self.k - 1, by_key).1;
            self.keys.truncate(self.k);
        }
    }

    /// Appends what was kept as the next source of `neighbours`.
    pub(super) fn finish(&mut self, neighbours: &mut Neighbours) {
        self.settle();
        self.keys.sort_unstable_by(|left, right| right.cmp(left));
        neighbours.targets.extend(self.keys.iter().map(|&key| !(key as u32)));
        let cosines = self.keys.iter().map(|&key| f32::from_bits((key >> 32) as u32));
        neighbours.weights.extend(cosines);
        neighbours.offsets.push(neighbours.targets.len() as u64);
        self.keys = Vec::new();
    }
}

#[inline(always)]
fn key(cosine: f32, row: u32) -> u64 {
    u64::from(cosine.to_bits()) << 32 | u64::from(!row)
}
