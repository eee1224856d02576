//! `mercer bench ingest`: durable events per second, and what they cost.

use std::{path::PathBuf, time::Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use mercer_common::token;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{Latency, OwnCluster, microseconds, process, workload::Workload};
use crate::{
    client,
    ingest_client::{Answer, Batch, IngestOptions, IngestSummary, ingest},
    show::{
        output::{self, Format},
        progress,
    },
};

/// Send events as fast as they are acknowledged as durable.
#[derive(Debug, clap::Args)]
pub(crate) struct IngestArgs {
    /// Number of events.
    #[arg(long, default_value_t = 2_000_000)]
    events: usize,
    /// Events per batch.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Batches on their way at the same time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Number of users.
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// Number of items.
    #[arg(long, default_value_t = 50_000)]
    items: u64,
    /// Seed of the events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Workers of the benchmark's own cluster.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Folder in which the benchmark's own cluster keeps its data; must be a real disk.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Keep the data, in that very folder, which must be new: for `mercer bench replay`.
    #[arg(long, requires = "folder")]
    keep: bool,
    /// Use this cluster instead of the benchmark's own.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    events: u64,
    seconds: f64,
    events_per_second: f64,
    acknowledgement_ms: Latency,
    /// Until everything was applied, after the last acknowledgement.
    apply_lag_seconds: f64,
    resent_batches: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

/// Costs of ingestion that only the benchmark's own cluster can tell.
#[derive(Debug, Serialize)]
struct Cost {
    log_bytes_per_event: f64,
    state_bytes_per_event: f64,
    written_bytes_per_event: Option<f64>,
    peak_resident_bytes: Option<u64>,
}

/// Batches that were sent, and what became of them.
struct Sent {
    summary: IngestSummary,
    latency: Histogram<u64>,
    seconds: f64,
    token: String,
}

/// Runs the command.
pub(super) async fn run(args: IngestArgs, format: Format) -> Result<()> {
    let answer = match &args.endpoint {
        Some(endpoint) => {
            let channel = client::connect(endpoint).await?;
            let sent = send(&args, channel.clone()).await?;
            let lag = wait_applied(&channel, &sent.token).await?;
            Answers::new(sent, lag, None)
        }
        None => own(&args).await?,
    };
    output::print(format, &answer, Answers::table)
}

async fn own(args: &IngestArgs) -> Result<Answers> {
    let own = match &args.folder {
        Some(folder) if args.keep => OwnCluster::start_kept(args.workers, folder).await?,
        folder => OwnCluster::start(args.workers, folder.as_deref()).await?,
    };
    let written = process::bytes_written();
    let channel = own.cluster.connect().await?;
    let sent = send(args, channel.clone()).await?;
    let lag = wait_applied(&channel, &sent.token).await?;
    // What the log holds back for a full disk is no cost of an event.
    let (log, workers) = (own.path("log/segments"), args.workers);
    let log_bytes = crate::folder::size_of(&log)?;
    let OwnCluster { cluster, folder } = own;
    // A shutdown snapshots everything.
    cluster.shutdown().await;
    let mut state_bytes = 0;
    for worker in 1..=workers {
        state_bytes += crate::folder::size_of(&folder.path().join(format!("worker-{worker}")))?;
    }
    let written = written.and_then(|before| Some(process::bytes_written()? - before));
    let per_event = |bytes: u64| bytes as f64 / sent.summary.events.max(1) as f64;
    let cost = Cost {
        log_bytes_per_event: per_event(log_bytes),
        state_bytes_per_event: per_event(state_bytes),
        written_bytes_per_event: written.map(per_event),
        peak_resident_bytes: process::peak_resident(),
    };
    Ok(Answers::new(sent, lag, Some(cost)))
}

async fn send(args: &IngestArgs, channel: Channel) -> Result<Sent> {
    let (sender, receiver) = mpsc::channel(16);
    let mut workload = Workload::new(args.users, args.items, args.seed);
    let (mut left, size) = (args.events, usize::from(args.batch));
    // Events are made on another thread; that it shares the cores is part of the measurement.
    let making = tokio::task::spawn_blocking(move || {
        while left > 0 {
            let events = workload.batch(left.min(size));
            left -= events.len();
            if sender.blocking_send(Batch { events, last: false }).is_err() {
                break;
            }
        }
    });
    let bar = progress::bar("ingesting", args.events as u64, progress::Unit::Records);
    let mut latency = microseconds();
    let mut tokens: Vec<String> = Vec::new();
    let mut refused = None;
    let options = IngestOptions { in_flight: args.in_flight.into(), ..IngestOptions::new() };
    let started = Instant::now();
    let summary = ingest(channel, options, ReceiverStream::new(receiver), |answer: Answer| {
        bar.inc(answer.events as u64);
        latency.saturating_record(u64::try_from(answer.latency.as_micros()).unwrap_or(u64::MAX));
        match answer.outcome {
            Ok(token) => tokens.push(token),
            Err(status) => refused = Some(status),
        }
        if tokens.len() > 256
            && let Ok(combined) = token::combine(&tokens)
        {
            tokens = vec![combined];
        }
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    making.await?;
    match refused {
        Some(status) => Err(status.into()),
        None => Ok(Sent { summary, latency, seconds, token: token::combine(&tokens)? }),
    }
}

/// Seconds until every shard has applied what the token covers.
async fn wait_applied(channel: &Channel, token: &str) -> Result<f64> {
    let started = Instant::now();
    client::describe(channel, token).await?;
    Ok(started.elapsed().as_secs_f64())
}

impl Answers {
    fn new(sent: Sent, apply_lag_seconds: f64, cost: Option<Cost>) -> Self {
        Self {
            events: sent.summary.events,
            seconds: sent.seconds,
            events_per_second: sent.summary.events as f64 / sent.seconds,
            acknowledgement_ms: Latency::of(&sent.latency),
            apply_lag_seconds,
            resent_batches: sent.summary.resent,
            cost,
        }
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{} events in {:.2} s: {:.0} events/s, durable\n\
             acknowledgement  {}\n\
             applied          {:.2} s after the last acknowledgement",
            output::count(self.events),
            self.seconds,
            self.events_per_second,
            self.acknowledgement_ms.text(),
            self.apply_lag_seconds,
        );
        if self.resent_batches > 0 {
            text.push_str(&format!("\nsent again       {} batches", self.resent_batches));
        }
        if let Some(cost) = &self.cost {
            text.push_str(&format!(
                "\nlog              {:.1} bytes/event\nstate            {:.1} bytes/event",
                cost.log_bytes_per_event, cost.state_bytes_per_event
            ));
            if let Some(written) = cost.written_bytes_per_event {
                text.push_str(&format!("\nwritten to disk  {written:.1} bytes/event"));
            }
            if let Some(peak) = cost.peak_resident_bytes {
                text.push_str(&format!("\npeak memory      {}", output::bytes(peak)));
            }
        }
        text
    }
}
