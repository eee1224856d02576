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

    /// Positions of the cursors that can take more, in no order.
    pub(super) fn open_positions(&self) -> impl Iterator<Item = Sequence> {
        self.gathered.iter().filter(|cursor| !cursor.full).map(|cursor| cursor.position)
    }

    /// Whether any section was found.
    pub(super) fn has_sections(&self) -> bool {
        self.gathered.iter().any(|cursor| !cursor.sections.is_empty())
    }

    /// What was found, cut to `max_bytes`: shards with little keep all of it and leave the rest
    /// to the others in equal shares; each keeps at least one section.
    pub(super) fn finish(
        mut self,
        end: Sequence,
        trimmed_through: Sequence,
        epochs: &Epochs,
    ) -> Fetched {
        let mut by_size: Vec<usize> = (0..self.gathered.len()).collect();
        by_size.sort_by_key(|index| self.gathered[*index].bytes);
        let mut left = self.max_bytes;
        for (done, index) in by_size.iter().enumerate() {
            let cursor = &mut self.gathered[*index];
            cursor.cut(left / (by_size.len() - done));
            left = left.saturating_sub(cursor.bytes);
        }
        let shards = self
            .gathered
            .into_iter()
            .map(|cursor| FetchedShard {
                shard: cursor.shard,
                sections: cursor.sections,
                next: cursor.position,
                epoch: epochs.at(cursor.position),
            })
            .collect();
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

    /// Keeps the first sections, at least one, that cost at most `share` together.
    fn cut(&mut self, share: usize) {
        if self.bytes <= share {
            return;
        }
        let mut bytes = 0;
        let fitting = self.sections.iter().take_while(|found| {
            bytes += cost(&found.section);
            bytes <= share
        });
        let kept = fitting.count().max(1);
        if kept < self.sections.len() {
            self.sections.truncate(kept);
            self.bytes = self.sections.iter().map(|found| cost(&found.section)).sum();
            self.position = self.sections[kept - 1].sequence;
        }
    }
}

/// What a section takes of a fetch: its bytes and its framing, so that many empty ones count.
fn cost(section: &Bytes) -> usize {
    const FRAMING: usize = 16;
    section.len() + FRAMING
}

#[cfg(test)]
mod tests {
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
        let of = |shard: &FetchedShard| {
            (shard.sections.iter().map(|found| found.sequence).collect(), shard.next)
        };
        fetched.shards.iter().map(of).collect()
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
            [(vec![11], 11), (vec![13], 13), (vec![], 20)]
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
}
