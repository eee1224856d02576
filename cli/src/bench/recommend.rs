//! `mercer bench recommend`: latency at a fixed rate.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use mercer_proto::v1::{
    Job, ListUsersRequest, RecommendRequest, catalog_service_client::CatalogServiceClient,
    recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tonic::{Request, Response, transport::Channel};

use super::{
    Latency, OwnCluster,
    open_loop::{Load, Training, spread, train},
    process,
    workload::Workload,
};
use crate::{
    client,
    show::output::{self, Format},
};

/// Ask for recommendations at a fixed rate.
#[derive(Debug, clap::Args)]
pub(crate) struct RecommendArgs {
    #[command(flatten)]
    load: Load,
    /// Items per answer.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// An algorithm that was trained, or `popular`; the cluster's default when left out.
    #[arg(long)]
    algorithm: Option<String>,
    /// What the benchmark's own cluster trains; and what `--during-training` does.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', num_args = 1.., default_value = "similarity")]
    train: Vec<String>,
    /// A filter expression for every call.
    #[arg(long = "where", value_name = "EXPRESSION", default_value = "")]
    expression: String,
    /// Train over and over while measuring.
    #[arg(long)]
    during_training: bool,
    /// Events that the benchmark's own cluster holds.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Users of the benchmark's own cluster.
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// Items of the benchmark's own cluster.
    #[arg(long, default_value_t = 20_000)]
    items: u64,
    /// Workers of the benchmark's own cluster.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Folder in which the benchmark's own cluster keeps its data.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Use this cluster, which must be trained, instead of the benchmark's own.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

/// Users who are asked for.
const ASKED: usize = 10_000;

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    rate: u32,
    during_training: bool,
    trainings: u64,
    calls: u64,
    errors: u64,
    /// The first error's message.
    error: String,
    latency_ms: Latency,
    /// Lowest coverage of any answer.
    coverage: f64,
    /// Answers with fewer than n items.
    short_answers: u64,
    peak_resident_bytes: Option<u64>,
    /// Times of the training of the benchmark's own cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<TrainingTimes>,
}

/// Times of loading and training before the calls.
#[derive(Debug, Serialize)]
struct TrainingTimes {
    /// Seconds until all events were applied.
    load_seconds: f64,
    seconds: f64,
    interactions: u64,
    phases: Vec<(String, f64)>,
    /// Bytes of artifacts for one interaction: read, each as often as a task reads it, and written.
    bytes_per_interaction: [f64; 2],
    peak_resident_bytes: Option<u64>,
}

impl TrainingTimes {
    fn new(job: &Job, loading: Duration) -> Self {
        let phases = job.phase_times.iter().map(|time| (time.phase.clone(), time.seconds));
        let phases: Vec<(String, f64)> = phases.collect();
        let read: u64 = job.phase_times.iter().map(|time| time.bytes_read).sum();
        let written: u64 = job.phase_times.iter().map(|time| time.bytes_written).sum();
        let interactions = job.interactions.max(1) as f64;
        Self {
            load_seconds: loading.as_secs_f64(),
            seconds: phases.iter().map(|(_, seconds)| seconds).sum(),
            interactions: job.interactions,
            phases,
            bytes_per_interaction: [read as f64 / interactions, written as f64 / interactions],
            peak_resident_bytes: process::peak_resident(),
        }
    }

    fn text(&self) -> String {
        let phases = self.phases.iter().map(|(name, seconds)| format!("{name} {seconds:.1}"));
        let phases = phases.collect::<Vec<_>>().join(", ");
        let peak = self.peak_resident_bytes.map_or_else(String::new, output::bytes);
        let interactions = output::count(self.interactions);
        let [read, written] = self.bytes_per_interaction;
        format!(
            "loaded       all events in {:.1} s\n\
             trained      {interactions} interactions in {:.1} s ({phases}); tasks read {read:.0} and \
             wrote {written:.0} bytes an interaction; peak memory {peak}",
            self.load_seconds, self.seconds
        )
    }
}

impl RecommendArgs {
    /// A request for the list of a user.
    fn request(&self, user_id: &str) -> Request<RecommendRequest> {
        self.load.request(RecommendRequest {
            user_id: user_id.to_owned(),
            n: self.n,
            algorithm: self.algorithm.clone().unwrap_or_default(),
            filter_expression: self.expression.clone(),
            ..RecommendRequest::default()
        })
    }
}

/// Runs the command.
pub(super) async fn run(args: RecommendArgs, format: Format) -> Result<()> {
    let answer = match &args.endpoint {
        Some(endpoint) => measure(&args, client::connect(endpoint).await?).await?,
        None => {
            let own = OwnCluster::start(args.workers, args.folder.as_deref()).await?;
            let channel = own.cluster.connect().await?;
            let workload = Workload::new(args.users, args.items, 1);
            let started = Instant::now();
            workload.load(args.events, &channel).await?;
            let loading = started.elapsed();
            let job = train(channel, &args.train).await?;
            let training = Some(TrainingTimes::new(&job, loading));
            // A connection of its own: the load's windows are not the queries'.
            let answer = measure(&args, own.cluster.connect().await?).await;
            own.cluster.shutdown().await;
            Answers { training, ..answer? }
        }
    };
    output::print(format, &answer, Answers::table)
}

/// Ids of users whom the cluster knows.
async fn known_users(channel: Channel) -> Result<Vec<String>> {
    let mut service = CatalogServiceClient::new(channel);
    let mut users = Vec::new();
    let mut page_token = String::new();
    while users.len() < ASKED {
        let request = ListUsersRequest { page_size: 1_000, page_token, tokens: Vec::new() };
        let page = service.list_users(request).await?.into_inner();
        users.extend(page.users.into_iter().map(|user| user.user_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if users.is_empty() {
        bail!("the cluster knows no users; import events first");
    }
    Ok(users)
}

async fn measure(args: &RecommendArgs, channel: Channel) -> Result<Answers> {
    let users = known_users(channel.clone()).await?;
    let training =
        args.during_training.then(|| Training::start(channel.clone(), args.train.clone()));
    let (mut coverage, mut short_answers) = (1.0f64, 0);
    let measured = args
        .load
        .run(
            "measuring",
            |call| {
                let request = args.request(&users[spread(call, users.len())]);
                let mut service = RecommendServiceClient::new(channel.clone());
                async move { service.recommend(request).await.map(Response::into_inner) }
            },
            |answer| {
                coverage = coverage.min(answer.coverage);
                short_answers += u64::from(answer.items.len() < args.n as usize);
            },
        )
        .await;
    let trainings = match training {
        Some(training) => training.stop().await?,
        None => 0,
    };
    Ok(Answers {
        rate: args.load.rate,
        during_training: args.during_training,
        trainings,
        calls: measured.calls,
        errors: measured.errors,
        error: measured.error,
        latency_ms: Latency::of(&measured.latency),
        coverage,
        short_answers,
        peak_resident_bytes: args.endpoint.is_none().then(process::peak_resident).flatten(),
        training: None,
    })
}

impl Answers {
    fn table(&self) -> String {
        let mut text = format!(
            "{} calls at {} calls/s{}: {} errors, coverage at least {:.0} %, {} short answers\n\
             latency      {}",
            output::count(self.calls),
            self.rate,
            if self.during_training {
                format!(" during training ({} trainings)", self.trainings)
            } else {
                String::new()
            },
            self.errors,
            self.coverage * 100.0,
            self.short_answers,
            self.latency_ms.text(),
        );
        if self.errors > 0 {
            text.push_str(&format!("\nfirst error  {}", self.error));
        }
        if let Some(training) = &self.training {
            text.push_str(&format!("\n{}", training.text()));
        }
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!("\npeak memory  {}", output::bytes(peak)));
        }
        text
    }
}
