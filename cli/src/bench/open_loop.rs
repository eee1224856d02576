//! Calls at a fixed rate.
//!
//! Open loop: call i is due at i / rate whether or not earlier calls have returned, and its
//! latency counts from that moment, so that a stall is charged to every call it delays.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::Result;
use hdrhistogram::Histogram;
use mercer_proto::v1::{Job, StartJobRequest};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tonic::{Request, Status, transport::Channel};

use super::microseconds;
use crate::{commands::jobs, show::progress};

/// Calls under way at once; beyond it the load generator has lost.
const UNDER_WAY: usize = 4_096;
/// Calls that are not measured: connections and caches warm up.
const WARM_UP: Duration = Duration::from_secs(2);

/// How often, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Load {
    /// Calls per second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) rate: u32,
    /// How long to measure.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 5_000)]
    deadline_ms: u64,
}

/// Calls that were made, and how long they took.
pub(super) struct Measured {
    pub(super) latency: Histogram<u64>,
    pub(super) calls: u64,
    pub(super) errors: u64,
    /// The first error's message.
    pub(super) error: String,
}

impl Measured {
    fn error(&mut self, status: &Status) {
        self.calls += 1;
        self.errors += 1;
        if self.error.is_empty() {
            self.error = format!("{:?}: {}", status.code(), status.message());
        }
    }
}

/// Whether the call counts, how long it took, and what came of it.
type Done<T> = (bool, Duration, Result<T, Status>);

impl Load {
    /// Measures for a minute, warming up included.
    pub(super) fn for_a_minute(rate: u32) -> Self {
        Self { rate, seconds: 58, deadline_ms: 5_000 }
    }

    /// A request with the deadline.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(Duration::from_millis(self.deadline_ms));
        request
    }

    /// Makes the calls that `ask` gives for their numbers; `answered` sees what they return.
    pub(super) async fn run<T, F>(
        &self,
        label: &str,
        mut ask: impl FnMut(u64) -> F,
        mut answered: impl FnMut(T),
    ) -> Measured
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Status>> + Send + 'static,
    {
        let mut measured =
            Measured { latency: microseconds(), calls: 0, errors: 0, error: String::new() };
        let mut note = |measured: &mut Measured, done: Result<Done<T>, _>| match done {
            Ok((true, latency, Ok(answer))) => {
                measured.calls += 1;
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                measured.latency.saturating_record(micros);
                answered(answer);
            }
            Ok((true, _, Err(status))) => measured.error(&status),
            Ok((false, ..)) => {}
            Err(error) => {
                measured.error(&Status::internal(tokio::task::JoinError::to_string(&error)))
            }
        };
        let warm = u64::from(self.rate) * WARM_UP.as_secs();
        let total = u64::from(self.rate) * u64::from(self.seconds) + warm;
        let bar = progress::bar(label, total, progress::Unit::Records);
        let mut under_way = JoinSet::new();
        let mut ticks = ticks(self.rate, total);
        while let Some((call, due)) = ticks.recv().await {
            while let Some(done) = under_way.try_join_next() {
                note(&mut measured, done);
            }
            if under_way.len() >= UNDER_WAY {
                measured.error(&Status::resource_exhausted("too many calls are under way"));
                continue;
            }
            let answer = ask(call);
            under_way.spawn(async move {
                let outcome = answer.await;
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
}

/// Place of a call among `count`: spreads over all without repeating soon.
pub(super) fn spread(call: u64, count: usize) -> usize {
    (call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16) as usize % count.max(1)
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

/// Trains once, to the end.
pub(super) async fn train(channel: Channel, kinds: &[impl ToString]) -> Result<Job> {
    let request = StartJobRequest {
        kinds: kinds.iter().map(ToString::to_string).collect(),
        request_id: Some(uuid::Uuid::new_v4().to_string()),
    };
    let job = jobs::start(channel.clone(), request).await?;
    let job = jobs::watch(channel, &job.job_id).await?;
    jobs::succeeded(&job)?;
    Ok(job)
}

/// Training over and over beside the calls.
pub(super) struct Training {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<u64>>,
}

impl Training {
    /// Begins.
    pub(super) fn start(channel: Channel, kinds: Vec<String>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut trainings = 0;
            while !*stopped.borrow() {
                train(channel.clone(), &kinds).await?;
                trainings += 1;
            }
            Ok(trainings)
        });
        Self { stop, task }
    }

    /// Lets the training under way end; returns how many there were.
    pub(super) async fn stop(self) -> Result<u64> {
        self.stop.send_replace(true);
        self.task.await?
    }
}
