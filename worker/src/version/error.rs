//! Why a version cannot be opened or used.

use std::{path::Path, sync::Arc};

use mercer_common::{
    artifact::ArtifactError,
    rpc::status::{Code, Describe, Description},
};
use mercer_proto::internal::VersionManifest;
use thiserror::Error;

use crate::store::ResultsError;

/// Why a version cannot be opened or used.
#[derive(Debug, Error)]
pub(crate) enum VersionError {
    /// This worker has not opened it, or has closed it again.
    #[error("version `{version}` is not open here")]
    Gone {
        /// Which one.
        version: String,
    },
    /// It should be open, but one of its files is missing, damaged or cannot be read.
    #[error("version `{version}` is damaged here: {cause}")]
    Damaged {
        /// Which one.
        version: String,
        /// Why not.
        #[source]
        cause: Arc<VersionError>,
    },
    /// The version was not trained with this algorithm.
    #[error("version `{version}` has no algorithm `{algorithm}`")]
    NoAlgorithm {
        /// Which one.
        version: String,
        /// As asked.
        algorithm: String,
    },
    /// The manifest lacks something that a version must have.
    #[error("the manifest of version `{version}` is incomplete: {detail}")]
    Manifest {
        /// Which one.
        version: String,
        /// What is missing.
        detail: String,
    },
    /// One of its files is missing, damaged or inconsistent.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Results by item cannot be loaded.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

impl VersionError {
    pub(super) fn incomplete(manifest: &VersionManifest, detail: String) -> Self {
        Self::Manifest { version: manifest.version.clone(), detail }
    }

    /// The file that is to blame, if one is.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Artifact(error) | Self::Results(ResultsError::Artifact(error)) => error.path(),
            Self::Damaged { cause, .. } => cause.file(),
            Self::Gone { .. }
            | Self::NoAlgorithm { .. }
            | Self::Manifest { .. }
            | Self::Results(_) => None,
        }
    }
}

impl Describe for VersionError {
    fn describe(&self) -> Description {
        match self {
            Self::Gone { version } => {
                Description::new(Code::FailedPrecondition, "VERSION_GONE").with("version", version)
            }
            Self::Damaged { version, cause } => {
                Description::new(Code::FailedPrecondition, "VERSION_GONE")
                    .with("version", version)
                    .with("damage", cause)
            }
            Self::NoAlgorithm { algorithm, .. } => {
                Description::new(Code::FailedPrecondition, "ALGORITHM_NOT_TRAINED")
                    .with("algorithm", algorithm)
            }
            Self::Manifest { .. } => Description::new(Code::Internal, "MANIFEST_INCOMPLETE"),
            Self::Artifact(error) => error.describe(),
            Self::Results(error) => error.describe(),
        }
    }
}
