//! One import: from files to acknowledged batches and a report.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use indicatif::ProgressBar;
use jiff::tz::TimeZone;
use mercer_common::{limits, token};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::Channel;
use xxhash_rust::xxh3::Xxh3;

use super::{
    catalog::send_catalog,
    chunk::{Chunk, Chunker, Read},
    mapping::{Fields, Kind, Mapping},
    preset::Preset,
    records::Records,
    rejects::Rejects,
    report::Report,
    rows::Context,
    table::Table,
};
use crate::{
    client,
    ingest_client::{Answer, Batch, IngestOptions, ingest},
    progress,
};

/// What is imported and how.
pub(crate) struct Import {
    pub(crate) kind: Kind,
    pub(crate) mapping: Mapping,
    pub(crate) time_zone: String,
    /// Rows per batch.
    pub(crate) batch: usize,
    pub(crate) in_flight: usize,
    pub(crate) delimiter: u8,
    pub(crate) category_separator: String,
    /// Where rejects are written.
    pub(crate) rejects: Option<PathBuf>,
}

/// The cluster that is imported into.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) channel: Channel,
    pub(crate) currency: String,
}

impl Target {
    /// Asks the cluster what an import must know.
    pub(crate) async fn describe(channel: Channel) -> Result<Self> {
        let description = client::describe(&channel, "").await?;
        Ok(Self { channel, currency: description.currency })
    }

    /// Item events applied so far, after the effects of `token`; `None` while a shard is away.
    async fn applied_events(&self, token: &str) -> Result<Option<u64>> {
        let description = client::describe(&self.channel, token).await?;
        let counts = description.shards.iter().map(|shard| Some(shard.item_events.as_ref()?.count));
        Ok(counts.sum())
    }
}

impl Import {
    /// The import of a file of a known data set.
    pub(crate) fn preset(kind: Kind, preset: Preset, time_zone: &str) -> Result<Self> {
        Ok(Self {
            kind,
            mapping: Mapping::new(kind, Some(preset), &[], &[])?,
            time_zone: time_zone.to_owned(),
            batch: 500,
            in_flight: 8,
            delimiter: b',',
            category_separator: ">".into(),
            rejects: None,
        })
    }

    /// Imports `files` in order.
    pub(crate) async fn run(&self, target: &Target, files: &[PathBuf]) -> Result<Report> {
        let started = Instant::now();
        let zone = TimeZone::get(&self.time_zone)
            .with_context(|| format!("--time-zone `{}` is not known", self.time_zone))?;
        // All files are opened before the first is imported: a wrong column in the third one
        // should not leave the first two behind.
        let mut sources = Vec::new();
        for path in files {
            let table = Table::open(path, self.delimiter)?;
            let fields = self.mapping.resolve(self.kind, path, table.columns())?;
            sources.push((path.as_path(), table, fields));
        }
        let before = match self.kind {
            Kind::Events => target.applied_events("").await?,
            _ => None,
        };
        let context = Context {
            zone,
            currency: target.currency.clone(),
            category_separator: self.category_separator.clone(),
        };
        let mut report = Report {
            kind: self.kind.to_string(),
            rows: 0,
            accepted: 0,
            new: None,
            rejected: 0,
            reasons: Vec::new(),
            rejects: Vec::new(),
            unused_columns: Vec::new(),
            seconds: 0.0,
            token: String::new(),
        };
        let mut rejects = Rejects::new(self.rejects.as_deref())?;
        let mut tokens = Vec::new();
        for (path, table, fields) in sources {
            report.unused_columns.extend(fields.unused.iter().cloned());
            let source = Source { path, table, fields };
            let run = Run { import: self, target, context: &context };
            run.file(source, &mut report, &mut rejects, &mut tokens)
                .await
                .with_context(|| format!("importing {}", path.display()))?;
        }
        report.token = token::combine(&tokens)?;
        if let Some(before) = before {
            // All is durable by now: a cluster that is slow to apply it is no failure.
            let after = target.applied_events(&report.token).await.unwrap_or_default();
            report.new = after.map(|after| after.saturating_sub(before).min(report.accepted));
        }
        report.rejected = rejects.total();
        (report.reasons, report.rejects) = rejects.finish()?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }
}

/// An open file.
struct Source<'a> {
    path: &'a Path,
    table: Table,
    fields: Fields,
}

/// What all files of an import share.
struct Run<'a> {
    import: &'a Import,
    target: &'a Target,
    context: &'a Context,
}

impl Run<'_> {
    async fn file(
        &self,
        source: Source<'_>,
        report: &mut Report,
        rejects: &mut Rejects,
        tokens: &mut Vec<String>,
    ) -> Result<()> {
        let Source { path, table, fields } = source;
        let kind = self.import.kind;
        let producer_id = match kind {
            Kind::Events => self.producer_id(path, &fields, table.columns())?,
            _ => String::new(),
        };
        let unit = match table {
            Table::Csv { .. } => progress::Unit::Bytes,
            Table::Parquet(_) => progress::Unit::Records,
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let bar = progress::bar(&name, table.total(), unit);
        let (sender, receiver) = mpsc::channel(16);
        let chunker = Chunker { kind, batch: self.import.batch, file: name, sender };
        let context = self.context.clone();
        let reading = tokio::task::spawn_blocking(move || chunker.run(table, &fields, context));

        // Rejects are noted as they pass; chunks go on to the server.
        let mut trouble = Ok(());
        let chunks = ReceiverStream::new(receiver).filter_map(|read| match read {
            Read::Chunk(chunk) => {
                report.rows += chunk.rows;
                report.accepted += chunk.lines.len() as u64;
                Some(chunk)
            }
            Read::Reject(reject) => {
                let noted = rejects.add(reject);
                if trouble.is_ok() {
                    trouble = noted;
                }
                None
            }
        });
        let channel = self.target.channel.clone();
        let sent = match kind {
            Kind::Events => self.send_events(channel, producer_id, chunks, &bar, tokens).await,
            _ => send_catalog(channel, chunks, &bar, tokens).await,
        };
        bar.finish_and_clear();
        let read = match reading.await {
            Ok(read) => read,
            Err(_) => Err(anyhow!("the file is damaged")),
        };
        // When sending fails, reading ends early because of it.
        sent.and(read).and(trouble)
    }

    /// The id under which this file's batches are always sent.
    fn producer_id(&self, path: &Path, fields: &Fields, columns: &[String]) -> Result<String> {
        let reading = || format!("reading {}", path.display());
        let mut file = File::open(path).with_context(reading)?;
        let mut content = Xxh3::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer).with_context(reading)? {
                0 => break,
                read => content.update(&buffer[..read]),
            }
        }
        let mut identity = Xxh3::new();
        identity.update(b"mercer import events 1\0");
        identity.update(&content.digest128().to_be_bytes());
        let reading_of_it = format!(
            "{}batch={}\nzone={}\ndelimiter={}\ncurrency={}\n",
            fields.describe(columns),
            self.import.batch,
            self.import.time_zone,
            self.import.delimiter,
            self.context.currency,
        );
        identity.update(reading_of_it.as_bytes());
        let bytes = identity.digest128().to_be_bytes();
        Ok(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
    }

    async fn send_events(
        &self,
        channel: Channel,
        producer_id: String,
        chunks: impl Stream<Item = Chunk> + Send,
        bar: &ProgressBar,
        tokens: &mut Vec<String>,
    ) -> Result<()> {
        // Lines of the batches on their way, by number, and the file's position after each.
        let on_its_way = Mutex::new(BTreeMap::<u64, (Vec<u64>, u64)>::new());
        let mut number = 0;
        let batches = chunks.map(|chunk| {
            number += 1;
            let mut on_its_way = on_its_way.lock().unwrap_or_else(PoisonError::into_inner);
            if !chunk.lines.is_empty() {
                on_its_way.insert(number, (chunk.lines, chunk.position));
            }
            match chunk.records {
                Records::Events(events) => Batch { events, last: chunk.last },
                _ => Batch::default(),
            }
        });
        let mut refused = None;
        let on_answer = |answer: Answer| {
            let mut on_its_way = on_its_way.lock().unwrap_or_else(PoisonError::into_inner);
            let (lines, position) = on_its_way.remove(&answer.batch_sequence).unwrap_or_default();
            bar.set_position(bar.position().max(position));
            match answer.outcome {
                Ok(token) => tokens.push(token),
                Err(status) if refused.is_none() => refused = Some((lines, status)),
                Err(_) => {}
            }
            if tokens.len() >= limits::TOKENS
                && let Ok(combined) = token::combine(tokens)
            {
                *tokens = vec![combined];
            }
        };
        let in_flight = self.import.in_flight;
        let options = IngestOptions { in_flight, ..IngestOptions::resuming(producer_id) };
        ingest(channel, options, batches, on_answer).await?;
        match refused {
            None => Ok(()),
            Some((lines, status)) => {
                let first = lines.first().copied().unwrap_or_default();
                let last = lines.last().copied().unwrap_or_default();
                Err(anyhow::Error::from(status)
                    .context(format!("the server refused the batch of lines {first} to {last}")))
            }
        }
    }
}
