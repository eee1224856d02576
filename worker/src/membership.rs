//! Joins the cluster and stays in it: registration and heartbeats.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, sync::Arc, time::Duration};

use mercer_common::{
    event::APPLY_VERSION,
    log::Mark,
    process::{Process, resident_bytes},
    rpc::{
        AHEAD_OF_LOG, Deadline, PeerChannel,
        generation::{STALE_GENERATION, set_generation, set_worker},
        status::reason,
    },
    slot::ShardId,
};
use mercer_proto::internal::{
    HeartbeatRequest, RegisterRequest, RegisterResponse, ShardMark,
    membership_service_client::MembershipServiceClient,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use crate::{
    backoff::Backoff,
    generation::{Ended, Generation},
    shard::Shards,
};

const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon to ask again while other workers are missing.
const WAITING: Duration = Duration::from_millis(200);

/// Which process this is.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) worker_id: Arc<str>,
    /// Fresh for every start.
    pub(crate) instance: Arc<str>,
}

impl Name {
    /// The name of a process that begins.
    pub(crate) fn new(worker_id: Arc<str>) -> Self {
        // Keyed with 128 random bits, anew for every start.
        let instance = format!("{:016x}", RandomState::new().hash_one(&*worker_id)).into();
        Self { worker_id, instance }
    }
}

/// This worker as the coordinator knows it.
#[derive(Debug)]
pub(crate) struct Member {
    channel: PeerChannel,
    name: Name,
    address: String,
    generation: Arc<Generation>,
    shards: Arc<Shards>,
    process: Arc<Process>,
}

impl Member {
    /// A member that is reached at `address` once it has registered.
    pub(crate) fn new(
        channel: PeerChannel,
        name: Name,
        address: String,
        generation: Arc<Generation>,
        shards: Arc<Shards>,
        process: Process,
    ) -> Self {
        Self { channel, name, address, generation, shards, process: Arc::new(process) }
    }

    /// Registers until the cluster is complete; `None` when `stop` comes first.
    pub(crate) async fn register(&self, stop: &CancellationToken) -> Option<RegisterResponse> {
        let mut backoff = Backoff::default();
        let mut reported = String::new();
        loop {
            let (waiting_for, delay) = tokio::select! {
                () = stop.cancelled() => return None,
                answer = self.register_once() => match answer {
                    Ok(response) if response.ready => return Some(response),
                    Ok(response) => {
                        backoff.reset();
                        (response.waiting_for, WAITING)
                    }
                    Err(status) => (status.message().to_owned(), backoff.next()),
                },
            };
            if waiting_for != reported {
                tracing::warn!(worker = %self.name.worker_id, waiting_for, "not registered yet");
                reported = waiting_for;
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Sends heartbeats until the worker has to register again.
    pub(crate) async fn until_ended(&self) -> Ended {
        let ended = tokio::select! {
            ended = self.generation.ended() => ended,
            ended = self.heartbeat() => ended,
        };
        tracing::warn!(worker = %self.name.worker_id, ?ended, "registering again");
        ended
    }

    async fn register_once(&self) -> Result<RegisterResponse, Status> {
        let request = Request::new(RegisterRequest {
            worker_id: self.name.worker_id.to_string(),
            address: self.address.clone(),
            instance: self.name.instance.to_string(),
            apply_version: APPLY_VERSION,
        });
        let mut client = MembershipServiceClient::new(self.channel.clone());
        let answer = Deadline::after(REGISTER_TIMEOUT)
            .call(request, async |request| client.register(request).await)
            .await?;
        Ok(answer.into_inner())
    }

    /// Ends when the coordinator refuses the generation, or the log where some shard stands.
    async fn heartbeat(&self) -> Ended {
        let mut ticks = tokio::time::interval(HEARTBEAT_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = true;
        loop {
            ticks.tick().await;
            match self.heartbeat_once().await {
                Ok(()) => heard = true,
                Err(status) if reason(&status).as_deref() == Some(STALE_GENERATION) => {
                    return Ended::Stale;
                }
                Err(status) if reason(&status).as_deref() == Some(AHEAD_OF_LOG) => {
                    tracing::error!(message = status.message(), "the log went back");
                    return Ended::Ahead;
                }
                Err(status) => {
                    if heard {
                        let (code, message) = (status.code(), status.message());
                        tracing::warn!(?code, message, "the coordinator does not answer");
                    }
                    heard = false;
                }
            }
        }
    }

    async fn heartbeat_once(&self) -> Result<(), Status> {
        let generation = self.generation.current();
        let (shards, process) = (Arc::clone(&self.shards), Arc::clone(&self.process));
        let looking = tokio::task::spawn_blocking(move || (shards.marks(), process.describe()));
        let looked = looking.await;
        let (marks, process) = looked.map_err(|error| Status::internal(error.to_string()))?;
        let mut request = Request::new(HeartbeatRequest {
            worker_id: self.name.worker_id.to_string(),
            generation,
            resident_bytes: resident_bytes().unwrap_or_default(),
            shards: marks.into_iter().map(shard_mark).collect(),
            apply_version: APPLY_VERSION,
            process: Some(process),
        });
        set_generation(&mut request, generation);
        set_worker(&mut request, &self.name.worker_id)
            .map_err(|error| Status::internal(format!("worker.id: {error}")))?;
        let mut client = MembershipServiceClient::new(self.channel.clone());
        Deadline::after(HEARTBEAT_EVERY)
            .call(request, async |request| client.heartbeat(request).await)
            .await?;
        Ok(())
    }
}

fn shard_mark((shard, mark): (ShardId, Mark)) -> ShardMark {
    ShardMark { shard: shard.into(), mark: Some(mark.into()) }
}
