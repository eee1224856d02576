//! What a coordinator keeps in its folder, and the order in which it is opened.
//!
//! Nothing is written before everything that decides was read: the format, which log there is,
//! and all of the metadata.

use std::sync::Arc;

use mercer_common::{
    config::Config,
    format_file::FormatFile,
    log::embedded::{EmbeddedLog, EmbeddedLogOptions},
    metadata::{EmbeddedMetadata, MetadataCopy},
};
use tokio_util::sync::CancellationToken;

use crate::{StartError, cluster::identity};

pub(crate) const LOG: &str = "log";
pub(crate) const METADATA: &str = "metadata";

/// Opens log and metadata under `coordinator.data_dir`. Blocks on the disk.
pub(crate) fn open(
    config: &Config,
    stop: CancellationToken,
) -> Result<(Arc<EmbeddedLog>, EmbeddedMetadata), StartError> {
    let folder = &config.coordinator.data_dir;
    let format = FormatFile::check(folder)?;
    let log_folder = folder.join(LOG);
    let found = EmbeddedLog::look(&log_folder)?;
    let metadata = MetadataCopy::open(&folder.join(METADATA))?;
    let founding = identity::founding(found, &metadata, &config.cluster)?;
    if let Some(log) = EmbeddedLog::stand(&log_folder)? {
        metadata.check(&log)?;
    }
    let log = EmbeddedLog::open(&log_folder, &founding, EmbeddedLogOptions::default())?;
    let log = Arc::new(log);
    let metadata = metadata.tie(Arc::clone(&log) as _, stop)?;
    format.write()?;
    Ok((log, metadata))
}
