//! Runs training tasks: artifacts in, one artifact out.
//!
//! A task reads artifacts of earlier phases and nothing else (the wall clock and live state are
//! no inputs), so every attempt gives the same bytes on any worker, with any number of threads;
//! the store refuses other bytes under the same name. A task whose artifact exists is done. CPU
//! work runs in blocks of some 2 ms that notice a cancel.
//!
//! What a task does is a [`Stage`] of a domain; nothing here knows which there are. Cuts alone are
//! written by the shards themselves, and waited for.

mod blocks;
mod context;
mod cut;
mod held;
mod inputs;
mod names;
mod plan;
mod runner;
mod stage;

use std::{sync::Arc, time::Duration};

use mercer_algorithms::control::Cancelled;
use mercer_common::{
    artifact::ArtifactError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
    slot::ShardId,
};
use thiserror::Error;

use crate::{compute::ComputeError, shard::CutError};

pub(crate) use blocks::{Watch, in_order};
pub(crate) use context::Context;
pub(crate) use held::Step;
pub(crate) use inputs::Inputs;
pub(crate) use names::{CONTENT, SERIES, USERS, folder};
pub(crate) use runner::TaskRunner;
pub(crate) use stage::{Stage, records};

/// Why a task gave no artifact.
#[derive(Debug, Error)]
pub(crate) enum TrainingError {
    /// The job was cancelled, or the worker is shutting down.
    #[error("the task was cancelled")]
    Cancelled(#[from] Cancelled),
    /// The request breaks the contract.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The inputs of the task are not those that its phase reads.
    #[error("the {phase} task lacks its input: {detail}")]
    Inputs {
        /// Phase of the task.
        phase: &'static str,
        /// What is missing.
        detail: String,
    },
    /// The shard has passed the job's marker without writing its cut.
    #[error("shard {shard} gave job `{job}` no cut: {cause}; start the job again{}", advice(cause))]
    Cut {
        /// The shard that wrote none.
        shard: ShardId,
        /// The job that lacks it.
        job: String,
        /// What kept the shard from it.
        cause: Arc<CutError>,
    },
    /// A file is missing, damaged, inconsistent or cannot be written.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The work panicked.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Too many tasks are under way.
    #[error("{limit} tasks are under way on this worker")]
    TooMany {
        /// The bound.
        limit: usize,
    },
}

impl Describe for TrainingError {
    fn describe(&self) -> Description {
        match self {
            Self::Cancelled(_) => Description::new(Code::Cancelled, "TASK_CANCELLED"),
            Self::Invalid(error) => error.describe(),
            Self::Inputs { .. } => Description::new(Code::InvalidArgument, "TASK_INPUTS"),
            // Only another job can have another cut.
            Self::Cut { shard, .. } => {
                Description::new(Code::Aborted, "CUT_FAILED").with("shard", shard)
            }
            Self::Artifact(error) => error.describe(),
            Self::Compute(error) => error.describe(),
            Self::TooMany { .. } => Description::new(Code::ResourceExhausted, "TOO_MANY_TASKS")
                .retry_after(Duration::from_secs(1)),
        }
    }
}

/// When to start a job again that lacks a cut.
fn advice(cause: &CutError) -> &'static str {
    match cause {
        CutError::Artifact(ArtifactError::Io { .. }) => " once the folder can be written",
        CutError::Artifact(ArtifactError::LowSpace(_)) => " then",
        CutError::Artifact(_)
        | CutError::Compute(_)
        | CutError::Newer { .. }
        | CutError::Passed { .. } => "",
    }
}
