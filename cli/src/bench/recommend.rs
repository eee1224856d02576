//! `mercer bench recommend`: latency at a fixed rate.
//!
//! Open loop: call i is due at i / rate whether or not earlier calls have returned, and its
//! latency counts from that moment, so that a stall is charged to every call it delays.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use mercer_proto::v1::{
    ListUsersRequest, RecommendRequest, StartJobRequest,
    catalog_service_client::CatalogServiceClient, recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tonic::{Status, transport::Channel};

use super::{Latency, OwnCluster, microseconds, process, workload::Workload};
use crate::{
    client,
    commands::jobs,
    ingest_client::{Batch, IngestOptions, ingest},
    output::{self, Format},
    progress,
};

/// Ask for recommendations at a fixed rate.
#[derive(Debug, clap::Args)]
pub(crate) struct RecommendArgs {
    /// Calls per second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long to measure.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Items per answer.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// `p3`, `item-cosine` or `popular`; the cluster's default when left out.
    #[arg(long)]
    algorithm: Option<String>,
    /// Train over and over while measuring.
    #[arg(long)]
    during_training: bool,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 5_000)]
    deadline_ms: u64,
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

/// Calls under way at once; beyond it the load generator has lost.
const UNDER_WAY: usize = 4_096;
/// Calls that are not measured: connections and caches warm up.
const WARM_UP: Duration = Duration::from_secs(2);
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
}

/// Runs the command.
pub(super) async fn run(args: RecommendArgs, format: Format) -> Result<()> {
    let answer = match &args.endpoint {
        Some(endpoint) => measure(&args, client::connect(endpoint).await?).await?,
        None => {
            let own = OwnCluster::start(args.workers, args.folder.as_deref()).await?;
            let channel = own.cluster.connect().await?;
            load(&args, channel.clone()).await?;
            train(channel).await?;
            // A connection of its own: the load's windows are not the queries'.
            let answer = measure(&args, own.cluster.connect().await?).await;
            own.cluster.shutdown().await;
            answer?
        }
    };
    output::print(format, &answer, Answers::table)
}

async fn load(args: &RecommendArgs, channel: Channel) -> Result<()> {
    let bar = progress::bar("loading", args.events as u64, progress::Unit::Records);
    let mut workload = Workload::new(args.users, args.items, 1);
    let events = args.events;
    let sizes = (0..events).step_by(500).map(move |start| (events - start).min(500));
    let batches = sizes.map(move |size| Batch { events: workload.batch(size), last: false });
    let batches = tokio_stream::iter(batches);
    let mut refused = None;
    ingest(channel.clone(), IngestOptions::new(), batches, |answer| {
        bar.inc(answer.events as u64);
        refused = refused.take().or(answer.outcome.err());
    })
    .await?;
    bar.finish_and_clear();
    if let Some(status) = refused {
        return Err(status.into());
    }
    // Only catalogued items are recommended.
    let items = (0..args.items).map(Workload::item).collect();
    crate::import::send_items(&channel, items).await?;
    Ok(())
}

async fn train(channel: Channel) -> Result<()> {
    let request = StartJobRequest {
        kinds: vec!["similarity".into()],
        request_id: Some(uuid::Uuid::new_v4().to_string()),
    };
    let job = jobs::start(channel.clone(), request).await?;
    jobs::succeeded(&jobs::watch(channel, &job.job_id).await?)
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

/// What the calls gave.
struct Measured {
    latency: Histogram<u64>,
    calls: u64,
    errors: u64,
    error: String,
    coverage: f64,
    short_answers: u64,
}

impl Measured {
    fn note(&mut self, latency: Duration, outcome: Result<(f64, bool), Status>) {
        self.calls += 1;
        match outcome {
            Ok((coverage, short)) => {
                self.latency.saturating_record(micros(latency));
                self.coverage = self.coverage.min(coverage);
                self.short_answers += u64::from(short);
            }
            Err(status) => {
                self.errors += 1;
                if self.error.is_empty() {
                    self.error = format!("{:?}: {}", status.code(), status.message());
                }
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

async fn measure(args: &RecommendArgs, channel: Channel) -> Result<Answers> {
    let users = Arc::new(known_users(channel.clone()).await?);
    let stop = Arc::new(Semaphore::new(0));
    let training = args.during_training.then(|| {
        let (channel, stop) = (channel.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut trainings = 0;
            // The semaphore closes when measuring ends.
            while !stop.is_closed() {
                train(channel.clone()).await?;
                trainings += 1;
            }
            anyhow::Ok(trainings)
        })
    });
    let measured = calls(args, channel, &users).await;
    stop.close();
    let trainings = match training {
        Some(training) => training.await??,
        None => 0,
    };
    Ok(Answers {
        rate: args.rate,
        during_training: args.during_training,
        trainings,
        calls: measured.calls,
        errors: measured.errors,
        error: measured.error,
        latency_ms: Latency::of(&measured.latency),
        coverage: measured.coverage,
        short_answers: measured.short_answers,
        peak_resident_bytes: args.endpoint.is_none().then(process::peak_resident).flatten(),
    })
}

async fn calls(args: &RecommendArgs, channel: Channel, users: &Arc<Vec<String>>) -> Measured {
    let mut measured = Measured {
        latency: microseconds(),
        calls: 0,
        errors: 0,
        error: String::new(),
        coverage: 1.0,
        short_answers: 0,
    };
    let total = u64::from(args.rate) * (u64::from(args.seconds) + WARM_UP.as_secs());
    let bar = progress::bar("measuring", total, progress::Unit::Records);
    let mut under_way = JoinSet::new();
    let warm = u64::from(args.rate) * WARM_UP.as_secs();
    let mut ticks = ticks(args.rate, total);
    while let Some((call, due)) = ticks.recv().await {
        while let Some(done) = under_way.try_join_next() {
            note(&mut measured, done);
        }
        if under_way.len() >= UNDER_WAY {
            let lost = Status::resource_exhausted("too many calls are under way");
            measured.note(Duration::ZERO, Err(lost));
            continue;
        }
        let mut service = RecommendServiceClient::new(channel.clone());
        let (n, algorithm) = (args.n, args.algorithm.clone().unwrap_or_default());
        // Spreads over the users without repeating soon.
        let user = (call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16) as usize % users.len();
        let users = Arc::clone(users);
        let deadline = Duration::from_millis(args.deadline_ms);
        under_way.spawn(async move {
            let user_id = users[user].clone();
            let message = RecommendRequest { user_id, n, algorithm, ..Default::default() };
            let mut request = tonic::Request::new(message);
            request.set_timeout(deadline);
            let outcome = service.recommend(request).await.map(|answer| {
                let answer = answer.into_inner();
                (answer.coverage, answer.items.len() < n as usize)
            });
            (call >= warm, due.elapsed(), outcome)
        });
        bar.inc(1);
    }
    while let Some(done) = under_way.join_next().await {
        note(&mut measured, done);
    }
    bar.finish_and_clear();
    measured
}

/// Calls and when they are due, from a thread of its own: the runtime's timers are too coarse.
fn ticks(rate: u32, total: u64) -> mpsc::Receiver<(u64, Instant)> {
    // Holds a whole stall, so that ticks are never late because of it.
    let (sender, receiver) = mpsc::channel(1 << 16);
    std::thread::spawn(move || {
        let started = Instant::now();
        for call in 0..total {
            let due = started + Duration::from_secs_f64(call as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.blocking_send((call, due)).is_err() {
                break;
            }
        }
    });
    receiver
}

type Done = (bool, Duration, Result<(f64, bool), Status>);

fn note(measured: &mut Measured, done: Result<Done, tokio::task::JoinError>) {
    match done {
        Ok((true, latency, outcome)) => measured.note(latency, outcome),
        Ok((false, ..)) => {}
        Err(error) => measured.note(Duration::ZERO, Err(Status::internal(error.to_string()))),
    }
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
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!("\npeak memory  {}", output::bytes(peak)));
        }
        text
    }
}
