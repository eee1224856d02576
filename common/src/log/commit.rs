//! A commit: the sections that became durable together, and their order by shard.

use bytes::Bytes;

use super::{APPEND_BYTES, LogError, Sequence};
use crate::slot::ShardId;

/// What a section costs beside its content.
const SECTION_OVERHEAD: usize = 64;

/// Bytes of a section's entry in a commit's table.
pub(super) const ENTRY: usize = 2 + 4;

/// Bytes that sections take in a commit before compression.
pub(super) fn raw_bytes(sections: &[(ShardId, Bytes)]) -> usize {
    sections.iter().map(|(_, section)| section.len() + ENTRY).sum()
}

/// Refuses an append that exceeds [`APPEND_BYTES`]; its bytes otherwise.
pub(super) fn check_append(sections: &[(ShardId, Bytes)]) -> Result<usize, LogError> {
    let bytes = raw_bytes(sections);
    if bytes > APPEND_BYTES {
        return Err(LogError::TooLarge { bytes, limit: APPEND_BYTES });
    }
    Ok(bytes)
}

/// Sections at consecutive positions; never empty.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    after: Sequence,
    first: Sequence,
    sections: Vec<(ShardId, Bytes)>,
    /// Indexes of `sections` by (shard, position).
    by_shard: Vec<u32>,
    memory: usize,
}

impl Commit {
    /// The sections at `first` and the following positions.
    pub(super) fn new(first: Sequence, sections: Vec<(ShardId, Bytes)>) -> Self {
        debug_assert!(!sections.is_empty(), "a commit holds something");
        let count = u32::try_from(sections.len()).expect("far fewer sections than bytes");
        let mut by_shard: Vec<u32> = (0..count).collect();
        by_shard.sort_by_key(|index| sections[*index as usize].0);
        let memory = sections.iter().map(|(_, bytes)| bytes.len() + SECTION_OVERHEAD).sum();
        Self { after: first - 1, first, sections, by_shard, memory }
    }

    /// The same when nothing was ever stored between `after` and its first position.
    pub(super) fn after_gap(self, after: Sequence) -> Self {
        debug_assert!(after < self.first, "a gap lies before the commit");
        Self { after, ..self }
    }

    /// The last position before it that holds anything.
    pub(super) fn after(&self) -> Sequence {
        self.after
    }

    /// First position of the commit.
    pub(super) fn first(&self) -> Sequence {
        self.first
    }

    /// Last position of the commit.
    pub(super) fn last(&self) -> Sequence {
        self.first + self.sections.len() as u64 - 1
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// All sections, by position.
    pub(super) fn sections(&self) -> &[(ShardId, Bytes)] {
        &self.sections
    }

    /// The sections of `shard`, by position.
    pub(super) fn of_shard(&self, shard: ShardId) -> impl Iterator<Item = (Sequence, &Bytes)> {
        let shard_at = |index: &u32| self.sections[*index as usize].0;
        let start = self.by_shard.partition_point(|index| shard_at(index) < shard);
        self.by_shard[start..]
            .iter()
            .take_while(move |index| shard_at(index) == shard)
            .map(|index| (self.first + u64::from(*index), &self.sections[*index as usize].1))
    }
}
