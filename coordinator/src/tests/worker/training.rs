//! What a fake worker does for jobs.

use std::time::Duration;

use mercer_proto::internal::{
    self, ArtifactRef, Phase, RunTaskResponse, Task, TaskCounts,
    training_service_server::TrainingService,
};
use tonic::{Request, Response, Status};

use super::Handler;

/// The step from which a phase in steps is stuck.
pub(crate) const STUCK_STEP: u32 = 4;

#[tonic::async_trait]
impl TrainingService for Handler {
    async fn run_task(
        &self,
        request: Request<internal::RunTaskRequest>,
    ) -> Result<Response<RunTaskResponse>, Status> {
        let request = self.enter("run_task", request, |r| {
            let task = r.task.clone().unwrap_or_default();
            let Task { shard, algorithm, step, .. } = &task;
            let about = format!("{}/{shard}/{algorithm}", task.phase().as_str_name());
            if task.phase() == Phase::Factors { format!("{about}/{step}") } else { about }
        })?;
        let task = request.task.expect("a task");
        if task.phase() == Phase::Cut {
            self.script.lock().markers.insert(request.marker);
        }
        let is_stuck = task.phase() != Phase::Factors || task.step >= STUCK_STEP;
        if self.script.lock().stuck == Some(task.phase()) && is_stuck {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(Response::new(RunTaskResponse { progress: 0.5, ..Default::default() }));
        }
        let counts = TaskCounts {
            users: 1,
            items: self.script.lock().cut_items,
            interactions: 1,
            as_of: 1,
            sale_days: 1,
        };
        let Task { job_id, shard, algorithm, step, .. } = &task;
        let phase = task.phase().as_str_name().trim_start_matches("PHASE_").to_lowercase();
        let step =
            if task.phase() == Phase::Factors { format!("-{step:03}") } else { String::new() };
        let path = format!("jobs/{job_id}/{phase}/{algorithm}{step}-{shard:02}-0000000000000000");
        Ok(Response::new(RunTaskResponse {
            done: true,
            progress: 1.0,
            output: Some(ArtifactRef { path, bytes: 1 }),
            counts: Some(counts),
        }))
    }

    async fn cancel_tasks(
        &self,
        request: Request<internal::CancelTasksRequest>,
    ) -> Result<Response<internal::CancelTasksResponse>, Status> {
        self.enter("cancel_tasks", request, |r| r.job_id.clone())?;
        Ok(Response::new(internal::CancelTasksResponse {}))
    }

    async fn prepare_version(
        &self,
        request: Request<internal::PrepareVersionRequest>,
    ) -> Result<Response<internal::PrepareVersionResponse>, Status> {
        let name = |request: &internal::PrepareVersionRequest| {
            request.manifest.as_ref().map(|manifest| manifest.version.clone()).unwrap_or_default()
        };
        let request = self.enter("prepare_version", request, name)?;
        if self.script.lock().stuck == Some(Phase::Publish) {
            return Err(Status::unavailable("not yet"));
        }
        self.script.lock().open_versions.insert(name(&request));
        Ok(Response::new(internal::PrepareVersionResponse {}))
    }

    async fn retire_version(
        &self,
        request: Request<internal::RetireVersionRequest>,
    ) -> Result<Response<internal::RetireVersionResponse>, Status> {
        let request = self.enter("retire_version", request, |r| r.version.clone())?;
        self.script.lock().open_versions.remove(&request.version);
        Ok(Response::new(internal::RetireVersionResponse {}))
    }
}
