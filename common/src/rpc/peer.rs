//! Who is at the other end of a connection, as far as sharing needs to know.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use http::Extensions;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection; clones are the same one.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    number: u64,
    /// Calls whose answer is not sent yet.
    calls: AtomicUsize,
    /// When a call last began, moved on or ended.
    active: Mutex<Instant>,
    leave: CancellationToken,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call(Peer);

impl Peer {
    /// A connection that nobody else has.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Inner {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            calls: AtomicUsize::new(0),
            active: Mutex::new(Instant::now()),
            leave: CancellationToken::new(),
        }))
    }

    /// The connection of a call; one of its own for a call that came through none.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(Self::new)
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    /// Notes that a call moved on.
    pub(super) fn touch(&self) {
        *self.0.active.lock() = Instant::now();
    }

    /// When a call last began, moved on or ended.
    pub(super) fn active(&self) -> Instant {
        *self.0.active.lock()
    }

    /// Begins a call.
    pub(super) fn begin(&self) -> Call {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Call(self.clone())
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.0.calls.load(Ordering::Relaxed) == 0
    }

    /// Asks the connection to end.
    pub(super) fn leave(&self) {
        self.0.leave.cancel();
    }

    /// Cancelled when the connection is to end.
    pub(super) fn leaving(&self) -> &CancellationToken {
        &self.0.leave
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.calls.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}
