//! Why a shard could not answer.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    log::Sequence,
    rpc::status::{Code, Describe, Description},
    slot::ShardId,
};
use thiserror::Error;

/// Why a shard could not answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ShardError {
    /// Another worker holds it.
    #[error("this worker does not hold shard {shard}")]
    NotHeld {
        /// Which shard.
        shard: ShardId,
    },
    /// It is loading its snapshot and replaying the log.
    #[error("shard {shard} is recovering; it has applied the log through {applied}")]
    Recovering {
        /// Which shard.
        shard: ShardId,
        /// How far it has come.
        applied: Sequence,
    },
    /// It stopped and needs an operator.
    #[error("shard {shard} has failed: {reason}")]
    Failed {
        /// Which shard.
        shard: ShardId,
        /// Why.
        reason: Arc<str>,
    },
    /// The deadline passed before the shard had applied what the call requires.
    #[error("shard {shard} has applied the log through {applied}, {} positions behind {required}", required.saturating_sub(*applied))]
    Lagging {
        /// Which shard.
        shard: ShardId,
        /// As the call's tokens require.
        required: Sequence,
        /// How far it has come.
        applied: Sequence,
    },
}

impl Describe for ShardError {
    fn describe(&self) -> Description {
        match self {
            Self::NotHeld { shard } => {
                Description::new(Code::FailedPrecondition, "NOT_HELD").with("shard", shard)
            }
            Self::Recovering { shard, applied } => Description::new(Code::Unavailable, "NOT_READY")
                .retry_after(Duration::from_millis(500))
                .with("shard", shard)
                .with("applied", applied),
            Self::Failed { shard, .. } => {
                Description::new(Code::Unavailable, "SHARD_FAILED").with("shard", shard)
            }
            Self::Lagging { shard, required, applied } => {
                Description::new(Code::DeadlineExceeded, "SHARD_LAGGING")
                    .retry_after(Duration::from_millis(100))
                    .with("shard", shard)
                    .with("required", required)
                    .with("applied", applied)
                    .with("lag", required.saturating_sub(*applied))
            }
        }
    }
}
