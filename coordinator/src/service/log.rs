//! `mercer.internal.v1.LogService`.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    limits,
    log::{Cursor, Epoch, EventLog, Fetched, LogError, Mark},
    rpc::{
        generation::{generation, worker},
        status::{Describe as _, InvalidRequest},
    },
    shutdown::{Phase, Tasks},
    slot::ShardId,
};
use mercer_proto::internal::{
    self, CheckRequest, CheckResponse, FetchRequest, FetchResponse, FetchedSection, FetchedShard,
    log_service_server::LogService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{cluster::membership::Membership, ingest::IngestError, jobs::JobStore};

/// Marks that one call may check.
const MARKS: usize = 1_024;
/// A reader is answered this long before it stops waiting.
const ANSWER: Duration = Duration::from_millis(100);

pub(super) struct LogHandler {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) shards: ShardId,
    pub(super) membership: Arc<Membership>,
    pub(super) jobs: Arc<JobStore>,
    pub(super) tasks: Tasks,
}

#[tonic::async_trait]
impl LogService for LogHandler {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (request, _) = admit(request)?;
        let accepted = self.accepted(&request.marks).map_err(|invalid| invalid.to_status())?;
        Ok(Response::new(CheckResponse { accepted }))
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<FetchResponse>, Status> {
        let worker_id = worker(request.metadata()).unwrap_or_default().to_owned();
        let generation = generation(request.metadata()).unwrap_or_default();
        self.membership
            .check_generation(&worker_id, generation)
            .map_err(|stale| stale.to_status())?;
        let (request, deadline) = admit(request)?;
        let cursors = self.cursors(&request).map_err(|invalid| invalid.to_status())?;
        let highest = self.highest(&request).map_err(|invalid| invalid.to_status())?;
        let wait = Duration::from_millis(request.wait_ms.into());
        let wait = wait.min(deadline.remaining().saturating_sub(ANSWER));
        // Room for the framing of sections.
        let max_bytes = (request.max_bytes as usize).min(limits::INTERNAL_MESSAGE_BYTES / 2);
        let stopping = self.tasks.stopping(Phase::Backend);
        let fetched = tokio::select! {
            fetched = self.fetch_within(&cursors, &highest, max_bytes, wait) => {
                if matches!(fetched, Err(LogError::Ahead { .. })) {
                    self.membership.refuse(&worker_id, generation);
                }
                fetched.map_err(|error| error.to_status())?
            }
            () = stopping.cancelled() => return Err(IngestError::ShuttingDown.to_status()),
        };
        // Shards may have been assigned anew during the wait.
        self.membership
            .check_generation(&worker_id, generation)
            .map_err(|stale| stale.to_status())?;
        // Read after the log: a job is waiting for cuts before its marker is appended.
        let cutting_job = self.jobs.cutting_job();
        Ok(Response::new(respond(fetched, &cutting_job)))
    }
}

impl LogHandler {
    /// Reads what follows the cursors when the log has all that the slots behind them have.
    async fn fetch_within(
        &self,
        cursors: &[Cursor],
        highest: &[Cursor],
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, LogError> {
        let log = &self.log;
        let fetched = log.fetch(cursors, max_bytes, wait).await?;
        match highest.iter().find(|cursor| !log.accepts(cursor.mark())) {
            None => Ok(fetched),
            Some(&Cursor { shard, after, epoch }) => Err(LogError::Ahead { shard, after, epoch }),
        }
    }

    fn accepted(&self, marks: &[internal::Mark]) -> Result<Vec<bool>, InvalidRequest> {
        if marks.len() > MARKS {
            let problem = format!("has {} entries; at most {MARKS} are allowed", marks.len());
            return Err(InvalidRequest::field("marks", problem));
        }
        let mut accepted = Vec::with_capacity(marks.len());
        for (index, mark) in marks.iter().enumerate() {
            let mark = decode_mark(mark, || format!("marks[{index}]"))?;
            accepted.push(self.log.accepts(mark));
        }
        Ok(accepted)
    }

    fn cursors(&self, request: &FetchRequest) -> Result<Vec<Cursor>, InvalidRequest> {
        let shards = self.shards;

        if request.cursors.is_empty() {
            return Err(InvalidRequest::field("cursors", "must not be empty"));
        }
        if request.cursors.len() > usize::from(shards) {
            return Err(InvalidRequest::field("cursors", "has more entries than there are shards"));
        }
        let mut cursors = Vec::with_capacity(request.cursors.len());
        for (index, cursor) in request.cursors.iter().enumerate() {
            let shard = ShardId::try_from(cursor.shard).ok().filter(|shard| *shard < shards);
            let Some(shard) = shard else {
                let problem = format!("is {}; there are {shards} shards", cursor.shard);
                return Err(InvalidRequest::field(format!("cursors[{index}].shard"), problem));
            };
            let epoch = decode_epoch(&cursor.epoch, || format!("cursors[{index}]"))?;
            cursors.push(Cursor { shard, after: cursor.after, epoch });
        }
        Ok(cursors)
    }

    /// Where slots stand that are beyond their shard's cursor.
    fn highest(&self, request: &FetchRequest) -> Result<Vec<Cursor>, InvalidRequest> {
        let mut highest = Vec::new();
        for (index, cursor) in request.cursors.iter().enumerate() {
            if let Some(mark) = &cursor.highest {
                let mark = decode_mark(mark, || format!("cursors[{index}].highest"))?;
                let shard = ShardId::try_from(cursor.shard).unwrap_or_default();
                highest.push(Cursor { shard, after: mark.position, epoch: mark.epoch });
            }
        }
        Ok(highest)
    }
}

/// A mark as messages carry it; `path` names it in the refusal.
pub(super) fn decode_mark(
    mark: &internal::Mark,
    path: impl FnOnce() -> String,
) -> Result<Mark, InvalidRequest> {
    Ok(Mark { epoch: decode_epoch(&mark.epoch, path)?, position: mark.position })
}

fn decode_epoch(epoch: &[u8], path: impl FnOnce() -> String) -> Result<Epoch, InvalidRequest> {
    Epoch::from_bytes(epoch).ok_or_else(|| {
        InvalidRequest::field(format!("{}.epoch", path()), "has neither 16 bytes nor none")
    })
}

fn respond(fetched: Fetched, cutting_job: &str) -> FetchResponse {
    let mut shards = Vec::with_capacity(fetched.shards.len());
    for shard in fetched.shards {
        let sections = shard.sections.into_iter().map(|one| FetchedSection {
            sequence: one.sequence,
            crc: crc32fast::hash(&one.section),
            section: one.section,
        });
        shards.push(FetchedShard {
            shard: u32::from(shard.shard),
            sections: sections.collect(),
            next: shard.next,
            epoch: shard.epoch.to_bytes(),
        });
    }
    FetchResponse {
        shards,
        end: fetched.end,
        trimmed_through: fetched.trimmed_through,
        cutting_job: cutting_job.to_owned(),
    }
}
