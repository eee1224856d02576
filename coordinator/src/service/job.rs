//! `mercer.v1.JobService`.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    rpc::status::Describe as _,
    shutdown::{Phase, Tasks},
};
use mercer_proto::v1::{
    CancelJobRequest, GetJobRequest, Job, ListJobsRequest, ListJobsResponse, StartJobRequest,
    job_service_server::JobService,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::admit;
use crate::{
    ingest::IngestError,
    jobs::{JobDefaults, JobSpace, JobStore, has_ended, list_jobs},
};

/// Shortest time between two messages to a watcher of a job that only progresses.
const WATCH_EVERY: Duration = Duration::from_millis(50);

pub(super) struct JobHandler {
    pub(super) jobs: Arc<JobStore>,
    pub(super) job_defaults: JobDefaults,
    pub(super) job_space: Arc<JobSpace>,
    pub(super) tasks: Tasks,
}

#[tonic::async_trait]
impl JobService for JobHandler {
    type WatchJobStream = ReceiverStream<Result<Job, Status>>;

    async fn start_job(&self, request: Request<StartJobRequest>) -> Result<Response<Job>, Status> {
        let (request, _) = admit(request)?;
        let job = self.jobs.start(request, &self.job_defaults, &self.job_space).await;
        job.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<Job>, Status> {
        let (request, _) = admit(request)?;
        let view = self.jobs.subscribe(&request.job_id).map_err(|error| error.to_status())?;
        let job = view.borrow().clone();
        Ok(Response::new(job))
    }

    async fn watch_job(
        &self,
        request: Request<GetJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let (request, _) = admit(request)?;
        let mut view = self.jobs.subscribe(&request.job_id).map_err(|error| error.to_status())?;
        let stopping = self.tasks.stopping(Phase::Frontend);
        let (sender, stream) = mpsc::channel(1);
        let send = async move {
            loop {
                let job = view.borrow_and_update().clone();
                let ended = has_ended(job.state());
                tokio::select! {
                    sent = sender.send(Ok(job)) => if sent.is_err() || ended { return },
                    () = stopping.cancelled() => return,
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = stopping.cancelled() => {
                        let _ = sender.try_send(Err(IngestError::ShuttingDown.to_status()));
                        return;
                    }
                    changed = view.changed() => if changed.is_err() { return },
                }
                tokio::time::sleep(WATCH_EVERY).await;
            }
        };
        self.tasks.spawn(Phase::Frontend, "job watcher", send);
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<Job>, Status> {
        let (request, _) = admit(request)?;
        let job = self.jobs.cancel(&request.job_id).await;
        job.map(Response::new).map_err(|error| error.to_status())
    }

    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        let (request, _) = admit(request)?;
        let jobs = list_jobs(&self.jobs, &request);
        jobs.map(Response::new).map_err(|error| error.to_status())
    }
}
