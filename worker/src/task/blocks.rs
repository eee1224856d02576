//! Long work in blocks: progress and cancel.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use mercer_algorithms::control::{Cancelled, Control};
use parking_lot::Mutex;

/// How far a task is, and whether it shall stop.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    cancelled: AtomicBool,
    total: AtomicU64,
    done: AtomicU64,
}

impl Watch {
    /// Stops the task at its next block.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// 0 to 1.
    pub(crate) fn progress(&self) -> f64 {
        let total = self.total.load(Ordering::Relaxed);
        if total == 0 {
            return 0.0;
        }
        let fraction = self.done.load(Ordering::Relaxed) as f64 / total as f64;
        fraction.min(1.0)
    }
}

impl Control for Watch {
    fn checkpoint(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    fn begin(&self, total: u64) {
        self.total.fetch_add(total, Ordering::Relaxed);
    }

    fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }
}

/// Works off `jobs` on all threads of the present pool and returns the results in the order of
/// the jobs, which threads take up in that order.
pub(crate) fn in_order<J: Sync, R: Send>(
    jobs: &[J],
    watch: &Watch,
    work: impl Fn(&J) -> Result<R, Cancelled> + Sync,
) -> Result<Vec<R>, Cancelled> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    rayon::broadcast(|_| {
        while let Some((index, job)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            jobs.get(index).map(|job| (index, job))
        } {
            watch.checkpoint()?;
            let result = work(job)?;
            results.lock()[index] = Some(result);
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result<(), Cancelled>>()?;
    let results = results.into_inner().into_iter();
    Ok(results.map(|result| result.expect("every job was worked off")).collect())
}
