//! Pulls the log for all shards of this worker: one long poll at a time, the next one while the
//! last is being applied.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use mercer_common::{
    limits,
    log::{Epoch, Mark, Sequence},
    rpc::{
        AHEAD_OF_LOG, Deadline, PeerChannel,
        generation::{STALE_GENERATION, set_generation, set_worker},
        status::{datum, reason},
    },
    slot::ShardId,
};
use mercer_proto::internal::{
    CheckRequest, Cursor, FetchRequest, FetchResponse, FetchedSection,
    log_service_client::LogServiceClient,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use super::{
    LaneContext,
    lane::{self, Batch},
    refold::{ReadsLog, Stretch, Unread},
};
use crate::{
    backoff::Backoff,
    generation::{Ended, Generation},
    shard::Shard,
};

/// Bytes of sections that one fetch asks for.
const FETCH_BYTES: u32 = 8 << 20;
/// Fetches' worth of sections that may wait to be applied.
const FETCHES_HELD: u32 = 4;
/// Batches of one shard that wait beside the one being applied.
const LANE_DEPTH: usize = 1;
/// How long the log may wait for something new.
const WAIT: Duration = Duration::from_secs(1);
/// How long, when some shard is not asked for because it has enough to apply.
const WAIT_PARTIAL: Duration = Duration::from_millis(20);
/// Reason of an answer to a cursor before the beginning of the log.
const LOG_TRIMMED: &str = "LOG_TRIMMED";
/// What a fetch may take beyond its wait.
const GRACE: Duration = Duration::from_secs(10);

/// Asks the coordinator for the log, in the name of this worker.
#[derive(Clone)]
pub(crate) struct LogReader {
    pub(crate) channel: PeerChannel,
    pub(crate) worker_id: Arc<str>,
    pub(crate) generation: Arc<Generation>,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}

impl LogReader {
    async fn fetch(&self, cursors: Vec<Cursor>, wait: Duration) -> Result<FetchResponse, Status> {
        let mut request = Request::new(FetchRequest {
            cursors,
            max_bytes: FETCH_BYTES,
            wait_ms: u32::try_from(wait.as_millis()).expect("seconds"),
        });
        set_generation(&mut request, self.generation.current());
        set_worker(&mut request, &self.worker_id)
            .map_err(|error| Status::internal(format!("worker.id: {error}")))?;
        let mut client = LogServiceClient::new(self.channel.clone())
            .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES);
        let response = Deadline::after(wait + GRACE)
            .call(request, async |request| client.fetch(request).await)
            .await?;
        Ok(response.into_inner())
    }
}

/// Fetches for one generation.
pub(crate) struct Fetcher {
    pub(crate) log: LogReader,
    pub(crate) lanes: LaneContext,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("log", &self.log).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Lane {
    shard: Arc<Shard>,
    batches: mpsc::Sender<Batch>,
    /// Everything up to here was handed to the lane.
    cursor: Mark,
    /// Where the highest slot of the snapshot stands.
    loaded: Mark,
}

impl Lane {
    fn cursor(&self) -> Cursor {
        // Once the cursor has come so far, its own mark says as much.
        let ahead = (self.loaded.position > self.cursor.position).then_some(self.loaded);
        Cursor {
            shard: self.shard.id().into(),
            after: self.cursor.position,
            epoch: self.cursor.epoch.to_bytes(),
            highest: ahead.map(Into::into),
        }
    }
}

impl Fetcher {
    /// Tells of each mark whether the log holds what was read through it; asks until it is told,
    /// `None` when `stop` comes first.
    pub(crate) async fn check(
        &self,
        marks: &[Mark],
        stop: &CancellationToken,
    ) -> Option<Vec<bool>> {
        let mut backoff = Backoff::default();
        loop {
            let answer = tokio::select! {
                () = stop.cancelled() => return None,
                answer = self.check_once(marks) => answer,
            };
            match answer {
                Ok(accepted) if accepted.len() == marks.len() => return Some(accepted),
                Ok(_) => tracing::error!("the log answered another question"),
                Err(status) => {
                    let (code, message) = (status.code(), status.message());
                    tracing::warn!(?code, message, "the log does not check positions");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
    }

    async fn check_once(&self, marks: &[Mark]) -> Result<Vec<bool>, Status> {
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        let marks = marks.iter().map(|mark| (*mark).into()).collect();
        let request = Request::new(CheckRequest { marks });
        let mut client = LogServiceClient::new(self.log.channel.clone());
        let answer = Deadline::after(GRACE)
            .call(request, async |request| client.check(request).await)
            .await?;
        Ok(answer.into_inner().accepted)
    }

    /// Follows the log with `shards` until `stop` or until the generation is over; ends when
    /// nothing is being applied any more.
    pub(crate) async fn run(&self, shards: Vec<Arc<Shard>>, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let mut lanes = BTreeMap::new();
        for shard in shards {
            let (batches, receiver) = mpsc::channel(LANE_DEPTH);
            running.spawn(lane::run(
                Arc::clone(&shard),
                receiver,
                self.lanes.clone(),
                stop.clone(),
            ));
            let loaded = shard.read().mark();
            let cursor = Mark { position: shard.applied(), ..loaded };
            lanes.insert(shard.id(), Lane { cursor, loaded, shard, batches });
        }
        self.follow(&mut lanes, &stop).await;
        drop(lanes);
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a lane panicked");
            }
        }
    }

    async fn follow(&self, lanes: &mut BTreeMap<ShardId, Lane>, stop: &CancellationToken) {
        let held = Arc::new(Semaphore::new((FETCH_BYTES * FETCHES_HELD) as usize));
        let mut backoff = Backoff::default();
        let mut serve_from = None;
        for turn in 0.. {
            let fetched = tokio::select! {
                () = stop.cancelled() => return,
                fetched = self.fetch(lanes, &held, serve_from.is_some(), turn) => fetched,
            };
            let delay = match fetched {
                Ok(None) => WAIT_PARTIAL,
                Ok(Some((response, memory))) => {
                    let serve_from = *serve_from.get_or_insert(response.end);
                    match distribute(lanes, response, memory, serve_from) {
                        Ok(()) => {
                            backoff.reset();
                            continue;
                        }
                        Err(shard) => {
                            tracing::error!(shard, "a section arrived damaged; fetching again");
                            backoff.next()
                        }
                    }
                }
                Err(status) if reason(&status).as_deref() == Some(STALE_GENERATION) => {
                    self.log.generation.report(Ended::Stale);
                    backoff.next()
                }
                Err(status) if reason(&status).as_deref() == Some(AHEAD_OF_LOG) => {
                    tracing::error!(message = status.message(), "the log went back");
                    self.log.generation.report(Ended::Ahead);
                    backoff.next()
                }
                Err(status) if reason(&status).as_deref() == Some(LOG_TRIMMED) => {
                    fail_trimmed(lanes, &status);
                    backoff.next()
                }
                Err(status) => {
                    tracing::warn!(
                        code = ?status.code(),
                        message = status.message(),
                        "the log cannot be fetched"
                    );
                    backoff.next()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Asks for all shards that have room, each first in its turn, for the first one moves whatever the
    /// others have. Waits for something new if `wait`; `None` when no shard has room.
    async fn fetch(
        &self,
        lanes: &BTreeMap<ShardId, Lane>,
        held: &Arc<Semaphore>,
        wait: bool,
        turn: usize,
    ) -> Result<Option<(FetchResponse, OwnedSemaphorePermit)>, Status> {
        let live = || lanes.values().filter(|lane| !lane.shard.has_stopped());
        let mut cursors: Vec<Cursor> =
            live().filter(|lane| lane.batches.capacity() > 0).map(Lane::cursor).collect();
        if cursors.is_empty() {
            return Ok(None);
        }
        let first = turn % cursors.len();
        cursors.rotate_left(first);
        let memory = Arc::clone(held).acquire_many_owned(FETCH_BYTES).await;
        let memory = memory.expect("the semaphore is never closed");
        let wait = match wait {
            false => Duration::ZERO,
            true if cursors.len() == live().count() => WAIT,
            true => WAIT_PARTIAL,
        };
        let response = self.log.fetch(cursors, wait).await?;
        Ok(Some((response, memory)))
    }
}

/// The log of one shard, for a fold from its beginning.
#[async_trait]
impl ReadsLog for LogReader {
    async fn read(&self, shard: ShardId, after: Mark) -> Result<Stretch, Unread> {
        let cursor = Cursor {
            shard: shard.into(),
            after: after.position,
            epoch: after.epoch.to_bytes(),
            highest: None,
        };
        let response = self.fetch(vec![cursor], Duration::ZERO).await;
        let response = response.map_err(|status| Unread(status.message().to_owned()))?;
        let fetched = response.shards.into_iter().find(|fetched| fetched.shard == u32::from(shard));
        let fetched = fetched.ok_or_else(|| Unread("another shard was answered".into()))?;
        let epoch =
            Epoch::from_bytes(&fetched.epoch).filter(|_| fetched.sections.iter().all(is_whole));
        let epoch = epoch.ok_or_else(|| Unread("a section arrived damaged".into()))?;
        let next = Mark { epoch, position: fetched.next };
        Ok(Stretch { sections: fetched.sections, next })
    }
}

/// Hands every shard what was fetched for it; the error names a shard whose sections are damaged.
fn distribute(
    lanes: &mut BTreeMap<ShardId, Lane>,
    response: FetchResponse,
    mut memory: OwnedSemaphorePermit,
    serve_from: Sequence,
) -> Result<(), ShardId> {
    let FetchResponse { shards, end, cutting_job, .. } = response;
    let cutting_job: Arc<str> = cutting_job.into();
    let mut damaged = None;
    for fetched in shards {
        let Some(lane) = ShardId::try_from(fetched.shard).ok().and_then(|id| lanes.get_mut(&id))
        else {
            continue;
        };
        lane.shard.hear_of(end);
        let epoch = Epoch::from_bytes(&fetched.epoch);
        let Some(epoch) = epoch.filter(|_| fetched.sections.iter().all(is_whole)) else {
            damaged = Some(lane.shard.id());
            continue;
        };
        let bytes: usize = fetched.sections.iter().map(|fetched| fetched.section.len()).sum();
        let batch = Batch {
            sections: fetched.sections.into(),
            next: Mark { epoch, position: fetched.next },
            serve_from,
            cutting_job: Arc::clone(&cutting_job),
            permit: memory.split(bytes.min(memory.num_permits())),
        };
        // A shard that was asked for had room, and nobody else sends.
        let next = batch.next;
        if lane.cursor.position <= next.position && lane.batches.try_send(batch).is_ok() {
            lane.cursor = next;
        }
    }
    damaged.map_or(Ok(()), Err)
}

fn is_whole(fetched: &FetchedSection) -> bool {
    crc32fast::hash(&fetched.section) == fetched.crc
}

/// Stops the shard that needs what the log no longer has.
fn fail_trimmed(lanes: &BTreeMap<ShardId, Lane>, status: &Status) {
    let shard = datum(status, "shard").and_then(|shard| shard.parse().ok());
    match shard.and_then(|shard: ShardId| lanes.get(&shard)) {
        Some(lane) => lane.shard.fail(&format!(
            "{}; restore the log, or a copy of this worker's folder that is new enough",
            status.message()
        )),
        None => tracing::error!(message = status.message(), "the log cannot be fetched"),
    }
}
