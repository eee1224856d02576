//! Why a mutation was refused.

use std::time::Duration;

use mercer_common::{
    log::LogError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
};
use thiserror::Error;

/// Why a mutation was refused.
#[derive(Debug, Error)]
pub(crate) enum IngestError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "all {limit} Ingest streams are in use, or all that one connection may have; the stream was \
         not opened"
    )]
    Streams { limit: u64 },
    #[error("the coordinator is shutting down; send what was not acknowledged again")]
    ShuttingDown,
}

impl Describe for IngestError {
    fn describe(&self) -> Description {
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Log(error) => error.describe(),
            Self::Streams { limit } => {
                Description::new(Code::ResourceExhausted, "INGEST_STREAMS_EXHAUSTED")
                    .retry_after(Duration::from_secs(1))
                    .with("limit", limit)
            }
            Self::ShuttingDown => Description::new(Code::Unavailable, "SHUTTING_DOWN")
                .retry_after(Duration::from_secs(1)),
        }
    }
}
