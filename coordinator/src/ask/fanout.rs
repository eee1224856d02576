//! Calls to workers: one RPC a worker, within the deadline, and what their failures mean.

use std::{future::Future, sync::Arc, time::Duration};

use mercer_common::{
    log::EventLog,
    rpc::{
        Deadline, PeerChannel, applied,
        status::{Describe as _, datum, from_message, reason},
    },
    slot::ShardId,
};
use mercer_proto::{google::rpc, internal::shard_service_client::ShardServiceClient};
use tokio::task::JoinSet;
use tonic::{Code, Request, Response, Status};

use super::error::AskError;
use crate::cluster::{
    membership::{Membership, Routes},
    workers::{self, Failure, Target, Workers},
};

/// Why a call has to begin again.
#[derive(Clone, Debug)]
pub(crate) enum Restart {
    /// Placement moved on.
    Moved(String),
    /// The worker has not got the version, which may have moved on.
    Gone(String),
    /// A file of the version is missing or damaged at the worker.
    Damaged(String),
}

impl Restart {
    /// What a worker said.
    pub(crate) fn into_reason(self) -> String {
        let (Self::Moved(reason) | Self::Gone(reason) | Self::Damaged(reason)) = self;
        reason
    }

    /// What it means for a call that does not begin again.
    pub(crate) fn into_error(self) -> AskError {
        match self {
            Self::Moved(reason) | Self::Gone(reason) => AskError::Changed { reason },
            Self::Damaged(reason) => AskError::Damaged { reason },
        }
    }
}

/// Why a worker did not answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Placement or version moved on, or the version is damaged: begin the call again.
    Restart(Restart),
    /// The worker is not there, is recovering or failed: its shards are missing.
    Missing(String),
    /// The request itself cannot be answered; the caller is told.
    Failed(Failure),
}

impl CallError {
    fn of(status: Status) -> Self {
        match reason(&status).as_deref() {
            Some("STALE_GENERATION" | "NOT_HELD") => {
                return Self::Restart(Restart::Moved(status.message().to_owned()));
            }
            Some("VERSION_GONE") => {
                let reason = status.message().to_owned();
                let is_damaged = datum(&status, "damage").is_some();
                let restart = if is_damaged { Restart::Damaged } else { Restart::Gone };
                return Self::Restart(restart(reason));
            }
            // A shard that has not applied what the caller's tokens require.
            Some(reason)
                if status.code() == Code::DeadlineExceeded && reason != "DEADLINE_EXCEEDED" =>
            {
                return Self::Failed(status.into());
            }
            _ => {}
        }
        match status.code() {
            Code::NotFound
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented => Self::Failed(status.into()),
            Code::DeadlineExceeded | Code::Cancelled => {
                Self::Missing("did not answer in time".into())
            }
            code => Self::Missing(format!("answered {code:?}: {}", status.message())),
        }
    }

    /// What the answer to one question of many means.
    pub(crate) fn of_message(message: &rpc::Status) -> Self {
        Self::of(from_message(message))
    }

    /// What it means for one question of many that needs this shard.
    pub(crate) fn to_message(&self, shard: ShardId, worker_id: &str) -> rpc::Status {
        let error = match self {
            Self::Failed(failure) => return failure.to_message(),
            Self::Restart(restart) => restart.clone().into_error(),
            Self::Missing(reason) => AskError::ShardUnavailable {
                shard,
                worker_id: worker_id.to_owned(),
                reason: reason.clone(),
            },
        };
        error.into_message()
    }

    /// What it means for a call that needs this one shard.
    pub(crate) fn for_shard(self, shard: ShardId, worker_id: &str) -> AskError {
        match self {
            Self::Failed(failure) => AskError::Worker(failure),
            Self::Restart(restart) => restart.into_error(),
            Self::Missing(reason) => {
                AskError::ShardUnavailable { shard, worker_id: worker_id.to_owned(), reason }
            }
        }
    }
}

/// One worker's part of a fan-out.
#[derive(Debug)]
pub(crate) struct Part<R> {
    pub(crate) worker_id: String,
    pub(crate) outcome: Result<R, CallError>,
}

/// Reaches the workers.
#[derive(Clone)]
pub(crate) struct Fanout {
    membership: Arc<Membership>,
    workers: Arc<Workers>,
    log: Arc<dyn EventLog>,
}

impl Fanout {
    pub(crate) fn new(
        membership: Arc<Membership>,
        workers: Arc<Workers>,
        log: Arc<dyn EventLog>,
    ) -> Self {
        Self { membership, workers, log }
    }

    /// Where calls go now.
    pub(crate) fn routes(&self) -> Result<Routes, AskError> {
        self.membership.routes().ok_or_else(|| AskError::NotDealt {
            live: self.membership.members().iter().filter(|(_, live)| *live).count(),
            expected: self.membership.expected(),
        })
    }

    /// Asks one worker.
    pub(crate) async fn ask<M, R, F>(
        &self,
        target: &Target,
        deadline: Deadline,
        message: M,
        call: impl FnOnce(ShardServiceClient<PeerChannel>, Request<M>) -> F,
    ) -> Result<R, CallError>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let client = self.workers.shards(target).map_err(CallError::of)?;
        let request = workers::request(target, message);
        let answer = deadline.call(request, |request| call(client, request)).await;
        of_this_history(&*self.log, answer)
    }

    /// Asks the worker of a shard; once more when the cluster changed under the call.
    pub(crate) async fn ask_shard<M, R, F>(
        &self,
        shard: ShardId,
        deadline: Deadline,
        message: M,
        call: impl Fn(ShardServiceClient<PeerChannel>, Request<M>) -> F,
    ) -> Result<R, AskError>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut restarted = false;
        loop {
            let routes = self.routes()?;
            let target = owner(&routes, shard)?;
            match self.ask(target, deadline, message.clone(), &call).await {
                Ok(response) => return Ok(response),
                Err(CallError::Restart(Restart::Moved(_) | Restart::Gone(_))) if !restarted => {
                    restarted = true;
                }
                Err(error) => return Err(error.for_shard(shard, &target.worker_id)),
            }
        }
    }

    /// Asks every live worker about all its shards at once. Workers that are not live are
    /// listed as missing.
    pub(crate) async fn ask_all<M, R, F>(
        &self,
        routes: &Routes,
        deadline: Deadline,
        message: impl Fn(&[ShardId]) -> M,
        call: impl Fn(ShardServiceClient<PeerChannel>, Request<M>) -> F,
    ) -> Vec<Part<R>>
    where
        F: Future<Output = Result<Response<R>, Status>> + Send + 'static,
        R: Send + 'static,
    {
        let mut parts = Vec::new();
        let mut calls = JoinSet::new();
        for (worker_id, shards) in routes.placement.by_worker() {
            let worker_id = worker_id.to_owned();
            let client = match routes.live.get(&worker_id) {
                None => Err(CallError::Missing("is not live".into())),
                Some(target) => self
                    .workers
                    .shards(target)
                    .map_err(CallError::of)
                    .map(|client| (client, target)),
            };
            match client {
                Err(error) => parts.push(Part { worker_id, outcome: Err(error) }),
                Ok((client, target)) => {
                    let mut request = workers::request(target, message(&shards));
                    deadline.set_on(&mut request);
                    let answer = deadline.bound(call(client, request));
                    let log = Arc::clone(&self.log);
                    calls.spawn(async move {
                        let outcome = match answer.await {
                            Ok(answer) => {
                                let answer = answer.map_err(|status| deadline.explain(status));
                                of_this_history(&*log, answer)
                            }
                            Err(exceeded) => Err(CallError::of(exceeded.to_status())),
                        };
                        Part { worker_id, outcome }
                    });
                }
            }
        }
        while let Some(part) = calls.join_next().await {
            parts.extend(part.ok());
        }
        parts.sort_by(|left, right| left.worker_id.cmp(&right.worker_id));
        parts
    }
}

/// What a worker answered that has applied nothing but what the log holds. Another one speaks of a
/// history that is lost: its shards are missing until it has read the log anew.
fn of_this_history<R>(
    log: &dyn EventLog,
    answer: Result<Response<R>, Status>,
) -> Result<R, CallError> {
    let applied = match &answer {
        Ok(response) => applied(response.metadata()),
        Err(status) => applied(status.metadata()),
    };
    // Read after the answer, so that the worker cannot have applied what came since.
    let end = log.end();
    if applied > end {
        return Err(CallError::Missing(format!(
            "is ahead of the log: it has applied position {applied}, and the log ends at {end}"
        )));
    }
    answer.map(Response::into_inner).map_err(CallError::of)
}

/// The live worker of `shard`.
pub(crate) fn owner(routes: &Routes, shard: ShardId) -> Result<&Target, AskError> {
    routes.owner(shard).map_err(|worker_id| AskError::ShardUnavailable {
        shard,
        worker_id: worker_id.to_owned(),
        reason: "is not live".into(),
    })
}

/// The first shard from `preferred` on whose worker is live, for what every shard can answer;
/// `preferred` itself when there is none.
pub(crate) fn any(routes: &Routes, preferred: ShardId) -> ShardId {
    let shards = routes.placement.owners().len();
    let shards = ShardId::try_from(shards).expect("there are at most 64 shards");
    (preferred..shards)
        .chain(0..preferred)
        .find(|shard| routes.owner(*shard).is_ok())
        .unwrap_or(preferred)
}

/// What is left for workers when the answer still has to be merged and sent.
pub(crate) fn reserve(deadline: Deadline) -> Deadline {
    let left = deadline.remaining();
    Deadline::after(left.saturating_sub((left / 10).min(Duration::from_millis(50))))
}
