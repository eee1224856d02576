//! What workers are told when they may not join or go on.

use mercer_common::{
    log::Mark,
    metadata::MetadataError,
    rpc::{
        AHEAD_OF_LOG,
        status::{Code, Describe, Description, InvalidRequest},
    },
    slot::ShardId,
};
use thiserror::Error;

/// Why a worker may not join or go on.
#[derive(Debug, Error)]
pub(crate) enum MembershipError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error(
        "worker `{worker_id}` is not needed: cluster.workers is {expected} and its shards are held by {members}; raise cluster.workers and restart the coordinator, or start the worker under one of these ids"
    )]
    Surplus { worker_id: String, expected: usize, members: String },
    #[error(
        "the worker id `{worker_id}` is in use by another process, which answers at {address}; stop that one, or give this one an id of its own (worker.id)"
    )]
    IdInUse { worker_id: String, address: String },
    #[error(
        "worker `{worker_id}` speaks for generation {generation}, but {current} is its latest; it must register again"
    )]
    StaleGeneration { worker_id: String, generation: u64, current: u64 },
    #[error(
        "worker `{worker_id}` knows apply version {version} of records, and the log uses {required}; upgrade it to the release of the coordinator"
    )]
    TooOld { worker_id: String, version: u32, required: u32 },
    #[error(
        "worker `{worker_id}` is ahead of the log: its shard {shard} stands at position {} of epoch {}, which this log does not have; it must drop its shards, register again and read the log anew",
        mark.position, mark.epoch
    )]
    Ahead { worker_id: String, shard: ShardId, mark: Mark },
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl Describe for MembershipError {
    fn describe(&self) -> Description {
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Surplus { worker_id, .. } => {
                Description::new(Code::FailedPrecondition, "SURPLUS_WORKER")
                    .with("worker", worker_id)
            }
            Self::IdInUse { worker_id, address } => {
                Description::new(Code::FailedPrecondition, "WORKER_ID_IN_USE")
                    .with("worker", worker_id)
                    .with("address", address)
            }
            Self::StaleGeneration { worker_id, current, .. } => {
                Description::new(Code::FailedPrecondition, "STALE_GENERATION")
                    .with("worker", worker_id)
                    .with("generation", current)
            }
            Self::TooOld { worker_id, required, .. } => {
                Description::new(Code::FailedPrecondition, "WORKER_TOO_OLD")
                    .with("worker", worker_id)
                    .with("required", required)
            }
            Self::Ahead { worker_id, shard, .. } => {
                Description::new(Code::FailedPrecondition, AHEAD_OF_LOG)
                    .with("worker", worker_id)
                    .with("shard", shard)
            }
            Self::Metadata(error) => error.describe(),
        }
    }
}
