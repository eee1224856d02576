//! The shards that a worker holds.

pub mod apply;
pub(crate) mod cut;
mod dedup;
mod error;
mod interner;
mod item;
mod labels;
mod snapshot;
mod state;
mod user;

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    log::Sequence,
    slot::{ShardId, ShardLayout},
};
use mercer_proto::v1;
use parking_lot::{RwLock, RwLockReadGuard};
use tokio::{sync::watch, time::Instant};

pub use error::ShardError;
pub use interner::{Interner, ItemHandle};
pub use item::{ItemState, Stock};
pub use state::{Counters, ShardState};
pub use user::{UserState, WindowEntry};

/// What a shard is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardStatus {
    /// Loading its snapshot and replaying the log.
    Recovering,
    /// Caught up: it answers queries.
    Serving,
    /// Stopped for this reason.
    Failed(Arc<str>),
}

#[derive(Clone, Debug)]
struct Progress {
    status: ShardStatus,
    applied: Sequence,
}

/// A shard that this worker holds.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    worker_id: Arc<str>,
    state: RwLock<ShardState>,
    progress: watch::Sender<Progress>,
}

impl Shard {
    /// A shard that holds nothing yet.
    #[must_use]
    pub fn new(layout: ShardLayout, id: ShardId, worker_id: Arc<str>) -> Self {
        let progress = Progress { status: ShardStatus::Recovering, applied: 0 };
        Self {
            id,
            worker_id,
            state: RwLock::new(ShardState::new(layout, id)),
            progress: watch::Sender::new(progress),
        }
    }

    /// Which shard.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.id
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
        let reached = |progress: &Progress| {
            progress.status != ShardStatus::Serving || progress.applied >= sequence
        };
        let wait = tokio::time::timeout_at(deadline.into(), progress.wait_for(reached));
        let progress = match wait.await {
            Ok(Ok(progress)) => progress.clone(),
            Ok(Err(_)) | Err(_) => self.progress.borrow().clone(),
        };
        let Progress { status, applied } = progress;
        match status {
            ShardStatus::Recovering => Err(ShardError::Recovering { shard: self.id, applied }),
            ShardStatus::Failed(reason) => Err(ShardError::Failed { shard: self.id, reason }),
            ShardStatus::Serving if applied >= sequence => Ok(()),
            ShardStatus::Serving => {
                Err(ShardError::Lagging { shard: self.id, required: sequence, applied })
            }
        }
    }

    /// What operators see of it.
    #[must_use]
    pub fn describe(&self) -> v1::ShardDescription {
        let Progress { status, applied } = self.progress.borrow().clone();
        let (state, reason) = match status {
            ShardStatus::Recovering => (v1::ShardState::Recovering, String::new()),
            ShardStatus::Serving => (v1::ShardState::Serving, String::new()),
            ShardStatus::Failed(reason) => (v1::ShardState::Failed, reason.to_string()),
        };
        v1::ShardDescription {
            shard: self.id.into(),
            worker_id: self.worker_id.to_string(),
            state: state.into(),
            reason,
            applied_sequence: applied,
            ..Default::default()
        }
    }
}

/// The shards that this worker holds.
#[derive(Debug, Default)]
pub struct Shards {
    held: RwLock<BTreeMap<ShardId, Arc<Shard>>>,
}

impl Shards {
    /// The shard `id`.
    ///
    /// # Errors
    /// `NotHeld`.
    pub fn get(&self, id: ShardId) -> Result<Arc<Shard>, ShardError> {
        self.held.read().get(&id).cloned().ok_or(ShardError::NotHeld { shard: id })
    }

    /// All shards in order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Shard>> {
        self.held.read().values().cloned().collect()
    }
}
