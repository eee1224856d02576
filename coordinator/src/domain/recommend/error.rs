//! Why nothing was recommended.

use mercer_common::{
    rpc::status::{Code, Describe, Description, InvalidRequest, to_message},
    token::TokenError,
};
use mercer_proto::google::rpc;
use thiserror::Error;

use crate::{ask::AskError, domain::experiment::ExperimentError, ingest::IngestError};

/// Why nothing was recommended.
#[derive(Debug, Error)]
pub(crate) enum RecommendError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("item `{item_id}` is unknown")]
    UnknownItem { item_id: String },
    #[error("user `{user_id}` is unknown")]
    UnknownUser { user_id: String },
    #[error("version `{version:.64}` of the experiment is not kept")]
    VersionNotKept { version: String },
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// What a user is shown was not logged, so that they are not shown it.
    #[error(transparent)]
    NotLogged(#[from] IngestError),
}

impl From<InvalidRequest> for RecommendError {
    fn from(invalid: InvalidRequest) -> Self {
        Self::Ask(invalid.into())
    }
}

impl From<TokenError> for RecommendError {
    fn from(error: TokenError) -> Self {
        Self::Ask(error.into())
    }
}

impl Describe for RecommendError {
    fn describe(&self) -> Description {
        match self {
            Self::Ask(error) => error.describe(),
            Self::UnknownItem { .. } => Description::new(Code::NotFound, "ITEM_NOT_FOUND"),
            Self::UnknownUser { .. } => Description::new(Code::NotFound, "USER_NOT_FOUND"),
            Self::VersionNotKept { version } => {
                Description::new(Code::FailedPrecondition, "VERSION_NOT_KEPT")
                    .with("version", version)
            }
            Self::Experiment(error) => error.describe(),
            Self::NotLogged(error) => error.describe(),
        }
    }
}

impl RecommendError {
    /// As the answer to one request of many.
    pub(crate) fn into_message(self) -> rpc::Status {
        match self {
            Self::Ask(error) => error.into_message(),
            other => to_message(&other.to_status()),
        }
    }
}
