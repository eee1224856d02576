//! Why an import was not begun, finished, shown or undone.

use std::time::Duration;

use mercer_common::{
    artifact::ArtifactError,
    metadata::MetadataError,
    rpc::status::{Code, Describe, Description, InvalidRequest},
};
use thiserror::Error;

use crate::ingest::IngestError;

/// Why what is known of imports cannot be loaded.
#[derive(Debug, Error)]
pub enum ImportsError {
    /// The folder of registers cannot be used.
    #[error("coordinator.data_dir: {0}")]
    Registers(#[from] ArtifactError),
    /// The metadata cannot be read.
    #[error("coordinator.data_dir: {0}")]
    Metadata(#[from] MetadataError),
}

/// Why an import was not begun, finished, shown or undone.
#[derive(Debug, Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error("there is no source `{source_id:.64}` of imports")]
    UnknownSource { source_id: String },
    #[error(
        "there is no import `{import_id:.64}`; `mercer imports list` shows those that there are"
    )]
    Unknown { import_id: String },
    #[error(
        "import {open} of source `{source_id}` is not finished: import the same files again to go on \
         with it, or take it out with `mercer imports undo {open}`"
    )]
    Open { source_id: String, open: String },
    #[error("import {import_id} is {state}")]
    NotOpen { import_id: String, state: &'static str },
    #[error(
        "import {later} of the same source came later; undo that first, or all of them together \
         with `--with-later`"
    )]
    Later { later: String },
    #[error(
        "more than {limit} loaded rows would be replaced or taken out; undo the imports that loaded \
         them, and import the file anew"
    )]
    TooManyReplaced { limit: usize },
    #[error("source `{source_id}` was changed by another import meanwhile; import again")]
    Changed { source_id: String },
    #[error(
        "all {limit} places for imports that begin are in use, or all that one connection may have; \
         import again in a while"
    )]
    Busy { limit: u64 },
    #[error("there are {limit} sources already")]
    TooManySources { limit: usize },
    #[error("every worker must know apply version 4 before files are imported; upgrade them")]
    OldVersion,
    #[error(
        "the register of source `{source_id}`, which knows its loaded rows, cannot be used: {cause}; \
         build it anew with `mercer imports rebuild {source_id}`, or restore the folder `imports` of the \
         coordinator's data_dir from a backup"
    )]
    Register { source_id: String, cause: ArtifactError },
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(
        "the log holds rows of imports that are no longer remembered, so that nobody knows which \
         source they are of; restore the folder `imports` of the coordinator's data_dir from a backup"
    )]
    Forgotten,
    #[error("nobody waits for it any more")]
    GivenUp,
    #[error("shutting down")]
    ShuttingDown,
}

impl ImportError {
    /// Rows that do not come in order.
    pub(super) fn unordered(field: &str, problem: &str) -> Self {
        InvalidRequest::field(field, problem).into()
    }
}

impl Describe for ImportError {
    fn describe(&self) -> Description {
        let precondition = |reason| Description::new(Code::FailedPrecondition, reason);
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::UnknownSource { .. } => {
                Description::new(Code::NotFound, "IMPORT_SOURCE_NOT_FOUND")
            }
            Self::Unknown { .. } => Description::new(Code::NotFound, "IMPORT_NOT_FOUND"),
            Self::Open { open, source_id } => {
                precondition("IMPORT_OPEN").with("import", open).with("source", source_id)
            }
            Self::NotOpen { import_id, state } => {
                precondition("IMPORT_NOT_OPEN").with("import", import_id).with("state", state)
            }
            Self::Later { later } => precondition("IMPORT_NOT_NEWEST").with("import", later),
            Self::TooManyReplaced { limit } => {
                precondition("IMPORT_REPLACES_TOO_MANY").with("limit", limit)
            }
            Self::Changed { source_id } => {
                Description::new(Code::Aborted, "IMPORT_SOURCE_CHANGED").with("source", source_id)
            }
            Self::Busy { limit } => Description::new(Code::ResourceExhausted, "IMPORTS_BUSY")
                .retry_after(Duration::from_secs(1))
                .with("limit", limit),
            Self::TooManySources { limit } => {
                Description::new(Code::ResourceExhausted, "BOUND_REACHED").with("limit", limit)
            }
            Self::OldVersion => precondition("WORKER_TOO_OLD"),
            Self::Register { source_id, .. } => {
                Description::new(Code::DataLoss, "IMPORT_REGISTER_DAMAGED")
                    .with("source", source_id)
            }
            Self::Forgotten => precondition("IMPORTS_FORGOTTEN"),
            Self::GivenUp => Description::new(Code::Cancelled, "GIVEN_UP"),
            Self::Artifact(newer @ ArtifactError::Newer { .. }) => newer.describe(),
            Self::Artifact(_) => Description::new(Code::Internal, "IMPORT_REGISTER_NOT_WRITTEN"),
            Self::Metadata(error) => error.describe(),
            Self::Ingest(error) => error.describe(),
            Self::ShuttingDown => Description::new(Code::Unavailable, "SHUTTING_DOWN"),
        }
    }
}
