//! The client against a server that does what a script says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use mercer_common::rpc::status::{Describe, Description, InvalidRequest};
use mercer_proto::{
    google::rpc,
    v1::{
        BatchAcknowledgement, RecordEventsRequest, RecordEventsResponse,
        event_service_server::{EventService, EventServiceServer},
    },
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response};

use super::*;

/// What the server does with the next batch.
#[derive(Clone, Copy, Debug)]
enum Act {
    Acknowledge,
    /// Busy: again after so many milliseconds.
    Busy(u64),
    Refuse,
    /// The server keeps no more of something.
    Full,
    /// Keeps the batch and breaks the stream without an answer.
    Break,
    /// Says nothing.
    Ignore,
}

#[derive(Clone, Debug, PartialEq)]
struct Received {
    producer_id: String,
    sequence: u64,
    acknowledged_through: u64,
    events: usize,
    last: bool,
}

#[derive(Clone, Default)]
struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Debug, Error)]
#[error("too much is waiting")]
struct Busy(u64);

impl Describe for Busy {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, "BUSY").retry_after(Duration::from_millis(self.0))
    }
}

#[derive(Debug, Error)]
#[error("no more are kept")]
struct Full;

impl Describe for Full {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, BOUND_REACHED)
    }
}

/// The form in which a rejection travels inside a stream.
fn rejection(status: &Status) -> rpc::Status {
    rpc::Status::decode(status.details()).expect("tonic-types encodes a google.rpc.Status")
}

#[tonic::async_trait]
impl EventService for Script {
    type IngestStream = ReceiverStream<Result<IngestResponse, Status>>;

    async fn ingest(
        &self,
        request: Request<Streaming<IngestRequest>>,
    ) -> Result<Response<Self::IngestStream>, Status> {
        let (script, mut batches) = (self.clone(), request.into_inner());
        let (sender, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok(Some(batch)) = batches.message().await {
                #[expect(deprecated, reason = "files that are imported again rely on it")]
                let last = batch.r#final;
                script.received.lock().expect("no panic").push(Received {
                    producer_id: batch.producer_id,
                    sequence: batch.batch_sequence,
                    acknowledged_through: batch.acknowledged_through,
                    events: batch.events.len(),
                    last,
                });
                let act = script.acts.lock().expect("no panic").pop_front();
                let outcome = match act.unwrap_or(Act::Acknowledge) {
                    Act::Acknowledge => Outcome::Acknowledgement(BatchAcknowledgement {
                        token: format!("token-{}", batch.batch_sequence),
                        events: 0,
                    }),
                    Act::Busy(millis) => Outcome::Rejection(rejection(&Busy(millis).to_status())),
                    Act::Refuse => Outcome::Rejection(rejection(
                        &InvalidRequest::field("events[0].item_id", "must not be empty")
                            .to_status(),
                    )),
                    Act::Full => Outcome::Rejection(rejection(&Full.to_status())),
                    Act::Break => {
                        let _ = sender.send(Err(Status::unavailable("going down"))).await;
                        return;
                    }
                    Act::Ignore => continue,
                };
                let batch_sequence = batch.batch_sequence;
                let _ = sender
                    .send(Ok(IngestResponse { batch_sequence, outcome: Some(outcome) }))
                    .await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn record_events(
        &self,
        _: Request<RecordEventsRequest>,
    ) -> Result<Response<RecordEventsResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

/// Sends batches of these sizes to a server with this script.
async fn run(
    sizes: &[usize],
    in_flight: usize,
    acts: &[Act],
) -> (Result<IngestSummary, IngestError>, Vec<Answer>, Vec<Received>) {
    let script = Script::default();
    script.acts.lock().expect("no panic").extend(acts);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tonic::transport::Server::builder()
        .add_service(EventServiceServer::new(script.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);
    let channel = crate::client::connect(&format!("http://{address}")).await.expect("connected");
    let batches: Vec<Batch> = sizes
        .iter()
        .enumerate()
        .map(|(index, &size)| Batch {
            events: vec![Event::default(); size],
            last: index + 1 == sizes.len(),
        })
        .collect();
    let mut answers = Vec::new();
    let options = IngestOptions {
        producer_id: "p".into(),
        in_flight,
        patience: Duration::from_millis(1_500),
        first_sequence: 1,
    };
    let result =
        ingest(channel, options, tokio_stream::iter(batches), |answer| answers.push(answer)).await;
    server.abort();
    let received = script.received.lock().expect("no panic").clone();
    (result, answers, received)
}

fn sequences(received: &[Received]) -> Vec<u64> {
    received.iter().map(|batch| batch.sequence).collect()
}

#[tokio::test]
async fn numbers_batches_and_skips_empty_ones() {
    let (result, answers, received) = run(&[3, 0, 2, 1], 1, &[]).await;
    let summary = result.expect("sent");
    assert_eq!((summary.batches, summary.events, summary.resent), (3, 6, 0));
    let expected = [(1, 0, 3, false), (3, 2, 2, false), (4, 3, 1, true)];
    let seen: Vec<_> =
        received.iter().map(|b| (b.sequence, b.acknowledged_through, b.events, b.last)).collect();
    assert_eq!(seen, expected);
    let tokens: Vec<_> = answers.into_iter().map(|a| a.outcome.expect("acknowledged")).collect();
    assert_eq!(tokens, ["token-1", "token-3", "token-4"]);
}

#[tokio::test]
async fn sends_again_what_was_not_acknowledged_when_the_stream_breaks() {
    // The second batch may be in the log or not: it is sent again under its number, and so is
    // what was behind it.
    let (result, answers, received) = run(&[1; 6], 3, &[Act::Acknowledge, Act::Break]).await;
    let summary = result.expect("sent");
    assert_eq!((summary.batches, summary.events, summary.reconnects), (6, 6, 1));
    assert!(summary.resent >= 1, "{summary:?}");
    let mut answered: Vec<u64> = answers.iter().map(|answer| answer.batch_sequence).collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3, 4, 5, 6]);
    let twice = sequences(&received).iter().filter(|&&sequence| sequence == 2).count();
    assert_eq!(twice, 2);
    assert!(received.iter().all(|batch| batch.producer_id == "p"));
    assert!(received.iter().all(|batch| batch.sequence <= batch.acknowledged_through + 64));
}

#[tokio::test]
async fn waits_as_long_as_a_busy_server_asks() {
    let started = Instant::now();
    let (result, answers, received) = run(&[1, 1], 2, &[Act::Busy(200), Act::Acknowledge]).await;
    let summary = result.expect("sent");
    assert_eq!((summary.batches, summary.resent, summary.reconnects), (2, 1, 0));
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(answers[0].batch_sequence, 2, "others go on meanwhile");
    assert_eq!(sequences(&received), [1, 2, 1]);
}

#[tokio::test]
async fn the_last_batch_is_taken_without_final_where_no_more_finished_producers_are_remembered() {
    let acts = [Act::Acknowledge, Act::Full, Act::Acknowledge];
    let (result, answers, received) = run(&[1, 2], 1, &acts).await;
    let summary = result.expect("sent");
    assert_eq!((summary.batches, summary.events, summary.rejected_batches), (2, 3, 0));
    assert!(answers.iter().all(|answer| answer.outcome.is_ok()), "{answers:?}");
    let sent: Vec<_> = received.iter().map(|batch| (batch.sequence, batch.last)).collect();
    assert_eq!(sent, [(1, false), (2, true), (2, false)]);
}

#[tokio::test]
async fn what_a_bound_refuses_is_not_sent_again() {
    let (result, answers, received) = run(&[1, 1, 1], 1, &[Act::Full]).await;
    assert_eq!(result.expect("sent").rejected_batches, 1);
    let status = answers[0].outcome.as_ref().expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(sequences(&received), [1, 2, 3]);
}

#[tokio::test]
async fn reports_a_refused_batch_and_goes_on() {
    let (result, answers, _) = run(&[1, 1], 1, &[Act::Refuse]).await;
    let summary = result.expect("sent");
    assert_eq!((summary.batches, summary.rejected_batches), (1, 1));
    let status = answers[0].outcome.as_ref().expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let fields = status.get_details_bad_request().expect("field violations").field_violations;
    assert_eq!(fields[0].field, "events[0].item_id");
}

#[tokio::test]
async fn gives_up_on_silence_and_says_so() {
    let (result, _, _) = run(&[1], 1, &[Act::Ignore]).await;
    assert!(matches!(result, Err(IngestError::Stalled { .. })), "{result:?}");
}

#[tokio::test]
async fn a_batch_that_was_mended_goes_out_again_under_its_number() {
    let script = Script::default();
    let acts = [Act::Acknowledge, Act::Refuse, Act::Refuse, Act::Acknowledge];
    script.acts.lock().expect("no panic").extend(acts);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tonic::transport::Server::builder()
        .add_service(EventServiceServer::new(script.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);
    let channel = crate::client::connect(&format!("http://{address}")).await.expect("connected");
    let batches = [1, 3, 1].map(|size| Batch { events: vec![Event::default(); size], last: false });
    let options = IngestOptions { in_flight: 1, ..IngestOptions::resuming("p".into()) };
    let mut mended = Vec::new();
    let mut answers = Vec::new();
    let mending = ingest_mending(
        channel,
        options,
        tokio_stream::iter(batches),
        |number, events, _| {
            mended.push(number);
            events.remove(0);
            true
        },
        |answer| answers.push((answer.batch_sequence, answer.events)),
    );
    let summary = mending.await.expect("sent");
    server.abort();
    assert_eq!(mended, [2, 2]);
    assert_eq!(answers, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!((summary.batches, summary.events, summary.rejected_batches), (3, 3, 0));
    let received = script.received.lock().expect("no panic").clone();
    let sent: Vec<_> = received.iter().map(|batch| (batch.sequence, batch.events)).collect();
    assert_eq!(sent, [(1, 1), (2, 3), (2, 2), (2, 1), (3, 1)]);
}
