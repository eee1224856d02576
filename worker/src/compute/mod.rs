//! CPU work off the tokio threads: bounded admission to threads that serve, one training task at a
//! time on a Rayon pool while the next one reads or writes.
//!
//! All workers of a process share one [`Compute`]: threads that serve, and a pool that trains at
//! the lowest priority. A serving thread that wakes takes a core from training at once, which no
//! yielding of one shared pool achieves: the threads of tokio need the cores as well. Serving
//! spreads over threads with [`Compute::scatter`], which waits on the tokio side, so that no
//! serving thread ever waits.

mod scatter;
#[cfg(test)]
mod tests;
mod threads;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use mercer_common::rpc::status::{Code, Describe, Description};
use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use threads::Threads;

/// Pieces of serving work that may be queued or running; further calls are shed.
const PENDING: usize = 1_024;
/// The `nice` value of training: a hundredth of a core against a busy serving thread. Not the idle
/// policy of the scheduler: training that gets nothing at all keeps locks of the kernel, on the memory
/// map of the process for one, that serving waits for.
#[cfg(target_os = "linux")]
const TRAINING_NICE: i32 = 19;

/// Training tasks under way: one computes while another one reads, writes or waits for the disk.
pub(crate) const TRAINING: usize = 2;

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
    #[error("cannot start threads that serve: {0}")]
    Serving(#[from] std::io::Error),
    /// The pool cannot be started.
    #[error("cannot start the pool that trains: {0}")]
    Training(#[from] rayon::ThreadPoolBuildError),
}

impl Describe for ComputeError {
    fn describe(&self) -> Description {
        match self {
            Self::Overloaded => Description::new(Code::ResourceExhausted, "COMPUTE_QUEUE_FULL")
                .retry_after(Duration::from_millis(50)),
            Self::Panicked(_) | Self::Serving(_) | Self::Training(_) => {
                Description::new(Code::Internal, "INTERNAL")
            }
        }
    }
}

/// The threads of a process.
#[derive(Debug)]
pub(crate) struct Compute {
    serve: Threads,
    train: Arc<TrainingPool>,
    pending: Arc<Semaphore>,
    training: Arc<Semaphore>,
}

/// The pool on which training tasks compute, one at a time.
#[derive(Debug)]
pub(crate) struct TrainingPool {
    pool: ThreadPool,
    turn: Mutex<()>,
}

impl TrainingPool {
    /// Runs `work` in the pool, with all its threads, as soon as no other task computes. `work` must
    /// not come back here.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let _turn = self.turn.lock();
        self.pool.install(work)
    }
}

impl Compute {
    /// `threads` threads that serve and as many that train; 0 means one per core.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub(crate) fn new(threads: usize) -> Result<Self, ComputeError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores } else { threads };
        let serve = Threads::new(threads, "serve")?;
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("train-{index}"))
            .start_handler(|_index| give_way())
            .build()?;
        let train = Arc::new(TrainingPool { pool, turn: Mutex::default() });
        let [pending, training] =
            [PENDING, TRAINING].map(|permits| Arc::new(Semaphore::new(permits)));
        Ok(Self { serve, train, pending, training })
    }

    /// The threads that all workers of this process share; the first caller's `threads` count.
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
        self.serve.count()
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

    /// Waits until at most one other task trains and runs `work` on a thread of its own, where it
    /// may read, write and wait. CPU work belongs inside the pool that it is handed.
    ///
    /// # Errors
    /// [`ComputeError::Panicked`].
    pub(crate) async fn train<T: Send + 'static>(
        &self,
        work: impl FnOnce(&TrainingPool) -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let permit = Arc::clone(&self.training)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let pool = Arc::clone(&self.train);
        let (sender, receiver) = oneshot::channel();
        let spawned = std::thread::Builder::new().name("train".into()).spawn(move || {
            give_way();
            let result = guarded(|| work(&pool));
            drop(permit);
            // Nobody waits any more when sending fails.
            let _ = sender.send(result);
        });
        spawned
            .map_err(|error| ComputeError::Panicked(format!("no thread to train on: {error}")))?;
        receiver.await.unwrap_or_else(|_| Err(ComputeError::Panicked("work was lost".into())))
    }

    fn admit(&self, pieces: usize) -> Result<OwnedSemaphorePermit, ComputeError> {
        let pieces = u32::try_from(pieces).map_err(|_| ComputeError::Overloaded)?;
        Arc::clone(&self.pending)
            .try_acquire_many_owned(pieces)
            .map_err(|_| ComputeError::Overloaded)
    }
}

/// Lowers the priority of this thread below that of all that serves.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), TRAINING_NICE)
    {
        tracing::warn!(%error, "training runs at the priority of serving");
    }
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
