//! The nearest rows of a source so far.

use crate::recommend::similarity::Neighbours;

/// Cosines that are looked at together.
const BLOCK: usize = 32;

/// Keeps the `k` greatest cosines above 0 by (cosine descending, row ascending).
#[derive(Clone)]
pub(super) struct Best {
    k: usize,
    bar: u64,
    keys: Vec<u64>,
}

/// What was kept of a source, best first.
#[derive(Clone, Default)]
pub(super) struct Kept(Vec<u64>);

impl Best {
    pub(super) fn new(k: usize) -> Self {
        let bar = if k == 0 { u64::MAX } else { key(f32::MIN_POSITIVE, u32::MAX) - 1 };
        Self { k, bar, keys: Vec::new() }
    }

    /// Takes the cosines of `source` with targets, of which it may be one; `target` names them.
    #[inline(always)]
    pub(super) fn offer(&mut self, source: u32, cosines: &[f32], target: impl Fn(usize) -> u32) {
        let mut bar = self.bar();
        for (block, cosines) in cosines.chunks(BLOCK).enumerate() {
            // Nearly always none: a few vector instructions.
            if !cosines.iter().fold(false, |any, &cosine| any | (cosine >= bar)) {
                continue;
            }
            for (at, &cosine) in (block * BLOCK..).zip(cosines) {
                if cosine >= bar {
                    self.push(source, cosine, target(at));
                    bar = self.bar();
                }
            }
        }
    }

    fn push(&mut self, source: u32, cosine: f32, target: u32) {
        let key = key(cosine, target);
        if key > self.bar && target != source {
            self.keys.push(key);
            if self.keys.len() >= 2 * self.k {
                self.settle();
            }
        }
    }

    /// A cosine below this is not among the best, and none is where it is no number.
    fn bar(&self) -> f32 {
        f32::from_bits((self.bar >> 32) as u32)
    }

    fn settle(&mut self) {
        if self.keys.len() > self.k {
            let (_, bar, _) =
                self.keys.select_nth_unstable_by(self.k - 1, |left, right| right.cmp(left));
            self.bar = *bar;
            self.keys.truncate(self.k);
        }
    }

    /// Takes what was kept; nothing is left.
    pub(super) fn take(&mut self) -> Kept {
        self.settle();
        self.keys.sort_unstable_by(|left, right| right.cmp(left));
        let kept = Kept(self.keys.clone());
        self.keys.clear();
        self.bar = Self::new(self.k).bar;
        kept
    }
}

impl Kept {
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|&key| !(key as u32))
    }

    fn cosines(&self) -> impl Iterator<Item = f32> {
        self.0.iter().map(|&key| f32::from_bits((key >> 32) as u32))
    }
}

/// Positive floats order like their bits; then the lower row is the greater.
#[inline(always)]
fn key(cosine: f32, row: u32) -> u64 {
    u64::from(cosine.to_bits()) << 32 | u64::from(!row)
}

/// Puts sources behind one another.
pub(super) fn collect(sources: &[Kept]) -> Neighbours {
    let entries = sources.iter().map(|kept| kept.0.len()).sum();
    let mut neighbours = Neighbours {
        offsets: Vec::with_capacity(sources.len() + 1),
        targets: Vec::with_capacity(entries),
        weights: Vec::with_capacity(entries),
    };
    neighbours.offsets.push(0);
    for kept in sources {
        neighbours.targets.extend(kept.rows());
        neighbours.weights.extend(kept.cosines());
        neighbours.offsets.push(neighbours.targets.len() as u64);
    }
    neighbours
}
