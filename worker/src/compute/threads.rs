//! Threads that sleep until there is work.
//!
//! Not a Rayon pool: one that looks for work yields its core before it sleeps, and whatever trains
//! there keeps it for a time slice, even when a call comes in. A sleeping thread is woken at once.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::guarded;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads; they end when this is dropped and its work is done.
#[derive(Debug)]
pub(super) struct Threads {
    queue: Arc<Queue>,
    count: usize,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What came first is done first; as much as [`super::Compute`] admits.
    work: VecDeque<Work>,
    is_closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queue").field("pending", &self.lock().work.len()).finish()
    }
}

impl Threads {
    /// `count` threads, called `name` and their number.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn new(count: usize, name: &str) -> io::Result<Self> {
        let threads = Self { queue: Arc::default(), count };
        for index in 0..count {
            let queue = Arc::clone(&threads.queue);
            let thread = std::thread::Builder::new().name(format!("{name}-{index}"));
            thread.spawn(move || {
                while let Some(work) = queue.next() {
                    // A panic has been logged, and the thread goes on.
                    let _ = guarded(work);
                }
            })?;
        }
        Ok(threads)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Has one of the threads do `work`.
    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.queue.lock().work.push_back(Box::new(work));
        self.queue.changed.notify_one();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
    }
}

impl Queue {
    /// Waits for work; `None` when there will be no more.
    fn next(&self) -> Option<Work> {
        let state =
            self.changed.wait_while(self.lock(), |state| state.work.is_empty() && !state.is_closed);
        state.unwrap_or_else(PoisonError::into_inner).work.pop_front()
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
