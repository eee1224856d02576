//! Why an experiment could not be set, shown, used or reported on.

use mercer_common::{
    metadata::MetadataError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
};
use thiserror::Error;

use crate::ask::AskError;

/// Why an experiment could not be set, shown or used.
#[derive(Debug, Error)]
pub(crate) enum ExperimentError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error("there is no experiment `{experiment_id:.64}`")]
    Unknown { experiment_id: String },
    #[error(
        "the arms of `{experiment_id:.64}` differ from those it has, of which counts exist; \
         delete it first, or take another id"
    )]
    ArmsDiffer { experiment_id: String },
    #[error("there are {limit} experiments already; delete one")]
    TooMany { limit: usize },
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl Describe for ExperimentError {
    fn describe(&self) -> Description {
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Unknown { .. } => Description::new(Code::NotFound, "EXPERIMENT_NOT_FOUND"),
            Self::ArmsDiffer { experiment_id } => {
                Description::new(Code::FailedPrecondition, "EXPERIMENT_ARMS_DIFFER")
                    .with("experiment", experiment_id)
            }
            Self::TooMany { limit } => {
                Description::new(Code::ResourceExhausted, "EXPERIMENTS_EXHAUSTED")
                    .with("limit", limit)
            }
            Self::Metadata(error) => error.describe(),
        }
    }
}

/// Why an experiment was not reported on.
#[derive(Debug, Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

impl From<InvalidRequest> for ReportError {
    fn from(invalid: InvalidRequest) -> Self {
        Self::Ask(invalid.into())
    }
}

impl Describe for ReportError {
    fn describe(&self) -> Description {
        match self {
            Self::Ask(error) => error.describe(),
            Self::Experiment(error) => error.describe(),
        }
    }
}
