//! What a coordinator keeps in its folder, and the order in which it is opened.
//!
//! Nothing is written before everything that decides was read: the format, which log there is,
//! and all of the metadata.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mercer_common::{
    config::Config,
    format_file::{FormatError, FormatFile},
    log::embedded::{EmbeddedLog, EmbeddedLogOptions, OpenError},
    metadata::{EmbeddedMetadata, MetadataCopy, MetadataOpenError},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::identity::{self, IdentityError},
    opening::Opening,
};

pub(crate) const LOG: &str = "log";
pub(crate) const METADATA: &str = "metadata";

/// Why the data folder cannot be opened.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The log is locked, damaged or out of reach.
    #[error("coordinator.data_dir: {0}")]
    Log(#[from] OpenError),
    /// Another release wrote the folder.
    #[error("coordinator.data_dir: {0}")]
    Format(#[from] FormatError),
    /// The metadata is missing, damaged, or does not belong to the log.
    #[error("coordinator.data_dir: {0}")]
    Metadata(#[from] MetadataOpenError),
    /// The configuration contradicts what the cluster was created with.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Opens log and metadata under `coordinator.data_dir`. Blocks on the disk.
pub(crate) fn open(
    config: &Config,
    stop: CancellationToken,
) -> Result<(Arc<EmbeddedLog>, EmbeddedMetadata), FolderError> {
    open_telling(config, stop, &Opening::default())
}

/// As [`open`], saying in `opening` what takes long.
pub(crate) fn open_telling(
    config: &Config,
    stop: CancellationToken,
    opening: &Opening,
) -> Result<(Arc<EmbeddedLog>, EmbeddedMetadata), FolderError> {
    let folder = &config.coordinator.data_dir;
    let format = FormatFile::check(folder)?;
    let log_folder = folder.join(LOG);
    let found = EmbeddedLog::look(&log_folder)?;
    let metadata = MetadataCopy::open(&folder.join(METADATA))?;
    let founding = identity::founding(found, &metadata, &config.cluster)?;
    metadata.check(EmbeddedLog::stand(&log_folder)?.as_ref())?;
    let reserve_bytes = config.coordinator.reserve_bytes;
    let options = EmbeddedLogOptions { reserve_bytes, ..EmbeddedLogOptions::default() };
    let log = EmbeddedLog::open_telling(&log_folder, &founding, options, &|segment, of| {
        opening.converts(segment, of)
    })?;
    let log = Arc::new(log);
    let metadata = metadata.tie(Arc::clone(&log) as _, stop)?;
    format.write()?;
    Ok((log, metadata))
}

/// Where something is set aside in the folder, and in that of the artifacts.
pub(crate) fn set_aside(folder: &Path, artifacts: &Path) -> Vec<PathBuf> {
    let segments = EmbeddedLog::segments_folder(&folder.join(LOG));
    vec![folder.to_owned(), segments, artifacts.to_owned()]
}
