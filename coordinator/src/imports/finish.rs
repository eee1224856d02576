//! The end of an import, and its being undone: the register is swapped, and the log says what counts
//! no longer.
//!
//! Both may be asked for again after a crash at any point: to retract again changes nothing.

use std::collections::BTreeMap;

use mercer_common::artifact::ArtifactError;
use mercer_proto::{
    internal::Retract,
    v1::{
        FinishImportRequest, FinishImportResponse, Import, ImportState, UndoImportRequest,
        UndoImportResponse,
    },
};
use uuid::Uuid;

use super::{
    ImportError, Imports, edit,
    store::{ImportRecord, SourceRecord},
};
use crate::ingest::Ingest;

/// Rows in one record of the log.
const ROWS_A_RECORD: usize = 20_000;
/// Rows that the log did not take.
const MOST_REFUSED: usize = 100_000;

impl Imports {
    /// Everything of an import is in the log.
    pub(crate) async fn finish(
        &self,
        request: FinishImportRequest,
    ) -> Result<FinishImportResponse, ImportError> {
        let (refused, rest) = request.refused_rows.as_chunks::<16>();
        if !rest.is_empty() || refused.len() > MOST_REFUSED {
            let problem = format!("must hold 16 bytes a row, of at most {MOST_REFUSED} rows");
            return Err(ImportError::unordered("refused_rows", &problem));
        }
        let refused = refused.to_vec();
        let _changes = self.changes.lock().await;
        let mut record = (*self.store.import(&request.import_id)?).clone();
        if record.state() == ImportState::Done {
            // It was asked before, and the answer was lost.
            return Ok(FinishImportResponse { import: record.import, token: String::new() });
        }
        check_open(&record)?;
        if let Some(import) = record.import.as_mut().filter(|import| !import.kind.is_empty()) {
            import.new = request.records;
        }
        let mut source = (*self.store.source(record.source_id())?).clone();
        if source.open_import != request.import_id {
            // It was finished before, up to its own record.
            return self.note_done(record, String::new()).await;
        }
        let (as_is, present, ingest) = (record.clone(), source.clone(), self.ingest.clone());
        let (staged, retracts, refused) = self
            .on_disk(source.source_id.clone(), move |registers| {
                let staged = match refused.as_slice() {
                    [] => as_is.staged.clone(),
                    refused => edit::without_refused(registers, &present, &as_is, refused)?,
                };
                let taken = edit::taken(registers, &as_is)?;
                let rows = taken.iter().map(|(_, known)| known.stamp()).collect();
                Ok((staged, retract_rows(&as_is, rows, &ingest), refused.len() as u64))
            })
            .await?;
        record.staged = staged;
        record.rows = record.rows.saturating_sub(refused);
        let token = self.ingest.retract(retracts).await?;
        source.swap(&record.staged);
        source.rows = record.rows;
        source.reading.extend(record.reading.clone());
        source.open_import.clear();
        self.store.put_source(source.clone()).await?;
        let finished = self.note_done(record, token).await?;
        self.sweep(source).await;
        Ok(finished)
    }

    pub(super) async fn note_done(
        &self,
        mut record: ImportRecord,
        token: String,
    ) -> Result<FinishImportResponse, ImportError> {
        if let Some(import) = &mut record.import {
            import.end_time = Some(self.now());
            import.set_state(ImportState::Done);
        }
        self.store.put_import(record.clone()).await?;
        Ok(FinishImportResponse { import: record.import, token })
    }

    /// Takes out what an import has loaded, and with it the later ones of its source if asked.
    pub(crate) async fn undo(
        &self,
        request: UndoImportRequest,
    ) -> Result<UndoImportResponse, ImportError> {
        self.check_version()?;
        let _changes = self.changes.lock().await;
        let chosen = self.store.import(&request.import_id)?;
        if chosen.state() == ImportState::Undone {
            let import_id = request.import_id;
            return Err(ImportError::NotOpen { import_id, state: "undone already" });
        }
        let mut undone = self.store.standing(chosen.source_id());
        undone.retain(|record| record.number >= chosen.number);
        undone.sort_by_key(|record| std::cmp::Reverse(record.number));
        if let Some(later) = undone.first()
            && later.number > chosen.number
            && !request.with_later
        {
            return Err(ImportError::Later { later: later.import().import_id });
        }
        let mut source = (*self.store.source(chosen.source_id())?).clone();
        let (records, present) = (undone.clone(), source.clone());
        let (staged, rows) = self
            .on_disk(source.source_id.clone(), move |registers| {
                // Those that were undone before, up to their own records, have left nothing behind.
                let left = records.iter().filter(|one| !present.undone.contains(&one.number));
                edit::without_imports(registers, &present, &left.collect::<Vec<_>>())
            })
            .await?;
        let token = self.ingest.retract(retract_imports(&undone)).await?;
        source.swap(&staged);
        source.rows = rows;
        source.open_import.clear();
        source.undone = undone.iter().map(|record| record.number).collect();
        source.reading = self.reading_before(chosen.source_id(), chosen.number);
        self.store.put_source(source.clone()).await?;
        let imports = self.note_undone(undone).await?;
        self.sweep(source).await;
        Ok(UndoImportResponse { imports, token })
    }

    async fn note_undone(&self, undone: Vec<ImportRecord>) -> Result<Vec<Import>, ImportError> {
        let mut imports = Vec::new();
        for mut record in undone {
            if let Some(import) = &mut record.import {
                import.end_time = Some(self.now());
                import.set_state(ImportState::Undone);
                imports.push(import.clone());
            }
            self.store.put_import(record).await?;
        }
        Ok(imports)
    }

    /// Takes out what an open import has loaded, of which the register knows nothing.
    pub(super) async fn withdraw(&self, open: &ImportRecord) -> Result<(), ImportError> {
        self.ingest.retract(retract_imports(std::slice::from_ref(open))).await?;
        let mut source = (*self.store.source(open.source_id())?).clone();
        source.open_import.clear();
        source.undone = vec![open.number];
        self.store.put_source(source).await?;
        self.note_undone(vec![open.clone()]).await?;
        Ok(())
    }

    /// How the files were read before the import of this number.
    fn reading_before(&self, source_id: &str, number: u32) -> BTreeMap<String, String> {
        let mut standing = self.store.standing(source_id);
        standing.retain(|record| record.state() == ImportState::Done && record.number < number);
        standing.sort_by_key(|record| record.number);
        standing.into_iter().flat_map(|record| record.reading).collect()
    }

    /// Removes what nobody needs of a source that has changed. What stays behind costs space, and
    /// goes with the next change.
    pub(super) async fn sweep(&self, source: SourceRecord) {
        let imports = self.store.standing(&source.source_id);
        let source_id = source.source_id.clone();
        let swept =
            self.on_disk(source_id, move |registers| edit::sweep(registers, &source, &imports));
        if let Err(error) = swept.await {
            tracing::warn!(%error, "files of registers that nobody needs are not removed");
        }
    }
}

impl ImportError {
    /// Names the source whose register cannot be read.
    pub(super) fn of_source(self, source_id: &str) -> Self {
        match self {
            Self::Artifact(
                cause @ (ArtifactError::Missing { .. }
                | ArtifactError::Damaged { .. }
                | ArtifactError::Layout { .. }),
            ) => Self::Register { source_id: source_id.to_owned(), cause },
            other => other,
        }
    }
}

fn check_open(record: &ImportRecord) -> Result<(), ImportError> {
    let state = match record.state() {
        ImportState::Open => return Ok(()),
        ImportState::Done => "done",
        ImportState::Undone => "undone",
        ImportState::Unspecified => "unknown",
    };
    Err(ImportError::NotOpen { import_id: record.import().import_id, state })
}

fn id_bytes(import: &Import) -> Vec<u8> {
    Uuid::try_parse(&import.import_id).unwrap_or_default().into_bytes().to_vec()
}

/// Takes rows out, in as many records as they need. Each side's list is sorted by itself, so that
/// the records do not tell which number of one belongs to which of the other.
fn retract_rows(record: &ImportRecord, mut rows: Vec<[u8; 16]>, ingest: &Ingest) -> Vec<Retract> {
    rows.sort_unstable();
    let import_id = id_bytes(&record.import());
    let parts = rows.len().div_ceil(ROWS_A_RECORD);
    let mut retracts = Vec::with_capacity(parts);
    for (part, rows) in rows.chunks(ROWS_A_RECORD).enumerate() {
        let mut marks: Vec<u64> = rows.iter().map(|row| ingest.mark(row)).collect();
        marks.sort_unstable();
        retracts.push(Retract {
            import_id: import_id.clone(),
            whole: false,
            item_rows: rows.concat(),
            user_marks: marks.iter().flat_map(|mark| mark.to_be_bytes()).collect(),
            more: part + 1 < parts,
            part: u32::try_from(part).unwrap_or(u32::MAX),
        });
    }
    retracts
}

/// Takes whole imports out, together.
fn retract_imports(undone: &[ImportRecord]) -> Vec<Retract> {
    let last = undone.len().saturating_sub(1);
    let mut retracts = Vec::with_capacity(undone.len());
    for (place, record) in undone.iter().enumerate() {
        retracts.push(Retract {
            import_id: id_bytes(&record.import()),
            whole: true,
            more: place < last,
            ..Retract::default()
        });
    }
    retracts
}
