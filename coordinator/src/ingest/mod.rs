//! The way into the log: checked, split by shard, appended whole, answered with a token.
//!
//! A mutation that is refused leaves no trace; one that is acknowledged is durable. Keeps no
//! state about duplicates: that is decided where records are applied. Memory is bounded: decoded
//! batches by a budget of bytes shared by all streams, answers by the streams' own bounds.
//! Proven by `tests/ingest.rs`, `tests/catalog.rs`, `tests/terms.rs` and `tests/rules.rs`.

mod apply_version;
mod batch;
mod error;
mod experiments;
mod imports;
mod items;
mod keeping;
mod locations;
mod mutation;
mod numbers;
mod prices;
mod room;
mod rules;
mod stock;
mod supply;
mod users;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use mercer_common::{
    clock::SharedClock,
    config::AdmissionConfig,
    event::{IdHasher, RecordContext, Side, event_hash},
    ids::Checker,
    log::EventLog,
    rpc::{OpenStream, Peer, Streams},
    slot::ShardId,
    token,
};
use mercer_proto::internal::{Section, mutation::Kind as Change, section::Origin};
use prost::{Message, Name};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::stamp::Stamp;
pub use apply_version::ApplyVersionError;
pub(crate) use apply_version::{ApplyVersions, KEY as APPLY_VERSION_KEY};
pub(crate) use batch::decoded_bytes;
pub(crate) use error::IngestError;
pub(crate) use imports::OpenImports;
pub(crate) use numbers::Numbers;
use room::Reserved;
pub(crate) use room::Room;

/// The version of what records mean since which shards take no more than there is room for.
const BOUNDED_SINCE: u32 = 3;
/// The version since which changes can keep what they do not say, and stock and supply be deleted.
const KEEPING_SINCE: u32 = 4;

/// Appends what callers send.
pub(crate) struct Ingest {
    log: Arc<dyn EventLog>,
    clock: SharedClock,
    context: Arc<RecordContext>,
    hasher: IdHasher,
    /// What the records mean that are written; never above what the log says.
    apply_version: AtomicU32,
    /// For what every shard keeps.
    room: Room,
    /// Decoded bytes of batches under way.
    bytes: Arc<Semaphore>,
    byte_limit: u32,
    streams: Arc<Streams>,
    /// Under whose ids rows of files come.
    open_imports: Arc<OpenImports>,
}

impl Ingest {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        clock: SharedClock,
        context: Arc<RecordContext>,
        room: Room,
        admission: &AdmissionConfig,
    ) -> Self {
        let byte_limit = admission.ingest_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let byte_limit = u32::try_from(byte_limit).unwrap_or(u32::MAX);
        Self {
            log,
            clock,
            hasher: context.id_hasher(),
            context,
            apply_version: AtomicU32::new(1),
            room,
            bytes: Arc::new(Semaphore::new(byte_limit as usize)),
            byte_limit,
            streams: Streams::new(admission.ingest_streams),
            open_imports: Arc::default(),
        }
    }

    /// Appends encoded sections, all of them or none.
    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<String, IngestError> {
        self.append_reserved(sections, None).await
    }

    /// The same, of a change that there is room for.
    async fn append_reserved(
        &self,
        sections: Vec<(ShardId, Bytes)>,
        reserved: Option<Reserved<'_>>,
    ) -> Result<String, IngestError> {
        let shards: Vec<ShardId> = sections.iter().map(|(shard, _)| *shard).collect();
        let appended = self.log.append(sections).await?;
        let positions = shards.into_iter().zip(appended.sequences);
        if let Some(mut reserved) = reserved {
            reserved.appended(positions.clone());
        }
        Ok(token::issue(&*self.log, positions))
    }

    /// Waits until a change of what every shard keeps may be appended; `None` as long as records mean
    /// that it is not bounded.
    async fn reserve(
        &self,
        changes: &[Change],
        finishing_producer_id: &[u8],
    ) -> Result<Option<Reserved<'_>>, IngestError> {
        if self.apply_version() < BOUNDED_SINCE {
            return Ok(None);
        }
        self.room.reserve(changes, finishing_producer_id).await.map(Some)
    }

    /// What the records mean that are written.
    pub(crate) fn apply_version(&self) -> u32 {
        self.apply_version.load(Ordering::Acquire)
    }

    /// Requires that records have come to mean what `what` needs.
    fn needs_version(&self, needed: u32, what: &'static str) -> Result<(), IngestError> {
        let in_force = self.apply_version();
        match in_force < needed {
            true => Err(IngestError::VersionTooLow { what, needed, in_force }),
            false => Ok(()),
        }
    }

    /// Writes records of this version from here on: the log says so.
    fn use_apply_version(&self, version: u32) {
        self.apply_version.store(version, Ordering::Release);
    }

    /// The present, for one append.
    fn stamp(&self) -> Stamp {
        Stamp::now(&*self.log, &self.clock)
    }

    /// What makes a call with a `request_id` take effect once; `request` is the call without it.
    fn request_origin<M: Message + Name>(
        &self,
        checker: &mut Checker,
        request_id: Option<String>,
        request: &M,
    ) -> Option<Origin> {
        let request_id = request_id?;
        checker.id(|| "request_id".into(), &request_id);
        if self.apply_version() < 2 {
            return Some(Origin::RequestHash(event_hash(&request_id)));
        }
        let content = self.hasher.content_of(request);
        let key = self.hasher.key_of(&request_id, content, Side::Request);
        Some(Origin::RequestKey(key.to_bytes()))
    }

    /// Admits one more stream of `peer`.
    pub(crate) fn stream(&self, peer: &Peer) -> Result<OpenStream, IngestError> {
        let limit = self.streams.limit();
        self.streams.open(peer).ok_or(IngestError::Streams { limit })
    }

    /// Waits until `bytes` of decoded input fit the budget.
    pub(crate) async fn budget(&self, bytes: usize) -> OwnedSemaphorePermit {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.byte_limit);
        Arc::clone(&self.bytes)
            .acquire_many_owned(permits)
            .await
            .expect("the budget is never closed")
    }
}

/// Completes sections with their origin and time, and encodes them.
fn encode(
    sections: impl IntoIterator<Item = (ShardId, Section)>,
    origin: Option<&Origin>,
    stamp: Stamp,
) -> Vec<(ShardId, Bytes)> {
    let encoded = sections.into_iter().map(|(shard, section)| {
        (shard, stamp.encode(Section { origin: origin.cloned(), ..section }))
    });
    encoded.collect()
}
