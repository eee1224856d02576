//! Why a log was not opened.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why an embedded log could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error(
        "the log in {} is in use by another process; stop that one or name another data folder",
        folder.display()
    )]
    Locked {
        /// Folder of the log.
        folder: PathBuf,
    },
    /// The folder does not hold what was written; nothing in it was changed.
    #[error(
        "the log in {} is damaged: {detail}. Nothing was changed: mend or restore the folder from a backup, or see what can be saved with `mercer log verify` and `mercer log salvage`",
        folder.display()
    )]
    Damaged {
        /// Folder of the log.
        folder: PathBuf,
        /// Description of what is wrong.
        detail: String,
    },
    /// A newer release wrote it, or a part of it; nothing in it was changed.
    #[error(
        "the log in {} was written by a newer release of Mercer ({detail}). Nothing was changed: start that release, or a later one",
        folder.display()
    )]
    Newer {
        /// Folder of the log.
        folder: PathBuf,
        /// What is not known here.
        detail: String,
    },
    /// The log is one of before segment files.
    #[error("the log in {} was written by an earlier version of Mercer", folder.display())]
    Before {
        /// Folder of the log.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("cannot open the log at {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
