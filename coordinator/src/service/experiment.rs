//! `mercer.v1.ExperimentService`.

use std::sync::Arc;

use mercer_common::rpc::status::Describe as _;
use mercer_proto::v1::{
    DeleteExperimentRequest, DeleteExperimentResponse, Experiment, GetExperimentRequest,
    ListExperimentsRequest, ListExperimentsResponse, ReportRequest, ReportResponse,
    SetExperimentRequest, experiment_service_server::ExperimentService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{
    domain::experiment::{Experiments, Reports},
    ingest::Ingest,
};

pub(super) struct ExperimentHandler {
    pub(super) ingest: Arc<Ingest>,
    pub(super) experiments: Arc<Experiments>,
    pub(super) reports: Arc<Reports>,
}

#[tonic::async_trait]
impl ExperimentService for ExperimentHandler {
    async fn set_experiment(
        &self,
        request: Request<SetExperimentRequest>,
    ) -> Result<Response<Experiment>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.experiments.set(request.experiment.unwrap_or_default()).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_experiment(
        &self,
        request: Request<GetExperimentRequest>,
    ) -> Result<Response<Experiment>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.experiments.get(&request.experiment_id);
        let answer = answer.map_err(|error| error.to_status())?;
        Ok(Response::new((*answer).clone()))
    }

    async fn list_experiments(
        &self,
        request: Request<ListExperimentsRequest>,
    ) -> Result<Response<ListExperimentsResponse>, Status> {
        admit(request)?;
        let experiments = self.experiments.list();
        Ok(Response::new(ListExperimentsResponse { experiments }))
    }

    async fn delete_experiment(
        &self,
        request: Request<DeleteExperimentRequest>,
    ) -> Result<Response<DeleteExperimentResponse>, Status> {
        let (request, _) = admit(request)?;
        let id = request.experiment_id;
        // First the definition, so that nothing is counted after everything was forgotten.
        let removed = self.experiments.remove(&id).await;
        removed.map_err(|error| error.to_status())?;
        let forgotten = self.ingest.forget_experiment(id).await;
        let token = forgotten.map_err(|error| error.to_status())?.token;
        Ok(Response::new(DeleteExperimentResponse { token }))
    }

    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.reports.report(request, deadline).await?))
    }
}
