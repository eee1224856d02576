//! Imports: what a source has loaded, row by row, so that each row counts once.
//!
//! - [`announced`] compares the rows of a file with the [`register`] of its source, day by day.
//! - [`store`] keeps sources and imports in metadata; registers lie in artifacts of their own, below
//!   `imports` in the folder of the coordinator, and are swapped when an import is finished.
//! - What is taken out, rows that a file replaces or a whole import, is said in the log with
//!   `Retract`: every shard then folds itself again without it.
//!
//! Identity is decided here, before the log, and never where records are applied.

mod announced;
mod begin;
mod compare;
mod edit;
mod error;
mod finish;
#[cfg(test)]
pub(crate) mod golden_tests;
mod others;
mod rebuild;
mod records;
mod register;
mod row;
mod spill;
mod store;

use std::{path::Path, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    clock::SharedClock,
    metadata::Metadata,
    space::Floor,
};
use mercer_proto::v1::{Import, ImportSource, ListImportsRequest, ListImportsResponse};

pub(crate) use begin::Part;
pub(crate) use error::ImportError;
pub use error::ImportsError;
pub(crate) use rebuild::Progress;
#[cfg(test)]
pub(crate) use store::example;
pub(crate) use store::files_of;
use store::{SourceRecord, Store};

use crate::{ingest::Ingest, time, validate::page_size};

/// The folder of registers, in that of the coordinator.
pub(crate) const FOLDER: &str = "imports";
/// What records mean since imports can be taken out.
const SINCE: u32 = 4;
/// All sources and their imports.
pub(crate) struct Imports {
    store: Store,
    registers: ArtifactStore,
    ingest: Arc<Ingest>,
    clock: SharedClock,
    /// One source changes at a time: imports are long, and what changes them is short.
    changes: Arc<tokio::sync::Mutex<()>>,
    /// One register is built anew at a time, which reads the whole log: sources change meanwhile.
    rebuilding: tokio::sync::Mutex<()>,
}

impl Imports {
    /// Loads what an earlier run stored; `folder` is the coordinator's. While somebody else holds
    /// `changes`, no source changes.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        folder: &Path,
        floor: Floor,
        changes: Arc<tokio::sync::Mutex<()>>,
        ingest: Arc<Ingest>,
        clock: SharedClock,
    ) -> Result<Self, ImportsError> {
        let registers = ArtifactStore::open(&folder.join(FOLDER))?.with_floor(floor);
        let store = Store::load(metadata, ingest.open_imports()).await?;
        let rebuilding = tokio::sync::Mutex::default();
        Ok(Self { store, registers, ingest, clock, changes, rebuilding })
    }

    /// A source, also one that has loaded nothing: it is stored when its first import begins.
    pub(crate) fn open_source(&self, source_id: &str) -> Result<ImportSource, ImportError> {
        check_source(source_id)?;
        self.check_version()?;
        Ok(self.describe(&self.store.source_or_new(source_id)))
    }

    fn describe(&self, record: &SourceRecord) -> ImportSource {
        ImportSource {
            source_id: record.source_id.clone(),
            row_key: self.ingest.row_key().to_vec(),
            rows: record.rows,
            open_import_id: record.open_import.clone(),
            reading: record.reading.clone(),
        }
    }

    /// Works on the registers of a source, off the runtime's threads.
    async fn on_disk<T: Send + 'static>(
        &self,
        source_id: String,
        work: impl FnOnce(&ArtifactStore) -> Result<T, ArtifactError> + Send + 'static,
    ) -> Result<T, ImportError> {
        let registers = self.registers.clone();
        let done = tokio::task::spawn_blocking(move || work(&registers)).await;
        let done = done.map_err(|_| ImportError::ShuttingDown)?;
        done.map_err(|error| ImportError::from(error).of_source(&source_id))
    }

    /// The import of an id.
    pub(crate) fn get(&self, import_id: &str) -> Result<Import, ImportError> {
        self.store.import(import_id).map(|record| record.import())
    }

    /// The imports of a source, or all: the newest first.
    pub(crate) fn list(
        &self,
        request: &ListImportsRequest,
    ) -> Result<ListImportsResponse, ImportError> {
        let found = self.store.imports(&request.source_id);
        let size = page_size(request.page_size)? as usize;
        let start = if request.page_token.is_empty() {
            0
        } else {
            let last =
                found.iter().position(|record| record.import().import_id == request.page_token);
            let Some(last) = last else {
                let problem = "is malformed; pass next_page_token exactly as it was returned";
                return Err(ImportError::unordered("page_token", problem));
            };
            last + 1
        };
        let page = found[start..].iter().take(size).map(|record| record.import());
        let imports: Vec<Import> = page.collect();
        let last = imports.last().filter(|_| start + imports.len() < found.len());
        let next_page_token = last.map(|import| import.import_id.clone()).unwrap_or_default();
        Ok(ListImportsResponse { imports, next_page_token })
    }

    fn check_version(&self) -> Result<(), ImportError> {
        match self.ingest.apply_version() >= SINCE {
            true => Ok(()),
            false => Err(ImportError::OldVersion),
        }
    }

    fn now(&self) -> prost_types::Timestamp {
        time::now(&self.clock)
    }
}

fn check_source(source_id: &str) -> Result<(), ImportError> {
    if (1..=64).contains(&source_id.len()) && source_id.bytes().all(may_be_in_source_id) {
        return Ok(());
    }
    Err(ImportError::unordered("source_id", "must be 1 to 64 of a-z, 0-9, - and _"))
}

/// Whether the id of a source may have this byte.
fn may_be_in_source_id(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
}
