//! One import: files are looked at, read and checked to their ends, then sent.

use std::{io::Read as _, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::ProgressBar;
use mercer_common::token;
use mercer_proto::v1::{
    ItemStatus, ListItemsRequest, catalog_service_client::CatalogServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use xxhash_rust::xxh3::Xxh3;

use super::{
    ask::Unanswered,
    chunk::Chunker,
    mapping::{Kind, Mapping, Preset, preset::Layout},
    options::{MaxRejects, Options},
    pass::{Checked, OnEvent},
    plan::Plan,
    reading::Input,
    rejects::{Reject, Rejects},
    report::Report,
    rows::Context,
    send::{Refused, send_catalog, send_events},
    survey::Survey,
};
use crate::{client, ingest_client::IngestOptions, progress};

/// What is imported and how.
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

    /// Item events applied so far, after the effects of `token`; `None` while a shard is away.
    async fn applied_events(&self, token: &str) -> Result<Option<u64>> {
        let description = client::describe(&self.channel, token).await?;
        let counts = description.shards.iter().map(|shard| Some(shard.item_events.as_ref()?.count));
        Ok(counts.sum())
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

/// Files that are ready to be sent.
struct Ready {
    plans: Vec<Plan>,
    checked: Checked,
    rejects: Rejects,
    notes: Vec<String>,
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
            move || preparation.run(&files, &bar, &mut |_, _| Ok(()))
        });
        let Ready { plans, checked, mut rejects, mut notes } = match ready.await {
            Ok(ready) => ready?,
            Err(_) => bail!("a file is damaged"),
        };
        notes.extend(checked.notes(&zone, self.options.time_zone.is_none()));
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
        let before = match self.kind {
            Kind::Events if report.held_back.is_none() => target.applied_events("").await?,
            _ => None,
        };
        let mut refused = 0;
        if report.held_back.is_none() && good > 0 {
            let mut done = 0;
            bar.set_position(0);
            for (plan, &(rows, good)) in plans.iter().zip(&checked.files) {
                let sending = Sending { import: self, target, plan, zone: &zone };
                let sent = sending.run((rows, good), (&bar, done), &mut tokens, &mut rejects).await;
                refused += sent.with_context(|| format!("importing {}", plan.input.name()))?;
                done += plan.input.bytes();
            }
        }
        bar.finish_and_clear();
        report.accepted = if report.held_back.is_some() { 0 } else { good - refused };
        report.token = token::combine(&tokens)?;
        if let Some(before) = before {
            // All is durable by now: a cluster that is slow to apply it is no failure.
            let after = target.applied_events(&report.token).await.unwrap_or_default();
            report.new = after.map(|after| after.saturating_sub(before).min(report.accepted));
            if report.accepted > 0 {
                notes.extend(target.without_catalogue(&report.token).await.unwrap_or_default());
            }
        }
        report.rejected = rejects.total();
        (report.reasons, report.rejects) = rejects.finish()?;
        report.notes = notes;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
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
            },
            rejects: Rejects::new(self.rejects.as_deref())?,
        })
    }
}

/// Reads and checks files, before anything is sent.
pub(crate) struct Preparation {
    pub(crate) kind: Kind,
    pub(crate) mapping: Mapping,
    pub(crate) layout: Option<Layout>,
    pub(crate) options: Options,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) context: Context,
    pub(crate) rejects: Rejects,
}

impl Preparation {
    /// Opens a file and finds its fields.
    pub(crate) fn plan(&self, input: Input) -> Result<Plan> {
        let resolve = |name: &str, columns: &[String]| {
            if let Some(layout) = &self.layout {
                layout.check(name, columns)?;
            }
            self.mapping.resolve(self.kind, name, columns)
        };
        let (context, zone) = (self.context.clone(), self.zone.clone());
        Plan::new(self.kind, Arc::new(input), &resolve, &self.options, context, zone)
    }

    fn run(
        mut self,
        files: &[PathBuf],
        bar: &ProgressBar,
        on_event: &mut OnEvent<'_>,
    ) -> Result<Ready> {
        // All files are opened before the first is read: a wrong column in the third one is told at
        // once.
        let plans = files.iter().map(|path| self.plan(Input::open(path)?));
        let mut plans: Vec<Plan> = plans.collect::<Result<_>>()?;
        bar.set_length(plans.iter().map(|plan| plan.input.bytes()).sum());
        let mut survey = Survey::default();
        let mut done = 0;
        for plan in &plans {
            survey.look(plan, &|position| bar.set_position(done + position / 2))?;
            done += plan.input.bytes();
        }
        let decided = survey.decide(&self.options);
        if !decided.questions.is_empty() {
            return Err(Unanswered { questions: decided.questions }.into());
        }
        let mut notes: Vec<String> = Vec::new();
        let mut checked = Checked::default();
        bar.set_position(0);
        let mut done = 0;
        for plan in &mut plans {
            plan.readings = decided.readings(plan);
            for note in plan.notes.iter().cloned().chain(plan.guesses()) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            let progress = |position| bar.set_position(done + position);
            checked
                .read(plan, &mut self.rejects, on_event, &progress)
                .with_context(|| format!("reading {}", plan.input.name()))?;
            done += plan.input.bytes();
        }
        let questions = checked.questions();
        if !questions.is_empty() {
            return Err(Unanswered { questions }.into());
        }
        notes.extend(decided.notes);
        if self.kind == Kind::Events {
            notes.extend(plans.first().and_then(Plan::without_amounts));
        }
        Ok(Ready { plans, checked, rejects: self.rejects, notes })
    }
}

/// Sends a file.
struct Sending<'a> {
    import: &'a Import,
    target: &'a Target,
    plan: &'a Plan,
    zone: &'a str,
}

impl Sending<'_> {
    /// Returns how many rows the server refused.
    async fn run(
        &self,
        expected: (u64, u64),
        progress: (&ProgressBar, u64),
        tokens: &mut Vec<String>,
        rejects: &mut Rejects,
    ) -> Result<u64> {
        let Self { import, target, plan, zone } = self;
        let producer_id = match import.kind {
            Kind::Events => producer_id(plan, import.batch, zone)?,
            _ => String::new(),
        };
        progress::say(progress.0, plan.input.short_name());
        let (sender, receiver) = mpsc::channel(16);
        let chunker = Chunker { batch: import.batch, sender };
        let reading = tokio::task::spawn_blocking({
            let plan: Plan = (*plan).clone();
            move || chunker.run(&plan)
        });
        let chunks = ReceiverStream::new(receiver);
        let (mut count, mut trouble) = (0, Ok(()));
        let mut refused = |refused: Refused| {
            count += 1;
            let Refused { line, field, reason } = refused;
            let file = plan.input.short_name().to_owned();
            let noted = rejects.add(Reject { file, line, field, reason });
            if trouble.is_ok() {
                trouble = noted;
            }
        };
        let channel = target.channel.clone();
        let sent = match import.kind {
            Kind::Events => {
                let in_flight = import.in_flight;
                let options = IngestOptions { in_flight, ..IngestOptions::resuming(producer_id) };
                send_events(channel, options, chunks, progress, tokens, &mut refused).await
            }
            _ => send_catalog(channel, chunks, progress, tokens, &mut refused).await,
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

/// The id under which a file's batches are always sent: of its content, its mapping and the reading
/// of it. Files of the first release have the ids that it gave them.
pub(crate) fn producer_id(plan: &Plan, batch: usize, zone: &str) -> Result<String> {
    let mut file = plan.input.file()?;
    let mut content = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("reading {}", plan.input.name()));
        match read? {
            0 => break,
            read => content.update(&buffer[..read]),
        }
    }
    let mut identity = Xxh3::new();
    identity.update(b"mercer import events 1\0");
    identity.update(&content.digest128().to_be_bytes());
    let reading_of_it = format!(
        "{}batch={batch}\nzone={zone}\ndelimiter={}\ncurrency={}\n{}{}",
        plan.fields.describe(&plan.columns),
        plan.form.delimiter.unwrap_or(b','),
        plan.context.currency,
        plan.form.encoding.map_or_else(String::new, |e| format!("encoding={}\n", e.name())),
        plan.options.describe(),
    );
    identity.update(reading_of_it.as_bytes());
    let bytes = identity.digest128().to_be_bytes();
    Ok(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
}
