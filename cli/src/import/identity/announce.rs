//! Tells a cluster all rows of an import, and learns which of them are to be sent.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_proto::v1::{
    BeginImportRequest, BeginImportResponse, BeginRecordsRequest, FinishImportRequest, Import,
    ImportHeader, ImportRows, ImportSource, ImportSummary, OpenSourceRequest, RowChoice, RowState,
    begin_import_request, begin_import_response, import_service_client::ImportServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Code, transport::Channel};

use super::{
    Choice, RowsChoice, Sorter,
    several::{Several, settle},
    sorter::Merge,
};

/// Rows of one message.
const ROWS: usize = 20_000;
/// Messages on their way.
const DEPTH: usize = 2;

/// An import that is announced.
pub(crate) struct Announcing {
    pub(crate) source_id: String,
    pub(crate) files: Vec<String>,
    pub(crate) choice: Choice,
    /// Readings of the files, by name.
    pub(crate) reading: BTreeMap<String, String>,
    /// What, beside the rows, makes the same batches.
    pub(crate) sent_as: String,
    /// Number behind the last row of each file.
    pub(crate) ends: Vec<u64>,
}

/// Answer to an announcement.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) summary: ImportSummary,
    pub(crate) selection: Selection,
    pub(crate) several: Several,
}

/// Good rows that are to be sent, by their number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    bits: Vec<u64>,
    count: u64,
}

impl Selection {
    fn with(rows: u64) -> Self {
        let words = usize::try_from(rows.div_ceil(64)).unwrap_or(usize::MAX);
        Self { bits: vec![0; words], count: 0 }
    }

    fn add(&mut self, number: u64) {
        if let Some(word) = self.bits.get_mut(usize::try_from(number / 64).unwrap_or(usize::MAX)) {
            *word |= 1 << (number % 64);
            self.count += 1;
        }
    }

    /// Tells whether the row of this number is sent.
    pub(crate) fn contains(&self, number: u64) -> bool {
        let word = self.bits.get(usize::try_from(number / 64).unwrap_or(usize::MAX));
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Number of rows that are sent.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// The source, created if it is new.
pub(crate) async fn open_source(channel: &Channel, source_id: &str) -> Result<ImportSource> {
    let mut imports = ImportServiceClient::new(channel.clone());
    let request = OpenSourceRequest { source_id: source_id.to_owned() };
    Ok(imports.open_source(request).await?.into_inner())
}

/// Opens an import of records and gives its id. Where not every worker can take one out again there
/// is none.
pub(crate) async fn begin_records(
    channel: &Channel,
    source_id: String,
    files: Vec<String>,
    kind: String,
) -> Result<Option<String>> {
    let mut imports = ImportServiceClient::new(channel.clone());
    let begun = imports.begin_records(BeginRecordsRequest { source_id, files, kind }).await;
    match begun {
        Ok(import) => Ok(Some(import.into_inner().import_id)),
        Err(status) if status.code() == Code::FailedPrecondition => Ok(None),
        Err(status) => Err(status.into()),
    }
}

/// Says that all rows of an import were sent; of one of records, how many were taken.
pub(crate) async fn finish(
    channel: &Channel,
    import_id: &str,
    refused: &[Vec<u8>],
    records: u64,
) -> Result<(Import, String)> {
    let mut imports = ImportServiceClient::new(channel.clone());
    let refused_rows = refused.concat();
    let request = FinishImportRequest { import_id: import_id.to_owned(), refused_rows, records };
    let finished = imports.finish(request).await?.into_inner();
    Ok((finished.import.unwrap_or_default(), finished.token))
}

impl Announcing {
    /// Announces all rows of `sorter`. Nothing is announced while files of the import differ from each
    /// other and nobody said which is right.
    pub(crate) async fn run(self, channel: &Channel, sorter: Sorter) -> Result<Announced> {
        let Some((first_time, last_time)) = sorter.span() else {
            bail!("an import without rows is announced");
        };
        let (count, choice, ends) = (sorter.count(), self.choice, self.ends);
        let mut digest = sorter.digest(&self.sent_as);
        let differing = sorter.digest(&format!("{}, {:?}", self.sent_as, choice.rows));
        let sorting = tokio::task::spawn_blocking(move || -> io::Result<(Merge, Several)> {
            let rows = sorter.sorted()?;
            match ends.len() {
                0 | 1 => Ok((rows, Several { kept: count, ..Several::default() })),
                _ => settle(rows, &ends, choice.rows),
            }
        });
        let sorted = sorting.await.map_err(|_| anyhow!("the rows were not sorted"))?;
        let (rows, several) = sorted.context("sorting rows in temporary files")?;
        if several.differing > 0 {
            if choice.is_asked() {
                let (summary, selection) = (ImportSummary::default(), Selection::default());
                return Ok(Announced { summary, selection, several });
            }
            // With another choice it is another import.
            digest = differing;
        }
        let (changed, missing) = match choice.rows {
            RowsChoice::Ask => (RowChoice::Unspecified, RowChoice::Unspecified),
            RowsChoice::Keep => (RowChoice::Keep, RowChoice::Keep),
            RowsChoice::Correct => (RowChoice::File, RowChoice::Keep),
            RowsChoice::Complete => (RowChoice::File, RowChoice::File),
        };
        let header = ImportHeader {
            source_id: self.source_id,
            digest: digest.to_vec(),
            files: self.files,
            first_time,
            last_time,
            changed: changed.into(),
            missing: missing.into(),
            rows: several.kept,
            reading: self.reading,
            reread: choice.reread,
            apart: choice.apart,
        };
        let mut selection = Selection::with(count);
        let numbers = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, receiver) = mpsc::channel(DEPTH);
        let announcing = tokio::task::spawn_blocking({
            let numbers = Arc::clone(&numbers);
            move || announce(header, rows, &sender, &numbers)
        });
        let mut imports = ImportServiceClient::new(channel.clone());
        let mut answers = imports.begin(ReceiverStream::new(receiver)).await?.into_inner();
        let mut summary = None;
        while let Some(BeginImportResponse { part }) = answers.next().await.transpose()? {
            match part {
                Some(begin_import_response::Part::States(states)) => {
                    let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
                    for state in states {
                        let number = numbers.pop_front().context("a state of no row")?;
                        let state = RowState::try_from(i32::from(state)).unwrap_or_default();
                        let sends = match state {
                            RowState::New => true,
                            RowState::Changed => changed == RowChoice::File,
                            RowState::Known | RowState::Unspecified => false,
                        };
                        if sends {
                            selection.add(number);
                        }
                    }
                }
                Some(begin_import_response::Part::Summary(last)) => summary = Some(last),
                None => {}
            }
        }
        announcing.await.map_err(|_| anyhow!("the rows were not sorted"))??;
        let summary = summary.context("the server ended without a summary")?;
        Ok(Announced { summary, selection, several })
    }
}

/// Sends the header and the rows, and notes their numbers in the order of the answers.
fn announce(
    header: ImportHeader,
    mut rows: Merge,
    sender: &mpsc::Sender<BeginImportRequest>,
    numbers: &Mutex<VecDeque<u64>>,
) -> Result<()> {
    let send = |part| {
        let request = BeginImportRequest { part: Some(part) };
        sender.blocking_send(request).map_err(|_| anyhow!("the server does not listen"))
    };
    let mut message = ImportRows::default();
    let mut ordered = Vec::new();
    // Whoever answers may be faster than this thread: numbers come before their rows.
    let flush = |message: &mut ImportRows, ordered: &mut Vec<u64>| {
        if message.rows.is_empty() {
            return Ok(());
        }
        numbers.lock().unwrap_or_else(PoisonError::into_inner).extend(ordered.drain(..));
        send(begin_import_request::Part::Rows(std::mem::take(message)))
    };
    if send(begin_import_request::Part::Header(header)).is_err() {
        // The answer says why.
        return Ok(());
    }
    while let Some(sorted) = rows.next()? {
        if message.day != sorted.day || ordered.len() >= ROWS {
            if flush(&mut message, &mut ordered).is_err() {
                return Ok(());
            }
            message.day = sorted.day;
        }
        message.rows.extend(sorted.row);
        ordered.push(sorted.number);
    }
    // When nobody listens any more, the answer says why.
    let _ = flush(&mut message, &mut ordered);
    Ok(())
}
