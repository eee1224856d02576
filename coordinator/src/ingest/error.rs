//! Why a mutation was refused.

use std::time::Duration;

use mercer_common::{
    limits::{self, Bound},
    log::LogError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
};
use thiserror::Error;

use crate::ask::AskError;

/// Why a mutation was refused.
#[derive(Debug, Error)]
pub(crate) enum IngestError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "at most {} {}{} are kept, and with this change there would be more; {}",
        .bound.records, .bound.of, in_bytes(bound), what_to_do(bound)
    )]
    Full { bound: Bound },
    #[error("whether there is room for it cannot be found out: {0}")]
    RoomUnknown(Box<AskError>),
    #[error(
        "{what} needs apply version {needed}, and records mean version {in_force} until every worker \
         knows a later one: upgrade them; `mercer status` names those that are behind"
    )]
    VersionTooLow { what: &'static str, needed: u32, in_force: u32 },
    #[error(
        "all {limit} Ingest streams are in use, or all that one connection may have; the stream was \
         not opened"
    )]
    Streams { limit: u64 },
    #[error("the coordinator is shutting down; send what was not acknowledged again")]
    ShuttingDown,
}

impl From<AskError> for IngestError {
    fn from(error: AskError) -> Self {
        Self::RoomUnknown(Box::new(error))
    }
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
            Self::Full { bound } => {
                let described = Description::new(Code::ResourceExhausted, "BOUND_REACHED")
                    .with("of", bound.of)
                    .with("records", bound.records);
                match bound.bytes {
                    usize::MAX => described,
                    bytes => described.with("bytes", bytes),
                }
            }
            Self::RoomUnknown(error) => error.describe(),
            Self::VersionTooLow { needed, in_force, .. } => {
                Description::new(Code::FailedPrecondition, "APPLY_VERSION_TOO_LOW")
                    .with("needed", needed)
                    .with("in_force", in_force)
            }
            Self::ShuttingDown => Description::new(Code::Unavailable, "SHUTTING_DOWN")
                .retry_after(Duration::from_secs(1)),
        }
    }
}

fn in_bytes(bound: &Bound) -> String {
    match bound.bytes {
        usize::MAX => String::new(),
        bytes => format!(" of {bytes} bytes in sum"),
    }
}

fn what_to_do(bound: &Bound) -> &'static str {
    match *bound {
        limits::FINISHED_PRODUCERS => {
            "send the batch without `final`, and events with an `event_id` where they may come again"
        }
        _ => "remove some that are not needed, or replace some by smaller ones",
    }
}
