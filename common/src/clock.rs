//! The one place that reads the wall clock.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time; tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
