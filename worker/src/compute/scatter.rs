//! One call over several threads without waiting inside the pool.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Compute, ComputeError, guarded};

/// What the pieces of one call share.
struct Gather<R, T, F> {
    work: F,
    results: Mutex<Vec<Option<R>>>,
    left: AtomicUsize,
    ending: Mutex<Option<Ending<R, T>>>,
    _permit: OwnedSemaphorePermit,
}

type Merge<R, T> = Box<dyn FnOnce(Vec<R>) -> T + Send>;

/// How the call is answered, once.
struct Ending<R, T> {
    merge: Merge<R, T>,
    caller: oneshot::Sender<Result<T, ComputeError>>,
}

impl Compute {
    /// Runs `work` on every piece, each on some serving thread, then `merge` over the results
    /// in the order of the pieces, on the thread that finished last.
    ///
    /// # Errors
    /// [`ComputeError::Overloaded`] before anything starts, [`ComputeError::Panicked`] after.
    pub(crate) async fn scatter<P, R, T>(
        &self,
        pieces: Vec<P>,
        work: impl Fn(P) -> R + Send + Sync + 'static,
        merge: impl FnOnce(Vec<R>) -> T + Send + 'static,
    ) -> Result<T, ComputeError>
    where
        P: Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        if pieces.len() < 2 {
            return self.serve(move || merge(pieces.into_iter().map(work).collect())).await;
        }
        let permit = self.admit(pieces.len())?;
        let (caller, receiver) = oneshot::channel();
        let ending = Ending { merge: Box::new(merge), caller };
        let gather = Arc::new(Gather {
            work,
            results: Mutex::new(pieces.iter().map(|_| None).collect()),
            left: AtomicUsize::new(pieces.len()),
            ending: Mutex::new(Some(ending)),
            _permit: permit,
        });
        for (index, piece) in pieces.into_iter().enumerate() {
            let gather = Arc::clone(&gather);
            self.serve.spawn(move || gather.run(index, piece));
        }
        drop(gather);
        receiver.await.unwrap_or_else(|_| Err(ComputeError::Panicked("work was lost".into())))
    }
}

impl<R, T, F> Gather<R, T, F> {
    fn run<P>(&self, index: usize, piece: P)
    where
        F: Fn(P) -> R,
    {
        let ending = self.ending.lock();
        let wanted = ending.as_ref().is_some_and(|ending| !ending.caller.is_closed());
        drop(ending);
        if wanted {
            match guarded(|| (self.work)(piece)) {
                Ok(result) => self.results.lock()[index] = Some(result),
                Err(error) => self.answer(|_| Err(error)),
            }
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let results = std::mem::take(&mut *self.results.lock());
            self.answer(|merge| {
                let results: Option<Vec<R>> = results.into_iter().collect();
                // A missing result means that the caller has gone.
                let results =
                    results.ok_or_else(|| ComputeError::Panicked("work was skipped".into()))?;
                guarded(|| merge(results))
            });
        }
    }

    /// Answers the caller, once.
    fn answer(&self, result: impl FnOnce(Merge<R, T>) -> Result<T, ComputeError>) {
        let taken = self.ending.lock().take();
        if let Some(Ending { merge, caller }) = taken {
            // Nobody waits any more when sending fails.
            let _ = caller.send(result(merge));
        }
    }
}
