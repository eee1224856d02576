//! Gathers for a fetch what commits hold for its cursors, fairly by bytes.

use bytes::Bytes;

use super::{Cursor, Epochs, Fetched, FetchedSection, FetchedShard, Sequence, commit::Commit};
use crate::slot::ShardId;

/// The state of a fetch: for every cursor what was found, and how far it has come.
#[derive(Debug)]
pub(super) struct Collector {
    gathered: Vec<Gathered>,
    max_bytes: usize,
}

#[derive(Debug)]
struct Gathered {
    shard: ShardId,
    /// Everything of the shard up to here has been gathered.
    position: Sequence,
    sections: Vec<FetchedSection>,
    bytes: usize,
    full: bool,
    /// Number of the sections that are handed out.
    kept: usize,
}

impl Collector {
    /// Nothing found yet. No shard can take more than `max_bytes`.
    pub(super) fn new(cursors: &[Cursor], max_bytes: usize) -> Self {
        let gathered = cursors
            .iter()
            .map(|cursor| Gathered {
                shard: cursor.shard,
                position: cursor.after,
                sections: Vec::new(),
                bytes: 0,
                full: false,
                kept: 0,
            })
            .collect();
        Self { gathered, max_bytes }
    }

    /// Takes from a commit what follows the cursors that have reached it. Returns whether any
    /// cursor has, and can take more.
    pub(super) fn offer(&mut self, commit: &Commit) -> bool {
        let mut open = false;
        for cursor in &mut self.gathered {
            let reached = cursor.position >= commit.after() && cursor.position < commit.last();
            if reached && !cursor.full {
                cursor.take(commit, self.max_bytes);
                open |= !cursor.full;
            }
        }
        open
    }

    /// Notes that nothing of any cursor's shard lies after `after` and through `last`.
    pub(super) fn pass(&mut self, after: Sequence, last: Sequence) {
        for cursor in &mut self.gathered {
            if !cursor.full && cursor.position >= after && cursor.position < last {
                cursor.position = last;
            }
        }
    }

    /// The shards asked for.
    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> {
        self.gathered.iter().map(|cursor| cursor.shard)
    }

    /// Positions of the cursors that can take more, in the order of the cursors.
    pub(super) fn open_positions(&self) -> impl Iterator<Item = Sequence> {
        self.gathered.iter().filter(|cursor| !cursor.full).map(|cursor| cursor.position)
    }

    /// Whether any section was found.
    pub(super) fn has_sections(&self) -> bool {
        self.gathered.iter().any(|cursor| !cursor.sections.is_empty())
    }

    /// What was found, cut to `max_bytes`. The first cursor for which there is anything keeps one
    /// section, whatever its size. Shards with little keep all of it and leave the rest to the others
    /// in equal shares; what is left over goes to those whose share is too small for a section, in the
    /// order of the cursors.
    pub(super) fn finish(
        mut self,
        end: Sequence,
        trimmed_through: Sequence,
        epochs: &Epochs,
    ) -> Fetched {
        let mut left = self.max_bytes;
        // What the first cursor took of its share before it is its turn.
        let mut ahead = 0;
        let first = self.gathered.iter().position(|cursor| !cursor.sections.is_empty());
        if let Some(first) = first {
            ahead = self.gathered[first].keep_one();
            left = left.saturating_sub(ahead);
        }
        let mut by_size: Vec<usize> = (0..self.gathered.len()).collect();
        by_size.sort_by_key(|index| self.gathered[*index].bytes);
        for (done, index) in by_size.iter().enumerate() {
            let mut share = (left + ahead) / (by_size.len() - done);
            if first == Some(*index) {
                share = share.saturating_sub(ahead);
                ahead = 0;
            }
            left -= self.gathered[*index].keep(share.min(left));
        }
        for cursor in &mut self.gathered {
            left -= cursor.keep(left);
        }
        let shards = self.gathered.into_iter().map(|cursor| cursor.finish(epochs)).collect();
        Fetched { shards, end, trimmed_through }
    }
}

impl Gathered {
    fn take(&mut self, commit: &Commit, max_bytes: usize) {
        let after = self.position;
        for (sequence, section) in commit.of_shard(self.shard).filter(|(at, _)| *at > after) {
            self.bytes += cost(section);
            self.sections.push(FetchedSection { sequence, section: section.clone() });
            if self.bytes >= max_bytes {
                self.position = sequence;
                self.full = true;
                return;
            }
        }
        self.position = commit.last();
    }

    /// Keeps the first section; returns what it costs.
    fn keep_one(&mut self) -> usize {
        self.kept = 1;
        cost(&self.sections[0].section)
    }

    /// Keeps further sections that cost at most `share` together; returns what they cost.
    fn keep(&mut self, share: usize) -> usize {
        let mut kept_bytes = 0;
        while let Some(next) = self.sections.get(self.kept) {
            let with_next = kept_bytes + cost(&next.section);
            if with_next > share {
                break;
            }
            kept_bytes = with_next;
            self.kept += 1;
        }
        kept_bytes
    }

    /// What is kept; the next fetch goes on before the first section that is not.
    fn finish(mut self, epochs: &Epochs) -> FetchedShard {
        if let Some(dropped) = self.sections.get(self.kept) {
            self.position = dropped.sequence - 1;
        }
        self.sections.truncate(self.kept);
        let epoch = epochs.at(self.position);
        FetchedShard { shard: self.shard, sections: self.sections, next: self.position, epoch }
    }
}

/// What a section takes of a fetch: its bytes and its framing, so that many empty ones count.
fn cost(section: &Bytes) -> usize {
    const FRAMING: usize = 16;
    section.len() + FRAMING
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::log::Epoch;

    fn fetch(commit: &Commit, cursors: &[(ShardId, Sequence)], max_bytes: usize) -> Fetched {
        let cursors =
            cursors.iter().map(|&(shard, after)| Cursor { shard, after, epoch: Epoch::NONE });
        let cursors: Vec<Cursor> = cursors.collect();
        let mut collector = Collector::new(&cursors, max_bytes);
        collector.offer(commit);
        collector.finish(commit.last(), 0, &Epochs::default())
    }

    fn sequences(fetched: &Fetched) -> Vec<(Vec<Sequence>, Sequence)> {
        let mut sequences = Vec::new();
        for shard in &fetched.shards {
            let of_shard = shard.sections.iter().map(|found| found.sequence).collect();
            sequences.push((of_shard, shard.next));
        }
        sequences
    }

    #[test]
    fn a_busy_shard_leaves_the_others_their_share() {
        // Shard 0 has 8 sections that cost 100 bytes, shard 1 two, shard 2 none.
        let shards = [0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        let sections = shards.map(|shard| (shard, Bytes::from_static(&[0; 84]))).to_vec();
        let commit = Commit::new(11, sections);
        let all = [(0, 10), (1, 10), (2, 10)];
        assert_eq!(
            sequences(&fetch(&commit, &all, 500)),
            [(vec![11, 12, 14], 14), (vec![13, 17], 20), (vec![], 20)]
        );
        assert_eq!(
            sequences(&fetch(&commit, &all, 0)),
            [(vec![11], 11), (vec![], 12), (vec![], 20)]
        );
        assert_eq!(
            sequences(&fetch(&commit, &[(0, 16), (0, 19), (0, 20)], 10_000))[0].0,
            [18, 19, 20]
        );
        // A cursor that lies before or beyond the commit is left alone.
        assert_eq!(
            sequences(&fetch(&commit, &[(0, 9), (0, 30)], 500)),
            [(vec![], 9), (vec![], 30)]
        );
    }

    /// Sections of a commit, by shard and size.
    fn sections() -> impl Strategy<Value = Vec<(ShardId, usize)>> {
        vec((0_u16..6, prop_oneof![0_usize..50, 500_usize..2_000]), 1..40)
    }

    /// Cursors, by shard and position.
    fn cursors() -> impl Strategy<Value = Vec<(ShardId, Sequence)>> {
        vec((0_u16..6, 0_u64..45), 1..8)
    }

    proptest! {
        #[test]
        fn an_answer_keeps_to_its_bytes_and_every_cursor_comes_to_move(
            sections in sections(),
            mut cursors in cursors(),
            max_bytes in 0_usize..3_000,
        ) {
            let bytes = |size: usize| Bytes::from(vec![0; size]);
            let content = sections.iter().map(|&(shard, size)| (shard, bytes(size))).collect();
            let commit = Commit::new(1, content);
            let end = commit.last();
            cursors.iter_mut().for_each(|(_, after)| *after = (*after).min(end));
            let lags = |&(shard, after): &(ShardId, Sequence)| {
                commit.of_shard(shard).any(|(sequence, _)| sequence > after)
            };
            // In turn each is the first.
            let (all, before) = (cursors.len(), cursors.clone());
            for _ in 0..all {
                let fetched = fetch(&commit, &cursors, max_bytes);
                let mut costs = Vec::new();
                for (cursor, shard) in cursors.iter_mut().zip(&fetched.shards) {
                    let wanted = commit.of_shard(cursor.0);
                    let wanted = wanted.filter(|(at, _)| (cursor.1 + 1..=shard.next).contains(at));
                    let wanted: Vec<_> = wanted.map(|(at, _)| at).collect();
                    let found: Vec<_> = shard.sections.iter().map(|one| one.sequence).collect();
                    prop_assert_eq!(found, wanted, "all sections up to the next position, once");
                    prop_assert!(shard.next >= cursor.1);
                    cursor.1 = shard.next;
                    costs.extend(shard.sections.iter().map(|one| cost(&one.section)));
                }
                let sum: usize = costs.iter().sum();
                prop_assert!(sum <= max_bytes || costs.len() == 1, "{} of {}", sum, max_bytes);
                cursors.rotate_left(1);
            }
            for (before, after) in before.iter().zip(&cursors) {
                prop_assert!(!lags(before) || after.1 > before.1);
            }
        }
    }
}
