//! How callers see the errors of log, metadata and tokens.

use std::time::Duration;

use tonic::Code;

use super::status::{Describe, Description, Violation};
use crate::{log::LogError, metadata::MetadataError, space::LowSpace, token::TokenError};

/// The reason of [`LogError::Ahead`].
pub const AHEAD_OF_LOG: &str = "AHEAD_OF_LOG";
/// The reason of [`LowSpace`].
pub const LOW_ON_SPACE: &str = "LOW_ON_SPACE";

impl Describe for LogError {
    fn describe(&self) -> Description {
        match self {
            Self::Unconfirmed => Description::new(Code::Unavailable, "LOG_UNCONFIRMED")
                .retry_after(Duration::from_millis(100)),
            Self::Trimmed { shard, trimmed_through, .. } => {
                Description::new(Code::OutOfRange, "LOG_TRIMMED")
                    .with("shard", shard)
                    .with("trimmed_through", trimmed_through)
            }
            Self::Ahead { shard, after, .. } => {
                Description::new(Code::FailedPrecondition, AHEAD_OF_LOG)
                    .with("shard", shard)
                    .with("after", after)
            }
            Self::TooLarge { limit, .. } => {
                Description::new(Code::InvalidArgument, "LOG_APPEND_TOO_LARGE")
                    .with("limit_bytes", limit)
            }
            Self::Stopped(_) => Description::new(Code::Unavailable, "LOG_STOPPED")
                .retry_after(Duration::from_secs(5)),
            Self::Damaged { sequence, .. } => {
                Description::new(Code::DataLoss, "LOG_DAMAGED").with("sequence", sequence)
            }
            Self::Closed => Description::new(Code::Unavailable, "LOG_CLOSED")
                .retry_after(Duration::from_secs(1)),
        }
    }
}

impl Describe for LowSpace {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, LOW_ON_SPACE)
            .with("folder", self.folder.display())
            .with("free_bytes", self.free_bytes)
            .with("floor_bytes", self.floor_bytes)
    }
}

impl Describe for MetadataError {
    fn describe(&self) -> Description {
        match self {
            Self::Conflict { key, .. } => {
                Description::new(Code::Aborted, "METADATA_CONFLICT").with("key", key)
            }
            Self::Store(_) => Description::new(Code::Unavailable, "METADATA_STORE")
                .retry_after(Duration::from_secs(1)),
        }
    }
}

impl Describe for TokenError {
    fn describe(&self) -> Description {
        let violation = |field: String| {
            let mut description = Description::new(Code::InvalidArgument, "INVALID_REQUEST");
            description.violations.push(Violation::new(field, self.to_string()));
            description
        };
        match self {
            Self::Malformed { index } => violation(format!("tokens[{index}]")),
            Self::TooMany { .. } | Self::TooManyEpochs { .. } => violation("tokens".into()),
            Self::ForeignIncarnation { index } => {
                Description::new(Code::FailedPrecondition, "TOKEN_OF_ANOTHER_LOG")
                    .with("field", format!("tokens[{index}]"))
            }
            Self::LostHistory { index } => {
                Description::new(Code::FailedPrecondition, "TOKEN_OF_LOST_HISTORY")
                    .with("field", format!("tokens[{index}]"))
            }
        }
    }
}
