//! Artifacts: immutable, checksummed files that training writes and serving reads.
//!
//! A file appears under its final name only when it is complete and durable, and its name ends
//! in the hash of its content: two attempts at the same work either give the same file or fail
//! loudly. Opening verifies every byte; what is open is verified again by [`Scrub`]. Everything
//! here blocks on the disk: call it off the runtime's threads. What the sections of a file mean
//! is declared by [`layout!`](crate::layout). Proven by `tests.rs` and the golden files.

mod file;
mod format;
mod layout;
mod names;
mod scrub;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    rpc::status::{Code, Describe, Description},
    space::LowSpace,
};

pub use file::Artifact;
pub use layout::{Layout, Section, SectionWriter, Sections, Shape};
pub use mercer_proto::internal::ArtifactRef;
pub use scrub::{Condition, Scrub};
pub use store::ArtifactStore;
pub use writer::ArtifactWriter;

/// Why an artifact could not be written, found or read.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Verb of what was tried.
        action: &'static str,
        /// Path of the file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Too little space is free for a file that can wait.
    #[error(transparent)]
    LowSpace(#[from] LowSpace),
    /// The file is not there.
    #[error(
        "artifact {} does not exist; all processes must name the same `artifacts.url`; restore it from a \
         backup, or train again",
        path.display()
    )]
    Missing {
        /// Where the file was expected.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("artifact {} is damaged: {detail}; restore it from a backup, or train again", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the damage.
        detail: String,
    },
    /// A newer release wrote the file.
    #[error(
        "artifact {} was written by a newer release of Mercer: it is of {found}, and {known} is the newest that is known here; start that release, or a later one",
        path.display()
    )]
    Newer {
        /// Path of the file.
        path: PathBuf,
        /// Format or kind of the file.
        found: String,
        /// Newest format or kind that is known here.
        known: String,
    },
    /// Two attempts at the same work gave different bytes.
    #[error(
        "artifact {} exists, but the same work now gave {hash:016x}; this is a defect of Mercer: report it with both files",
        existing.display()
    )]
    Nondeterministic {
        /// Path of the earlier file.
        existing: PathBuf,
        /// Hash of the later attempt.
        hash: u64,
    },
    /// Not usable as a part of a path.
    #[error("`{name}` is not a name of letters, digits, `-`, `_` and `.`")]
    Name {
        /// Name that was given.
        name: String,
    },
    /// The caller reads the file as something that it is not.
    #[error("artifact {}: {detail}", path.display())]
    Layout {
        /// Path of the file.
        path: PathBuf,
        /// Description of what does not fit.
        detail: String,
    },
}

impl ArtifactError {
    /// The file or folder that it is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::Missing { path }
            | Self::Damaged { path, .. }
            | Self::Newer { path, .. }
            | Self::Layout { path, .. } => Some(path),
            Self::Nondeterministic { existing, .. } => Some(existing),
            Self::LowSpace(low) => Some(&low.folder),
            Self::Name { .. } => None,
        }
    }

    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl Describe for ArtifactError {
    fn describe(&self) -> Description {
        match self {
            Self::Io { .. } => Description::new(Code::Unavailable, "ARTIFACT_IO")
                .retry_after(std::time::Duration::from_secs(1)),
            Self::LowSpace(low) => low.describe(),
            Self::Missing { .. } => Description::new(Code::NotFound, "ARTIFACT_MISSING"),
            Self::Damaged { .. } => Description::new(Code::DataLoss, "ARTIFACT_DAMAGED"),
            Self::Newer { .. } => Description::new(Code::FailedPrecondition, "ARTIFACT_NEWER"),
            Self::Nondeterministic { .. } => {
                Description::new(Code::Internal, "ARTIFACT_NONDETERMINISTIC")
            }
            Self::Name { .. } => Description::new(Code::InvalidArgument, "ARTIFACT_NAME"),
            Self::Layout { .. } => Description::new(Code::Internal, "ARTIFACT_LAYOUT"),
        }
    }
}
