//! A shard as queries, the apply lane and the snapshot rounds share it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant as Started,
};

use mercer_common::{
    log::Sequence,
    slot::{ShardId, ShardLayout},
};
use mercer_proto::v1;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::{sync::watch, time::Instant};

use super::{Counters, CutError, ShardError, ShardState, cut::FailedCuts};

/// What a shard is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardStatus {
    /// Loading its snapshot and replaying the log.
    Recovering,
    /// Caught up: it answers queries.
    Serving,
    /// The log does not hold what it applied: it is about to be read anew.
    Refused,
    /// Stopped for this reason.
    Failed(Arc<str>),
}

#[derive(Clone, Debug)]
struct Progress {
    status: ShardStatus,
    applied: Sequence,
}

/// How the shard came up after the last start.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    since: Started,
    records: u64,
    seconds: f64,
}

/// A shard that this worker holds.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    layout: ShardLayout,
    worker_id: Arc<str>,
    state: RwLock<ShardState>,
    /// Held while a section is applied or a cut is written: whoever holds it sees the state
    /// between two sections. Taken before the lock of the state.
    pub(super) gate: tokio::sync::Mutex<()>,
    progress: watch::Sender<Progress>,
    recovery: Mutex<Recovery>,
    /// The last position of the log that the shard has heard of.
    log_end: AtomicU64,
    snapshot: AtomicU64,
    /// Records applied since the snapshot was begun.
    unsaved: AtomicU64,
    /// It met what was retracted while it recovered: its state stands for nothing until it is folded
    /// again.
    owes_fold: AtomicBool,
    failed_cuts: FailedCuts,
}

impl Shard {
    /// A shard that starts from `state`, which stands in a snapshot unless it is empty.
    pub(crate) fn new(state: ShardState, worker_id: Arc<str>, since: Started) -> Self {
        let applied = state.applied();
        let progress = Progress { status: ShardStatus::Recovering, applied };
        Self {
            id: state.shard(),
            layout: state.layout,
            worker_id,
            state: RwLock::new(state),
            gate: tokio::sync::Mutex::new(()),
            progress: watch::Sender::new(progress),
            recovery: Mutex::new(Recovery { since, records: 0, seconds: 0.0 }),
            log_end: AtomicU64::new(applied),
            snapshot: AtomicU64::new(applied),
            unsaved: AtomicU64::new(0),
            owes_fold: AtomicBool::new(false),
            failed_cuts: FailedCuts::default(),
        }
    }

    /// Its state, for tests that compare.
    #[cfg(test)]
    pub(crate) fn into_state(self) -> ShardState {
        self.state.into_inner()
    }

    /// A serving shard with this state, for tests of what reads it.
    #[cfg(test)]
    pub(crate) fn serving(state: ShardState) -> Self {
        let shard = Self::new(state, "worker".into(), Started::now());
        shard.serve();
        shard
    }

    /// Which shard.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// The division of slots that it belongs to.
    pub(crate) fn layout(&self) -> ShardLayout {
        self.layout
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> ShardStatus {
        self.progress.borrow().status.clone()
    }

    /// The log position through which everything is applied.
    #[must_use]
    pub fn applied(&self) -> Sequence {
        self.progress.borrow().applied
    }

    /// Locks the state for reading. Hold it for at most some milliseconds, on a compute thread,
    /// and never across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, ShardState> {
        self.state.read()
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, ShardState> {
        self.state.write()
    }

    /// Waits until the shard serves and everything through `sequence` is applied.
    ///
    /// # Errors
    /// `Recovering` and `Failed` at once, `Lagging` at the deadline.
    pub async fn wait_applied(
        &self,
        sequence: Sequence,
        deadline: impl Into<Instant>,
    ) -> Result<(), ShardError> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| {
            progress.status != ShardStatus::Serving || progress.applied >= sequence
        });
        let reached = match tokio::time::timeout_at(deadline.into(), reached).await {
            Ok(Ok(progress)) => Some(progress.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        let Progress { status, applied } =
            reached.unwrap_or_else(|| self.progress.borrow().clone());
        match status {
            ShardStatus::Recovering | ShardStatus::Refused => {
                Err(ShardError::Recovering { shard: self.id, applied })
            }
            ShardStatus::Failed(reason) => Err(ShardError::Failed { shard: self.id, reason }),
            ShardStatus::Serving if applied >= sequence => Ok(()),
            ShardStatus::Serving => {
                Err(ShardError::Lagging { shard: self.id, required: sequence, applied })
            }
        }
    }

    /// Waits until the shard serves or has stopped.
    pub(crate) async fn recovered(&self) {
        let mut progress = self.progress.subscribe();
        // The sender is in `self`.
        let _ = progress.wait_for(|progress| progress.status != ShardStatus::Recovering).await;
    }

    /// What operators see of it. Takes a read lock; call it on a compute thread.
    #[must_use]
    pub fn describe(&self) -> v1::ShardDescription {
        // The position first: the figures may be ahead of it, never behind.
        let Progress { status, applied } = self.progress.borrow().clone();
        let (state, reason) = match status {
            ShardStatus::Recovering | ShardStatus::Refused => {
                (v1::ShardState::Recovering, String::new())
            }
            ShardStatus::Serving => (v1::ShardState::Serving, String::new()),
            ShardStatus::Failed(reason) => (v1::ShardState::Failed, reason.to_string()),
        };
        let Recovery { records, seconds, .. } = *self.recovery.lock();
        let live = self.read();
        let (interactions, item_events) = live.counters();
        v1::ShardDescription {
            shard: self.id.into(),
            worker_id: self.worker_id.to_string(),
            state: state.into(),
            reason,
            applied_sequence: applied,
            snapshot_sequence: self.snapshot_sequence(),
            end_sequence: self.log_end.load(Ordering::Relaxed).max(applied),
            interactions: Some(describe_counters(interactions)),
            item_events: Some(describe_counters(item_events)),
            users: live.user_count() as u64,
            items: live.item_count() as u64,
            duplicates: live.duplicates(),
            last_replay_seconds: seconds,
            last_replay_records: records,
            clashes: live.clashes(),
            nothing_catalogued: live.has_nothing_catalogued(),
        }
    }

    /// Position of the newest snapshot; 0 when there is none.
    pub(crate) fn snapshot_sequence(&self) -> Sequence {
        self.snapshot.load(Ordering::Relaxed)
    }

    /// Records that a restart would have to replay.
    pub(super) fn unsaved(&self) -> u64 {
        self.unsaved.load(Ordering::Relaxed)
    }

    /// Notes a snapshot at `sequence` that holds `records` of the unsaved ones.
    pub(super) fn saved(&self, sequence: Sequence, records: u64) {
        self.snapshot.store(sequence, Ordering::Relaxed);
        self.unsaved.fetch_sub(records, Ordering::Relaxed);
    }

    /// Whether its state stands for nothing until it is folded again.
    pub(super) fn owes_fold(&self) -> bool {
        self.owes_fold.load(Ordering::Relaxed)
    }

    /// Notes that it is to be folded again, or that it was.
    pub(super) fn owe_fold(&self, owes: bool) {
        self.owes_fold.store(owes, Ordering::Relaxed);
    }

    pub(super) fn is_recovering(&self) -> bool {
        self.progress.borrow().status == ShardStatus::Recovering
    }

    /// Notes where the log ends.
    pub(super) fn hear_of(&self, log_end: Sequence) {
        self.log_end.fetch_max(log_end, Ordering::Relaxed);
    }

    /// Notes records that were applied.
    pub(super) fn count(&self, records: u64) {
        self.unsaved.fetch_add(records, Ordering::Relaxed);
        let mut recovery = self.recovery.lock();
        if self.is_recovering() {
            recovery.records += records;
        }
    }

    /// Tells waiting calls that everything through `sequence` is applied.
    pub(super) fn publish(&self, sequence: Sequence) {
        self.progress.send_if_modified(|progress| {
            let advanced = progress.applied < sequence;
            progress.applied = progress.applied.max(sequence);
            advanced
        });
    }

    /// Begins to answer queries, unless the shard has failed.
    pub(super) fn serve(&self) {
        let begun = self.progress.send_if_modified(|progress| {
            let recovering = progress.status == ShardStatus::Recovering;
            if recovering {
                progress.status = ShardStatus::Serving;
            }
            recovering
        });
        if begun {
            let mut recovery = self.recovery.lock();
            recovery.seconds = recovery.since.elapsed().as_secs_f64();
            tracing::info!(
                shard = self.id,
                records = recovery.records,
                seconds = recovery.seconds,
                "shard serves"
            );
        }
    }

    /// Stops the shard for good; only a restart brings it back.
    pub(crate) fn fail(&self, reason: &str) {
        tracing::error!(shard = self.id, reason, "shard failed");
        self.progress.send_modify(|progress| progress.status = ShardStatus::Failed(reason.into()));
    }

    /// Notes why a job has to do without the shard's cut.
    pub(super) fn cut_failed(&self, job: &str, cause: CutError) {
        tracing::error!(shard = self.id, job, error = %cause, "cut given up");
        self.failed_cuts.note(job, cause);
    }

    /// Why a job has to do without the shard's cut; `None` when it does not, as far as is known.
    pub(crate) fn failed_cut(&self, job: &str) -> Option<Arc<CutError>> {
        self.failed_cuts.of(job)
    }

    /// Stops the shard: the log refuses where it stands, and its state is of no more use.
    pub(crate) fn refuse(&self) {
        self.progress.send_modify(|progress| progress.status = ShardStatus::Refused);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.progress.borrow().status == ShardStatus::Refused
    }

    /// Whether nothing more is applied to it.
    pub(super) fn has_stopped(&self) -> bool {
        matches!(self.progress.borrow().status, ShardStatus::Failed(_) | ShardStatus::Refused)
    }
}

fn describe_counters(counters: Counters) -> v1::AppliedRecords {
    v1::AppliedRecords { count: counters.count, hash_sum: format!("{:032x}", counters.hash_sum) }
}
