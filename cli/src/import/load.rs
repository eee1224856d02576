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
    chunk::{self, Chunker},
    identity::{
        Announced, Announcing, Choice, Rows, Selection, Sorter, begin_records, finish, open_source,
        source_of,
    },
    mapping::{Kind, Mapping, Preset, preset::Layout},
    options::{MaxRejects, Options},
    plan::Plan,
    prepare::{Identify, Preparation, Ready, Source},
    rejects::{Reject, Rejects},
    remembered::{self, Entries},
    report::{Known, Report, Totals},
    rows::Context,
    send::{Once, Refused, send_catalog, send_events},
};
use crate::{client, ingest_client::IngestOptions, show::progress};

/// Chunks that are read ahead of sending.
const CHUNKS: usize = 4;

/// Rows of events that a cluster may refuse of one import.
const REFUSED: u64 = 100_000;

/// Import of files, and how they are read.
#[derive(Clone)]
pub(crate) struct Import {
    pub(crate) kind: Kind,
    pub(crate) mapping: Mapping,
    /// Layout of the files, by a preset.
    pub(crate) layout: Option<Layout>,
    pub(crate) options: Options,
    /// Rows per batch, at most.
    pub(crate) batch: usize,
    pub(crate) in_flight: usize,
    pub(crate) category_separator: String,
    pub(crate) max_rejects: Option<MaxRejects>,
    /// File that rejects are written to.
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
    /// Events that the cluster holds already.
    pub(crate) events: u64,
}

impl Target {
    /// Asks the cluster what an import must know.
    pub(crate) async fn describe(channel: Channel) -> Result<Self> {
        let description = client::describe(&channel, "").await?;
        let (currency, time_zone) = (description.currency, description.time_zone);
        let records = description.shards.iter().filter_map(|shard| shard.item_events.as_ref());
        let events = records.map(|records| records.count).sum();
        Ok(Self { channel, currency, time_zone, events })
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
            "{}, so that nothing can be recommended: `mercer import items FILE`",
            match items {
                1 => "the 1 known item is not catalogued".to_owned(),
                items => format!("none of the {items} known items is catalogued"),
            }
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
            batch: chunk::ROWS.into(),
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
        let bar = progress::Shown(progress::bar("checking", 0, progress::Unit::Bytes));
        let ready = tokio::task::spawn_blocking({
            let (files, bar) = (files.to_vec(), bar.0.clone());
            let preparation = self.preparation(target, zone.clone())?;
            let identify = self.identification(target);
            move || preparation.run(&files, &bar, &identify)
        });
        let Ready { plans, checked, mut rejects, mut notes, source, reading, sorter } =
            match ready.await {
                Ok(ready) => ready?,
                Err(_) => bail!("a file is damaged"),
            };
        let check_seconds = started.elapsed().as_secs_f64();
        let read_in = source.reading.get("time-zone").unwrap_or(&zone);
        let read_in = if self.options.time_zone.is_some() { &zone } else { read_in };
        notes.extend(checked.notes(read_in, *read_in == target.time_zone));
        let (rows, good) = checked.rows();
        let mut report = Report::new(self.kind, rows, checked.totals.clone());
        report.currency.clone_from(&target.currency);
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
            if source.is_new && target.events > 0 {
                notes.push(format!(
                    "source {} is new: its rows are compared with those of other sources, not with \
                     events that came in without an import",
                    source.id
                ));
            }
            let ends = checked.files.iter().scan(0, |end, (_, good)| {
                *end += good;
                Some(*end)
            });
            let files = (files.collect(), ends.collect());
            let announced = self.announce(target, source, reading, files, sorter).await?;
            report.source = Some(announced.0);
            open = announced.1;
            let loaded = open.as_ref().map_or(0, |open| open.selection.count());
            report.new = Some(loaded);
        }
        let mut once = Once::Alone;
        if loads && self.kind != Kind::Events {
            let source_id = self.source.clone().unwrap_or_else(|| self.kind.to_string());
            let files = plans.iter().map(|plan| plan.input.short_name().to_owned()).collect();
            let kind = self.kind.to_string();
            if let Some(import_id) = begin_records(&target.channel, source_id, files, kind).await? {
                once = Once::Of { import_id, number: 0 };
            }
        }
        if loads && (self.kind != Kind::Events || open.is_some()) {
            let mut done = 0;
            bar.0.set_position(0);
            for (plan, &(rows, good)) in plans.iter().zip(&checked.files) {
                let sending = Sending { import: self, target, plan };
                let sent = sending
                    .run(
                        (rows, good),
                        (&bar.0, done),
                        &mut tokens,
                        &mut rejects,
                        &mut report.totals,
                        match &mut open {
                            Some(open) => To::Events(open),
                            None => To::Records(&mut once),
                        },
                    )
                    .await;
                refused += sent.with_context(|| format!("importing {}", plan.input.name()))?;
                done += plan.input.bytes();
            }
        }
        drop(bar);
        report.accepted = if report.held_back.is_some() { 0 } else { good - refused };
        report.beyond = Some(most).filter(|&most| refused > 0 && rejects.total() > most);
        if let Some(open) = open {
            let (import, token) = finish(&target.channel, &open.import_id, &open.refused, 0)
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
        if let Once::Of { import_id, .. } = once {
            let (import, _) = finish(&target.channel, &import_id, &[], report.accepted).await?;
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
        report.check_seconds = check_seconds;
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
            Ok(Source {
                id: source.source_id,
                is_new: source.rows == 0 && source.open_import_id.is_empty(),
                rows: Some(rows),
                reading: source.reading,
            })
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
        (files, ends): (Vec<String>, Vec<u64>),
        sorter: Sorter,
    ) -> Result<(Known, Option<Open>)> {
        let announcing = Announcing {
            source_id: source.id.clone(),
            files,
            choice: self.choice,
            reading: reading.clone(),
            ends,
            sent_as: format!("batches of {} rows and {} bytes", self.batch, chunk::BYTES),
        };
        let Announced { summary, selection, several } =
            announcing.run(&target.channel, sorter).await?;
        let known = Known {
            source: source.id.clone(),
            known: summary.known,
            changed: summary.changed,
            missing: summary.missing,
            repeated: several.repeated,
            differing: several.differing,
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

    /// Gathers what a thread needs to read and check the files.
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

/// Import that the rows of a file are sent to.
enum To<'a> {
    Events(&'a mut Open),
    Records(&'a mut Once),
}

/// Sends a file.
struct Sending<'a> {
    import: &'a Import,
    target: &'a Target,
    plan: &'a Plan,
}

impl Sending<'_> {
    /// Returns how many rows the server refused, which are taken out of `totals`.
    async fn run(
        &self,
        expected: (u64, u64),
        progress: (&ProgressBar, u64),
        tokens: &mut Vec<String>,
        rejects: &mut Rejects,
        totals: &mut Totals,
        mut to: To<'_>,
    ) -> Result<u64> {
        let Self { import, target, plan } = self;
        progress::say(progress.0, plan.input.short_name());
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let chunker = Chunker { batch: import.batch, sender };
        let reading = tokio::task::spawn_blocking({
            let plan: Plan = (*plan).clone();
            move || chunker.run(&plan)
        });
        let chunks = ReceiverStream::new(receiver);
        let (mut count, mut trouble) = (0, Ok(()));
        let mut refused_rows = Vec::new();
        let mut refused = |refused: Refused| {
            let Refused { accepted, field, reason, row } = refused;
            count += 1;
            totals.refuse(&accepted);
            refused_rows.extend(Some(row).filter(|row| !row.is_empty() && count <= REFUSED));
            let (file, line) = (plan.input.short_name().to_owned(), accepted.line);
            let noted = rejects.add(Reject { file, line, field, reason });
            if trouble.is_ok() {
                trouble = noted;
            }
        };
        let channel = target.channel.clone();
        let sent = match &mut to {
            To::Events(open) => {
                let in_flight = import.in_flight;
                let options = IngestOptions {
                    in_flight,
                    first_sequence: open.batches + 1,
                    ..IngestOptions::resuming(open.import_id.clone())
                };
                // Batches are cut before rows are left out: who goes on sends the same ones.
                let mut number = open.rows;
                let chunks = chunks.map(|chunk| chunk.selected(&open.selection, &mut number));
                send_events(channel, options, chunks, progress, tokens, &mut refused).await
            }
            To::Records(once) => {
                send_catalog(channel, once, chunks, progress, tokens, &mut refused).await
            }
        };
        let read = match reading.await {
            Ok(read) => read,
            Err(_) => Err(anyhow!("the file is damaged")),
        };
        // When sending fails, reading ends early because of it.
        sent?;
        trouble?;
        if matches!(to, To::Events(_)) && count > REFUSED {
            bail!("the server refused {count} rows, and at most {REFUSED} can be left out");
        }
        let cut = read?;
        if cut.rows != expected {
            bail!("it was changed while it was imported; what was sent until then stays");
        }
        if let To::Events(open) = to {
            open.rows += expected.1;
            open.batches += cut.chunks;
            open.refused.extend(refused_rows);
        }
        Ok(count)
    }
}
