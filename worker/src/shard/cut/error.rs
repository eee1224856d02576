//! Why a shard gave a job no cut, kept for the task that waits for it.

use std::{collections::VecDeque, sync::Arc};

use mercer_common::{artifact::ArtifactError, log::Sequence};
use parking_lot::Mutex;
use thiserror::Error;

use crate::compute::ComputeError;

/// Jobs whose cut failed, remembered by each shard; the job that waits is the last one.
const REMEMBERED: usize = 16;

/// Why a cut was not written. A shard that has passed a job's marker cannot write it any more.
#[derive(Debug, Error)]
pub(crate) enum CutError {
    /// The file cannot be written, or is there with other content.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Writing it panicked.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The shard was restored from a snapshot that holds more than the log before the marker.
    #[error("the snapshot that it was restored from is newer than the marker at {marker}")]
    Newer {
        /// The job's marker.
        marker: Sequence,
    },
    /// The shard applied the log beyond the marker and left no cut, in an earlier run.
    #[error("it has passed the marker at {marker} without one, before this worker was started")]
    Passed {
        /// The job's marker.
        marker: Sequence,
    },
}

impl CutError {
    /// Whether trying again may help.
    pub(in crate::shard) fn is_transient(&self) -> bool {
        matches!(self, Self::Artifact(ArtifactError::Io { .. }) | Self::Compute(_))
    }
}

/// The latest cuts of a shard that were not written.
#[derive(Debug, Default)]
pub(in crate::shard) struct FailedCuts(Mutex<VecDeque<(String, Arc<CutError>)>>);

impl FailedCuts {
    pub(in crate::shard) fn note(&self, job: &str, cause: CutError) {
        let mut failed = self.0.lock();
        failed.retain(|(known, _)| known != job);
        if failed.len() == REMEMBERED {
            failed.pop_front();
        }
        failed.push_back((job.to_owned(), Arc::new(cause)));
    }

    pub(in crate::shard) fn of(&self, job: &str) -> Option<Arc<CutError>> {
        let failed = self.0.lock();
        failed.iter().find(|(known, _)| known == job).map(|(_, cause)| Arc::clone(cause))
    }
}
