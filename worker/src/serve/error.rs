//! Why a query could not be answered.

use mercer_common::rpc::status::{Code, Describe, Description, InvalidRequest};
use thiserror::Error;

use crate::{compute::ComputeError, shard::ShardError, version::VersionError};

/// Why a query could not be answered.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// A shard is not here, not ready or behind.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The version is not open here.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// What was asked for was never trained.
    #[error(transparent)]
    NotTrained(#[from] NotTrained),
    /// The work was shed or failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The request breaks the contract.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// No record has named the item.
    #[error("no event or upsert has named item `{id}`")]
    UnknownItem {
        /// Id in the request.
        id: String,
    },
    /// No record has named the user, or they were deleted.
    #[error(
        "no event or upsert has named user `{id}`, or the user was deleted; check its spelling, \
         in which capitals count"
    )]
    UnknownUser {
        /// Id in the request.
        id: String,
    },
    /// The location is not catalogued.
    #[error("no location `{id}` is catalogued")]
    UnknownLocation {
        /// Id in the request.
        id: String,
    },
    /// There is no such supplier.
    #[error("no supplier `{id}` is catalogued")]
    UnknownSupplier {
        /// Id in the request.
        id: String,
    },
    /// The worker has not joined the cluster yet.
    #[error("the worker has not joined the cluster yet")]
    NotJoined,
}

/// What was asked for was never trained.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{kind}` has not been trained yet; run `mercer train {kind}`")]
pub(crate) struct NotTrained {
    /// `demand`, `elasticity` or `inventory`.
    pub(crate) kind: &'static str,
}

impl Describe for NotTrained {
    fn describe(&self) -> Description {
        Description::new(Code::FailedPrecondition, "NOT_TRAINED").with("kind", self.kind)
    }
}

impl Describe for ServeError {
    fn describe(&self) -> Description {
        match self {
            Self::Shard(error) => error.describe(),
            Self::Version(error) => error.describe(),
            Self::NotTrained(error) => error.describe(),
            Self::Compute(error) => error.describe(),
            Self::Invalid(error) => error.describe(),
            Self::UnknownItem { .. } => Description::new(Code::NotFound, "ITEM_NOT_FOUND"),
            Self::UnknownUser { .. } => Description::new(Code::NotFound, "USER_NOT_FOUND"),
            Self::UnknownLocation { .. } => Description::new(Code::NotFound, "LOCATION_NOT_FOUND"),
            Self::UnknownSupplier { .. } => Description::new(Code::NotFound, "SUPPLIER_NOT_FOUND"),
            Self::NotJoined => Description::new(Code::Unavailable, "NOT_READY")
                .retry_after(std::time::Duration::from_millis(500)),
        }
    }
}
