//! The columns that can be among the best of a source, before ties and roundings are looked at.

use super::accumulator::Sum;

/// Keys are rounded: what lies less than this below the k-th may be as good.
const SLACK: f32 = 1.0 - 1e-6;
/// Candidates per wanted one up to which the bar stays: raising it costs more than keeping them.
const ROOM: usize = 4;

struct Candidate<T> {
    key: f32,
    column: u32,
    sum: T,
}

/// Keeps at least all columns whose weights are among the k best, and few more.
///
/// Weights and tie breaks cost random reads: they wait until most columns are out.
pub(super) struct Shortlist<T> {
    k: usize,
    room: usize,
    bar: f32,
    candidates: Vec<Candidate<T>>,
}

impl<T: Sum> Shortlist<T> {
    pub(super) fn new(k: usize) -> Self {
        Self { k, room: ROOM * k, bar: 0.0, candidates: Vec::new() }
    }

    /// A column with a key at or below this is not among the best.
    #[inline(always)]
    pub(super) fn bar(&self) -> f32 {
        self.bar
    }

    #[inline(always)]
    pub(super) fn push(&mut self, key: f32, column: u32, sum: T) {
        self.candidates.push(Candidate { key, column, sum });
        if self.candidates.len() > self.room {
            self.settle();
            // Where many are about as good as the k-th, they all stay.
            self.room = (2 * self.candidates.len()).max(ROOM * self.k);
        }
    }

    /// Raises the bar as far as the columns so far allow.
    pub(super) fn settle(&mut self) {
        let Some(last) = self.k.checked_sub(1) else {
            self.bar = f32::INFINITY;
            return self.candidates.clear();
        };
        if self.candidates.len() > last {
            let (_, worst, _) = self
                .candidates
                .select_nth_unstable_by(last, |left, right| right.key.total_cmp(&left.key));
            let bar = worst.key * SLACK;
            self.bar = bar;
            self.candidates.retain(|candidate| candidate.key > bar);
        }
    }

    /// The columns that are left, in the order of [`Shortlist::drain`].
    pub(super) fn columns(&self) -> impl Iterator<Item = u32> {
        self.candidates.iter().map(|candidate| candidate.column)
    }

    /// Hands out what is left in no order and starts afresh.
    pub(super) fn drain(&mut self, mut take: impl FnMut(u32, T)) {
        self.candidates.drain(..).for_each(|candidate| take(candidate.column, candidate.sum));
        self.room = ROOM * self.k;
        self.bar = 0.0;
    }
}
