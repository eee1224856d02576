//! The generation of the cluster that this worker belongs to, and when it belongs no more.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Why a worker has to register again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The coordinator refused a call of this generation.
    Stale,
    /// The log does not hold what some shard has applied.
    Ahead,
}

/// The generation of the cluster that this worker last registered in; 0 before.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    current: AtomicU64,
    ended: watch::Sender<Option<Ended>>,
}

impl Generation {
    /// The present generation.
    pub(crate) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    /// Notes a registration.
    pub(crate) fn set(&self, generation: u64) {
        self.current.store(generation, Ordering::Release);
        self.ended.send_replace(None);
    }

    /// Notes that the worker has to register again; the first reason counts.
    pub(crate) fn report(&self, ended: Ended) {
        self.ended.send_if_modified(|known| {
            let first = known.is_none();
            *known = known.or(Some(ended));
            first
        });
    }

    /// Waits until the worker has to register again.
    pub(crate) async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        // The sender is in `self`.
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| *ended).unwrap_or(Ended::Stale)
    }
}
