//! `mercer.v1.PricingService`.

use std::sync::Arc;

use mercer_proto::{
    google::rpc,
    v1::{
        BatchPriceRequest, BatchPriceResponse, ElasticityRequest, ElasticityResponse, PriceRequest,
        PriceResponse, batch_price_response::Outcome, pricing_service_server::PricingService,
    },
};
use tonic::{Request, Response, Status};

use super::{
    admit,
    batch::{Answers, Batches},
};
use crate::ask::Decisions;

pub(super) struct PricingHandler {
    pub(super) decisions: Arc<Decisions>,
    pub(super) batches: Batches,
}

#[tonic::async_trait]
impl PricingService for PricingHandler {
    type BatchPriceStream = Answers<BatchPriceResponse>;

    async fn price(
        &self,
        request: Request<PriceRequest>,
    ) -> Result<Response<PriceResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.decisions.decide(request, deadline).await?))
    }

    async fn elasticity(
        &self,
        request: Request<ElasticityRequest>,
    ) -> Result<Response<ElasticityResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.decisions.decide(request, deadline).await?))
    }

    async fn batch_price(
        &self,
        request: Request<BatchPriceRequest>,
    ) -> Result<Response<Answers<BatchPriceResponse>>, Status> {
        let place = self.batches.admit(request.extensions())?;
        let (request, deadline) = admit(request)?;
        let batch = self.decisions.batch(request.requests, &request.tokens, deadline)?;
        Ok(Response::new(self.batches.run(place, batch, element)))
    }
}

fn element(index: u32, answer: Result<PriceResponse, rpc::Status>) -> BatchPriceResponse {
    let outcome = answer.map_or_else(Outcome::Error, Outcome::Price);
    BatchPriceResponse { index, outcome: Some(outcome) }
}
