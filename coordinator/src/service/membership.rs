//! `mercer.internal.v1.MembershipService`.

use std::sync::Arc;

use mercer_common::rpc::status::Describe as _;
use mercer_proto::internal::{
    HeartbeatRequest, HeartbeatResponse, RegisterRequest, RegisterResponse,
    membership_service_server::MembershipService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{
    cluster::membership::{Membership, Registration},
    query::Queries,
};

pub(super) struct MembershipHandler {
    pub(super) queries: Arc<Queries>,
    pub(super) membership: Arc<Membership>,
}

#[tonic::async_trait]
impl MembershipService for MembershipHandler {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let (request, _) = admit(request)?;
        let registered = self.membership.register(&request).await;
        let response = match registered.map_err(|error| error.to_status())? {
            Registration::Waiting { generation, reason } => {
                RegisterResponse { generation, waiting_for: reason, ..Default::default() }
            }
            Registration::Ready { generation, shards } => RegisterResponse {
                ready: true,
                waiting_for: String::new(),
                generation,
                shards: shards.into_iter().map(u32::from).collect(),
                cluster: Some(self.queries.identity.cluster.clone()),
                versions: self.queries.versions.to_open(),
            },
        };
        Ok(Response::new(response))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let (request, _) = admit(request)?;
        let HeartbeatRequest { worker_id, generation, resident_bytes, apply_version, .. } = request;
        let noted = self.membership.heartbeat(&worker_id, generation, resident_bytes).await;
        noted.map_err(|error| error.to_status())?;
        let versions = self.membership.versions();
        versions.note(&worker_id, apply_version).map_err(|error| error.to_status())?;
        Ok(Response::new(HeartbeatResponse {}))
    }
}
