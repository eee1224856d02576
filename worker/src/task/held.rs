//! What the tasks of one step share.

use std::sync::Arc;

use mercer_algorithms::recommend::{
    factors::{Directions, Fixed},
    similarity::SimilarityMatrix,
    transitions::{Baskets, Transitions},
};
use mercer_proto::internal::Phase;
use parking_lot::Mutex;

use super::TrainingError;

/// What costs much to make of all users or items, and is as large as they are, kept from one task
/// to the next of the same algorithm.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Job, phase and algorithm of the task that began last.
    present: Mutex<(String, Phase, String)>,
    /// The side that stands still in a half-step.
    pub(crate) fixed: Slot<Fixed>,
    /// What neighbours by a similarity are found with.
    pub(crate) similarity: Slot<SimilarityMatrix>,
    /// What neighbours by factors are found with.
    pub(crate) directions: Slot<Directions>,
    /// What follows what.
    pub(crate) transitions: Slot<Transitions>,
    /// What was bought together.
    pub(crate) baskets: Slot<Baskets>,
}

impl Held {
    /// Lets go of everything unless the last task was of the same algorithm in the same phase: what
    /// another one needs is not held beside it.
    pub(crate) fn turn_to(&self, job: &str, phase: Phase, algorithm: &str) {
        let next = (job.to_owned(), phase, algorithm.to_owned());
        let mut present = self.present.lock();
        if *present != next {
            self.release(&present.0);
            *present = next;
        }
    }

    /// Lets go of what belongs to a job.
    pub(crate) fn release(&self, job: &str) {
        self.fixed.release(job);
        self.similarity.release(job);
        self.directions.release(job);
        self.transitions.release(job);
        self.baskets.release(job);
    }
}

/// A step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) job: String,
    pub(crate) algorithm: &'static str,
    pub(crate) number: u32,
}

/// One thing that is shared, of the step that came last.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    held: Mutex<Option<(Step, Arc<T>)>>,
    /// Locked while it is made, so that two tasks do not both make it.
    making: Mutex<()>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { held: Mutex::default(), making: Mutex::default() }
    }
}

impl<T> Slot<T> {
    /// What belongs to `step`, made now unless it is held.
    ///
    /// # Errors
    /// Those of `make`; nothing is held then.
    pub(crate) fn of(
        &self,
        step: &Step,
        make: impl FnOnce() -> Result<T, TrainingError>,
    ) -> Result<Arc<T>, TrainingError> {
        let _making = self.making.lock();
        {
            let mut held = self.held.lock();
            if let Some((known, shared)) = &*held
                && known == step
            {
                return Ok(Arc::clone(shared));
            }
            // Let go of the last one first, so that there are never two.
            *held = None;
        }
        // Without that lock, for which a cancel would wait.
        let shared = Arc::new(make()?);
        *self.held.lock() = Some((step.clone(), Arc::clone(&shared)));
        Ok(shared)
    }

    fn release(&self, job: &str) {
        let mut held = self.held.lock();
        if held.as_ref().is_some_and(|(step, _)| step.job == job) {
            *held = None;
        }
    }
}
