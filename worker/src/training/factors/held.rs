//! What the tasks of one step share.

use std::sync::Arc;

use mercer_algorithms::recommend::factors::Fixed;
use parking_lot::Mutex;

use crate::training::TrainingError;

/// The side that stands still in a step, kept from one task to the next: a copy as large as the
/// factors of all users or items. Only one is kept.
#[derive(Debug, Default)]
pub(in crate::training) struct Held(Mutex<Option<(Step, Arc<Fixed>)>>);

/// Which step of which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) job: String,
    pub(super) algorithm: &'static str,
    pub(super) number: u32,
}

impl Held {
    /// The side of `step`, made now unless it is held.
    ///
    /// # Errors
    /// Those of `make`; nothing is held then.
    pub(super) fn of(
        &self,
        step: &Step,
        make: impl FnOnce() -> Result<Fixed, TrainingError>,
    ) -> Result<Arc<Fixed>, TrainingError> {
        let mut held = self.0.lock();
        if let Some((known, fixed)) = &*held
            && known == step
        {
            return Ok(Arc::clone(fixed));
        }
        // Let go of the last one first, so that there are never two.
        *held = None;
        let fixed = Arc::new(make()?);
        *held = Some((step.clone(), Arc::clone(&fixed)));
        Ok(fixed)
    }

    /// Lets go of what belongs to a job.
    pub(in crate::training) fn release(&self, job: &str) {
        let mut held = self.0.lock();
        if held.as_ref().is_some_and(|(step, _)| step.job == job) {
            *held = None;
        }
    }
}
