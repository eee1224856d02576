//! Log and clock under the control of a test.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use mercer_common::{
    clock::{Clock, SystemClock},
    log::{
        Appended, Cursor, Epoch, Epochs, EventLog, Fetched, FetchedSection, FetchedShard, Founding,
        LogError, LogHealth, LogIdentity, Mark, Sequence,
    },
    slot::ShardId,
};
use mercer_proto::internal::Section;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{Semaphore, watch};

/// A log in memory.
pub(crate) struct TestLog {
    identity: LogIdentity,
    sections: Mutex<Vec<(ShardId, Bytes)>>,
    end: watch::Sender<Sequence>,
    /// Errors of the next appends.
    pub(crate) failures: Mutex<VecDeque<LogError>>,
    /// Appends wait for a permit of it.
    pub(crate) gate: Semaphore,
    /// Appends that have begun, without those before the coordinator served.
    pub(crate) appends: AtomicI64,
    /// What the log's own clock says.
    pub(crate) log_time_ms: AtomicI64,
    /// What it says of itself.
    pub(crate) stopped: Mutex<Option<String>>,
}

impl TestLog {
    pub(crate) fn new() -> Arc<Self> {
        let founding =
            Founding { item_visit_key: 7, user_visit_key: 8, ..Founding::new(4, "USD", "UTC") };
        Arc::new(Self {
            identity: LogIdentity { incarnation: 7, founding, ancestors: Vec::new() },
            sections: Mutex::default(),
            end: watch::Sender::new(0),
            failures: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            appends: AtomicI64::new(0),
            log_time_ms: AtomicI64::new(0),
            stopped: Mutex::default(),
        })
    }

    /// Lets no append through until permits are added to the gate.
    pub(crate) fn close_gate(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Everything that was appended, decoded, but what says how to read it.
    pub(crate) fn sections(&self) -> Vec<(ShardId, Section)> {
        let mut sections = self.all_sections();
        sections.retain(|(_, section)| section.use_apply_version.is_none());
        sections
    }

    /// Everything that was appended, decoded.
    pub(crate) fn all_sections(&self) -> Vec<(ShardId, Section)> {
        let mut decoded = Vec::new();
        for (shard, bytes) in self.sections.lock().iter() {
            decoded.push((*shard, Section::decode(bytes.as_ref()).expect("a section")));
        }
        decoded
    }
}

#[tonic::async_trait]
impl EventLog for TestLog {
    fn identity(&self) -> &LogIdentity {
        &self.identity
    }

    fn accepts(&self, mark: Mark) -> bool {
        Epochs::default().accept(mark, self.end())
    }

    fn health(&self) -> LogHealth {
        LogHealth { stopped: self.stopped.lock().clone(), notes: Vec::new() }
    }

    fn epoch_at(&self, _position: Sequence) -> Epoch {
        Epoch::NONE
    }

    fn log_time_ms(&self) -> i64 {
        self.log_time_ms.load(Ordering::SeqCst)
    }

    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<Appended, LogError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.expect("never closed").forget();
        self.gate.add_permits(usize::from(self.gate.available_permits() > 1_000_000));
        if let Some(error) = self.failures.lock().pop_front() {
            return Err(error);
        }
        let mut stored = self.sections.lock();
        let first = stored.len() as u64 + 1;
        let sequences: Vec<u64> = (first..first + sections.len() as u64).collect();
        stored.extend(sections);
        self.end.send_replace(stored.len() as u64);
        Ok(Appended { sequences })
    }

    async fn fetch(
        &self,
        cursors: &[Cursor],
        _max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, LogError> {
        let oldest = cursors.iter().map(|cursor| cursor.after).min().unwrap_or(0);
        let mut end = self.end.subscribe();
        let _ = tokio::time::timeout(wait, end.wait_for(|end| *end > oldest)).await;
        let stored = self.sections.lock();
        let end = stored.len() as u64;
        let mut shards = Vec::new();
        for &Cursor { shard, after, .. } in cursors {
            let mut sections = Vec::new();
            for (sequence, (of, section)) in (1..).zip(stored.iter()) {
                if sequence > after && *of == shard {
                    sections.push(FetchedSection { sequence, section: section.clone() });
                }
            }
            shards.push(FetchedShard { shard, sections, next: end, epoch: Epoch::NONE });
        }
        Ok(Fetched { shards, end, trimmed_through: 0 })
    }

    fn end(&self) -> Sequence {
        *self.end.borrow()
    }

    fn trimmed_through(&self) -> Sequence {
        0
    }

    async fn trim(&self, _through: Sequence) -> Result<Sequence, LogError> {
        Ok(0)
    }

    fn disk_bytes(&self) -> u64 {
        0
    }
}

/// A clock that a test moves, and whose wall time it steps.
pub(crate) struct TestClock {
    wall_ms: AtomicI64,
    up_ms: AtomicU64,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { wall_ms: AtomicI64::new(1_700_000_000_000), up_ms: AtomicU64::new(5_000_000) }
    }

    /// Time passes.
    pub(crate) fn advance(&self, ms: u64) {
        self.up_ms.fetch_add(ms, Ordering::SeqCst);
        self.step(ms.cast_signed());
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.wall_ms.load(Ordering::SeqCst)).expect("in range")
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.up_ms.load(Ordering::SeqCst))
    }
}

/// The machine's clock, whose wall time a test steps.
#[derive(Default)]
pub(crate) struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// Somebody sets the wall clock.
    pub(crate) fn step(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}
