//! Why a question was not answered.

use std::time::Duration;

use mercer_common::{
    rpc::{
        DeadlineExceeded,
        status::{Code, Describe, Description, InvalidRequest, to_message},
    },
    slot::ShardId,
    token::TokenError,
};
use mercer_proto::google::rpc;
use thiserror::Error;

use crate::cluster::workers::Failure;

/// When a caller should try again after a part of the cluster was missing.
const RETRY: Duration = Duration::from_millis(500);

/// Why a question was not answered.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("shards are not dealt yet: {live} of {expected} workers have joined")]
    NotDealt { live: usize, expected: usize },
    #[error("shard {shard} is unavailable: worker `{worker_id}` {reason}")]
    ShardUnavailable { shard: ShardId, worker_id: String, reason: String },
    #[error("no item shard answered; the last reason: {reason}")]
    NoCoverage { reason: String },
    #[error(
        "version {version} has no `{algorithm}`, only {trained}; run `mercer train {algorithm}`"
    )]
    NotTrained { algorithm: String, version: String, trained: String },
    #[error("workers or versions changed twice during the call: {reason}")]
    Changed { reason: String },
    /// The version that serves, and the one before it if it would do.
    #[error("{reason}; there is no older version to answer from")]
    Damaged { reason: String },
    #[error("`{kind}` has not been trained yet; run `mercer train {kind}`")]
    UntrainedKind { kind: &'static str },
    #[error("version `{version:.64}`, which this listing shows, is not kept any more; list anew")]
    ListingExpired { version: String },
    #[error(transparent)]
    Deadline(#[from] DeadlineExceeded),
    /// A worker's own answer, which the caller can understand.
    #[error(transparent)]
    Worker(Failure),
}

impl Describe for AskError {
    fn describe(&self) -> Description {
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Token(error) => error.describe(),
            Self::NotDealt { .. } => {
                Description::new(Code::Unavailable, "SHARDS_NOT_DEALT").retry_after(RETRY)
            }
            Self::ShardUnavailable { shard, worker_id, .. } => {
                Description::new(Code::Unavailable, "SHARD_UNAVAILABLE")
                    .retry_after(RETRY)
                    .with("shard", shard)
                    .with("worker", worker_id)
            }
            Self::NoCoverage { .. } => {
                Description::new(Code::Unavailable, "NO_COVERAGE").retry_after(RETRY)
            }
            Self::NotTrained { algorithm, version, .. } => {
                Description::new(Code::FailedPrecondition, "NOT_TRAINED")
                    .with("algorithm", algorithm)
                    .with("version", version)
            }
            Self::Changed { .. } => {
                Description::new(Code::Unavailable, "CLUSTER_CHANGED").retry_after(RETRY)
            }
            Self::Damaged { .. } => {
                Description::new(Code::Unavailable, "VERSION_DAMAGED").retry_after(RETRY)
            }
            Self::UntrainedKind { kind } => {
                Description::new(Code::FailedPrecondition, "NOT_TRAINED").with("kind", kind)
            }
            Self::ListingExpired { version } => {
                Description::new(Code::FailedPrecondition, "LISTING_EXPIRED")
                    .with("version", version)
            }
            Self::Deadline(exceeded) => exceeded.describe(),
            Self::Worker(failure) => Description::new(failure.code(), "WORKER"),
        }
    }
}

impl AskError {
    /// As the answer to one question of many.
    pub(crate) fn into_message(self) -> rpc::Status {
        match self {
            Self::Worker(failure) => failure.to_message(),
            other => to_message(&other.to_status()),
        }
    }
}
