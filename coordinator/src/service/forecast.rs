//! `mercer.v1.ForecastService`.

use std::sync::Arc;

use mercer_proto::{
    google::rpc,
    v1::{
        BatchForecastRequest, BatchForecastResponse, ForecastRequest, ForecastResponse,
        batch_forecast_response::Outcome, forecast_service_server::ForecastService,
    },
};
use tonic::{Request, Response, Status};

use super::{
    admit,
    batch::{Answers, Batches},
};
use crate::ask::Decisions;

pub(super) struct ForecastHandler {
    pub(super) decisions: Arc<Decisions>,
    pub(super) batches: Batches,
}

#[tonic::async_trait]
impl ForecastService for ForecastHandler {
    type BatchForecastStream = Answers<BatchForecastResponse>;

    async fn forecast(
        &self,
        request: Request<ForecastRequest>,
    ) -> Result<Response<ForecastResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.decisions.decide(request, deadline).await?))
    }

    async fn batch_forecast(
        &self,
        request: Request<BatchForecastRequest>,
    ) -> Result<Response<Answers<BatchForecastResponse>>, Status> {
        let place = self.batches.admit(request.extensions())?;
        let (request, deadline) = admit(request)?;
        let batch = self.decisions.batch(request.requests, &request.tokens, deadline)?;
        Ok(Response::new(self.batches.run(place, batch, element)))
    }
}

fn element(index: u32, answer: Result<ForecastResponse, rpc::Status>) -> BatchForecastResponse {
    let outcome = answer.map_or_else(Outcome::Error, Outcome::Forecast);
    BatchForecastResponse { index, outcome: Some(outcome) }
}
