//! The event log: the only durable truth of the cluster.
//!
//! An append is all or nothing across shards. Every section of an append gets its own position
//! in one sequence space, so a shard sees a strictly increasing, not contiguous, subsequence.
//! What a section holds is opaque here.

mod collect;
mod commit;
pub mod conformance;
pub mod embedded;
mod epoch;
mod identity;
pub mod memory;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

use crate::slot::ShardId;

pub use epoch::{Epoch, Epochs, Mark};
pub use identity::{Ancestor, Founding, LogIdentity};

/// A position in the log; the first is 1, and 0 is before all.
pub type Sequence = u64;

/// Bytes of one append: its sections, and 6 bytes for each.
pub const APPEND_BYTES: usize = 16 << 20;

/// Where a fetch of one shard starts: after this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the shard.
    pub shard: ShardId,
    /// The last position that the reader has.
    pub after: Sequence,
    /// The epoch in which the log gave it that position.
    pub epoch: Epoch,
}

impl Cursor {
    /// Where its reader stands.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { epoch: self.epoch, position: self.after }
    }
}

/// The positions that an append was given, parallel to its sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Positions of the sections, ascending.
    pub sequences: Vec<Sequence>,
}

/// A section as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedSection {
    /// Position of the section.
    pub sequence: Sequence,
    /// Content of the section.
    pub section: Bytes,
}

/// What a fetch found for one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedShard {
    /// Number of the shard.
    pub shard: ShardId,
    /// In order of position; empty when there is nothing new.
    pub sections: Vec<FetchedSection>,
    /// Everything of this shard up to here was returned. It may lie beyond the last section,
    /// up to the end of the log when nothing of this shard lies between.
    pub next: Sequence,
    /// The epoch at `next`.
    pub epoch: Epoch,
}

/// What a fetch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// One per cursor, in the order asked.
    pub shards: Vec<FetchedShard>,
    /// The last position of the log.
    pub end: Sequence,
    /// Positions up to here are gone.
    pub trimmed_through: Sequence,
}

/// What an operator should know of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHealth {
    /// Why nothing can be appended at present, in words; reading goes on.
    pub stopped: Option<String>,
    /// What is damaged, was set aside or does not belong there, a line each.
    pub notes: Vec<String>,
}

/// Why the log could not do what was asked.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The append may or may not have been stored: send it again and let apply drop duplicates.
    #[error("the log did not confirm the append, which may have been stored")]
    Unconfirmed,
    /// A cursor points into what has been trimmed.
    #[error(
        "shard {shard} asks for positions after {after}, but the log is trimmed through {trimmed_through}"
    )]
    Trimmed {
        /// Number of the shard.
        shard: ShardId,
        /// Position that was asked for.
        after: Sequence,
        /// Last position that is gone.
        trimmed_through: Sequence,
    },
    /// A cursor stands at what this log does not hold: the log is a copy of before, or of another
    /// history. Its reader must read the shard anew.
    #[error(
        "shard {shard} stands at position {after} of epoch {epoch}, which this log does not have"
    )]
    Ahead {
        /// Number of the shard.
        shard: ShardId,
        /// Position that was asked for.
        after: Sequence,
        /// Epoch that was asked for.
        epoch: Epoch,
    },
    /// The append exceeds the log's bounds.
    #[error("append of {bytes} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Bytes of the append.
        bytes: usize,
        /// Highest number of bytes.
        limit: usize,
    },
    /// The log cannot be written at present; nothing of the append was stored.
    #[error("the log has stopped and stored nothing of this: {0}")]
    Stopped(String),
    /// A stored commit cannot be read.
    #[error("the log is damaged at position {sequence}: {detail}")]
    Damaged {
        /// Position of the section.
        sequence: Sequence,
        /// Description of what is wrong.
        detail: String,
    },
    /// The log has been closed.
    #[error("the log is closed")]
    Closed,
}

/// A durable, totally ordered log of sections.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// What the log is for ever.
    fn identity(&self) -> &LogIdentity;

    /// Identifies this log; fixed at its creation.
    fn incarnation(&self) -> u64 {
        self.identity().incarnation
    }

    /// Whether the log holds what was read through `mark`: nobody may be ahead of it.
    fn accepts(&self, mark: Mark) -> bool;

    /// The epoch of the commit that holds `position`; that of the last one beyond the end.
    fn epoch_at(&self, position: Sequence) -> Epoch;

    /// Milliseconds for which the log has been open, in all; it goes on where the last stored
    /// commit ended, never goes back, and no setting of a clock moves it.
    fn log_time_ms(&self) -> i64;

    /// Appends all sections or none and returns when they are durable. Waits while too many
    /// bytes are under way.
    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<Appended, LogError>;

    /// Reads the sections after the cursors, at most `max_bytes` in all, shared fairly by the
    /// shards. Of the cursors that lag behind, the first moves in any case, if need be by a section
    /// that is larger: whoever rotates its cursors from fetch to fetch has each of them move within
    /// as many fetches as there are. Waits up to `wait` for the first section. [`LogError::Ahead`]
    /// when a cursor's mark is not accepted.
    async fn fetch(
        &self,
        cursors: &[Cursor],
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, LogError>;

    /// The last durable position.
    fn end(&self) -> Sequence;

    /// Positions up to here are gone.
    fn trimmed_through(&self) -> Sequence;

    /// Allows positions up to `through` to be removed; removes whole storage units only, and
    /// returns what is gone afterwards.
    async fn trim(&self, through: Sequence) -> Result<Sequence, LogError>;

    /// Bytes on disk, 0 for a log in memory.
    fn disk_bytes(&self) -> u64;

    /// State of the log, for operators.
    fn health(&self) -> LogHealth {
        LogHealth::default()
    }
}
