//! `mercer bench decisions`: latency of forecasts, prices and policies at a fixed rate.

use std::path::PathBuf;

use anyhow::{Result, bail};
use mercer_common::money::from_micros;
use mercer_proto::v1::{
    ForecastRequest, ItemStatus, ListItemsRequest, Note, PolicyRequest, PriceRequest,
    catalog_service_client::CatalogServiceClient, forecast_service_client::ForecastServiceClient,
    inventory_service_client::InventoryServiceClient, note::Kind,
    pricing_service_client::PricingServiceClient,
};
use serde::Serialize;
use tonic::{Response, transport::Channel};

use super::{
    FolderArgs, Latency, OwnCluster,
    open_loop::{Load, Measured, Training, spread, train},
    process,
    workload::Workload,
};
use crate::{
    client, import,
    local::LocalCluster,
    show::output::{self, Format},
};

/// Ask for forecasts, then prices, then policies, at a fixed rate.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --endpoint and --data-dir the benchmark fills and trains a cluster of its own. Prices are
asked with a unit cost of 0.10, so that none is declined for want of it.")]
pub(crate) struct DecisionsArgs {
    #[command(flatten)]
    load: Load,
    /// Train demand, elasticities and policies over and over while measuring.
    #[arg(long)]
    during_training: bool,
    /// Use this cluster, which must be trained.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    endpoint: Option<String>,
    /// Use the trained cluster in this folder of `mercer up` or `mercer demo`.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Events that the benchmark's own cluster holds.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Items of the benchmark's own cluster.
    #[arg(long, default_value_t = 20_000)]
    items: u64,
}

/// Kinds that the benchmark trains.
const KINDS: &[&str] = &["demand", "elasticity", "inventory"];
/// Users of the benchmark's own cluster.
const USERS: u64 = 20_000;
/// Workers of the benchmark's own cluster.
const WORKERS: u16 = 2;
/// Cost of every unit, so that no price is declined for want of it; in millionths.
const UNIT_COST: i64 = 100_000;
/// Items that are asked for.
const ASKED: usize = 10_000;

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    rate: u32,
    during_training: bool,
    trainings: u64,
    items: usize,
    decisions: Vec<Decisions>,
    peak_resident_bytes: Option<u64>,
}

/// Calls for one kind of decision, and how long they took.
#[derive(Debug, Serialize)]
struct Decisions {
    decision: &'static str,
    calls: u64,
    errors: u64,
    /// The first error's message.
    error: String,
    /// Answers without decision.
    declined: u64,
    latency_ms: Latency,
}

impl Decisions {
    fn new(decision: &'static str, measured: Measured, declined: u64) -> Self {
        Self {
            decision,
            calls: measured.calls,
            errors: measured.errors,
            error: measured.error,
            declined,
            latency_ms: Latency::of(&measured.latency),
        }
    }
}

/// 1 for an answer without decision.
fn count_declined(notes: &[Note]) -> u64 {
    u64::from(notes.iter().any(|note| note.kind() == Kind::Declined))
}

/// Runs the command.
pub(super) async fn run(args: DecisionsArgs, format: Format) -> Result<()> {
    let answer = match (&args.endpoint, args.data_dir) {
        (Some(endpoint), _) => {
            let channel = client::connect(endpoint).await?;
            measure(args.load, args.during_training, channel, false).await?
        }
        (None, Some(data_dir)) => {
            let cluster = LocalCluster::start(&args.folder.options(data_dir)?).await?;
            cluster.ready().await;
            let channel = cluster.connect().await?;
            let answer = measure(args.load, args.during_training, channel, true).await;
            cluster.shutdown().await;
            answer?
        }
        (None, None) => {
            let own = OwnCluster::start(WORKERS, None).await?;
            let channel = own.cluster.connect().await?;
            let workload = Workload::new(USERS, args.items, 1).with_promotions();
            let supplied = workload.supplied();
            workload.load(args.events, &channel).await?;
            import::send(&channel, supplied).await?;
            train(channel, KINDS).await?;
            // A connection of its own: the load's windows are not the queries'.
            let channel = own.cluster.connect().await?;
            let answer = measure(args.load, args.during_training, channel, true).await;
            own.cluster.shutdown().await;
            answer?
        }
    };
    output::print(format, &answer, Answers::table)
}

/// Ids of items that can be decided about.
async fn active_items(channel: Channel) -> Result<Vec<String>> {
    let mut service = CatalogServiceClient::new(channel);
    let mut items = Vec::new();
    let mut page_token = String::new();
    while items.len() < ASKED {
        let status = ItemStatus::Active.into();
        let request = ListItemsRequest { page_size: 1_000, page_token, status, tokens: Vec::new() };
        let page = service.list_items(request).await?.into_inner();
        items.extend(page.items.into_iter().map(|item| item.item_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if items.is_empty() {
        bail!("the cluster has no active items; import some first");
    }
    Ok(items)
}

async fn measure(
    load: Load,
    during_training: bool,
    channel: Channel,
    own: bool,
) -> Result<Answers> {
    let items = active_items(channel.clone()).await?;
    let item = |call| items[spread(call, items.len())].clone();
    let training = during_training
        .then(|| Training::start(channel.clone(), KINDS.iter().map(ToString::to_string).collect()));
    let mut decisions = Vec::new();

    let service = ForecastServiceClient::new(channel.clone());
    let measured = load
        .run(
            "forecasts",
            |call| {
                let question = ForecastRequest { item_id: item(call), ..Default::default() };
                let (request, mut service) = (load.request(question), service.clone());
                async move { service.forecast(request).await.map(Response::into_inner) }
            },
            |_| {},
        )
        .await;
    decisions.push(Decisions::new("forecast", measured, 0));

    let service = PricingServiceClient::new(channel.clone());
    let mut declined = 0;
    let measured = load
        .run(
            "prices",
            |call| {
                let unit_cost = Some(from_micros(UNIT_COST, ""));
                let question =
                    PriceRequest { item_id: item(call), unit_cost, ..Default::default() };
                let (request, mut service) = (load.request(question), service.clone());
                async move { service.price(request).await.map(Response::into_inner) }
            },
            |answer| declined += count_declined(&answer.notes),
        )
        .await;
    decisions.push(Decisions::new("price", measured, declined));

    let service = InventoryServiceClient::new(channel);
    let mut declined = 0;
    let measured = load
        .run(
            "policies",
            |call| {
                let question = PolicyRequest { item_id: item(call), ..Default::default() };
                let (request, mut service) = (load.request(question), service.clone());
                async move { service.policy(request).await.map(Response::into_inner) }
            },
            |answer| declined += count_declined(&answer.notes),
        )
        .await;
    decisions.push(Decisions::new("policy", measured, declined));

    let trainings = match training {
        Some(training) => training.stop().await?,
        None => 0,
    };
    Ok(Answers {
        rate: load.rate,
        during_training,
        trainings,
        items: items.len(),
        decisions,
        peak_resident_bytes: own.then(process::peak_resident).flatten(),
    })
}

impl Answers {
    fn table(&self) -> String {
        let mut text = format!(
            "{} calls/s over {} items{}",
            self.rate,
            output::count(self.items as u64),
            if self.during_training {
                format!(" during training ({} trainings)", self.trainings)
            } else {
                String::new()
            }
        );
        for kind in &self.decisions {
            text.push_str(&format!(
                "\n{:<9} {}; {} calls, {} declined, {} errors",
                kind.decision,
                kind.latency_ms.text(),
                output::count(kind.calls),
                output::count(kind.declined),
                output::count(kind.errors),
            ));
            if kind.errors > 0 {
                text.push_str(&format!("\n          first error: {}", kind.error));
            }
        }
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!("\npeak memory {}", output::bytes(peak)));
        }
        text
    }
}
