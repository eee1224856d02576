//! One import: files are looked at, read and checked to their ends, then sent.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::ProgressBar;
use mercer_common::token;
use mercer_proto::v1::{
    ItemStatus, ListItemsRequest, catalog_service_client::CatalogServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::Channel;

use super::{
    ask::Unanswered,
    chunk::Chunker,
    identity::{
        Announced, Announcing, Choice, Rows, Selection, Sorter, finish, open_source, source_of,
    },
    mapping::{Kind, Mapping, Preset, preset::Layout},
    options::{MaxRejects, Options},
    plan::Plan,
    prepare::{Identify, Preparation, Ready, Source},
    rejects::{Reject, Rejects},
    remembered::{self, Entries},
    report::{Known, Report},
    rows::Context,
    send::{Refused, send_catalog, send_events},
};
use crate::{client, ingest_client::IngestOptions, progress};

/// What is imported and how.
#[derive(Clone)]
pub(crate) struct Import {
    pub(crate) kind: Kind,
    pub(crate) mapping: Mapping,
    /// What a preset says of the files.
    pub(crate) layout: Option<Layout>,
    pub(crate) options: Options,
    /// Rows per batch.
    pub(crate) batch: usize,
    pub(crate) in_flight: usize,
    pub(crate) category_separator: String,
    pub(crate) max_rejects: Option<MaxRejects>,
    /// Where rejects are written.
    pub(crate) rejects: Option<PathBuf>,
    /// Within which rows of events count once; that of the columns if not given.
    pub(crate) source: Option<String>,
    /// What is done with rows that were changed, or that the files lack.
    pub(crate) choice: Choice,
}

/// The cluster that is imported into.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) channel: Channel,
    pub(crate) currency: String,
    pub(crate) time_zone: String,
}

impl Target {
    /// Asks the cluster what an import must know.
    pub(crate) async fn describe(channel: Channel) -> Result<Self> {
        let description = client::describe(&channel, "").await?;
        let (currency, time_zone) = (description.currency, description.time_zone);
        Ok(Self { channel, currency, time_zone })
    }

    /// What to say where events were loaded and no item is for sale.
    async fn without_catalogue(&self, token: &str) -> Result<Option<String>> {
        let mut catalog = CatalogServiceClient::new(self.channel.clone());
        let tokens: Vec<String> =
            Some(token.to_owned()).filter(|token| !token.is_empty()).into_iter().collect();
        let status = ItemStatus::Active.into();
        let request = ListItemsRequest { page_size: 1, tokens, status, ..Default::default() };
        if !catalog.list_items(request).await?.into_inner().items.is_empty() {
            return Ok(None);
        }
        let items: u64 =
            client::describe(&self.channel, token).await?.shards.iter().map(|s| s.items).sum();
        Ok(Some(format!(
            "none of the {items} known items is catalogued, so that nothing can be recommended: \
             `mercer import items FILE`"
        )))
    }
}

/// An import of events that is open: under which id its rows are sent, and which they are.
struct Open {
    import_id: String,
    selection: Selection,
    refused: Vec<Vec<u8>>,
    /// Rows and batches of the files before.
    rows: u64,
    batches: u64,
}

impl Import {
    /// The import of files of a preset.
    pub(crate) fn preset(kind: Kind, preset: &str, time_zone: &str) -> Result<Self> {
        let layout = Preset::find(preset)?.layout(kind)?.clone();
        let mut options = Options::of_preset(&layout.reading)?;
        options.time_zone.get_or_insert_with(|| time_zone.to_owned());
        Ok(Self {
            kind,
            mapping: Mapping::new(kind, Some(&layout), &[], &[])?,
            layout: Some(layout),
            options,
            batch: 500,
            in_flight: 8,
            category_separator: ">".into(),
            max_rejects: None,
            rejects: None,
            source: None,
            choice: Choice::default(),
        })
    }

    /// Imports `files` as one import, in order.
    ///
    /// # Errors
    /// [`Unanswered`] when the files can be read in several ways; nothing was sent then.
    pub(crate) async fn run(&self, target: &Target, files: &[PathBuf]) -> Result<Report> {
        let started = Instant::now();
        self.options.check(self.kind)?;
        let zone = self.options.time_zone.clone().unwrap_or_else(|| target.time_zone.clone());
        let bar = progress::bar("checking", 0, progress::Unit::Bytes);
        let ready = tokio::task::spawn_blocking({
            let (files, bar) = (files.to_vec(), bar.clone());
            let preparation = self.preparation(target, zone.clone())?;
            let identify = self.identification(target);
            move || preparation.run(&files, &bar, &identify)
        });
        let Ready { plans, checked, mut rejects, mut notes, source, reading, sorter } =
            match ready.await {
                Ok(Ok(ready)) => ready,
                Ok(Err(error)) => {
                    bar.finish_and_clear();
                    return Err(error);
                }
                Err(_) => bail!("a file is damaged"),
            };
        let read_in = source.reading.get("time-zone").unwrap_or(&zone);
        let read_in = if self.options.time_zone.is_some() { &zone } else { read_in };
        notes.extend(checked.notes(read_in, *read_in == target.time_zone));
        let (rows, good) = checked.rows();
        let mut report = Report::new(self.kind, rows, checked.totals.clone());
        for plan in &plans {
            for column in plan.fields.unused(&plan.columns) {
                if !report.unused_columns.contains(&column) {
                    report.unused_columns.push(column);
                }
            }
        }
        let most = MaxRejects::of(self.max_rejects, rows);
        if rejects.total() > most {
            report.held_back = Some(most);
        }
        let mut tokens = Vec::new();
        let mut refused = 0;
        let loads = report.held_back.is_none() && good > 0;
        let mut open = None;
        if loads && self.kind == Kind::Events {
            let files = plans.iter().map(|plan| plan.input.short_name().to_owned());
            let announced = self.announce(target, source, reading, files.collect(), sorter).await?;
            report.source = Some(announced.0);
            open = announced.1;
            let loaded = open.as_ref().map_or(0, |open| open.selection.count());
            report.new = Some(loaded);
        }
        if loads && (self.kind != Kind::Events || open.is_some()) {
            let mut done = 0;
            bar.set_position(0);
            for (plan, &(rows, good)) in plans.iter().zip(&checked.files) {
                let sending = Sending { import: self, target, plan };
                let sent = sending
                    .run((rows, good), (&bar, done), &mut tokens, &mut rejects, open.as_mut())
                    .await;
                refused += sent.with_context(|| format!("importing {}", plan.input.name()))?;
                done += plan.input.bytes();
            }
        }
        bar.finish_and_clear();
        report.accepted = if report.held_back.is_some() { 0 } else { good - refused };
        if let Some(open) = open {
            let (import, token) = finish(&target.channel, &open.import_id, &open.refused)
                .await
                .with_context(|| {
                    format!(
                        "import {} is not finished: import the same files again to go on",
                        open.import_id
                    )
                })?;
            report.new = report.new.map(|new| new.saturating_sub(refused));
            tokens.extend(Some(token).filter(|token| !token.is_empty()));
            report.import = Some(import.import_id);
        }
        report.token = token::combine(&tokens)?;
        if self.kind == Kind::Events && report.accepted > 0 {
            // All is durable by now: a cluster that is slow to apply it is no failure.
            notes.extend(target.without_catalogue(&report.token).await.unwrap_or_default());
        }
        report.rejected = rejects.total();
        (report.reasons, report.rejects) = rejects.finish()?;
        report.notes = notes;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Finds the source of event files, creating it if it is new.
    fn identification(&self, target: &Target) -> Box<Identify> {
        let (channel, named) = (target.channel.clone(), self.source.clone());
        let runtime = tokio::runtime::Handle::current();
        Box::new(move |columns| {
            let source_id = named.clone().unwrap_or_else(|| source_of(columns));
            let source = runtime.block_on(open_source(&channel, &source_id))?;
            let rows = Rows::new(&source.row_key).context("the cluster gave no key for rows")?;
            Ok(Source { id: source.source_id, rows: Some(rows), reading: source.reading })
        })
    }

    /// Announces the rows of event files; there is nothing to send where all are known.
    ///
    /// # Errors
    /// [`Unanswered`] when rows were changed, or are missing, or may count twice, and nobody said what
    /// is right.
    async fn announce(
        &self,
        target: &Target,
        source: Source,
        reading: Entries,
        files: Vec<String>,
        sorter: Sorter,
    ) -> Result<(Known, Option<Open>)> {
        let announcing = Announcing {
            source_id: source.id.clone(),
            files,
            choice: self.choice,
            reading: reading.clone(),
            sent_as: format!("batches of {} rows", self.batch),
        };
        let Announced { summary, selection } = announcing.run(&target.channel, sorter).await?;
        let known = Known {
            source: source.id.clone(),
            known: summary.known,
            changed: summary.changed,
            missing: summary.missing,
        };
        let mut questions = Vec::new();
        if let Some(shared) = &summary.shared {
            questions.push(known.shared(&shared.source_id, shared.rows));
        }
        let otherwise = &summary.read_otherwise;
        if !otherwise.is_empty() {
            questions.push(remembered::question(&source.id, otherwise, &source.reading, &reading));
        }
        if self.choice.is_asked() {
            questions.extend(known.questions());
        }
        if !questions.is_empty() {
            return Err(Unanswered { questions }.into());
        }
        let open = Open {
            import_id: summary.import_id,
            selection,
            refused: Vec::new(),
            rows: 0,
            batches: 0,
        };
        Ok((known, Some(open).filter(|open| !open.import_id.is_empty())))
    }

    /// What a thread needs to read and check the files.
    fn preparation(&self, target: &Target, zone: String) -> Result<Preparation> {
        Ok(Preparation {
            kind: self.kind,
            mapping: self.mapping.clone(),
            layout: self.layout.clone(),
            options: self.options.clone(),
            zone: Options::zone(&zone)?,
            context: Context {
                currency: target.currency.clone(),
                category_separator: self.category_separator.clone(),
                event_types: self.options.event_types.clone(),
                negative: self.options.negative,
                blank: self.options.blank.clone().unwrap_or_default(),
                rows: None,
            },
            rejects: Rejects::new(self.rejects.as_deref())?,
        })
    }
}

/// Sends a file.
struct Sending<'a> {
    import: &'a Import,
    target: &'a Target,
    plan: &'a Plan,
}

impl Sending<'_> {
    /// Returns how many rows the server refused.
    async fn run(
        &self,
        expected: (u64, u64),
        progress: (&ProgressBar, u64),
        tokens: &mut Vec<String>,
        rejects: &mut Rejects,
        open: Option<&mut Open>,
    ) -> Result<u64> {
        let Self { import, target, plan } = self;
        progress::say(progress.0, plan.input.short_name());
        let (sender, receiver) = mpsc::channel(16);
        let chunker = Chunker { batch: import.batch, sender };
        let reading = tokio::task::spawn_blocking({
            let plan: Plan = (*plan).clone();
            move || chunker.run(&plan)
        });
        let chunks = ReceiverStream::new(receiver);
        let (mut count, mut trouble) = (0, Ok(()));
        let mut refused_rows = Vec::new();
        let mut refused = |refused: Refused| {
            count += 1;
            let Refused { line, field, reason, row } = refused;
            refused_rows.extend(Some(row).filter(|row| !row.is_empty()));
            let file = plan.input.short_name().to_owned();
            let noted = rejects.add(Reject { file, line, field, reason });
            if trouble.is_ok() {
                trouble = noted;
            }
        };
        let channel = target.channel.clone();
        let sent = match open {
            Some(open) => {
                let in_flight = import.in_flight;
                let options = IngestOptions {
                    in_flight,
                    first_sequence: open.batches + 1,
                    ..IngestOptions::resuming(open.import_id.clone())
                };
                // Batches are cut before rows are left out: who goes on sends the same ones.
                let mut number = open.rows;
                let chunks = chunks.map(|chunk| chunk.selected(&open.selection, &mut number));
                let sent =
                    send_events(channel, options, chunks, progress, tokens, &mut refused).await;
                open.rows += expected.1;
                open.batches += expected.0.div_ceil(import.batch as u64);
                open.refused.extend(refused_rows);
                sent
            }
            None => send_catalog(channel, chunks, progress, tokens, &mut refused).await,
        };
        let read = match reading.await {
            Ok(read) => read,
            Err(_) => Err(anyhow!("the file is damaged")),
        };
        // When sending fails, reading ends early because of it.
        sent?;
        trouble?;
        if read? != expected {
            bail!("it was changed while it was imported; what was sent until then stays");
        }
        Ok(count)
    }
}
