//! The way into the log: checked, split by shard, appended whole, answered with a token.
//!
//! A mutation that is refused leaves no trace; one that is acknowledged is durable. Keeps no
//! state about duplicates: that is decided where records are applied. Memory is bounded: decoded
//! batches by a budget of bytes shared by all streams, answers by the streams' own bounds.
//! Proven by `tests/ingest.rs`, `tests/catalog.rs`, `tests/terms.rs` and `tests/rules.rs`.

mod batch;
mod error;
mod experiments;
mod items;
mod locations;
mod mutation;
mod prices;
mod rules;
mod stock;
mod supply;
mod users;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bytes::Bytes;
use mercer_common::{
    clock::SharedClock,
    config::AdmissionConfig,
    event::{RecordContext, encode_section, event_hash},
    ids::Checker,
    log::EventLog,
    slot::ShardId,
    token,
};
use mercer_proto::internal::{Section, section::Origin};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use batch::decoded_bytes;
pub(crate) use error::IngestError;

/// Appends what callers send.
pub(crate) struct Ingest {
    log: Arc<dyn EventLog>,
    clock: SharedClock,
    context: Arc<RecordContext>,
    /// The latest append time given out, so that times do not go back with the clock.
    latest_ms: AtomicI64,
    /// Decoded bytes of batches under way.
    bytes: Arc<Semaphore>,
    byte_limit: u32,
    /// Streams that may still be opened.
    streams: Arc<Semaphore>,
    stream_limit: usize,
}

impl Ingest {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        clock: SharedClock,
        context: Arc<RecordContext>,
        admission: &AdmissionConfig,
    ) -> Self {
        let byte_limit = admission.ingest_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let byte_limit = u32::try_from(byte_limit).unwrap_or(u32::MAX);
        let stream_limit = admission.ingest_streams.min(Semaphore::MAX_PERMITS);
        Self {
            log,
            clock,
            context,
            latest_ms: AtomicI64::new(0),
            bytes: Arc::new(Semaphore::new(byte_limit as usize)),
            byte_limit,
            streams: Arc::new(Semaphore::new(stream_limit)),
            stream_limit,
        }
    }

    /// Appends encoded sections, all of them or none.
    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<String, IngestError> {
        let shards: Vec<ShardId> = sections.iter().map(|(shard, _)| *shard).collect();
        let appended = self.log.append(sections).await?;
        Ok(token::issue(&*self.log, shards.into_iter().zip(appended.sequences)))
    }

    fn append_time_ms(&self) -> i64 {
        let now = self.clock.now_ms();
        self.latest_ms.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Admits one more stream; it ends with the permit.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, IngestError> {
        Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| IngestError::Streams { limit: self.stream_limit })
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
    append_time_ms: i64,
) -> Vec<(ShardId, Bytes)> {
    let complete = |(shard, section)| {
        let section = Section { append_time_ms, origin: origin.cloned(), ..section };
        (shard, encode_section(&section))
    };
    sections.into_iter().map(complete).collect()
}

/// What makes a call with a `request_id` take effect once.
fn check_request_id(checker: &mut Checker, request_id: Option<&str>) -> Option<Origin> {
    let request_id = request_id?;
    checker.id(|| "request_id".into(), request_id);
    Some(Origin::RequestHash(event_hash(request_id)))
}
