//! The time of the log: how long it has been open, in all.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::clock::SharedClock;

/// Counts on from what the log holds.
pub(super) struct LogTime {
    clock: SharedClock,
    opened: Duration,
    /// Where the log stood when it was opened.
    base_ms: i64,
    latest_ms: AtomicI64,
}

impl std::fmt::Debug for LogTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogTime").field("latest_ms", &self.latest_ms).finish_non_exhaustive()
    }
}

impl LogTime {
    /// Log time that goes on at `base_ms`.
    pub(super) fn new(clock: SharedClock, base_ms: i64) -> Self {
        Self { opened: clock.uptime(), clock, base_ms, latest_ms: AtomicI64::new(base_ms) }
    }

    /// Milliseconds; never less than at an earlier call.
    pub(super) fn now_ms(&self) -> i64 {
        let open = self.clock.uptime().saturating_sub(self.opened);
        let now = self.base_ms.saturating_add(i64::try_from(open.as_millis()).unwrap_or(i64::MAX));
        self.latest_ms.fetch_max(now, Ordering::Relaxed).max(now)
    }
}
