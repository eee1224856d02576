//! What finishing and undoing change in the registers, and which files nobody needs any more. All of
//! it blocks on the disk.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout,
};
use uuid::Uuid;

use super::{
    announced::without,
    register::{Month, OpenMonth, months_of, of_day, rewrite},
    row::{Day, Known},
    store::{ImportRecord, MonthRecord, SourceRecord, month_record},
};

layout! {
    /// The rows that an import takes out.
    enum Taken: "import-taken-1" {
        /// Day of each row.
        DAYS: Day,
        /// The rows.
        ROWS: Known,
    }
}

const TAKEN: &str = "taken";

/// Keeps the rows that an import takes out; `None` where it takes none.
pub(super) fn keep_taken(
    store: &ArtifactStore,
    source: &str,
    import: &str,
    taken: &[(Day, Known)],
) -> Result<Option<ArtifactRef>, ArtifactError> {
    if taken.is_empty() {
        return Ok(None);
    }
    let (days, rows): (Vec<Day>, Vec<Known>) = taken.iter().copied().unzip();
    let mut writer = Taken::LAYOUT.writer(store, source, import, TAKEN)?;
    writer.write(Taken::DAYS, &days)?;
    writer.write(Taken::ROWS, &rows)?;
    writer.finish().map(Some)
}

/// The rows that an import takes out.
pub(super) fn taken(
    store: &ArtifactStore,
    record: &ImportRecord,
) -> Result<Vec<(Day, Known)>, ArtifactError> {
    let Some(taken) = &record.taken else { return Ok(Vec::new()) };
    let file = Taken::LAYOUT.open(store, taken)?;
    let (days, rows) = (file.get(Taken::DAYS), file.get(Taken::ROWS));
    match days.len() == rows.len() {
        true => Ok(days.iter().copied().zip(rows.iter().copied()).collect()),
        false => Err(file.layout("its days and rows do not agree")),
    }
}

/// The months of an import without rows that the log did not take.
pub(super) fn without_refused(
    store: &ArtifactStore,
    source: &SourceRecord,
    record: &ImportRecord,
    refused: &[[u8; 16]],
) -> Result<Vec<MonthRecord>, ArtifactError> {
    let mut left: BTreeMap<[u8; 16], usize> = BTreeMap::new();
    for row in refused {
        *left.entry(*row).or_default() += 1;
    }
    let mut staged = source.clone();
    staged.swap(&record.staged);
    let months = staged.months();
    let phase = format!("{}-taken-by-the-log", record.import().import_id);
    let mut written = Vec::new();
    for staged in &record.staged {
        let Some(month) = Month::parse(&staged.name).filter(|_| staged.file.is_some()) else {
            written.push(staged.clone());
            continue;
        };
        let file = rewrite(store, &source.source_id, &phase, &months, month, |_, rows| {
            rows.retain(|known| match left.get_mut(&known.stamp()) {
                Some(left) if *left > 0 && known.import == record.number => {
                    *left -= 1;
                    false
                }
                Some(_) | None => true,
            });
        })?;
        written.push(month_record(month, file));
    }
    Ok(written)
}

/// The months of a source as if these imports had never been, and how many rows it then has.
pub(super) fn without_imports(
    store: &ArtifactStore,
    source: &SourceRecord,
    undone: &[&ImportRecord],
) -> Result<(Vec<MonthRecord>, u64), ArtifactError> {
    let numbers: BTreeSet<u32> = undone.iter().map(|record| record.number).collect();
    let mut months = BTreeSet::new();
    let mut back = Vec::new();
    for record in undone {
        // The register knows nothing of an import that is open.
        if record.import().import_id == source.open_import {
            continue;
        }
        months.extend(record.staged.iter().filter_map(|month| Month::parse(&month.name)));
        back.extend(taken(store, record)?);
    }
    back.retain(|(_, known)| !numbers.contains(&known.import));
    back.sort_unstable();
    months.extend(months_of(&back));
    let (phase, present) = (format!("{}-undone", Uuid::new_v4()), source.months());
    let mut written = Vec::new();
    for month in months {
        let file = rewrite(store, &source.source_id, &phase, &present, month, |day, rows| {
            rows.retain(|known| !numbers.contains(&known.import));
            rows.extend(of_day(&back, day));
        })?;
        written.push(month_record(month, file));
    }
    let mut after = source.clone();
    after.swap(&written);
    let months = after.months();
    let rows = months.keys().map(|month| Ok(OpenMonth::open(store, &months, *month)?.rows()));
    let rows: Result<u64, ArtifactError> = rows.sum();
    Ok((written, rows?))
}

/// Removes what was written for an announcement of which nothing came.
pub(super) fn discard(
    store: &ArtifactStore,
    source: &str,
    import: &str,
) -> Result<(), ArtifactError> {
    store.remove_job_phase(source, import)?;
    store.remove_job_phase(source, &without(import))
}

/// Removes the files of a source that none of its records names. A comparison that is under way loses
/// its own: the source is another one than it began with.
pub(super) fn sweep(
    store: &ArtifactStore,
    source: &SourceRecord,
    imports: &[ImportRecord],
) -> Result<(), ArtifactError> {
    let needed = source.files(imports.iter());
    let own = format!("jobs/{}/", source.source_id);
    for file in store.list()? {
        if file.path.starts_with(&own) && !needed.contains(file.path.as_str()) {
            store.remove(&file)?;
        }
    }
    Ok(())
}
