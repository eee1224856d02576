//! `mercer.v1.EventService`.

use std::sync::Arc;

use mercer_common::{
    rpc::{Peer, status::Describe as _},
    shutdown::Tasks,
};
use mercer_proto::v1::{
    IngestRequest, RecordEventsRequest, RecordEventsResponse, event_service_server::EventService,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    admit,
    ingest::{Answers, open},
};
use crate::ingest::Ingest;

pub(super) struct EventHandler {
    pub(super) ingest: Arc<Ingest>,
    pub(super) tasks: Tasks,
}

#[tonic::async_trait]
impl EventService for EventHandler {
    type IngestStream = Answers;

    async fn ingest(
        &self,
        request: Request<Streaming<IngestRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let peer = Peer::of(request.extensions());
        let answers = open(&self.ingest, &peer, request.into_inner(), &self.tasks);
        answers.map(Response::new).map_err(|error| error.to_status())
    }

    async fn record_events(
        &self,
        request: Request<RecordEventsRequest>,
    ) -> Result<Response<RecordEventsResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.record_events(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }
}
