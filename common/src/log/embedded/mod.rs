//! The log of one machine: plain append-only files, written by one thread.
//!
//! Many appends share a frame, which is synced before anybody is answered. Opening looks first and
//! writes only when it has decided: `survey` tells what a crash left from damage. The newest
//! commits stay in memory decoded, so that readers that keep up never touch the disk. Proven by
//! `tests`, by the conformance suite and on a disk that loses what was not synced.

mod cache;
mod committer;
mod copy;
mod disk;
mod error;
mod frame;
mod identity;
mod inspect;
mod old;
mod open;
mod position_file;
mod reader;
mod reserve;
mod salvage;
mod scrub;
mod segment;
mod segments;
mod stand;
mod summary;
mod survey;
#[cfg(test)]
mod tests;
mod time;
mod trim;
mod unread;
mod writer;

use std::{fs::File, path::PathBuf, sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    Appended, Cursor, Epoch, Epochs, EventLog, Fetched, LogError, LogHealth, LogIdentity, Mark,
    Sequence,
    collect::Collector,
    commit::{Commit, check_append},
};
use crate::slot::ShardId;
use cache::{Recent, Runs};
use committer::{Request, Waiting};
pub use copy::CopiedLog;
use disk::Disk;
pub use error::OpenError;
pub use inspect::{Damage, InspectedSegment, Inspection, inspect};
pub use open::LogFolder;
use reserve::Reserve;
pub use salvage::{Salvaged, salvage};
use scrub::Scrubber;
use segments::Segments;
pub use stand::LogStand;
use time::LogTime;

/// Bytes of appends that wait for their commit; further ones wait outside.
const QUEUE_BYTES: usize = 32 << 20;
const QUEUE_REQUESTS: usize = 4_096;
/// Fetches that read from disk at once.
const STORED_READS: usize = 2;
/// Decoded bytes of what was read from disk.
const RUNS_BYTES: usize = 16 << 20;
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Findings of damage that are kept for operators.
const DAMAGE_NOTES: usize = 16;

/// Sizes of an embedded log.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedLogOptions {
    /// Bytes after which a segment is sealed; segments are trimmed as a whole.
    pub segment_bytes: u64,
    /// Bytes of newest commits kept in memory.
    pub cache_bytes: usize,
    /// Bytes of old segments that are read a second to find damage; 0 for none.
    pub scrub_bytes_a_second: u64,
    /// Bytes held back for the moment when the disk is full; 0 for none.
    pub reserve_bytes: u64,
}

impl Default for EmbeddedLogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            cache_bytes: 64 << 20,
            scrub_bytes_a_second: 4 << 20,
            reserve_bytes: 0,
        }
    }
}

/// The state of the metadata that belongs to a log, as the log notes it: metadata of before the last
/// note is an old copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataNote {
    /// Changes so far.
    pub changes: u64,
    /// Digest of all that is stored, whatever the order of the changes.
    pub digest: u128,
}

/// A log in a folder of this machine.
#[derive(Debug)]
pub struct EmbeddedLog {
    /// The scrubber, dropped before the rest.
    scrubber: Option<Scrubber>,
    shared: Arc<Shared>,
    queue_bytes: Arc<Semaphore>,
    /// Requests to the committer; `None` only while dropping.
    queue: Option<mpsc::Sender<Request>>,
    committer: Option<thread::JoinHandle<()>>,
}

/// What appends, fetches and the committer share.
#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    options: EmbeddedLogOptions,
    identity: LogIdentity,
    time: LogTime,
    segments: Arc<Segments>,
    epochs: RwLock<Epochs>,
    noted: Mutex<Option<MetadataNote>>,
    end: watch::Sender<Sequence>,
    recent: RwLock<Recent>,
    runs: Mutex<Runs>,
    stored_reads: Semaphore,
    /// Held while segments are trimmed.
    trimming: Mutex<()>,
    /// Why nothing is appended at present.
    stopped: Mutex<Option<String>>,
    reserve: Mutex<Reserve>,
    /// What was found when the log was opened.
    notes: Vec<String>,
    damage: Mutex<Vec<String>>,
    /// The lock of the folder, dropped after the rest.
    _lock: Option<File>,
}

impl EmbeddedLog {
    /// Notes the state of the metadata, durably.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    pub async fn note(&self, note: MetadataNote) -> Result<(), LogError> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(LogError::Closed)?;
        queue.send(Request::Note(note, answer)).await.map_err(|_| LogError::Closed)?;
        answered.await.map_err(|_| LogError::Unconfirmed)?
    }

    /// The last note, if there is any.
    #[must_use]
    pub fn noted(&self) -> Option<MetadataNote> {
        *self.shared.noted.lock()
    }
}

impl Drop for EmbeddedLog {
    /// Waits until all queued appends are durable, and closes the log in order.
    fn drop(&mut self) {
        self.scrubber = None;
        self.queue = None;
        if self.committer.take().is_some_and(|committer| committer.join().is_err()) {
            tracing::error!("the log's thread has panicked");
        }
    }
}

impl Shared {
    /// Shows a durable commit to readers.
    fn publish(&self, epoch: Epoch, commit: Commit) {
        let last = commit.last();
        self.epochs.write().note(epoch, commit.first());
        self.recent.write().push(Arc::new(commit));
        self.end.send_replace(last);
    }

    fn check(&self, cursors: &[Cursor]) -> Result<Sequence, LogError> {
        let end = *self.end.borrow();
        self.epochs.read().check(cursors, end)?;
        let trimmed_through = self.segments.trimmed_through();
        match cursors.iter().find(|cursor| cursor.after < trimmed_through) {
            None => Ok(trimmed_through),
            Some(&Cursor { shard, after, .. }) => {
                Err(LogError::Trimmed { shard, after, trimmed_through })
            }
        }
    }

    /// Keeps what was found damaged for operators.
    fn report_damage(&self, error: &LogError) {
        let found = error.to_string();
        tracing::error!(found, "the log is damaged; `mercer log verify` tells how far");
        let mut damage = self.damage.lock();
        if damage.len() < DAMAGE_NOTES && !damage.contains(&found) {
            damage.push(found);
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn identity(&self) -> &LogIdentity {
        &self.shared.identity
    }

    fn accepts(&self, mark: Mark) -> bool {
        let end = self.end();
        self.shared.epochs.read().accept(mark, end)
    }

    fn epoch_at(&self, position: Sequence) -> Epoch {
        self.shared.epochs.read().at(position)
    }

    fn log_time_ms(&self) -> i64 {
        self.shared.time.now_ms()
    }

    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<Appended, LogError> {
        if sections.is_empty() {
            return Ok(Appended { sequences: Vec::new() });
        }
        let permits =
            u32::try_from(check_append(&sections)?).expect("an append has less than 4 GiB");
        let permit = Arc::clone(&self.queue_bytes).acquire_many_owned(permits).await;
        let permit = permit.map_err(|_| LogError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(LogError::Closed)?;
        let waiting = Waiting { sections, answer, permit };
        queue.send(Request::Append(waiting)).await.map_err(|_| LogError::Closed)?;
        // The thread answers everything it takes unless it panics.
        answered.await.map_err(|_| LogError::Unconfirmed)?
    }

    async fn fetch(
        &self,
        cursors: &[Cursor],
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, LogError> {
        let deadline = Instant::now() + wait.min(LONGEST_WAIT);
        let mut changed = self.shared.end.subscribe();
        let mut collector = Collector::new(cursors, max_bytes);
        loop {
            let trimmed_through = self.shared.check(cursors)?;
            let end = *changed.borrow_and_update();
            let lags = self.shared.collect_recent(&mut collector, end);
            if lags {
                let permit = self.shared.stored_reads.acquire().await;
                let _permit = permit.map_err(|_| LogError::Closed)?;
                let shared = Arc::clone(&self.shared);
                let reading = spawn_blocking(move || {
                    let read = shared.collect_stored(&mut collector, max_bytes, end);
                    read.map(|()| collector)
                });
                // The task is not aborted; only a shutting down runtime ends it.
                collector = reading.await.map_err(|_| LogError::Closed)??;
                self.shared.check(cursors)?;
            }
            if lags || collector.has_sections() || Instant::now() >= deadline {
                let epochs = self.shared.epochs.read();
                return Ok(collector.finish(self.end(), trimmed_through, &epochs));
            }
            // Whether the end has moved or the time is up, look once more.
            let _ = timeout_at(deadline, changed.changed()).await;
        }
    }

    fn end(&self) -> Sequence {
        *self.shared.end.borrow()
    }

    fn trimmed_through(&self) -> Sequence {
        self.shared.segments.trimmed_through()
    }

    async fn trim(&self, through: Sequence) -> Result<Sequence, LogError> {
        let shared = Arc::clone(&self.shared);
        let trimming = spawn_blocking(move || shared.trim(through));
        let trimmed = trimming.await.map_err(|_| LogError::Closed)?;
        trimmed.map_err(|error| LogError::Stopped(error.to_string()))
    }

    fn disk_bytes(&self) -> u64 {
        self.shared.segments.bytes()
    }

    fn health(&self) -> LogHealth {
        let mut notes = self.shared.damage.lock().clone();
        notes.extend(self.shared.reserve.lock().lack());
        notes.extend(self.shared.notes.iter().cloned());
        LogHealth { stopped: self.shared.stopped.lock().clone(), notes }
    }
}
