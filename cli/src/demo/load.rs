//! Loads a shop through the public API.

use std::collections::HashSet;

use anyhow::{Context as _, Result, anyhow};
use mercer_common::{escape, token};
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;

use super::{
    Dataset,
    assumptions::Assumptions,
    dataset::{self, CompleteJourney},
    synthetic,
};
use crate::{
    import::{self, Cell, Import, Kind, ReasonCount, Report, Table, Target},
    ingest_client::{Batch, IngestOptions, ingest},
    show::{output, progress},
};

/// Seed of the made-up shop, and so of its producer.
const SEED: u64 = 7;
/// Producer of the made-up shop's events: loading them twice changes nothing.
const PRODUCER: &str = "6d657263-6572-8264-8065-6d6f00000007";

/// Origin of the shop's data.
pub(crate) enum Source {
    CompleteJourney(CompleteJourney),
    Synthetic,
}

/// A shop that was loaded.
pub(crate) struct Shop {
    pub(super) loaded: Vec<Loaded>,
    /// Assumptions that were added to the data, in sentences.
    pub(super) assumed: Vec<String>,
    /// Token of all that was loaded.
    pub(crate) token: String,
}

/// Records that were loaded of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Loaded {
    kind: String,
    rows: u64,
    accepted: u64,
    rejected: u64,
    reasons: Vec<ReasonCount>,
    seconds: f64,
}

impl Loaded {
    fn new(report: Report) -> Self {
        Self {
            kind: report.kind,
            rows: report.rows,
            accepted: report.accepted,
            rejected: report.rejected,
            reasons: report.reasons,
            seconds: report.seconds,
        }
    }

    fn whole(kind: &str, count: usize, seconds: f64) -> Self {
        let count = count as u64;
        let kind = kind.to_owned();
        Self { kind, rows: count, accepted: count, rejected: 0, reasons: Vec::new(), seconds }
    }

    /// Text for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "  {:<6} {:>9} rows, {:>9} accepted, {:>6} rejected, {:.1} s\n",
            self.kind,
            output::count(self.rows),
            output::count(self.accepted),
            output::count(self.rejected),
            self.seconds,
        );
        for reason in &self.reasons {
            text.push_str(&format!(
                "         {:>9} {}\n",
                output::count(reason.count),
                escape::text(&reason.reason)
            ));
        }
        text
    }
}

impl Source {
    /// The shop that was asked for; the made-up one when nothing was and nothing else can be had.
    pub(crate) async fn obtain(dataset: Option<Dataset>) -> Result<Self> {
        match dataset {
            Some(Dataset::Synthetic) => Ok(Self::Synthetic),
            Some(Dataset::CompleteJourney) => {
                let files = dataset::complete_journey().await.context(
                    "The Complete Journey cannot be had; `--dataset synthetic` needs nothing",
                )?;
                Ok(Self::CompleteJourney(files))
            }
            None => match dataset::complete_journey().await {
                Ok(files) => Ok(Self::CompleteJourney(files)),
                Err(error) => {
                    output::note(&format!(
                        "The Complete Journey cannot be had ({error:#}): using a made-up shop."
                    ));
                    Ok(Self::Synthetic)
                }
            },
        }
    }

    pub(crate) fn dataset(&self) -> Dataset {
        match self {
            Self::CompleteJourney(_) => Dataset::CompleteJourney,
            Self::Synthetic => Dataset::Synthetic,
        }
    }

    pub(crate) fn time_zone(&self) -> &'static str {
        dataset::TIME_ZONE
    }

    /// Households that are shown.
    pub(super) fn households(&self) -> [&'static str; 3] {
        match self {
            Self::CompleteJourney(_) => ["43", "543", "264"],
            Self::Synthetic => ["household-1", "household-2", "household-3"],
        }
    }

    /// Items that events name and the catalogue does not.
    pub(super) async fn uncatalogued(&self) -> Result<Vec<String>> {
        match self {
            Self::CompleteJourney(files) => {
                let files = files.clone();
                tokio::task::spawn_blocking(move || uncatalogued(&files)).await?
            }
            Self::Synthetic => Ok(Vec::new()),
        }
    }

    /// Loads everything, and what is assumed of the `most` products that sell most.
    pub(crate) async fn load(&self, channel: &Channel, most: usize) -> Result<Shop> {
        match self {
            Self::CompleteJourney(files) => load_files(files, channel, most).await,
            Self::Synthetic => load_synthetic(channel).await,
        }
    }
}

/// Products of the transactions, good rows or bad, that the product file lacks; ascending by number.
fn uncatalogued(files: &CompleteJourney) -> Result<Vec<String>> {
    let mut catalogued = HashSet::new();
    let mut sold = HashSet::new();
    for (path, ids) in [(&files.products, &mut catalogued), (&files.transactions, &mut sold)] {
        let mut table = Table::open(path, b',')?;
        let column = table.columns().iter().position(|column| column == "product_id");
        let column = column.with_context(|| format!("{} has no product_id", path.display()))?;
        table.read(&[column], &mut |line| {
            let cells = line.cells.map_err(|reason| anyhow!(reason))?;
            if let [Cell::Integer(product)] = cells[..] {
                ids.insert(product);
            }
            Ok(())
        })?;
    }
    let mut missing: Vec<i128> = sold.difference(&catalogued).copied().collect();
    missing.sort_unstable();
    Ok(missing.iter().map(ToString::to_string).collect())
}

async fn load_files(files: &CompleteJourney, channel: &Channel, most: usize) -> Result<Shop> {
    let target = Target::describe(channel.clone()).await?;
    let mut loaded = Vec::new();
    let mut tokens = Vec::new();
    let parts = [
        (Kind::Items, &files.products),
        (Kind::Users, &files.demographics),
        (Kind::Events, &files.transactions),
    ];
    for (kind, path) in parts {
        progress::phase(&format!("loading {}", path.display()));
        // The file's times carry their zone: UTC.
        let import = Import::preset(kind, "complete-journey", "UTC")?;
        let report = import.run(&target, std::slice::from_ref(path)).await?;
        tokens.push(report.token.clone());
        loaded.push(Loaded::new(report));
    }
    progress::phase("assuming costs, stock and terms");
    let spinner = progress::spinner("assuming costs, stock and terms");
    let files = files.clone();
    let assumptions =
        tokio::task::spawn_blocking(move || Assumptions::of_complete_journey(&files, most));
    let shop = finish(channel, assumptions.await??, loaded, tokens).await;
    spinner.finish_and_clear();
    shop
}

/// Sends what is assumed, after everything else: only catalogued items have costs.
async fn finish(
    channel: &Channel,
    assumptions: Assumptions,
    loaded: Vec<Loaded>,
    mut tokens: Vec<String>,
) -> Result<Shop> {
    let assumed = assumptions.said.clone();
    tokens.push(assumptions.send(channel).await?);
    Ok(Shop { loaded, assumed, token: token::combine(&tokens)? })
}

async fn load_synthetic(channel: &Channel) -> Result<Shop> {
    let shop = synthetic::shop(SEED);
    let mut tokens = Vec::new();
    let mut loaded = Vec::new();
    let started = std::time::Instant::now();
    let (items, users, events) = (shop.items.len(), shop.users.len(), shop.events.len());
    let [of_items, of_users, of_events] =
        [items, users, events].map(|number| output::count(number as u64));
    progress::phase(&format!("loading {of_items} items, {of_users} users, {of_events} events"));
    tokens.push(import::send_items(channel, shop.items).await?);
    loaded.push(Loaded::whole("items", items, started.elapsed().as_secs_f64()));
    let started = std::time::Instant::now();
    tokens.push(import::send_users(channel, shop.users).await?);
    loaded.push(Loaded::whole("users", users, started.elapsed().as_secs_f64()));

    let started = std::time::Instant::now();
    let bar = progress::bar("events", events as u64, progress::Unit::Records);
    let mut batches: Vec<Batch> = shop
        .events
        .chunks(500)
        .map(|events| Batch { events: events.to_vec(), last: false })
        .collect();
    if let Some(batch) = batches.last_mut() {
        batch.last = true;
    }
    let mut refused = None;
    let options = IngestOptions::resuming(PRODUCER.into());
    ingest(channel.clone(), options, tokio_stream::iter(batches), |answer| {
        bar.inc(answer.events as u64);
        match answer.outcome {
            Ok(token) => tokens.push(token),
            Err(status) => refused = Some(status),
        }
    })
    .await?;
    bar.finish_and_clear();
    if let Some(status) = refused {
        return Err(status.into());
    }
    loaded.push(Loaded::whole("events", events, started.elapsed().as_secs_f64()));
    finish(channel, Assumptions::of_synthetic(shop.supply, shop.stock), loaded, tokens).await
}
