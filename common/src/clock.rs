//! The one place that reads clocks.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Tells the time; tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// Now, as people set it: a datum, and nothing to measure by.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, suspend included. It never goes back and nobody sets it.
    fn uptime(&self) -> Duration;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// Watches whether somebody sets the wall clock while the process runs.
pub struct WallClockWatch {
    clock: SharedClock,
    /// What the wall clock said when time since the fixed moment was zero.
    offset_ms: i64,
}

impl WallClockWatch {
    /// Begins to watch.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        let offset_ms = offset_ms(&*clock);
        Self { clock, offset_ms }
    }

    /// Milliseconds by which the wall clock was set since: ahead, or back when negative. Both
    /// clocks are read one after the other, so a few milliseconds mean nothing.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        offset_ms(&*self.clock) - self.offset_ms
    }
}

impl std::fmt::Debug for WallClockWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WallClockWatch").field("offset_ms", &self.offset_ms).finish_non_exhaustive()
    }
}

fn offset_ms(clock: &dyn Clock) -> i64 {
    clock.now_ms() - i64::try_from(clock.uptime().as_millis()).unwrap_or(i64::MAX)
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uptime(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}
