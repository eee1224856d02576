//! The end of an import, and its being undone: the register is swapped, and the log says what counts
//! no longer.
//!
//! Both may be asked for again after a crash at any point: to retract again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

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
    ImportError, Imports, TAKEN_KIND,
    register::{Month, MonthWriter, OpenMonth},
    row::{Day, Known},
    store::{ImportRecord, MonthRecord, SourceRecord, month_record},
};

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
        let _changes = self.changes.lock().await;
        let mut record = (*self.store.import(&request.import_id)?).clone();
        if record.state() == ImportState::Done {
            // It was asked before, and the answer was lost.
            return Ok(FinishImportResponse { import: record.import, token: String::new() });
        }
        check_open(&record)?;
        let mut source = (*self.store.source(record.source_id())?).clone();
        if source.open_import != request.import_id {
            // It was finished before, up to its own record.
            return self.note_done(record, String::new()).await;
        }
        if !refused.is_empty() {
            record.rows = record.rows.saturating_sub(refused.len() as u64);
            record.staged = self.without_refused(&source, &record, refused)?;
        }
        let taken = self.taken(&record)?;
        let rows: Vec<[u8; 16]> = taken.iter().map(|(_, known)| known.stamp()).collect();
        let token =
            self.ingest.retract(retract_rows(&record, rows, |row| self.ingest.mark(row))).await?;
        source.swap(&record.staged);
        source.rows = record.rows;
        source.open_import.clear();
        self.store.put_source(source).await?;
        self.note_done(record, token).await
    }

    async fn note_done(
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
        let of_source = self.store.imports(chosen.source_id());
        let mut undone: Vec<ImportRecord> = of_source
            .iter()
            .filter(|one| one.number >= chosen.number && one.state() != ImportState::Undone)
            .map(|one| (**one).clone())
            .collect();
        undone.sort_by_key(|record| std::cmp::Reverse(record.number));
        if let Some(later) = undone.first()
            && later.number > chosen.number
            && !request.with_later
        {
            return Err(ImportError::Later { later: later.import().import_id });
        }
        let mut source = (*self.store.source(chosen.source_id())?).clone();
        // Those that were undone before, up to their own records, have left nothing behind.
        let left = |record: &&ImportRecord| !source.undone.contains(&record.number);
        let left: Vec<&ImportRecord> = undone.iter().filter(left).collect();
        let staged = self.without_imports(&source, &left)?;
        let token = self.ingest.retract(retract_imports(&undone)).await?;
        source.swap(&staged);
        source.rows = self.count(&source)?;
        source.open_import.clear();
        source.undone = undone.iter().map(|record| record.number).collect();
        self.store.put_source(source).await?;
        let mut imports = Vec::new();
        for mut record in undone {
            if let Some(import) = &mut record.import {
                import.end_time = Some(self.now());
                import.set_state(ImportState::Undone);
                imports.push(import.clone());
            }
            self.store.put_import(record).await?;
        }
        Ok(UndoImportResponse { imports, token })
    }

    /// The rows that an import takes out.
    fn taken(&self, record: &ImportRecord) -> Result<Vec<(Day, Known)>, ImportError> {
        let Some(taken) = &record.taken else { return Ok(Vec::new()) };
        let read = || {
            let file = self.registers.open_artifact(taken)?;
            file.expect_kind(TAKEN_KIND)?;
            let (days, rows) = (file.section::<Day>(0)?, file.section::<Known>(1)?);
            match days.len() == rows.len() {
                true => Ok(days.iter().copied().zip(rows.iter().copied()).collect()),
                false => Err(file.layout("its days and rows do not agree")),
            }
        };
        read().map_err(|error| ImportError::from(error).of_source(record.source_id()))
    }

    /// The months of an import without rows that the log did not take.
    fn without_refused(
        &self,
        source: &SourceRecord,
        record: &ImportRecord,
        refused: &[[u8; 16]],
    ) -> Result<Vec<MonthRecord>, ImportError> {
        let mut left: BTreeMap<[u8; 16], usize> = BTreeMap::new();
        for row in refused {
            *left.entry(*row).or_default() += 1;
        }
        let mut staged = source.clone();
        staged.swap(&record.staged);
        let mut written = Vec::new();
        for month in &record.staged {
            let Some(name) = Month::parse(&month.name).filter(|_| month.file.is_some()) else {
                written.push(month.clone());
                continue;
            };
            let phase = format!("{}-taken-by-the-log", record.import().import_id);
            let keep = |_, known: &Known| {
                let is_refused = known.import == record.number
                    && left.get_mut(&known.stamp()).is_some_and(|left| match left {
                        0 => false,
                        _ => {
                            *left -= 1;
                            true
                        }
                    });
                !is_refused
            };
            written.push(self.rewrite(&staged, name, &phase, keep, &[])?);
        }
        Ok(written)
    }

    /// The months of a source as if these imports had never been.
    fn without_imports(
        &self,
        source: &SourceRecord,
        undone: &[&ImportRecord],
    ) -> Result<Vec<MonthRecord>, ImportError> {
        let numbers: BTreeSet<u32> = undone.iter().map(|record| record.number).collect();
        let mut months = BTreeSet::new();
        let mut back = Vec::new();
        // The register knows nothing of an import that is open.
        let is_in = |record: &&&ImportRecord| record.import().import_id != source.open_import;
        for record in undone.iter().filter(is_in) {
            months.extend(record.staged.iter().filter_map(|month| Month::parse(&month.name)));
            back.extend(self.taken(record)?);
        }
        back.retain(|(_, known)| !numbers.contains(&known.import));
        months.extend(back.iter().filter_map(|(day, _)| Month::of(*day)));
        let phase = format!("{}-undone", Uuid::new_v4());
        let keep = |_, known: &Known| !numbers.contains(&known.import);
        months.into_iter().map(|month| self.rewrite(source, month, &phase, keep, &back)).collect()
    }

    /// Writes a month anew: of its rows those to `keep`, and those of `back` that are of it.
    fn rewrite(
        &self,
        source: &SourceRecord,
        month: Month,
        phase: &str,
        mut keep: impl FnMut(Day, &Known) -> bool,
        back: &[(Day, Known)],
    ) -> Result<MonthRecord, ImportError> {
        let of_source =
            |error: ArtifactError| ImportError::from(error).of_source(&source.source_id);
        let known = OpenMonth::open(&self.registers, &source.months(), month).map_err(of_source)?;
        let mut writer = MonthWriter::create(&self.registers, &source.source_id, phase, month)?;
        for day in month.days() {
            let mut rows = known.day(day).map_err(of_source)?.to_vec();
            rows.retain(|known| keep(day, known));
            rows.extend(back.iter().filter(|(of, _)| *of == day).map(|(_, known)| *known));
            rows.sort_unstable();
            writer.append(day, &rows)?;
        }
        Ok(month_record(month, writer.finish()?))
    }

    fn count(&self, source: &SourceRecord) -> Result<u64, ImportError> {
        let months = source.months();
        let rows = months.keys().map(|month| {
            OpenMonth::open(&self.registers, &months, *month).map(|month| month.rows())
        });
        rows.sum::<Result<u64, _>>()
            .map_err(|error| ImportError::from(error).of_source(&source.source_id))
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
fn retract_rows(
    record: &ImportRecord,
    mut rows: Vec<[u8; 16]>,
    mark: impl Fn(&[u8; 16]) -> u64,
) -> Vec<Retract> {
    rows.sort_unstable();
    let import_id = id_bytes(&record.import());
    let parts = rows.len().div_ceil(ROWS_A_RECORD);
    let part = |(part, rows): (usize, &[[u8; 16]])| {
        let mut marks: Vec<u64> = rows.iter().map(&mark).collect();
        marks.sort_unstable();
        Retract {
            import_id: import_id.clone(),
            whole: false,
            item_rows: rows.concat(),
            user_marks: marks.iter().flat_map(|mark| mark.to_be_bytes()).collect(),
            more: part + 1 < parts,
            part: u32::try_from(part).unwrap_or(u32::MAX),
        }
    };
    rows.chunks(ROWS_A_RECORD).enumerate().map(part).collect()
}

/// Takes whole imports out, together.
fn retract_imports(undone: &[ImportRecord]) -> Vec<Retract> {
    let last = undone.len().saturating_sub(1);
    let retract = |(place, record): (usize, &ImportRecord)| Retract {
        import_id: id_bytes(&record.import()),
        whole: true,
        more: place < last,
        ..Retract::default()
    };
    undone.iter().enumerate().map(retract).collect()
}
