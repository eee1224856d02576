//! Why a backup was not made, is of no use, or was not restored.

use std::{
    io,
    path::{Path, PathBuf},
};

use mercer_common::{
    artifact::ArtifactError,
    format_file::FormatError,
    log::{LogError, embedded::OpenError},
    metadata::{MetadataError, MetadataOpenError},
    rpc::status::{Code, Describe, Description, InvalidRequest},
    space::LowSpace,
};
use thiserror::Error;

use crate::data_folder::FolderError;

/// Why a backup was not made, is of no use, or was not restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The request breaks its contract.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// Another one is being made.
    #[error("another backup is being made in {}; try again when it has ended", folder.display())]
    Busy {
        /// Folder of the backups.
        folder: PathBuf,
    },
    /// There is a backup of that name.
    #[error("{} exists already; give the backup another name", folder.display())]
    Exists {
        /// Folder of the backup.
        folder: PathBuf,
    },
    /// The folder of backups is full.
    #[error(
        "{} holds {found} backups, and no more than {limit} are kept there; move or remove some",
        folder.display()
    )]
    TooMany {
        /// Folder of the backups.
        folder: PathBuf,
        /// Number of backups there.
        found: usize,
        /// Highest number of backups.
        limit: usize,
    },
    /// Too little space is free for what can wait.
    #[error(transparent)]
    LowSpace(#[from] LowSpace),
    /// The log is not in the coordinator's folder.
    #[error(
        "log and metadata of this cluster are not in the coordinator's folder; back up the service that keeps them"
    )]
    Elsewhere,
    /// Whoever asked went away, or the coordinator stops.
    #[error("the backup was given up: its caller went away, or the coordinator stops")]
    GivenUp,
    /// There is nothing to back up.
    #[error("{} holds no log of this release; name the coordinator's data folder, or that of `mercer up`; one of an earlier release is converted when the cluster is started once", folder.display())]
    NoCluster {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// There is no backup.
    #[error("{} holds no backup: there is no `backup.json`, which is written last", folder.display())]
    NoBackup {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// A newer release made it.
    #[error("{} is of format {found}, which this release does not read; restore it with the release that made it", path.display())]
    Newer {
        /// Path of the manifest.
        path: PathBuf,
        /// Format of the manifest.
        found: u64,
    },
    /// A file is not what was backed up.
    #[error("{} is damaged: {detail}; use another copy of the backup", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the damage.
        detail: String,
    },
    /// There is something where the data folder is to be.
    #[error("{} is there already; name a folder that does not exist, or move it away", folder.display())]
    Occupied {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The data folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] Box<FolderError>),
    /// The log cannot be copied or opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Read(#[from] LogError),
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The metadata cannot be written.
    #[error(transparent)]
    OpenMetadata(#[from] MetadataOpenError),
    /// The artifacts cannot be listed.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// Another release wrote the folder.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The file system refused.
    #[error("cannot read or write {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BackupError {
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}

impl Describe for BackupError {
    fn describe(&self) -> Description {
        let of = Description::new;
        match self {
            Self::Invalid(invalid) => invalid.describe(),
            Self::Metadata(error) => error.describe(),
            Self::Artifacts(error) => error.describe(),
            Self::LowSpace(low) => low.describe(),
            Self::Busy { .. } => of(Code::ResourceExhausted, "BACKUP_BUSY")
                .retry_after(std::time::Duration::from_secs(10)),
            Self::TooMany { .. } => of(Code::ResourceExhausted, "TOO_MANY_BACKUPS"),
            Self::Exists { .. } | Self::Occupied { .. } => of(Code::AlreadyExists, "BACKUP_EXISTS"),
            Self::Elsewhere => of(Code::Unimplemented, "BACKUP_ELSEWHERE"),
            Self::GivenUp => of(Code::Cancelled, "BACKUP_GIVEN_UP"),
            Self::NoCluster { .. } | Self::NoBackup { .. } => of(Code::NotFound, "NO_BACKUP"),
            Self::Newer { .. } | Self::Format(_) => of(Code::FailedPrecondition, "BACKUP_NEWER"),
            Self::Damaged { .. } => of(Code::DataLoss, "BACKUP_DAMAGED"),
            Self::Folder(_)
            | Self::Log(_)
            | Self::Read(_)
            | Self::OpenMetadata(_)
            | Self::Io { .. } => of(Code::Unavailable, "BACKUP_IO"),
        }
    }
}
