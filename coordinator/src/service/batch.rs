//! Batches of questions: one call up, a stream of answers down.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    rpc::{
        OpenStream, Peer, Streams,
        status::{Code, Describe, Description},
    },
    shutdown::{Phase, Tasks},
};
use mercer_proto::google::rpc;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Status};

use crate::{
    ask::{Batch, Decision},
    ingest::IngestError,
};

/// Answers that wait for their client.
const WAITING: usize = 64;
/// How long a client is given to take the reason why a batch ended early.
pub(super) const LAST_ANSWER: Duration = Duration::from_secs(3);

/// All batches are under way that may be.
#[derive(Clone, Copy, Debug, Error)]
#[error(
    "all {limit} batches are under way that may be, or all that one connection may have; the call \
     was not started"
)]
struct Exhausted {
    limit: u64,
}

impl Describe for Exhausted {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, "BATCHES_EXHAUSTED")
            .retry_after(Duration::from_secs(1))
            .with("limit", self.limit)
    }
}

/// The answers of a batch.
pub(super) type Answers<E> = ReceiverStream<Result<E, Status>>;

/// Runs batches.
#[derive(Clone)]
pub(super) struct Batches {
    /// One place a batch, which holds its request and two chunks of answers.
    places: Arc<Streams>,
    tasks: Tasks,
}

impl Batches {
    pub(super) fn new(limit: usize, tasks: Tasks) -> Self {
        Self { places: Streams::new(limit), tasks }
    }

    /// Admits one more batch, of the connection that its request came by.
    pub(super) fn admit(&self, request: &Extensions) -> Result<OpenStream, Status> {
        let place = self.places.open(&Peer::of(request));
        place.ok_or_else(|| Exhausted { limit: self.places.limit() }.to_status())
    }

    /// Sends the answers of a batch as `element` puts them, until its end or until the client
    /// leaves, takes nothing while others want its place, or the coordinator stops.
    pub(super) fn run<D: Decision, E: Send + 'static>(
        &self,
        place: OpenStream,
        mut batch: Batch<D>,
        element: fn(u32, Result<D::Answer, rpc::Status>) -> E,
    ) -> Answers<E> {
        let (sender, stream) = mpsc::channel(WAITING);
        let stopping = self.tasks.stopping(Phase::Frontend);
        let send = async move {
            let end = tokio::select! {
                biased;
                () = sender.closed() => return,
                () = stopping.cancelled() => Err(IngestError::ShuttingDown.to_status()),
                idle = place.ended() => Err(idle.to_status()),
                end = answer(&mut batch, &sender, &place, element) => end,
            };
            if let Err(status) = end {
                let _ = tokio::time::timeout(LAST_ANSWER, sender.send(Err(status))).await;
            }
        };
        self.tasks.spawn(Phase::Frontend, "batch", send);
        ReceiverStream::new(stream)
    }
}

/// Sends the answers of a batch in order, as fast as the client takes them. The next chunk is
/// asked while one is sent.
async fn answer<D: Decision, E>(
    batch: &mut Batch<D>,
    sender: &mpsc::Sender<Result<E, Status>>,
    place: &OpenStream,
    element: fn(u32, Result<D::Answer, rpc::Status>) -> E,
) -> Result<(), Status> {
    place.works();
    let mut chunk = batch.next_chunk().await?;
    while !chunk.is_empty() {
        let send = async {
            for (index, answer) in chunk {
                place.awaits_client();
                if sender.send(Ok(element(index, answer))).await.is_err() {
                    break;
                }
            }
            place.works();
        };
        let ((), next) = tokio::join!(send, batch.next_chunk());
        chunk = next?;
    }
    Ok(())
}
