//! Why a job could not be started, shown or cancelled.

use std::time::Duration;

use mercer_common::{
    metadata::MetadataError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
    space::LowSpace,
};
use thiserror::Error;

/// Why a job could not be started, shown or cancelled.
#[derive(Debug, Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error("there is no job `{job_id:.64}`")]
    Unknown { job_id: String },
    #[error("{queued} jobs are waiting already; try again when one has ended")]
    QueueFull { queued: usize },
    #[error("{place} is low on space, and training can wait: {low}, and start the job again")]
    LowSpace { place: String, low: LowSpace },
    #[error("job `{job_id}` cannot be cancelled: {reason}")]
    NotCancellable { job_id: String, reason: &'static str },
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl Describe for JobError {
    fn describe(&self) -> Description {
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Unknown { .. } => Description::new(Code::NotFound, "JOB_NOT_FOUND"),
            Self::QueueFull { .. } => Description::new(Code::ResourceExhausted, "JOB_QUEUE_FULL")
                .retry_after(Duration::from_secs(10)),
            Self::LowSpace { place, low } => low.describe().with("process", place),
            Self::NotCancellable { job_id, .. } => {
                Description::new(Code::FailedPrecondition, "JOB_NOT_CANCELLABLE")
                    .with("job", job_id)
            }
            Self::Metadata(error) => error.describe(),
        }
    }
}
