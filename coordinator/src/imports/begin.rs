//! The beginning of an import: its rows are compared, and it is opened unless something is to be
//! decided first.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::ids::Checker;
use mercer_proto::v1::{
    Import, ImportHeader, ImportRows, ImportState, ImportSummary, RowChoice, SharedRows,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    ImportError, Imports,
    announced::{Announced, Announcement, Terms},
    check_source, edit,
    others::Other,
    row::{ROW_BYTES, Row},
    store::{ImportRecord, SourceRecord, month_record},
};

const FILES: usize = 100;
/// Entries of a reading, and bytes of a name or a value.
const READING: (usize, usize) = (100, 1_000);
/// Rows in one message.
const MOST_ROWS: usize = 50_000;

/// A part of an announcement, as it comes.
pub(crate) enum Part {
    Rows(ImportRows),
    /// The client has sent all rows.
    End,
}

impl Imports {
    /// Compares announced rows with the register of their source, sends their states to `states`,
    /// and opens an import unless something is to be decided, or nothing is to be loaded.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        header: ImportHeader,
        parts: mpsc::Receiver<Part>,
        states: mpsc::Sender<Vec<u8>>,
    ) -> Result<ImportSummary, ImportError> {
        check_header(&header)?;
        self.check_version()?;
        let source = self.store.source_or_new(&header.source_id);
        if source.of_records {
            return Err(ImportError::unordered("header.source_id", "is no source of events"));
        }
        let open = self.store.import(&source.open_import).ok();
        if let Some(open) = &open
            && open.digest != header.digest
        {
            return Err(self.is_open(&source));
        }
        let terms = terms(&source, open.as_deref(), &header);
        let (registers, months) = (self.registers.clone(), source.months());
        let looks_around = source.rows == 0 && open.is_none() && !header.apart;
        let around = if looks_around { self.around(&source.source_id) } else { Vec::new() };
        let mut others = Vec::with_capacity(around.len());
        for other in &around {
            others.push(Other::new(other.source_id.clone(), other.months()));
        }
        let announcement = Announcement::new(registers, months, others, terms.clone());
        let source_id = source.source_id.clone();
        let announcing =
            tokio::task::spawn_blocking(move || announce(announcement, parts, &states));
        let announced = announcing.await.map_err(|_| ImportError::ShuttingDown)?;
        let announced = announced.map_err(|error| error.of_source(&source_id));
        let import = terms.import.clone();
        let begun = match announced {
            Ok(announced) => {
                self.open_import(&source, open.as_deref(), header, terms, announced).await
            }
            // Files may have gone with a change.
            Err(_) if self.store.source_or_new(&source_id) != source || self.differ(&around) => {
                Err(ImportError::Changed { source_id: source_id.clone() })
            }
            Err(error) => Err(error),
        };
        let is_new = open.is_none();
        let came_to_nothing = begun.as_ref().map_or(true, |summary| summary.import_id.is_empty());
        if is_new && came_to_nothing {
            self.on_disk(source_id, move |registers| {
                edit::discard(registers, &source.source_id, &import)
            })
            .await?;
        }
        begun
    }

    /// All other sources that have loaded something.
    fn around(&self, source_id: &str) -> Vec<Arc<SourceRecord>> {
        let mut sources = self.store.sources();
        sources.retain(|source| source.source_id != source_id && source.rows > 0);
        sources
    }

    /// Whether one of these sources is another one by now.
    fn differ(&self, sources: &[Arc<SourceRecord>]) -> bool {
        for before in sources {
            let present = self.store.source(&before.source_id);
            if !present.is_ok_and(|present| present == *before) {
                return true;
            }
        }
        false
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
        if open.is_none() {
            let matched = counts.known + counts.changed;
            let may_be_known = source.rows > 0 && (matched == 0 || announced.lacking > 0);
            if may_be_known && !header.reread {
                summary.read_otherwise = read_otherwise(&source.reading, &header.reading);
            }
            let shared = announced.shared;
            summary.shared = shared.map(|(source_id, rows)| SharedRows { source_id, rows });
        }
        let undecided = |count, choice| count > 0 && choice == RowChoice::Unspecified;
        let is_undecided = undecided(counts.changed, terms.changed)
            || undecided(counts.missing, terms.missing)
            || !summary.read_otherwise.is_empty()
            || summary.shared.is_some();
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
        let taken = self
            .on_disk(terms.source.clone(), move |registers| {
                edit::keep_taken(registers, &source_id, &import, &rows)
            })
            .await?;
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
            kind: String::new(),
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
            reading: header.reading,
        };
        let _changes = self.changes.lock().await;
        let mut present = (*self.store.source_or_new(&terms.source)).clone();
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

    fn is_open(&self, source: &SourceRecord) -> ImportError {
        ImportError::Open { source_id: source.source_id.clone(), open: source.open_import.clone() }
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

/// The entries of which the source knows another value.
fn read_otherwise(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut differing = Vec::new();
    for (name, value) in now {
        if before.get(name).is_some_and(|before| before != value) {
            differing.push(name.clone());
        }
    }
    differing
}

/// Compares rows as they come. Blocks on the disk and on the client.
fn announce(
    mut announcement: Announcement,
    mut parts: mpsc::Receiver<Part>,
    states: &mpsc::Sender<Vec<u8>>,
) -> Result<Announced, ImportError> {
    loop {
        let rows = match parts.blocking_recv() {
            Some(Part::Rows(rows)) => rows,
            Some(Part::End) => break,
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

fn check_header(header: &ImportHeader) -> Result<(), ImportError> {
    check_source(&header.source_id)?;
    let mut checker = Checker::default();
    if header.digest.len() != 16 {
        checker.violation("header.digest", "must have 16 bytes");
    }
    check_files(&mut checker, "header.files", &header.files);
    let (entries, bytes) = READING;
    checker.count(|| "header.reading".into(), header.reading.len(), entries);
    if header.reading.iter().any(|(name, value)| name.len().max(value.len()) > bytes) {
        let problem = format!("has a name or a value of more than {bytes} bytes");
        checker.violation("header.reading", &problem);
    }
    if header.first_time > header.last_time {
        checker.violation("header.first_time", "is after last_time");
    }
    checker.finish()?;
    Ok(())
}

/// Names of files are shown to people.
pub(super) fn check_files(checker: &mut Checker, field: &str, files: &[String]) {
    checker.count(|| field.into(), files.len(), FILES);
    for (index, file) in files.iter().enumerate().take(FILES) {
        checker.label(|| format!("{field}[{index}]"), file);
    }
}
