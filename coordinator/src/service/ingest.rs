//! The Ingest stream: batches in, acknowledgements out as they become durable.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    limits,
    rpc::{
        OpenStream, Peer,
        status::{Describe as _, to_message},
    },
    shutdown::{Phase, Tasks},
};
use mercer_proto::v1::{IngestRequest, IngestResponse, ingest_response::Outcome};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::ingest::{Ingest, IngestError, Numbers, decoded_bytes};

/// Batches of a stream that are read but whose answer is not taken.
const IN_FLIGHT: usize = limits::BATCHES_IN_FLIGHT as usize;
/// How long a stopping coordinator waits for a client to take its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// The answers of a stream.
pub(super) type Answers = ReceiverStream<Result<IngestResponse, Status>>;

/// Serves a stream of `peer` until the client ends it, leaves, is idle while others want its place, or
/// the coordinator stops.
pub(super) fn open<S>(
    ingest: &Arc<Ingest>,
    peer: &Peer,
    requests: S,
    tasks: &Tasks,
) -> Result<Answers, IngestError>
where
    S: Stream<Item = Result<IngestRequest, Status>> + Send + Unpin + 'static,
{
    let (answers, stream) = mpsc::channel(IN_FLIGHT);
    let session = Session {
        place: Arc::new(ingest.stream(peer)?),
        ingest: Arc::clone(ingest),
        answers,
        stopping: tasks.stopping(Phase::Frontend),
        slots: Arc::new(Semaphore::new(IN_FLIGHT)),
        numbers: Arc::default(),
    };
    tasks.spawn(Phase::Frontend, "ingest stream", session.serve(requests));
    Ok(ReceiverStream::new(stream))
}

struct Session {
    ingest: Arc<Ingest>,
    answers: mpsc::Sender<Result<IngestResponse, Status>>,
    stopping: CancellationToken,
    /// One per batch from before it is read until its answer is taken: a client that does not
    /// read answers is not read either.
    slots: Arc<Semaphore>,
    numbers: Arc<Numbers>,
    place: Arc<OpenStream>,
}

/// Why no further batch is read.
enum End {
    /// The client is done, or gone.
    Client,
    Error(Status),
}

impl Session {
    async fn serve<S>(self, mut requests: S)
    where
        S: Stream<Item = Result<IngestRequest, Status>> + Unpin,
    {
        let mut batches = JoinSet::new();
        let end = tokio::select! {
            biased;
            () = self.answers.closed() => End::Client,
            () = self.stopping.cancelled() => End::Error(IngestError::ShuttingDown.to_status()),
            idle = self.place.ended() => End::Error(idle.to_status()),
            end = self.read(&mut requests, &mut batches) => end,
        };
        // What has been read is durable soon; its answers go out while the client listens.
        let last = async {
            while batches.join_next().await.is_some() {}
            if let End::Error(status) = end {
                let _ = self.answers.send(Err(status)).await;
            }
        };
        tokio::pin!(last);
        let stopped = async {
            self.stopping.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            () = &mut last => {}
            () = stopped => {}
        }
    }

    /// Reads batches and starts appending them, many at once so that commits are shared.
    async fn read<S>(&self, requests: &mut S, batches: &mut JoinSet<()>) -> End
    where
        S: Stream<Item = Result<IngestRequest, Status>> + Unpin,
    {
        loop {
            while batches.try_join_next().is_some() {}
            let slot =
                Arc::clone(&self.slots).acquire_owned().await.expect("slots are never closed");
            let request = match requests.next().await {
                Some(Ok(request)) => request,
                Some(Err(status)) => return End::Error(too_large(status)),
                None => return End::Client,
            };
            self.place.works();
            let budget = self.ingest.budget(decoded_bytes(&request.events)).await;
            let ingest = Arc::clone(&self.ingest);
            let answers = self.answers.clone();
            let numbers = Arc::clone(&self.numbers);
            let place = Arc::clone(&self.place);
            batches.spawn(async move {
                let batch_sequence = request.batch_sequence;
                let outcome = match ingest.batch(request, &numbers).await {
                    Ok(acknowledgement) => Outcome::Acknowledgement(acknowledgement),
                    Err(error) => Outcome::Rejection(to_message(&error.to_status())),
                };
                // A client that takes no answers must not keep others from the budget.
                drop(budget);
                let response = IngestResponse { batch_sequence, outcome: Some(outcome) };
                place.awaits_client();
                let _ = answers.send(Ok(response)).await;
                drop(slot);
            });
        }
    }
}

/// Says in the terms of the API that a message was beyond the transport's limit.
fn too_large(status: Status) -> Status {
    if status.code() != Code::OutOfRange && status.code() != Code::ResourceExhausted {
        return status;
    }
    let limit = limits::MESSAGE_BYTES;
    Status::invalid_argument(format!("a batch is larger than {limit} bytes: {}", status.message()))
}
