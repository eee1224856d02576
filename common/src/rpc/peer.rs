//! Who is at the other end of a connection, as far as sharing needs to know.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Extensions;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A client that takes nothing of its answers for so long does not come back for them.
const TAKES_NOTHING: Duration = Duration::from_secs(60);

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
    /// Answers that are there and not taken yet.
    answers: AtomicUsize,
    /// When any of an answer was last taken, or the only one became ready.
    taken: Mutex<Instant>,
    leave: CancellationToken,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call(Peer);

/// An answer that is there and not taken yet.
#[derive(Debug)]
pub(super) struct Waiting(Peer);

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
            answers: AtomicUsize::new(0),
            taken: Mutex::new(Instant::now()),
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

    /// Notes that an answer is there.
    pub(super) fn has_answer(&self) -> Waiting {
        if self.0.answers.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.0.taken.lock() = Instant::now();
        }
        Waiting(self.clone())
    }

    /// Whether answers are there and none of them is being taken.
    pub(super) fn takes_nothing(&self) -> bool {
        let waits = self.0.answers.load(Ordering::Relaxed) > 0;
        waits && self.0.taken.lock().elapsed() >= TAKES_NOTHING
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

impl Waiting {
    /// Notes that a piece of the answer was taken.
    pub(super) fn piece(&self) {
        *self.0.0.taken.lock() = Instant::now();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.piece();
        self.0.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.calls.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_any_of_an_answer_takes_something() {
        let peer = Peer::new();
        let minute = || tokio::time::advance(TAKES_NOTHING);
        minute().await;
        assert!(!peer.takes_nothing(), "nothing is there");
        let [first, second] = [peer.has_answer(), peer.has_answer()];
        assert!(!peer.takes_nothing(), "they are new");
        minute().await;
        assert!(peer.takes_nothing());
        first.piece();
        assert!(!peer.takes_nothing());
        minute().await;
        drop(first);
        assert!(!peer.takes_nothing());
        minute().await;
        assert!(peer.takes_nothing());
        drop(second);
        assert!(!peer.takes_nothing());
    }
}
