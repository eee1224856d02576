//! `mercer.internal.v1.MembershipService`.

use std::sync::Arc;

use mercer_common::{
    log::Mark,
    rpc::status::{Describe as _, InvalidRequest},
    slot::ShardId,
};
use mercer_proto::internal::{
    HeartbeatRequest, HeartbeatResponse, RegisterRequest, RegisterResponse, ShardMark,
    membership_service_server::MembershipService,
};
use tonic::{Request, Response, Status};

use super::{admit, log::decode_mark};
use crate::cluster::{
    identity::Identity,
    membership::{Membership, Registration},
    versions::Versions,
};

pub(super) struct MembershipHandler {
    pub(super) identity: Identity,
    pub(super) versions: Arc<Versions>,
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
                cluster: Some(self.identity.cluster.clone()),
                versions: self.versions.to_open(),
            },
        };
        Ok(Response::new(response))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let (request, _) = admit(request)?;
        let HeartbeatRequest { worker_id, generation, resident_bytes, shards, .. } = request;
        let (apply_version, process) = (request.apply_version, request.process);
        let shards = decode_marks(&shards, self.identity.layout().shards())
            .map_err(|invalid| invalid.to_status())?;
        let noted =
            self.membership.heartbeat(&worker_id, generation, resident_bytes, &shards).await;
        noted.map_err(|error| error.to_status())?;
        self.membership.note_process(&worker_id, process);
        let versions = self.membership.versions();
        versions.note(&worker_id, apply_version).map_err(|error| error.to_status())?;
        Ok(Response::new(HeartbeatResponse {}))
    }
}

fn decode_marks(marks: &[ShardMark], shards: u16) -> Result<Vec<(ShardId, Mark)>, InvalidRequest> {
    if marks.len() > usize::from(shards) {
        return Err(InvalidRequest::field("shards", "has more entries than there are shards"));
    }
    let mut decoded = Vec::with_capacity(marks.len());
    for (index, one) in marks.iter().enumerate() {
        let shard = ShardId::try_from(one.shard).ok().filter(|shard| *shard < shards);
        let Some(shard) = shard else {
            let problem = format!("is {}; there are {shards} shards", one.shard);
            return Err(InvalidRequest::field(format!("shards[{index}].shard"), problem));
        };
        let mark = one.mark.clone().unwrap_or_default();
        decoded.push((shard, decode_mark(&mark, || format!("shards[{index}].mark"))?));
    }
    Ok(decoded)
}
