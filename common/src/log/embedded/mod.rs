//! The log of one machine: sled databases, one a segment, written by one thread.
//!
//! Many appends share a commit, which is a few values of one database, flushed and synced
//! before anybody is answered. A last commit that a crash left incomplete is removed when the
//! log is opened. The newest commits stay in memory decoded, so that readers that keep up never
//! touch the disk. Proven by `tests.rs` and the conformance suite.

mod cache;
mod codec;
mod committer;
mod identity;
mod note;
mod reader;
mod segment;
mod segments;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    Appended, Cursor, Epoch, Epochs, EventLog, Fetched, Founding, LogError, LogIdentity, Mark,
    Sequence,
    collect::Collector,
    commit::{Commit, check_append},
};
use crate::{
    clock::{Clock as _, SystemClock},
    slot::ShardId,
};
pub use identity::LogFolder;

use cache::{Decoded, Recent};
use committer::Waiting;
use segments::Segments;
use witness::Witness;

/// Bytes of appends that wait for their commit; further ones wait outside.
const QUEUE_BYTES: usize = 32 << 20;
const QUEUE_APPENDS: usize = 4_096;
/// Fetches that read from disk at once.
const STORED_READS: usize = 2;
const DECODED_BYTES: usize = 16 << 20;
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Sizes of an embedded log.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedLogOptions {
    /// Bytes on disk after which a segment is sealed; segments are trimmed as a whole.
    pub segment_bytes: u64,
    /// Bytes of newest commits kept in memory.
    pub cache_bytes: usize,
}

impl Default for EmbeddedLogOptions {
    fn default() -> Self {
        Self { segment_bytes: 256 << 20, cache_bytes: 64 << 20 }
    }
}

/// The state of the metadata that belongs to a log, as the log notes it: metadata of before the last
/// note is an old copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataNote {
    /// Changes so far.
    pub changes: u64,
    /// Of all that is stored, whatever the order of the changes.
    pub digest: u128,
}

/// Why an embedded log could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error(
        "the log in {} is in use by another process; stop that one or name another data folder",
        folder.display()
    )]
    Locked {
        /// Which log.
        folder: PathBuf,
    },
    /// The folder does not hold what was written.
    #[error(
        "the log in {} is damaged: {detail}; restore the folder from a backup, or move it away to start with an empty log",
        folder.display()
    )]
    Damaged {
        /// Which log.
        folder: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file system refused.
    #[error("cannot open the log at {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl OpenError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// A log in a folder of this machine.
#[derive(Debug)]
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    queue_bytes: Arc<Semaphore>,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Waiting>>,
    committer: Option<thread::JoinHandle<()>>,
}

/// What appends, fetches and the committer share.
#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    options: EmbeddedLogOptions,
    identity: LogIdentity,
    epochs: Epochs,
    noted: Mutex<Option<MetadataNote>>,
    segments: Segments,
    end: watch::Sender<Sequence>,
    recent: RwLock<Recent>,
    decoded: Mutex<Decoded>,
    stored_reads: Semaphore,
    #[cfg(test)]
    fail_writes: std::sync::atomic::AtomicBool,
    /// Dropped last.
    _lock: File,
}

impl EmbeddedLog {
    /// Opens the log in `folder`, or creates it. Blocks on the disk.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        folder: &Path,
        founding: &Founding,
        options: EmbeddedLogOptions,
    ) -> Result<Self, OpenError> {
        fs::create_dir_all(folder).map_err(OpenError::io(folder))?;
        let folder = folder.canonicalize().map_err(OpenError::io(folder))?;
        let lock = identity::lock(&folder)?;
        let segments = folder.join("segments");
        let identity = identity::establish(&folder, founding, segments.exists())?;
        let noted = note::read(&folder)?;
        let segments = Segments::open(segments)?;
        let witness = Witness::open(&folder).map_err(OpenError::io(&folder))?;
        let acknowledged = witness.read().map_err(OpenError::io(&folder))?;
        let end = segments.active().recover(acknowledged).map_err(|error| OpenError::Damaged {
            folder: folder.clone(),
            detail: error.to_string(),
        })?;
        let shared = Arc::new(Shared {
            folder,
            options,
            identity,
            epochs: Epochs::default(),
            noted: Mutex::new(noted),
            segments,
            end: watch::Sender::new(end),
            recent: RwLock::new(Recent::new(options.cache_bytes)),
            decoded: Mutex::new(Decoded::new(DECODED_BYTES)),
            stored_reads: Semaphore::new(STORED_READS),
            #[cfg(test)]
            fail_writes: std::sync::atomic::AtomicBool::new(false),
            _lock: lock,
        });
        let (queue, waiting) = mpsc::channel(QUEUE_APPENDS);
        let committer = committer::start(Arc::clone(&shared), witness, waiting)?;
        Ok(Self {
            shared,
            queue_bytes: Arc::new(Semaphore::new(QUEUE_BYTES)),
            queue: Some(queue),
            committer: Some(committer),
        })
    }
}

impl EmbeddedLog {
    /// Looks at the log in `folder` without changing anything. Blocks on the disk.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn look(folder: &Path) -> Result<LogFolder, OpenError> {
        identity::look(folder)
    }

    /// Notes the state of the metadata, durably.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    pub async fn note(&self, note: MetadataNote) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let noting = spawn_blocking(move || {
            let mut noted = shared.noted.lock();
            note::write(&shared.folder, note)
                .map_err(|error| LogError::Poisoned(error.to_string()))?;
            *noted = Some(note);
            Ok(())
        });
        noting.await.map_err(|_| LogError::Closed)?
    }

    /// The last note, if there is any.
    #[must_use]
    pub fn noted(&self) -> Option<MetadataNote> {
        *self.shared.noted.lock()
    }
}

impl Drop for EmbeddedLog {
    /// Waits until all queued appends are durable.
    fn drop(&mut self) {
        self.queue = None;
        if self.committer.take().is_some_and(|committer| committer.join().is_err()) {
            tracing::error!("the log's thread has panicked");
        }
    }
}

impl Shared {
    /// Shows a durable commit to readers.
    fn publish(&self, commit: Commit) {
        let last = commit.last();
        self.recent.write().push(Arc::new(commit));
        self.end.send_replace(last);
    }

    fn check_trimmed(&self, cursors: &[Cursor]) -> Result<Sequence, LogError> {
        let trimmed_through = self.segments.trimmed_through();
        match cursors.iter().find(|cursor| cursor.after < trimmed_through) {
            None => Ok(trimmed_through),
            Some(&Cursor { shard, after, .. }) => {
                Err(LogError::Trimmed { shard, after, trimmed_through })
            }
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn identity(&self) -> &LogIdentity {
        &self.shared.identity
    }

    fn accepts(&self, mark: Mark) -> bool {
        self.shared.epochs.accept(mark, self.end())
    }

    fn epoch_at(&self, position: Sequence) -> Epoch {
        self.shared.epochs.at(position)
    }

    fn log_time_ms(&self) -> i64 {
        i64::try_from(SystemClock.uptime().as_millis()).unwrap_or(i64::MAX)
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
        queue.send(waiting).await.map_err(|_| LogError::Closed)?;
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
            self.shared.epochs.check(cursors, self.end())?;
            let trimmed_through = self.shared.check_trimmed(cursors)?;
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
                self.shared.check_trimmed(cursors)?;
            }
            if lags || collector.has_sections() || Instant::now() >= deadline {
                let end = self.end();
                return Ok(collector.finish(end, trimmed_through, &self.shared.epochs));
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
        let trimming = spawn_blocking(move || shared.segments.trim(through));
        let trimmed = trimming.await.map_err(|_| LogError::Closed)?;
        trimmed.map_err(|error| LogError::Poisoned(error.to_string()))
    }

    fn disk_bytes(&self) -> u64 {
        self.shared.segments.bytes()
    }
}
