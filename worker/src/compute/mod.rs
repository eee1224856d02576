//! CPU work off the tokio threads: Rayon pools, bounded admission, one training task at a time.
//!
//! All workers of a process share one [`Compute`]. Below [`TWO_POOLS_FROM`] cores serving and
//! training share one pool, and training gives way between its blocks; from there on each has
//! its own. **Serving work must never wait inside the pool** (no `join`, no parallel
//! iterators): a waiting Rayon thread takes up any other work, and a call of a millisecond could
//! end up below a training kernel of seconds. Serving spreads over threads with
//! [`Compute::scatter`], which waits on the tokio side instead.

mod scatter;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use mercer_common::rpc::status::{Code, Describe, Description};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Pieces of serving work that may be queued or running; further calls are shed.
const PENDING: usize = 1_024;
/// Cores from which serving and training have a pool each.
const TWO_POOLS_FROM: usize = 8;

/// Why work was not done.
#[derive(Debug, Error)]
pub enum ComputeError {
    /// The queue is full; the work was not started.
    #[error("the compute queue is full ({PENDING} pieces of work)")]
    Overloaded,
    /// The work panicked: a defect of Mercer, reported without ending the process.
    #[error("internal error: {0}")]
    Panicked(String),
    /// The threads cannot be started.
    #[error("cannot start the compute pool: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl Describe for ComputeError {
    fn describe(&self) -> Description {
        match self {
            Self::Overloaded => Description::new(Code::ResourceExhausted, "COMPUTE_QUEUE_FULL")
                .retry_after(Duration::from_millis(50)),
            Self::Panicked(_) | Self::Threads(_) => Description::new(Code::Internal, "INTERNAL"),
        }
    }
}

/// The pools of a process.
#[derive(Debug)]
pub(crate) struct Compute {
    serve: Arc<ThreadPool>,
    train: Arc<ThreadPool>,
    pending: Arc<Semaphore>,
    training: Arc<Semaphore>,
}

impl Compute {
    /// Pools of `threads` threads each; 0 means one per core.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub(crate) fn new(threads: usize) -> Result<Self, ComputeError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores } else { threads };
        let serve = Arc::new(pool("serve", threads)?);
        let train = if cores >= TWO_POOLS_FROM {
            Arc::new(pool("train", threads)?)
        } else {
            Arc::clone(&serve)
        };
        let pending = Arc::new(Semaphore::new(PENDING));
        Ok(Self { serve, train, pending, training: Arc::new(Semaphore::new(1)) })
    }

    /// The pools that all workers of this process share; the first caller's `threads` count.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub(crate) fn shared(threads: usize) -> Result<Arc<Self>, ComputeError> {
        static SHARED: OnceLock<Arc<Compute>> = OnceLock::new();
        if let Some(compute) = SHARED.get() {
            return Ok(Arc::clone(compute));
        }
        let compute = Arc::new(Self::new(threads)?);
        Ok(Arc::clone(SHARED.get_or_init(|| compute)))
    }

    /// Threads that serve.
    #[must_use]
    pub(crate) fn serve_threads(&self) -> usize {
        self.serve.current_num_threads()
    }

    /// Runs short work on a serving thread. Work whose caller has gone is skipped.
    ///
    /// # Errors
    /// [`ComputeError::Overloaded`] before it starts, [`ComputeError::Panicked`] after.
    pub(crate) async fn serve<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let permit = self.admit(1)?;
        let (sender, receiver) = oneshot::channel();
        self.serve.spawn(move || {
            if !sender.is_closed() {
                // Nobody waits any more when sending fails.
                let _ = sender.send(guarded(work));
            }
            drop(permit);
        });
        receiver.await.unwrap_or_else(|_| Err(ComputeError::Panicked("work was lost".into())))
    }

    /// Waits until no other task trains and runs `work` on a thread of its own, where it may
    /// read, write and wait. CPU work belongs inside the pool that it is handed.
    ///
    /// # Errors
    /// [`ComputeError::Panicked`].
    pub(crate) async fn train<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ThreadPool) -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let permit = Arc::clone(&self.training)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let pool = Arc::clone(&self.train);
        tokio::task::spawn_blocking(move || {
            let result = guarded(|| work(&pool));
            drop(permit);
            result
        })
        .await
        .unwrap_or_else(|error| Err(ComputeError::Panicked(error.to_string())))
    }

    fn admit(&self, pieces: usize) -> Result<OwnedSemaphorePermit, ComputeError> {
        let pieces = u32::try_from(pieces).map_err(|_| ComputeError::Overloaded)?;
        Arc::clone(&self.pending)
            .try_acquire_many_owned(pieces)
            .map_err(|_| ComputeError::Overloaded)
    }
}

fn pool(name: &'static str, threads: usize) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()
}

/// Turns a panic of `work` into an error.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, ComputeError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|message| (*message).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panic".into());
        tracing::error!(message, "work panicked");
        ComputeError::Panicked(message)
    })
}
