//! Runs training tasks: artifacts in, one artifact out.
//!
//! A task reads artifacts of earlier phases and nothing else (the wall clock and live state are
//! no inputs), so every attempt gives the same bytes on any worker, with any number of threads;
//! the store refuses other bytes under the same name. A task whose artifact exists is done. CPU
//! work runs in blocks of some 2 ms that notice a cancel. Proven by
//! `tests` against plain loops and plain calls.
//!
//! | phase | one per | reads | writes |
//! |---|---|---|---|
//! | cut | shard and part | the live state, by the shard itself | raw events; items with their series, or with what is said of them; ids of users |
//! | dictionary | job | all cuts | the item table |
//! | encode | shard of users | its cut, the item table | rows of user by item; events in time order |
//! | columns | shard of items | all encoded rows, the item table | users by item |
//! | statistics | job | all encoded rows, or all contents, the item table | degrees and norms; terms and embeddings |
//! | factors | step, shard and algorithm | all of the step before, its own of the one before that, encoded rows or columns | factors of its users or items |
//! | side | algorithm | the last step | factors of all items with sums over them |
//! | rows | shard of sources and algorithm, or algorithm | what the algorithm is trained from, the item table | neighbours; users with their items |
//! | postings | shard of candidates and algorithm | all rows of the algorithm, the item table | postings |
//! | norms | algorithm | all its rows | the length of each item's weights |
//! | scores | algorithm | all events in time order | what is the same for all users, by item |
//! | learn | job | all events in time order, all contents and their rows | half-lives of profiles, the weights of the hybrid |
//! | estimates | shard and kind | its series, the newest event of all | what its items say of their groups |
//! | pool | kind | all estimates of the kind | profiles of categories, or priors of groups |
//! | results | shard and kind | its series or estimates, the pool | records by item |
//! | policies | shard | its series, its results, the pool | records by item |

mod blocks;
mod columns;
mod content;
mod context;
mod cut;
pub(crate) mod demand;
mod dictionary;
mod elasticity;
mod encode;
mod factors;
mod held;
mod inputs;
mod learn;
mod linear;
mod matrix;
mod norms;
mod plan;
mod policies;
mod postings;
mod rows;
mod runner;
mod scores;
mod sequences;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;

use std::{sync::Arc, time::Duration};

use mercer_algorithms::{control::Cancelled, linalg::sparse::CsrError};
use mercer_common::{
    artifact::ArtifactError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
    slot::ShardId,
};
use thiserror::Error;

use crate::{compute::ComputeError, shard::CutError};

pub(crate) use factors::{Factorization, spec as factor_spec};
pub(crate) use runner::TaskRunner;

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
        /// Which shard.
        shard: ShardId,
        /// Whose cut.
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

/// Names a file whose arrays are not what kernels require.
fn malformed(artifact: &mercer_common::artifact::Artifact, error: CsrError) -> TrainingError {
    artifact.layout(error.to_string()).into()
}
