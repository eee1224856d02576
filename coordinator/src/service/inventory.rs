//! `mercer.v1.InventoryService`.

use std::sync::Arc;

use mercer_proto::{
    google::rpc,
    v1::{
        BatchPolicyRequest, BatchPolicyResponse, ListPoliciesRequest, ListPoliciesResponse,
        PolicyRequest, PolicyResponse, batch_policy_response::Outcome,
        inventory_service_server::InventoryService,
    },
};
use tonic::{Request, Response, Status};

use super::{
    admit,
    batch::{Answers, Batches},
};
use crate::{ask::Decisions, domain::inventory::Policies};

pub(super) struct InventoryHandler {
    pub(super) decisions: Arc<Decisions>,
    pub(super) policies: Arc<Policies>,
    pub(super) batches: Batches,
}

#[tonic::async_trait]
impl InventoryService for InventoryHandler {
    type BatchPolicyStream = Answers<BatchPolicyResponse>;

    async fn policy(
        &self,
        request: Request<PolicyRequest>,
    ) -> Result<Response<PolicyResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.decisions.decide(request, deadline).await?))
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.policies.list(request, deadline).await?))
    }

    async fn batch_policy(
        &self,
        request: Request<BatchPolicyRequest>,
    ) -> Result<Response<Answers<BatchPolicyResponse>>, Status> {
        let place = self.batches.admit(request.extensions())?;
        let (request, deadline) = admit(request)?;
        let batch = self.decisions.batch(request.requests, &request.tokens, deadline)?;
        Ok(Response::new(self.batches.run(place, batch, element)))
    }
}

fn element(index: u32, answer: Result<PolicyResponse, rpc::Status>) -> BatchPolicyResponse {
    let outcome = answer.map_or_else(Outcome::Error, Outcome::Policy);
    BatchPolicyResponse { index, outcome: Some(outcome) }
}
