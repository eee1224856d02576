//! What enters the log, and what does not.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use mercer_common::{
    clock::{Clock as _, SystemClock},
    limits,
    log::LogError,
    rpc::status::{from_message, reason},
};
use mercer_proto::{
    codec::BoundedCodec,
    google::r#type::Money,
    internal::section::Origin,
    v1::{
        Event, EventType, IngestRequest, IngestResponse, Item, RecordEventsRequest,
        ingest_response::Outcome,
    },
};
use prost_types::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, codegen::http::uri::PathAndQuery};
use tonic_types::StatusExt as _;

use super::{TestCluster, details};

const PRODUCER: &str = "7b1c9a52-5d5c-4b26-8d2b-6d0a0e7f3c11";

fn purchase(item_id: &str) -> Event {
    Event {
        r#type: EventType::Purchase.into(),
        item_id: item_id.into(),
        event_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        user_id: Some("anna".into()),
        quantity: Some(1.0),
        ..Default::default()
    }
}

fn batch(batch_sequence: u64, events: Vec<Event>) -> IngestRequest {
    IngestRequest {
        producer_id: PRODUCER.into(),
        batch_sequence,
        acknowledged_through: batch_sequence.saturating_sub(1),
        events,
        ..IngestRequest::default()
    }
}

/// The rejection of a response as a gRPC status.
fn rejection(response: IngestResponse) -> Status {
    match response.outcome {
        Some(Outcome::Rejection(rejection)) => from_message(&rejection),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bad_events_are_named_by_field_and_leave_no_trace() {
    let cluster = TestCluster::start(0).await;
    let long = "x".repeat(257);
    let now = SystemClock.now().as_second();
    let with = |change: &dyn Fn(&mut Event)| {
        let mut event = purchase("tea");
        change(&mut event);
        event
    };
    let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let money =
        |currency: &str, units, nanos| Some(Money { currency_code: currency.into(), units, nanos });
    let cases: Vec<(Event, &str)> = vec![
        (with(&|e| e.item_id.clear()), "item_id"),
        (with(&|e| e.item_id.clone_from(&long)), "item_id"),
        (with(&|e| e.item_id = "a\nb".into()), "item_id"),
        (with(&|e| e.user_id = Some(String::new())), "user_id"),
        (with(&|e| e.user_id = Some(long.clone())), "user_id"),
        (with(&|e| e.basket_id = Some(String::new())), "basket_id"),
        (with(&|e| e.session_id = Some(String::new())), "session_id"),
        (with(&|e| e.location_id = Some(String::new())), "location_id"),
        (with(&|e| e.event_id = Some(String::new())), "event_id"),
        (with(&|e| e.r#type = 99), "type"),
        (with(&|e| e.r#type = 0), "type"),
        (with(&|e| e.event_time = None), "event_time"),
        (with(&|e| e.event_time = time(0)), "event_time"),
        (with(&|e| e.event_time = time(now + 2 * 86_400)), "event_time"),
        (with(&|e| e.event_time = time(i64::MAX)), "event_time"),
        (with(&|e| e.quantity = None), "quantity"),
        (with(&|e| e.quantity = Some(0.0)), "quantity"),
        (with(&|e| e.quantity = Some(-1.0)), "quantity"),
        (with(&|e| e.quantity = Some(f64::NAN)), "quantity"),
        (with(&|e| e.quantity = Some(f64::INFINITY)), "quantity"),
        (with(&|e| e.amount = money("EUR", 1, 0)), "amount"),
        (with(&|e| e.amount = money("USD", -1, 0)), "amount"),
        (with(&|e| e.amount = money("USD", i64::MAX, 0)), "amount"),
        (with(&|e| e.list_price = money("USD", 1, -1)), "list_price"),
        (with(&|e| e.rating = Some(1.0)), "rating"),
        (
            with(&|e| {
                e.r#type = EventType::Rating.into();
                e.quantity = None;
                e.rating = Some(f64::NAN);
            }),
            "rating",
        ),
    ];
    for (event, field) in cases {
        let events = vec![purchase("tea"), event.clone()];
        let request = RecordEventsRequest { events, request_id: None };
        let status = cluster.events().record_events(request).await.expect_err("refused");
        let expected =
            (Code::InvalidArgument, "INVALID_REQUEST".into(), vec![format!("events[1].{field}")]);
        assert_eq!(details(&status), expected, "{event:?}");
    }
    for (count, field) in [(0, "events"), (10_001, "events")] {
        let events = vec![purchase("t"); count];
        let request = RecordEventsRequest { events, request_id: None };
        let status = cluster.events().record_events(request).await.expect_err("refused");
        assert_eq!(details(&status).2, [field], "{count} events");
    }
    let request =
        RecordEventsRequest { events: vec![purchase("tea")], request_id: Some(long.clone()) };
    let status = cluster.events().record_events(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["request_id"]);
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn many_violations_fit_the_trailers_of_any_client() {
    let cluster = TestCluster::start(0).await;
    let events = vec![Event { item_id: "x".repeat(300), ..purchase("") }; 500];
    let request = RecordEventsRequest { events, request_id: None };
    let status = cluster.events().record_events(request).await.expect_err("refused");
    let (code, _, fields) = details(&status);
    assert_eq!((code, fields[0].as_str()), (Code::InvalidArgument, "events[0].item_id"));
    // Details travel in base64; clients in C refuse more than 8 KiB of trailers.
    assert!(status.details().len() * 4 / 3 + status.message().len() < 6 << 10);
}

#[tokio::test]
async fn a_rejection_does_not_end_the_stream() {
    let cluster = TestCluster::start(0).await;
    let change = |change: &dyn Fn(&mut IngestRequest)| {
        let mut request = batch(7, vec![purchase("tea")]);
        change(&mut request);
        request
    };
    let bad = [
        (change(&|r| r.producer_id = "anna".into()), "producer_id"),
        (change(&|r| (r.batch_sequence, r.acknowledged_through) = (0, 0)), "batch_sequence"),
        (change(&|r| r.acknowledged_through = 7), "batch_sequence"),
        (change(&|r| (r.batch_sequence, r.acknowledged_through) = (66, 1)), "batch_sequence"),
        (change(&|r| r.events.clear()), "events"),
        (change(&|r| r.events[0].item_id.clear()), "events[0].item_id"),
    ];
    for (request, field) in &bad {
        let good = batch(1, vec![purchase("tea"), purchase("milk")]);
        let requests = tokio_stream::iter([request.clone(), good]);
        let mut answers = cluster.events().ingest(requests).await.expect("opens").into_inner();
        let mut outcomes = Vec::new();
        while let Some(answer) = answers.message().await.expect("the stream goes on") {
            outcomes.push(answer);
        }
        outcomes.sort_by_key(|answer| matches!(answer.outcome, Some(Outcome::Acknowledgement(_))));
        let [rejected, accepted] = outcomes.try_into().expect("two answers");
        assert_eq!(rejected.batch_sequence, request.batch_sequence);
        let told = details(&rejection(rejected));
        assert_eq!(told, (Code::InvalidArgument, "INVALID_REQUEST".into(), vec![(*field).into()]));
        match accepted.outcome {
            Some(Outcome::Acknowledgement(acknowledgement)) => {
                assert_eq!(acknowledgement.events, 2);
                assert!(!acknowledgement.token.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(cluster.log.sections().iter().all(|(_, section)| {
        matches!(&section.origin, Some(Origin::Producer(p)) if p.batch_sequence == 1)
    }));
}

#[tokio::test]
async fn an_unconfirmed_append_asks_for_the_batch_again() {
    let cluster = TestCluster::start(0).await;
    cluster.log.failures.lock().push_back(LogError::Unconfirmed);
    let requests = tokio_stream::iter([batch(1, vec![purchase("tea")])]);
    let mut answers = cluster.events().ingest(requests).await.expect("opens").into_inner();
    let status = rejection(answers.message().await.expect("open").expect("an answer"));
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
}

#[tokio::test]
async fn the_last_batch_reaches_every_shard_and_others_only_theirs() {
    let cluster = TestCluster::start(0).await;
    let send = async |request| {
        let before = cluster.log.sections().len();
        let requests = tokio_stream::iter([request]);
        let mut answers = cluster.events().ingest(requests).await.expect("opens").into_inner();
        answers.message().await.expect("open").expect("an answer");
        cluster.log.sections().split_off(before)
    };
    let some = send(batch(1, vec![purchase("tea")])).await;
    assert!((1..=2).contains(&some.len()));
    #[expect(deprecated, reason = "it is still taken")]
    let last = IngestRequest { r#final: true, ..batch(2, vec![purchase("tea")]) };
    let all = send(last).await;
    assert_eq!(all.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for (_, section) in all {
        assert!(matches!(section.origin, Some(Origin::Producer(producer)) if producer.r#final));
    }
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_not_read_and_stops_nobody() {
    let cluster = TestCluster::start(0).await;
    // Its answers are never polled; small windows keep them at the coordinator.
    let endpoint = format!("http://{}", cluster.config.coordinator.listen);
    let stalled = tonic::transport::Endpoint::from_shared(endpoint)
        .expect("a URL")
        .initial_stream_window_size(1_024)
        .initial_connection_window_size(70_000)
        .connect_lazy();
    let (sender, requests) = mpsc::channel(4_096);
    for sequence in 1..=4_000 {
        let events = vec![purchase("tea"); 2];
        let mut request = batch(sequence, events);
        request.producer_id = "not a UUID".repeat(3);
        sender.try_send(request).expect("room");
    }
    let mut client = mercer_proto::v1::event_service_client::EventServiceClient::new(stalled);
    let answers = client.ingest(ReceiverStream::new(requests)).await.expect("opens");
    // Nothing was appended, and the coordinator holds what its windows and slots allow.
    let mut left = sender.capacity();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if sender.capacity() == left {
            break;
        }
        left = sender.capacity();
    }
    let other = batch(1, vec![purchase("milk")]);
    let mut served =
        cluster.events().ingest(tokio_stream::iter([other])).await.expect("opens").into_inner();
    let answer = served.message().await.expect("open").expect("an answer");
    assert!(matches!(answer.outcome, Some(Outcome::Acknowledgement(_))), "{answer:?}");
    drop(answers);
}

#[tokio::test]
async fn at_most_64_batches_of_a_stream_are_under_way() {
    let cluster = TestCluster::start(0).await;
    cluster.log.close_gate();
    let requests: Vec<IngestRequest> =
        (1..=200).map(|sequence| batch(sequence, vec![purchase("tea")])).collect();
    let answers = cluster.events().ingest(tokio_stream::iter(requests)).await.expect("opens");
    let under_way = || cluster.log.appends.load(Ordering::SeqCst);
    while under_way() < 64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(under_way(), 64);
    cluster.log.gate.add_permits(1_000);
    let mut answers = answers.into_inner();
    let mut acknowledged = BTreeSet::new();
    while let Some(answer) = answers.message().await.expect("open") {
        acknowledged.insert(answer.batch_sequence);
    }
    assert_eq!(acknowledged.len(), 200);
}

#[tokio::test]
async fn batches_wait_for_the_budget_of_bytes() {
    let cluster =
        TestCluster::with(0, |config| config.admission.ingest_bytes = limits::MESSAGE_BYTES).await;
    cluster.log.close_gate();
    // Each needs more than half of the budget.
    let events = vec![Event { channel: Some("c".repeat(250)), ..purchase("tea") }; 8_000];
    let mut streams = Vec::new();
    for _ in 0..3 {
        let requests = [batch(1, events.clone()), batch(2, events.clone())];
        let answers = cluster.events().ingest(tokio_stream::iter(requests)).await;
        streams.push(answers.expect("opens").into_inner());
    }
    let under_way = || cluster.log.appends.load(Ordering::SeqCst);
    while under_way() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(under_way(), 1);
    cluster.log.gate.add_permits(1_000);
    for mut answers in streams {
        for _ in 0..2 {
            let answer = answers.message().await.expect("open").expect("an answer");
            assert!(matches!(answer.outcome, Some(Outcome::Acknowledgement(_))), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_64_busy_streams_leaves_the_connection_usable() {
    let cluster = TestCluster::start(0).await;
    for _round in 0..2 {
        let mut clients = JoinSet::new();
        let (answered, mut seen) = mpsc::channel(64);
        for _ in 0..64 {
            let (sender, requests) = mpsc::channel(16);
            let (mut client, answered) = (cluster.events(), answered.clone());
            clients.spawn(async move {
                let send = async move {
                    for sequence in 1.. {
                        let note = Some("c".repeat(250));
                        let events = vec![Event { channel: note, ..purchase("tea") }; 100];
                        if sender.send(batch(sequence, events)).await.is_err() {
                            return;
                        }
                    }
                };
                let receive = async move {
                    let answers = client.ingest(ReceiverStream::new(requests)).await;
                    let mut answers = answers.expect("opens").into_inner();
                    while let Ok(Some(_)) = answers.message().await {
                        let _ = answered.try_send(());
                    }
                };
                tokio::join!(send, receive);
            });
        }
        for _ in 0..200 {
            seen.recv().await.expect("answers");
        }
        clients.shutdown().await;
    }
    let work = async {
        let requests: Vec<_> = (1..=20).map(|n| batch(n, vec![purchase("tea"); 500])).collect();
        let answers = cluster.events().ingest(tokio_stream::iter(requests)).await.expect("opens");
        let mut answers = answers.into_inner();
        for _ in 0..20 {
            answers.message().await.expect("open").expect("an answer");
        }
        let request = RecordEventsRequest { events: vec![purchase("tea")], request_id: None };
        cluster.events().record_events(request).await.expect("a unary call");
    };
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("the connection works");
}

#[tokio::test]
async fn further_streams_are_shed_until_one_ends() {
    let cluster = TestCluster::with(0, |config| config.admission.ingest_streams = 1).await;
    let (sender, requests) = mpsc::channel(1);
    let first = cluster.events().ingest(ReceiverStream::new(requests)).await.expect("opens");
    let none = || tokio_stream::iter(Vec::<IngestRequest>::new());
    let status = cluster.events().ingest(none()).await.expect_err("shed");
    assert_eq!(
        (status.code(), reason(&status).as_deref()),
        (Code::ResourceExhausted, Some("INGEST_STREAMS_EXHAUSTED"))
    );
    drop((sender, first));
    while cluster.events().ingest(none()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_batch_beyond_the_message_limit_is_explained() {
    let cluster = TestCluster::start(0).await;
    let events = vec![Event { channel: Some("c".repeat(250)), ..purchase("tea") }; 16_000];
    let requests = tokio_stream::iter([batch(1, events)]);
    let mut answers = cluster.events().ingest(requests).await.expect("opens").into_inner();
    let status = answers.message().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test]
async fn a_small_message_of_very_many_events_is_refused_undecoded() {
    let cluster = TestCluster::start(0).await;
    // Empty strings of field 4 are, on the wire, empty events of an `IngestRequest`.
    let message = Item { category_path: vec![String::new(); 2_000_000], ..Default::default() };
    let mut client = tonic::client::Grpc::new(cluster.channel.clone());
    client.ready().await.expect("a connection");
    let codec = BoundedCodec::<Item, IngestResponse>::default();
    let path = PathAndQuery::from_static("/mercer.v1.EventService/Ingest");
    let request = tonic::Request::new(tokio_stream::iter([message]));
    let answers = client.streaming(request, path, codec).await.expect("opens");
    let status = answers.into_inner().message().await.expect_err("refused");
    assert_eq!(details(&status), (Code::InvalidArgument, "INVALID_REQUEST".into(), vec![]));
    assert!(status.message().contains("decodes to more than"), "{status:?}");
}

#[tokio::test]
async fn stopping_ends_streams_with_a_reason_to_come_back() {
    let mut cluster = TestCluster::start(0).await;
    let (sender, requests) = mpsc::channel(4);
    sender.send(batch(1, vec![purchase("tea")])).await.expect("open");
    let answers = cluster.events().ingest(ReceiverStream::new(requests)).await.expect("opens");
    let mut answers = answers.into_inner();
    answers.message().await.expect("open").expect("an answer");
    let (status, ()) =
        tokio::join!(async { answers.message().await.expect_err("ends") }, cluster.stop(),);
    assert_eq!(details(&status).1, "SHUTTING_DOWN");
    drop(sender);
}
