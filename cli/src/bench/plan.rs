//! `mercer bench plan`: forecasts, elasticities and order policies of a whole catalogue.

use std::{path::PathBuf, time::Instant};

use anyhow::Result;
use mercer_proto::v1::{ListPoliciesRequest, inventory_service_client::InventoryServiceClient};
use serde::Serialize;
use tonic::transport::Channel;

use super::{OwnCluster, open_loop::train, process};
use crate::{
    client,
    demo::{Dataset, Source},
    show::output::{self, Format},
};

/// Train demand, elasticities and order policies of a whole catalogue, and time every phase.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Which shop; The Complete Journey where it can be had, when left out.
    #[arg(long, value_enum)]
    dataset: Option<Dataset>,
    /// What to train.
    #[arg(
        long,
        value_name = "KIND,...",
        value_delimiter = ',', num_args = 1..,
        default_value = "demand,elasticity,inventory"
    )]
    kinds: Vec<String>,
    /// Workers of the benchmark's cluster.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Folder in which the benchmark's cluster keeps its data.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    dataset: Dataset,
    kinds: Vec<String>,
    /// Items with results, by kind.
    items: Vec<(String, u64)>,
    sale_days: u64,
    policies: u64,
    orders: u64,
    seconds: f64,
    phase_seconds: Vec<(String, f64)>,
    peak_resident_bytes: Option<u64>,
}

/// Runs the command.
pub(super) async fn run(args: PlanArgs, format: Format) -> Result<()> {
    let source = Source::obtain(args.dataset).await?;
    let zone = Some(source.time_zone());
    let own = OwnCluster::start_in(args.workers, args.folder.as_deref(), zone).await?;
    let answer = measure(&source, &args.kinds, own.cluster.connect().await?).await;
    own.cluster.shutdown().await;
    output::print(format, &answer?, Answers::table)
}

async fn measure(source: &Source, kinds: &[String], channel: Channel) -> Result<Answers> {
    // Costs, stock and terms of everything that was ever sold.
    let shop = source.load(&channel, usize::MAX).await?;
    client::describe(&channel, &shop.token).await?;
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let started = Instant::now();
    let job = train(channel.clone(), &kinds).await?;
    let seconds = started.elapsed().as_secs_f64();
    let cluster = client::describe(&channel, "").await?;
    let version = cluster.versions.into_iter().find(|version| version.version == job.version);
    let items = version.map(|version| version.kinds).unwrap_or_default();
    let trained = items.iter().any(|kind| kind.kind == "inventory");
    let (policies, orders) = if trained { policies(&channel).await? } else { (0, 0) };
    Ok(Answers {
        dataset: source.dataset(),
        kinds: job.kinds,
        items: items.into_iter().map(|kind| (kind.kind, kind.items)).collect(),
        sale_days: job.sale_days,
        policies,
        orders,
        seconds,
        phase_seconds: job.phase_times.into_iter().map(|t| (t.phase, t.seconds)).collect(),
        peak_resident_bytes: process::peak_resident(),
    })
}

/// Policies, and those of them that order something now.
async fn policies(channel: &Channel) -> Result<(u64, u64)> {
    let mut service = InventoryServiceClient::new(channel.clone());
    let (mut policies, mut orders) = (0, 0);
    let mut page_token = String::new();
    loop {
        let request = ListPoliciesRequest { page_size: 1_000, page_token, orders_only: false };
        let page = service.list_policies(request).await?.into_inner();
        for answer in &page.policies {
            policies += 1;
            let order = answer.policy.as_ref().map_or(0.0, |policy| policy.order_quantity);
            orders += u64::from(order > 0.0);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((policies, orders));
        }
    }
}

impl Answers {
    fn table(&self) -> String {
        let items: Vec<String> = self
            .items
            .iter()
            .map(|(kind, items)| format!("{kind} of {} items", output::count(*items)))
            .collect();
        let phases: Vec<String> = self
            .phase_seconds
            .iter()
            .map(|(phase, seconds)| format!("{phase} {seconds:.2} s"))
            .collect();
        let mut text = format!(
            "{} from {} item days with a sale: {:.2} s\n{}",
            items.join(", "),
            output::count(self.sale_days),
            self.seconds,
            phases.join(", ")
        );
        if self.policies > 0 {
            text.push_str(&format!(
                "\n{} policies, {} of them order now",
                output::count(self.policies),
                output::count(self.orders)
            ));
        }
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!("\npeak memory {}", output::bytes(peak)));
        }
        text
    }
}
