//! A producer that sends call after call, each until it is acknowledged, and keeps what it was told
//! when one was not.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use mercer_common::rpc::status::reason;
use mercer_proto::v1::{Event, RecordEventsRequest, event_service_client::EventServiceClient};
use mercer_tests::{
    answers::{connect, request},
    applied::{expected, reported},
    processes::describe,
    single::Running,
    workload::Workload,
};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::shop::{SHARDS, WORKLOAD};

/// So many users that nobody buys everything.
const CUSTOMERS: Workload = Workload { users: 4_000, ..WORKLOAD };
/// Events of a call.
const CALL: usize = 100;
const CALLS: usize = 4_000;
/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(90);

/// All calls there will ever be, and how far they were acknowledged.
#[derive(Debug)]
pub(crate) struct Calls {
    events: Vec<Event>,
    acknowledged: AtomicUsize,
    /// Whether the next one was sent, and not answered well.
    is_open: AtomicBool,
    /// Reasons of the answers that were no acknowledgements.
    refusals: Mutex<BTreeSet<String>>,
}

impl Calls {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            events: CUSTOMERS.events(CALLS * CALL),
            acknowledged: AtomicUsize::new(0),
            is_open: AtomicBool::new(false),
            refusals: Mutex::default(),
        })
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// The reasons of all refusals since the last time.
    pub(crate) fn take_refusals(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.refusals.lock())
    }

    /// Sends the next call once.
    pub(crate) async fn send(&self, endpoint: &str) -> anyhow::Result<bool> {
        let number = self.acknowledged();
        let events = self.events.chunks(CALL).nth(number).context("there are no more calls")?;
        let request_id = Some(format!("call-{number}"));
        let message = RecordEventsRequest { events: events.to_vec(), request_id };
        self.is_open.store(true, Ordering::SeqCst);
        let mut client = EventServiceClient::new(connect(endpoint).await?);
        match client.record_events(request(message)).await {
            Ok(_) => {
                self.is_open.store(false, Ordering::SeqCst);
                self.acknowledged.store(number + 1, Ordering::SeqCst);
                Ok(true)
            }
            Err(status) => {
                let reason = reason(&status).unwrap_or_else(|| format!("{status:?}"));
                self.refusals.lock().insert(reason);
                Ok(false)
            }
        }
    }

    /// Waits until so many calls more are acknowledged.
    pub(crate) async fn until_more(&self, more: usize) -> anyhow::Result<()> {
        let (begin, before) = (Instant::now(), self.acknowledged());
        while self.acknowledged() < before + more {
            let refusals = self.refusals.lock().clone();
            ensure!(begin.elapsed() < LIMIT, "no more is acknowledged: {refusals:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Fails unless exactly what was acknowledged is applied, once each; what was sent and not
    /// acknowledged is sent until it is.
    pub(crate) async fn check(&self, running: &Running) -> anyhow::Result<()> {
        let begin = Instant::now();
        while self.is_open.load(Ordering::SeqCst) && !self.send(running.endpoint()).await? {
            ensure!(begin.elapsed() < LIMIT, "the open call is not acknowledged");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let calls = self.acknowledged();
        let wanted = expected(&self.events[..calls * CALL], SHARDS);
        loop {
            let described = describe(running.endpoint(), Vec::new()).await?;
            if described.shards.iter().all(|one| one.applied_sequence >= one.end_sequence) {
                break;
            }
            ensure!(begin.elapsed() < LIMIT, "shards do not catch up: {:#?}", described.shards);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = reported(&describe(running.endpoint(), Vec::new()).await?);
        ensure!(found == wanted, "of {calls} calls, applied is {found:#?} instead of {wanted:#?}");
        Ok(())
    }
}

/// A task that sends until it is told to end.
pub(crate) struct Producer {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Producer {
    pub(crate) fn start(calls: &Arc<Calls>, endpoint: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, calls, endpoint) =
            (Arc::clone(&is_over), Arc::clone(calls), endpoint.to_owned());
        let task = tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let pause = if calls.send(&endpoint).await? { 2 } else { 20 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Ok(())
        });
        Self { is_over, task }
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::SeqCst);
        self.task.await?
    }
}
