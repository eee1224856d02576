//! `mercer.internal.v1.TrainingService`: tasks and versions.

use std::sync::Arc;

use mercer_common::rpc::status::{Describe, InvalidRequest};
use mercer_proto::internal::{
    CancelTasksRequest, CancelTasksResponse, PrepareVersionRequest, PrepareVersionResponse,
    RetireVersionRequest, RetireVersionResponse, RunTaskRequest, RunTaskResponse,
    training_service_server::TrainingService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{generation::Generation, shard::Shards, task::TaskRunner, version::OpenVersions};

/// Runs tasks and opens versions.
#[derive(Debug)]
pub(crate) struct TrainingHandler {
    runner: Arc<TaskRunner>,
    versions: Arc<OpenVersions>,
    shards: Arc<Shards>,
    generation: Arc<Generation>,
}

impl TrainingHandler {
    pub(super) fn new(
        runner: Arc<TaskRunner>,
        versions: Arc<OpenVersions>,
        shards: Arc<Shards>,
        generation: Arc<Generation>,
    ) -> Self {
        Self { runner, versions, shards, generation }
    }
}

#[tonic::async_trait]
impl TrainingService for TrainingHandler {
    async fn run_task(
        &self,
        request: Request<RunTaskRequest>,
    ) -> Result<Response<RunTaskResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        let answer = self.runner.run(request, deadline).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn cancel_tasks(
        &self,
        request: Request<CancelTasksRequest>,
    ) -> Result<Response<CancelTasksResponse>, Status> {
        let (request, _) = admit(request, &self.generation)?;
        self.runner.cancel(&request.job_id);
        Ok(Response::new(CancelTasksResponse {}))
    }

    async fn prepare_version(
        &self,
        request: Request<PrepareVersionRequest>,
    ) -> Result<Response<PrepareVersionResponse>, Status> {
        let (request, _) = admit(request, &self.generation)?;
        let manifest = request.manifest;
        let manifest =
            manifest.ok_or_else(|| InvalidRequest::field("manifest", "is required").to_status())?;
        let held: Vec<_> = self.shards.all().iter().map(|shard| shard.id()).collect();
        let versions = Arc::clone(&self.versions);
        // Opening reads the files in full.
        self.runner
            .as_task(move || versions.prepare(manifest, &held))
            .await
            .map_err(|error| error.to_status())?
            .map_err(|error| error.to_status())?;
        Ok(Response::new(PrepareVersionResponse {}))
    }

    async fn retire_version(
        &self,
        request: Request<RetireVersionRequest>,
    ) -> Result<Response<RetireVersionResponse>, Status> {
        let (request, _) = admit(request, &self.generation)?;
        let versions = Arc::clone(&self.versions);
        // Closing removes files, and waits for a version that is being opened.
        let retired = tokio::task::spawn_blocking(move || versions.retire(&request.version)).await;
        retired.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(RetireVersionResponse {}))
    }
}
