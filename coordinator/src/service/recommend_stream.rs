//! The stream form of Recommend: requests up, answers down in their order.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    rpc::{
        Deadline, OpenStream,
        status::{Describe as _, to_message},
    },
    shutdown::{Phase, Tasks},
};
use mercer_proto::v1::{
    BatchRecommendResponse, RecommendRequest, RecommendResponse, batch_recommend_response::Result,
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::batch::{Answers, LAST_ANSWER};
use crate::{
    domain::recommend::{RecommendError, Recommender},
    ingest::IngestError,
};

/// Requests that are answered at once, or wait for those before them.
const IN_FLIGHT: usize = 8;
/// Answers that wait for their client.
const WAITING: usize = 8;

type Running = AbortOnDropHandle<std::result::Result<RecommendResponse, RecommendError>>;

/// Answers the requests of a stream until its end, or until the client leaves, is idle while others want
/// its place, or the coordinator stops. Each request has `patience`.
pub(super) fn open<S>(
    recommender: &Arc<Recommender>,
    requests: S,
    place: OpenStream,
    patience: Duration,
    tasks: &Tasks,
) -> Answers<BatchRecommendResponse>
where
    S: Stream<Item = std::result::Result<RecommendRequest, Status>> + Send + Unpin + 'static,
{
    let (answers, stream) = mpsc::channel(WAITING);
    let stopping = tasks.stopping(Phase::Frontend);
    let recommender = Arc::clone(recommender);
    let serve = async move {
        // The first of them is awaited, the others run.
        let (begun, waiting) = mpsc::channel(IN_FLIGHT - 1);
        let end = tokio::select! {
            biased;
            () = answers.closed() => return,
            () = stopping.cancelled() => Err(IngestError::ShuttingDown.to_status()),
            idle = place.ended() => Err(idle.to_status()),
            (end, ()) = async {
                tokio::join!(
                    read(&recommender, requests, begun, patience, &place),
                    send(waiting, &answers, &place),
                )
            } => end,
        };
        if let Err(status) = end {
            let _ = tokio::time::timeout(LAST_ANSWER, answers.send(Err(status))).await;
        }
    };
    tasks.spawn(Phase::Frontend, "recommend stream", serve);
    ReceiverStream::new(stream)
}

/// Begins what the client asks, as long as there is room.
async fn read<S>(
    recommender: &Arc<Recommender>,
    mut requests: S,
    begun: mpsc::Sender<Running>,
    patience: Duration,
    place: &OpenStream,
) -> std::result::Result<(), Status>
where
    S: Stream<Item = std::result::Result<RecommendRequest, Status>> + Unpin,
{
    // There is room for it before anything is read.
    while let Ok(room) = begun.reserve().await {
        let Some(request) = requests.next().await else { return Ok(()) };
        let request = request?;
        place.works();
        let recommender = Arc::clone(recommender);
        let answer = async move { recommender.recommend(request, Deadline::after(patience)).await };
        room.send(AbortOnDropHandle::new(tokio::spawn(answer)));
    }
    Ok(())
}

/// Sends answers in the order of their requests.
async fn send(
    mut waiting: mpsc::Receiver<Running>,
    answers: &mpsc::Sender<std::result::Result<BatchRecommendResponse, Status>>,
    place: &OpenStream,
) {
    let mut index = 0;
    while let Some(running) = waiting.recv().await {
        let result = match running.await {
            Ok(Ok(response)) => Result::Response(response),
            Ok(Err(error)) => Result::Error(error.into_message()),
            Err(_) => Result::Error(to_message(&IngestError::ShuttingDown.to_status())),
        };
        let element = BatchRecommendResponse { index, result: Some(result) };
        place.awaits_client();
        if answers.send(Ok(element)).await.is_err() {
            return;
        }
        index += 1;
    }
}
