//! Why metadata is refused, and what to do then.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::log::{LogError, Sequence};

/// Why the metadata in a folder is not opened. Nothing in the folder has changed then.
#[derive(Debug, Error)]
pub enum MetadataOpenError {
    /// Another process uses the folder.
    #[error(
        "the metadata in {} is in use by another process; stop that one or name another data folder",
        folder.display()
    )]
    Locked {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The folder does not hold what was written.
    #[error(
        "the metadata in {} is damaged: {detail}; nothing was changed: restore the folder from a backup, or run `mercer metadata rebuild`",
        folder.display()
    )]
    Damaged {
        /// Path of the folder.
        folder: PathBuf,
        /// Description of the damage.
        detail: String,
    },
    /// A newer release wrote it.
    #[error(
        "the metadata in {} was written by a newer release of Mercer: `{key}` has format {format}, which is not known here; nothing was changed: start that release, or a later one",
        folder.display()
    )]
    Newer {
        /// Path of the folder.
        folder: PathBuf,
        /// A key that is not read.
        key: String,
        /// Format that is stored.
        format: u8,
    },
    /// There is a log, and nothing of the metadata that belongs to it.
    #[error(
        "the metadata in {} is missing, but there is the log of a cluster; restore the folder from a backup, or run `mercer metadata rebuild`",
        folder.display()
    )]
    Missing {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The log knows of later changes.
    #[error(
        "the metadata in {} is an old copy: it ends with change {changes}, but the log knows of change {noted}; nothing was changed: restore a newer copy, or run `mercer metadata rebuild`",
        folder.display()
    )]
    Older {
        /// Path of the folder.
        folder: PathBuf,
        /// Number of changes in the metadata.
        changes: u64,
        /// Changes that the log knows of.
        noted: u64,
    },
    /// The log does not have what the metadata was changed after.
    #[error(
        "the metadata in {} was changed when the log had reached position {position}, which this log does not have; nothing was changed: restore log and metadata of the same moment, or run `mercer metadata rebuild`",
        folder.display()
    )]
    Ahead {
        /// Path of the folder.
        folder: PathBuf,
        /// Where the log must have been.
        position: Sequence,
    },
    /// It is of another cluster, or of another history of this one.
    #[error(
        "the metadata in {} does not belong to this log: change {changes} is not one that the log knows or that follows what it knows; nothing was changed: restore log and metadata of the same moment, or run `mercer metadata rebuild`",
        folder.display()
    )]
    Foreign {
        /// Path of the folder.
        folder: PathBuf,
        /// Number of changes in the metadata.
        changes: u64,
    },
    /// The log cannot note its state.
    #[error("the log does not take note of the metadata: {0}")]
    Note(#[from] LogError),
    /// The file system refused.
    #[error("cannot open the metadata at {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl MetadataOpenError {
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}
