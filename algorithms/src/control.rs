//! How a long kernel is watched and stopped.

use std::sync::{Mutex, PoisonError};

use thiserror::Error;

/// Multiply-adds between two checkpoints: at most some 2 ms.
const BLOCK: u64 = 250_000;

/// The kernel was told to stop; its results are incomplete and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Watches over a kernel. Called from several threads at once.
pub trait Control: Sync {
    /// Called about every 2 ms on every thread of the kernel.
    ///
    /// # Errors
    /// [`Cancelled`] makes the kernel return as soon as all its threads have noticed.
    fn checkpoint(&self) -> Result<(), Cancelled>;

    /// Announces the work of this kernel; what follows in [`Control::advance`] adds up to it.
    fn begin(&self, total: u64) {
        let _ = total;
    }

    /// Reports work done since the last report.
    fn advance(&self, done: u64) {
        let _ = done;
    }
}

/// Lets a kernel run to its end unwatched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unattended;

impl Control for Unattended {
    fn checkpoint(&self) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// Counts the work of one thread and pauses at every block of it.
pub(crate) struct Meter<'a> {
    control: &'a dyn Control,
    work: u64,
    done: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(control: &'a dyn Control) -> Self {
        Self { control, work: 0, done: 0 }
    }

    /// Adds work; at the end of a block reports it and asks whether to go on.
    #[inline]
    pub(crate) fn add(&mut self, work: u64) -> Result<(), Cancelled> {
        self.work += work;
        if self.work < BLOCK {
            return Ok(());
        }
        self.pause()
    }

    /// Adds work that was announced, to be reported with the next block.
    #[inline]
    pub(crate) fn done(&mut self, work: u64) {
        self.done += work;
    }

    /// Reports what was done since the last block.
    pub(crate) fn report(&mut self) {
        let done = std::mem::take(&mut self.done);
        if done > 0 {
            self.control.advance(done);
        }
    }

    #[cold]
    fn pause(&mut self) -> Result<(), Cancelled> {
        self.work = 0;
        self.report();
        self.control.checkpoint()
    }
}

/// Works off `jobs` in their order on all threads of the pool, each with its own `state`.
///
/// A broadcast rather than a parallel iterator: state is made once a thread, where `map_init` makes
/// it at every split.
pub(crate) fn work_off<J: Send, S>(
    jobs: Vec<J>,
    control: &dyn Control,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &mut Meter<'_>, J) -> Result<(), Cancelled> + Sync,
) -> Result<(), Cancelled> {
    let queue = Mutex::new(jobs.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    rayon::broadcast(|_| {
        let mut meter = Meter::new(control);
        let Some(mut job) = next() else { return Ok(()) };
        let mut state = state();
        loop {
            work(&mut state, &mut meter, job)?;
            match next() {
                Some(following) => job = following,
                None => {
                    meter.report();
                    return Ok(());
                }
            }
        }
    })
    .into_iter()
    .collect()
}
