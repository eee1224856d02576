//! Named background tasks and their end in order: first the frontend stops accepting and
//! finishes its queries, then the backend stops.
//!
//! Every task of a process is spawned here, so that none outlives it unnoticed.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

const REPORT_EVERY: Duration = Duration::from_secs(5);

/// When a task is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// First: what accepts work from outside.
    Frontend,
    /// When the frontend is done: what the frontend relies on.
    Backend,
}

/// The tasks of a process, or of one role in it. Clones are the same tasks; dropping the last
/// one asks all of them to stop.
#[derive(Clone, Debug)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    frontend: Group,
    backend: Group,
}

#[derive(Debug)]
struct Group {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Running tasks by name.
    names: Arc<Mutex<BTreeMap<String, usize>>>,
    _guard: DropGuard,
}

impl Group {
    fn new() -> Self {
        let stop = CancellationToken::new();
        Self {
            tracker: TaskTracker::new(),
            names: Arc::default(),
            _guard: stop.clone().drop_guard(),
            stop,
        }
    }

    fn late(&self) -> Vec<String> {
        let names = self.names.lock();
        names
            .iter()
            .map(|(name, count)| match count {
                1 => name.clone(),
                _ => format!("{name} ({count})"),
            })
            .collect()
    }

    /// Asks the tasks to stop and waits; returns who had not stopped by `deadline`.
    async fn stop(&self, phase: Phase, deadline: Instant) -> Vec<String> {
        self.stop.cancel();
        self.tracker.close();
        let mut report = Instant::now() + REPORT_EVERY;
        loop {
            tokio::select! {
                biased;
                () = self.tracker.wait() => return Vec::new(),
                () = sleep_until(deadline) => return self.late(),
                () = sleep_until(report) => {
                    tracing::warn!(?phase, waiting_for = ?self.late(), "still stopping");
                    report += REPORT_EVERY;
                }
            }
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { frontend: Group::new(), backend: Group::new() }) }
    }

    /// Runs `task` until it ends; it must end soon after [`Self::stopping`] of its phase.
    pub fn spawn<F>(&self, phase: Phase, name: impl Into<String>, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let group = self.group(phase);
        let running = Running::new(name.into(), Arc::clone(&group.names));
        group.tracker.spawn(async move {
            let _running = running;
            task.await
        })
    }

    /// Cancelled when the tasks of `phase` are to stop.
    #[must_use]
    pub fn stopping(&self, phase: Phase) -> CancellationToken {
        self.group(phase).stop.clone()
    }

    /// Stops the frontend within two thirds of `limit`, then the backend in what is left, and
    /// returns the names of the tasks that did not stop. Logs every 5 s whom it is waiting for.
    pub async fn shut_down(&self, limit: Duration) -> Vec<String> {
        let begin = Instant::now();
        let mut late = Vec::new();
        for (phase, limit) in [(Phase::Frontend, limit * 2 / 3), (Phase::Backend, limit)] {
            late.extend(self.group(phase).stop(phase, begin + limit).await);
        }
        if !late.is_empty() {
            tracing::error!(?late, "tasks did not stop in time");
        }
        late
    }

    fn group(&self, phase: Phase) -> &Group {
        match phase {
            Phase::Frontend => &self.inner.frontend,
            Phase::Backend => &self.inner.backend,
        }
    }
}

/// Completes when the process is asked to stop: Ctrl-C or SIGTERM.
pub async fn requested() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C cannot be caught");
            std::future::pending::<()>().await;
        }
    };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Keeps the name of a task in the register, even when the task panics.
#[derive(Debug)]
struct Running {
    name: String,
    names: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Running {
    fn new(name: String, names: Arc<Mutex<BTreeMap<String, usize>>>) -> Self {
        *names.lock().entry(name.clone()).or_default() += 1;
        Self { name, names }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut names = self.names.lock();
        if let Some(count) = names.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_frontend_finishes_before_the_backend_is_asked() {
        let tasks = Tasks::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        for (phase, name) in [(Phase::Backend, "fetch"), (Phase::Frontend, "server")] {
            let (stopping, order) = (tasks.stopping(phase), Arc::clone(&order));
            tasks.spawn(phase, name, async move {
                stopping.cancelled().await;
                order.lock().push(format!("{name} asked"));
                tokio::time::sleep(Duration::from_secs(7)).await;
                order.lock().push(format!("{name} done"));
            });
        }
        assert_eq!(tasks.shut_down(Duration::from_secs(60)).await, [""; 0]);
        assert_eq!(*order.lock(), ["server asked", "server done", "fetch asked", "fetch done"]);
    }

    #[tokio::test(start_paused = true)]
    async fn names_who_is_late() {
        let tasks = Tasks::new();
        for name in ["slow", "slow", "stuck"] {
            tasks.spawn(Phase::Frontend, name, std::future::pending::<()>());
        }
        tasks.spawn(Phase::Frontend, "panics", async { panic!("on purpose") });
        tasks.spawn(Phase::Backend, "asked all the same", {
            let stopping = tasks.stopping(Phase::Backend);
            async move {
                stopping.cancelled().await;
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        });
        let begin = Instant::now();
        assert_eq!(tasks.shut_down(Duration::from_secs(12)).await, ["slow (2)", "stuck"]);
        assert!(begin.elapsed() < Duration::from_secs(12));
    }
}
