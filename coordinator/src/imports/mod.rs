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
mod compare;
mod edit;
mod error;
mod finish;
mod register;
mod row;
mod store;

use std::{path::Path, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    clock::SharedClock,
    ids::Checker,
    metadata::Metadata,
    space::Floor,
};
use mercer_proto::v1::{
    Import, ImportHeader, ImportRows, ImportSource, ImportState, ImportSummary, ListImportsRequest,
    ListImportsResponse, RowChoice,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use announced::{Announced, Announcement, Terms};
pub(crate) use error::ImportError;
use row::{ROW_BYTES, Row};
pub(crate) use store::OpenImports;
use store::{ImportRecord, SourceRecord, Store, month_record};

use crate::{ingest::Ingest, query::page_size};

/// The folder of registers, in that of the coordinator.
pub(crate) const FOLDER: &str = "imports";
/// What records mean since imports can be taken out.
const SINCE: u32 = 4;
const FILES: usize = 100;
/// Rows in one message.
const MOST_ROWS: usize = 50_000;

/// All sources and their imports.
pub(crate) struct Imports {
    store: Store,
    registers: ArtifactStore,
    ingest: Arc<Ingest>,
    clock: SharedClock,
    /// One source changes at a time: imports are long, and what changes them is short.
    changes: tokio::sync::Mutex<()>,
}

/// What `Begin` is told next.
pub(crate) enum Told {
    Rows(ImportRows),
    /// The client has sent all rows.
    End,
}

impl Imports {
    /// Loads what an earlier run stored; `folder` is the coordinator's.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        folder: &Path,
        floor: Floor,
        ingest: Arc<Ingest>,
        clock: SharedClock,
    ) -> Result<Self, crate::StartError> {
        let registers = ArtifactStore::open(&folder.join(FOLDER))?.with_floor(floor);
        let store = Store::load(metadata, ingest.open_imports()).await?;
        Ok(Self { store, registers, ingest, clock, changes: tokio::sync::Mutex::default() })
    }

    /// A source, created if it is new.
    pub(crate) async fn open_source(&self, source_id: &str) -> Result<ImportSource, ImportError> {
        check_source(source_id)?;
        self.check_version()?;
        let _changes = self.changes.lock().await;
        let record = match self.store.source(source_id) {
            Ok(record) => record,
            Err(_) => {
                let record = SourceRecord { source_id: source_id.to_owned(), ..Default::default() };
                self.store.put_source(record).await?;
                self.store.source(source_id)?
            }
        };
        Ok(ImportSource {
            source_id: record.source_id.clone(),
            row_key: self.ingest.row_key().to_vec(),
            rows: record.rows,
            open_import_id: record.open_import.clone(),
        })
    }

    /// Compares announced rows with the register of their source, sends their states to `states`,
    /// and opens an import unless something is to be decided, or nothing is to be loaded.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        header: ImportHeader,
        told: mpsc::Receiver<Told>,
        states: mpsc::Sender<Vec<u8>>,
    ) -> Result<ImportSummary, ImportError> {
        check_header(&header)?;
        self.check_version()?;
        let source = self.store.source(&header.source_id)?;
        let open = self.store.import(&source.open_import).ok();
        if let Some(open) = &open
            && open.digest != header.digest
        {
            return Err(self.is_open(&source));
        }
        let terms = terms(&source, open.as_deref(), &header);
        let (registers, months) = (self.registers.clone(), source.months());
        let compare = terms.clone();
        let source_id = source.source_id.clone();
        let work = move || announce(Announcement::new(registers, months, compare), told, &states);
        let announced = tokio::task::spawn_blocking(work).await;
        let announced = announced.map_err(|_| ImportError::ShuttingDown)?;
        let announced = announced.map_err(|error| error.of_source(&source_id));
        let import = terms.import.clone();
        let begun = match announced {
            Ok(announced) => {
                self.open_import(&source, open.as_deref(), header, terms, announced).await
            }
            // Its files may have gone with the change.
            Err(_) if *self.store.source(&source_id)? != *source => {
                Err(ImportError::Changed { source_id: source_id.clone() })
            }
            Err(error) => Err(error),
        };
        let is_new = open.is_none();
        let came_to_nothing = begun.as_ref().map_or(true, |summary| summary.import_id.is_empty());
        if is_new && came_to_nothing {
            let discard = move |registers: &_| edit::discard(registers, &source.source_id, &import);
            self.on_disk(source_id, discard).await?;
        }
        begun
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

    /// Opens the import of what was announced.
    async fn open_import(
        &self,
        source: &SourceRecord,
        open: Option<&ImportRecord>,
        header: ImportHeader,
        terms: Terms,
        announced: Announced,
    ) -> Result<ImportSummary, ImportError> {
        let counts = announced.counts;
        let came = counts.known + counts.new + counts.changed;
        if came != header.rows {
            let problem = format!("is {}, and {came} rows came", header.rows);
            return Err(ImportError::unordered("header.rows", &problem));
        }
        let mut summary = ImportSummary {
            known: counts.known,
            new: counts.new,
            changed: counts.changed,
            missing: counts.missing,
            ..ImportSummary::default()
        };
        let undecided = |count, choice| count > 0 && choice == RowChoice::Unspecified;
        let is_undecided =
            undecided(counts.changed, terms.changed) || undecided(counts.missing, terms.missing);
        let replaces = counts.changed > 0 && terms.changed == RowChoice::File;
        let loads = counts.new > 0 || replaces || !announced.taken.is_empty();
        if is_undecided || !loads {
            return Ok(summary);
        }
        summary.import_id.clone_from(&terms.import);
        if open.is_some() {
            summary.resumed = true;
            return Ok(summary);
        }
        let (source_id, import, rows) =
            (terms.source.clone(), terms.import.clone(), announced.taken);
        let keep = move |registers: &_| edit::keep_taken(registers, &source_id, &import, &rows);
        let taken = self.on_disk(terms.source.clone(), keep).await?;
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let import = Import {
            import_id: terms.import.clone(),
            source_id: terms.source.clone(),
            state: ImportState::Open.into(),
            files: header.files,
            begin_time: Some(self.now()),
            end_time: None,
            known: counts.known,
            new: counts.new,
            changed: counts.changed,
            missing: counts.missing,
            changed_choice: terms.changed.into(),
            missing_choice: terms.missing.into(),
            first_time: time(header.first_time),
            last_time: time(header.last_time),
        };
        let staged = announced.staged.into_iter().map(|(month, file)| (month, Some(file)));
        let emptied = announced.emptied.into_iter().map(|month| (month, None));
        let gone = if terms.missing == RowChoice::File { counts.missing } else { 0 };
        let record = ImportRecord {
            import: Some(import),
            number: terms.number,
            digest: header.digest,
            staged: staged.chain(emptied).map(|(month, file)| month_record(month, file)).collect(),
            taken,
            rows: (source.rows + counts.new).saturating_sub(gone),
        };
        let _changes = self.changes.lock().await;
        let mut present = (*self.store.source(&terms.source)?).clone();
        if present != *source {
            return Err(ImportError::Changed { source_id: terms.source });
        }
        // First the source, in all that follows too: what it says holds, and what an import says is
        // made to agree when it is asked for again.
        (present.open_import, present.last_number) = (terms.import.clone(), terms.number);
        self.store.put_source(present).await?;
        self.store.put_import(record).await?;
        Ok(summary)
    }

    /// One import.
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
        let is_last = |record: &Arc<ImportRecord>| record.import().import_id == request.page_token;
        let start = match request.page_token.as_str() {
            "" => 0,
            _ => found.iter().position(is_last).map(|last| last + 1).ok_or_else(|| {
                let problem = "is malformed; pass next_page_token exactly as it was returned";
                ImportError::unordered("page_token", problem)
            })?,
        };
        let page = found[start..].iter().take(size).map(|record| record.import());
        let imports: Vec<Import> = page.collect();
        let last = imports.last().filter(|_| start + imports.len() < found.len());
        let next_page_token = last.map(|import| import.import_id.clone()).unwrap_or_default();
        Ok(ListImportsResponse { imports, next_page_token })
    }

    fn is_open(&self, source: &SourceRecord) -> ImportError {
        ImportError::Open { source_id: source.source_id.clone(), open: source.open_import.clone() }
    }

    fn check_version(&self) -> Result<(), ImportError> {
        match self.ingest.apply_version() >= SINCE {
            true => Ok(()),
            false => Err(ImportError::OldVersion),
        }
    }

    fn now(&self) -> prost_types::Timestamp {
        crate::experiments::now(&self.clock)
    }
}

/// What decides about the rows of a file: an import that goes on keeps what was chosen.
fn terms(source: &SourceRecord, open: Option<&ImportRecord>, header: &ImportHeader) -> Terms {
    let span = (header.first_time, header.last_time);
    let source_id = source.source_id.clone();
    match open {
        Some(record) => {
            let import = record.import();
            Terms {
                source: source_id,
                number: record.number,
                span,
                changed: import.changed_choice(),
                missing: import.missing_choice(),
                import: import.import_id,
            }
        }
        None => Terms {
            source: source_id,
            import: Uuid::new_v4().to_string(),
            number: source.last_number + 1,
            span,
            changed: header.changed(),
            missing: header.missing(),
        },
    }
}

/// Compares rows as they come. Blocks on the disk and on the client.
fn announce(
    mut announcement: Announcement,
    mut told: mpsc::Receiver<Told>,
    states: &mpsc::Sender<Vec<u8>>,
) -> Result<Announced, ImportError> {
    loop {
        let rows = match told.blocking_recv() {
            Some(Told::Rows(rows)) => rows,
            Some(Told::End) => break,
            None => return Err(ImportError::ShuttingDown),
        };
        let (whole, rest) = rows.rows.as_chunks::<ROW_BYTES>();
        if !rest.is_empty() || whole.len() > MOST_ROWS {
            let problem = format!("must hold {ROW_BYTES} bytes a row, of at most {MOST_ROWS} rows");
            return Err(ImportError::unordered("rows.rows", &problem));
        }
        let whole: Vec<Row> = whole.iter().map(Row::read).collect();
        let known = announcement.rows(rows.day, &whole)?;
        if states.blocking_send(known).is_err() {
            return Err(ImportError::ShuttingDown);
        }
    }
    let mut announced = announcement.finish()?;
    let rest = std::mem::take(&mut announced.states);
    states.blocking_send(rest).map_err(|_| ImportError::ShuttingDown)?;
    Ok(announced)
}

fn check_source(source_id: &str) -> Result<(), ImportError> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if (1..=64).contains(&source_id.len()) && source_id.bytes().all(plain) {
        return Ok(());
    }
    Err(ImportError::unordered("source_id", "must be 1 to 64 of a-z, 0-9, - and _"))
}

fn check_header(header: &ImportHeader) -> Result<(), ImportError> {
    check_source(&header.source_id)?;
    let mut checker = Checker::default();
    if header.digest.len() != 16 {
        checker.violation("header.digest", "must have 16 bytes");
    }
    checker.count(|| "header.files".into(), header.files.len(), FILES);
    for (index, file) in header.files.iter().enumerate().take(FILES) {
        checker.label(|| format!("header.files[{index}]"), file);
    }
    if header.first_time > header.last_time {
        checker.violation("header.first_time", "is after last_time");
    }
    checker.finish()?;
    Ok(())
}
