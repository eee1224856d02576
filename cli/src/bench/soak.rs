//! `mercer bench soak`: memory, disk and latency at each minute, while events come in, questions are
//! asked and models are trained over and over.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use mercer_common::process::resident_bytes;
use mercer_proto::v1::{
    ListUsersRequest, RecommendRequest, catalog_service_client::CatalogServiceClient,
    recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{
    Latency, OwnCluster,
    open_loop::{Load, Training, spread, train},
    process,
    workload::Workload,
};
use crate::{
    folder::size_of,
    ingest_client::{Batch, IngestOptions, ingest},
    show::output::{self, Format},
};

/// Watch a cluster of the benchmark's own for some minutes under a steady load.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// How long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
    /// Events per second; 0 sends none.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    rate: u32,
    /// Recommendations per second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    answers: u32,
    /// What is trained over and over.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', num_args = 1.., default_value = "similarity")]
    train: Vec<String>,
    /// Train at the beginning only.
    #[arg(long)]
    train_once: bool,
    /// Give each event an id of its own.
    #[arg(long)]
    event_ids: bool,
    /// Events before the first minute.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Number of users.
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// Number of items.
    #[arg(long, default_value_t = 20_000)]
    items: u64,
    /// Workers of the benchmark's own cluster.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Folder in which the benchmark's own cluster keeps its data; must be a real disk.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Batches in a second.
const BATCHES: u32 = 10;
/// Users who are asked for.
const ASKED: u32 = 1_000;

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    events_per_second: u32,
    answers_per_second: u32,
    trainings: u64,
    /// The first is before any of them.
    minutes: Vec<Minute>,
}

/// State of cluster and load at the end of a minute.
#[derive(Debug, Serialize)]
struct Minute {
    minute: u32,
    /// Events that were acknowledged since the beginning.
    events: u64,
    /// Memory of this process, which is the whole cluster and the load; without mapped files.
    memory_bytes: Option<u64>,
    /// Memory of this process with mapped files.
    resident_bytes: Option<u64>,
    disk_bytes: u64,
    /// Memory above that of the minute before, for one of its events.
    memory_bytes_per_event: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
    errors: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

/// Runs the command.
pub(super) async fn run(args: SoakArgs, format: Format) -> Result<()> {
    let own = OwnCluster::start(args.workers, args.folder.as_deref()).await?;
    let answer = soak(&args, &own).await;
    own.cluster.shutdown().await;
    output::print(format, &answer?, Answers::table)
}

async fn soak(args: &SoakArgs, own: &OwnCluster) -> Result<Answers> {
    let mut workload = Workload::new(args.users, args.items, 1);
    if args.event_ids {
        workload = workload.with_event_ids();
    }
    let channel = own.cluster.connect().await?;
    workload.clone().load(args.events, &channel).await?;
    train(channel.clone(), &args.train).await?;
    let users = some_users(channel.clone()).await?;
    let sending =
        Sending::start(workload.skip(args.events), args.rate, own.cluster.connect().await?);
    let training = (!args.train_once).then(|| Training::start(channel.clone(), args.train.clone()));
    // The folder is walked off the runtime's threads, for the files of a training are many.
    let folder = own.path("");
    let mut minutes = vec![Minute::now(0, 0, folder.clone()).await?];
    let asking = own.cluster.connect().await?;
    for number in 1..=args.minutes {
        let load = Load::for_a_minute(args.answers);
        let measured = load
            .run(
                &format!("minute {number} of {}", args.minutes),
                |call| {
                    let user_id = users[spread(call, users.len())].clone();
                    let question = RecommendRequest { user_id, n: 10, ..Default::default() };
                    let request = load.request(question);
                    let mut service = RecommendServiceClient::new(asking.clone());
                    async move { service.recommend(request).await.map(tonic::Response::into_inner) }
                },
                |_| {},
            )
            .await;
        let mut minute = Minute::now(number, sending.sent(), folder.clone()).await?;
        minute.latency_ms = Some(Latency::of(&measured.latency));
        (minute.errors, minute.error) = (measured.errors, measured.error);
        minute.compare(minutes.last());
        minutes.push(minute);
    }
    sending.stop().await?;
    let trainings = match training {
        Some(training) => training.stop().await?,
        None => 1,
    };
    Ok(Answers {
        events_per_second: args.rate,
        answers_per_second: args.answers,
        trainings,
        minutes,
    })
}

/// Ids of users whom the cluster knows.
async fn some_users(channel: Channel) -> Result<Vec<String>> {
    let mut service = CatalogServiceClient::new(channel);
    let request = ListUsersRequest { page_size: ASKED, ..ListUsersRequest::default() };
    let page = service.list_users(request).await?.into_inner();
    Ok(page.users.into_iter().map(|user| user.user_id).collect())
}

/// Events at a steady rate.
struct Sending {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Sending {
    fn start(mut workload: Workload, rate: u32, channel: Channel) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (batches, receiver) = tokio::sync::mpsc::channel(64);
        let stopped = Arc::clone(&stop);
        let making = async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / BATCHES);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for number in 0_u64.. {
                ticks.tick().await;
                let due = |number: u64| number * u64::from(rate) / u64::from(BATCHES);
                let count = usize::try_from(due(number + 1) - due(number)).unwrap_or_default();
                let events = workload.batch(count);
                if stopped.load(Ordering::Relaxed)
                    || batches.send(Batch { events, last: false }).await.is_err()
                {
                    return;
                }
            }
        };
        let counted = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            let making = tokio::spawn(making);
            let mut refused = None;
            ingest(channel, IngestOptions::new(), ReceiverStream::new(receiver), |answer| {
                match answer.outcome {
                    Ok(_) => {
                        counted.fetch_add(answer.events as u64, Ordering::Relaxed);
                    }
                    Err(status) => refused = Some(status),
                }
            })
            .await?;
            making.await?;
            refused.map_or(Ok(()), |status| Err(status.into()))
        });
        Self { stop, sent, task }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

impl Minute {
    async fn now(minute: u32, events: u64, folder: PathBuf) -> Result<Self> {
        // A file may go away meanwhile, and with it its folder.
        let disk = tokio::task::spawn_blocking(move || {
            (0..5).find_map(|_| size_of(&folder).ok()).unwrap_or_default()
        });
        Ok(Self {
            minute,
            events,
            memory_bytes: process::memory(),
            resident_bytes: resident_bytes(),
            disk_bytes: disk.await?,
            memory_bytes_per_event: None,
            latency_ms: None,
            errors: 0,
            error: String::new(),
        })
    }

    fn compare(&mut self, before: Option<&Self>) {
        let Some(before) = before else { return };
        let events = self.events - before.events;
        let memory = self.memory_bytes.zip(before.memory_bytes);
        self.memory_bytes_per_event = memory
            .filter(|_| events > 0)
            .map(|(now, before)| (now as f64 - before as f64) / events as f64);
    }
}

impl Answers {
    fn table(&self) -> String {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(String::new, output::bytes);
        let rows = self.minutes.iter().map(|minute| {
            let millis = |of: fn(&Latency) -> f64| {
                minute.latency_ms.as_ref().map_or_else(String::new, |ms| format!("{:.2}", of(ms)))
            };
            vec![
                minute.minute.to_string(),
                output::count(minute.events),
                bytes(minute.memory_bytes),
                minute
                    .memory_bytes_per_event
                    .map_or_else(String::new, |more| format!("{more:+.0}")),
                bytes(minute.resident_bytes),
                output::bytes(minute.disk_bytes),
                millis(|latency| latency.p50),
                millis(|latency| latency.p99),
                minute.errors.to_string(),
            ]
        });
        let headers = [
            ">minute",
            ">events",
            ">memory",
            ">per event",
            ">with mapped files",
            ">disk",
            ">p50 ms",
            ">p99 ms",
            ">errors",
        ];
        let mut text = output::table(&headers, rows);
        text.push_str(&format!(
            "\n{} events/s and {} answers/s beside {} trainings; per event: memory above the minute \
             before",
            self.events_per_second, self.answers_per_second, self.trainings
        ));
        if let Some(failed) = self.minutes.iter().find(|minute| minute.errors > 0) {
            text.push_str(&format!("\nfirst error: {}", failed.error));
        }
        text
    }
}
