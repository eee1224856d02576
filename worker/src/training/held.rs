//! What the tasks of one step share.

use std::sync::Arc;

use mercer_algorithms::recommend::{
    factors::{Directions, Fixed},
    transitions::{Baskets, Transitions},
};
use parking_lot::Mutex;

use super::TrainingError;

/// What costs much to make of all users or items, and is as large as they are, kept from one task
/// to the next. There is never more than one of a kind.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The side that stands still in a half-step.
    pub(super) fixed: Slot<Fixed>,
    /// What neighbours by factors are found with.
    pub(super) directions: Slot<Directions>,
    /// What follows what.
    pub(super) transitions: Slot<Transitions>,
    /// What was bought together.
    pub(super) baskets: Slot<Baskets>,
}

impl Held {
    /// Lets go of what belongs to a job.
    pub(super) fn release(&self, job: &str) {
        self.fixed.release(job);
        self.directions.release(job);
        self.transitions.release(job);
        self.baskets.release(job);
    }
}

/// Which step of which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) job: String,
    pub(super) algorithm: &'static str,
    pub(super) number: u32,
}

/// One thing that is shared, of the step that came last.
#[derive(Debug)]
pub(super) struct Slot<T>(Mutex<Option<(Step, Arc<T>)>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Slot<T> {
    /// What belongs to `step`, made now unless it is held.
    ///
    /// # Errors
    /// Those of `make`; nothing is held then.
    pub(super) fn of(
        &self,
        step: &Step,
        make: impl FnOnce() -> Result<T, TrainingError>,
    ) -> Result<Arc<T>, TrainingError> {
        {
            let mut held = self.0.lock();
            if let Some((known, shared)) = &*held
                && known == step
            {
                return Ok(Arc::clone(shared));
            }
            // Let go of the last one first, so that there are never two.
            *held = None;
        }
        // Without the lock, for which a cancel would wait. One task trains at a time.
        let shared = Arc::new(make()?);
        *self.0.lock() = Some((step.clone(), Arc::clone(&shared)));
        Ok(shared)
    }

    fn release(&self, job: &str) {
        let mut held = self.0.lock();
        if held.as_ref().is_some_and(|(step, _)| step.job == job) {
            *held = None;
        }
    }
}
