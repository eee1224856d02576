//! Sections on their way into the log: the time that all of one append have, and their encoding.

use bytes::Bytes;
use mercer_common::{clock::SharedClock, event::encode_section, log::EventLog, slot::ShardId};
use mercer_proto::internal::Section;

/// When an append is made: taken once, so that all its sections have the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    append_time_ms: i64,
    log_time_ms: i64,
}

impl Stamp {
    /// The present. The wall clock is data; the log's own clock decides what is remembered.
    pub(crate) fn now(log: &dyn EventLog, clock: &SharedClock) -> Self {
        Self { append_time_ms: clock.now_ms(), log_time_ms: log.log_time_ms() }
    }

    /// A section of the append, encoded.
    pub(crate) fn encode(self, section: Section) -> Bytes {
        let Self { append_time_ms, log_time_ms } = self;
        encode_section(&Section { append_time_ms, log_time_ms, ..section })
    }

    /// The same section for each of so many shards.
    pub(crate) fn encode_for_all(self, shards: ShardId, section: Section) -> Vec<(ShardId, Bytes)> {
        let section = self.encode(section);
        (0..shards).map(|shard| (shard, section.clone())).collect()
    }
}
