//! What ids and numbers stand for on their way into the log, and which clock is written beside them.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use jiff::tz::TimeZone;
use mercer_common::{
    clock::{Clock as _, SharedClock},
    config::AdmissionConfig,
    event::RecordContext,
    log::{EventLog, LogError},
    rpc::status::from_message,
    secret::ClusterSecret,
    slot::ShardLayout,
};
use mercer_proto::{
    internal::{Exposure, section::Origin},
    v1::{
        AdjustStockRequest, DeleteItemRequest, DeleteUserRequest, Event, EventType, IngestRequest,
        Item, RecordEventsRequest, SetStockRequest, Stock, StockDelta, UpsertItemsRequest,
        ingest_response::Outcome,
    },
};
use prost_types::Timestamp;
use tonic::Code;

use super::{TestClock, TestCluster, TestLog, TestMetadata, details};
use crate::{
    ask::Fanout,
    cluster::{membership::Membership, workers::Workers},
    ingest::{Ingest, Room},
};

fn event(event_id: &str, item_id: &str) -> Event {
    Event {
        r#type: EventType::View.into(),
        item_id: item_id.into(),
        event_time: Some(Timestamp { seconds: 1_600_000_000, nanos: 0 }),
        user_id: Some("anna".into()),
        event_id: Some(event_id.into()),
        ..Default::default()
    }
}

fn batch(batch_sequence: u64, acknowledged_through: u64, item_id: &str) -> IngestRequest {
    IngestRequest {
        producer_id: "7b1c9a52-5d5c-4b26-8d2b-6d0a0e7f3c11".into(),
        batch_sequence,
        acknowledged_through,
        events: vec![event("a", item_id)],
        ..IngestRequest::default()
    }
}

/// The key that a call was appended with, the same in all its sections.
async fn key<F: Future<Output = ()>>(cluster: &TestCluster, call: F) -> Vec<u8> {
    let before = cluster.log.sections().len();
    call.await;
    let sections = cluster.log.sections().split_off(before);
    let mut keys = BTreeSet::new();
    for (_, section) in sections {
        match section.origin {
            Some(Origin::RequestKey(key)) => keys.insert(key),
            other => panic!("{other:?}"),
        };
    }
    let [key] = keys.into_iter().collect::<Vec<_>>().try_into().expect("one key");
    key
}

#[tokio::test]
async fn a_clash_within_one_request_is_refused_and_names_both() {
    let cluster = TestCluster::start(0).await;
    let repeated = vec![event("a", "tea"), event("b", "milk"), event("a", "tea")];
    let clash = vec![event("b", "milk"), event("a", "tea"), event("c", "tea"), event("a", "milk")];
    let request = |events| RecordEventsRequest { events, request_id: Some("r".into()) };
    let status = cluster.events().record_events(request(clash.clone())).await.expect_err("refused");
    let refused =
        (Code::InvalidArgument, "INVALID_REQUEST".into(), vec!["events[3].event_id".into()]);
    assert_eq!(details(&status), refused);
    assert!(status.message().contains("events[1]"), "{}", status.message());
    let requests = [IngestRequest { events: clash, ..batch(1, 0, "tea") }];
    let answers = cluster.events().ingest(tokio_stream::iter(requests)).await.expect("opens");
    match answers.into_inner().message().await.expect("open").expect("an answer").outcome {
        Some(Outcome::Rejection(status)) => assert_eq!(details(&from_message(&status)), refused),
        other => panic!("{other:?}"),
    }
    assert!(cluster.log.sections().is_empty());
    cluster.events().record_events(request(repeated)).await.expect("the same event twice");
}

#[tokio::test]
async fn both_sides_of_an_event_share_no_number() {
    let cluster = TestCluster::start(0).await;
    let request = RecordEventsRequest { events: vec![event("a", "tea")], request_id: None };
    cluster.events().record_events(request).await.expect("accepted");
    let sections = cluster.log.sections();
    let users = sections.iter().flat_map(|(_, section)| &section.interactions);
    let items = sections.iter().flat_map(|(_, section)| &section.item_events);
    let keys = users.map(|record| &record.event_key).chain(items.map(|record| &record.event_key));
    let mut numbers = BTreeSet::new();
    for key in keys {
        let (first, second) = key.split_at(8);
        numbers.extend([first, second]);
    }
    assert_eq!(numbers.len(), 4);
}

#[tokio::test]
async fn a_request_id_stands_for_the_whole_request() {
    let cluster = TestCluster::start(0).await;
    let request_id = || Some("r1".to_owned());
    let delete_item = async |item_id: &str| {
        let request = DeleteItemRequest { item_id: item_id.into(), request_id: request_id() };
        cluster.catalog().delete_item(request).await.expect("accepted");
    };

    let upsert = async |title: &str| {
        let item = Item { item_id: "tea".into(), title: title.into(), ..Default::default() };
        let items = vec![item, Item { item_id: "milk".into(), ..Default::default() }];
        let request = UpsertItemsRequest { items, request_id: request_id(), ..Default::default() };
        cluster.catalog().upsert_items(request).await.expect("accepted");
    };

    let record = async |item_id: &str| {
        let request =
            RecordEventsRequest { events: vec![event("a", item_id)], request_id: request_id() };
        cluster.events().record_events(request).await.expect("accepted");
    };
    let mut keys = Vec::new();
    for _ in 0..2 {
        // The same bytes as of an item, in another message.
        let delete_user = async {
            let request = DeleteUserRequest { user_id: "tea".into(), request_id: request_id() };
            cluster.catalog().delete_user(request).await.expect("accepted");
        };
        // What it leaves out is the present, which is no part of what was sent.
        let set_stock = async {
            let stock = vec![Stock { item_id: "tea".into(), on_hand: 2.0, ..Default::default() }];
            let request = SetStockRequest { stock, request_id: request_id(), ..Default::default() };
            cluster.catalog().set_stock(request).await.expect("accepted");
        };
        let adjust = async {
            let delta = StockDelta { item_id: "tea".into(), delta: 2.0, ..Default::default() };
            let request = AdjustStockRequest { deltas: vec![delta], request_id: request_id() };
            cluster.catalog().adjust_stock(request).await.expect("accepted");
        };
        keys.push([
            key(&cluster, delete_item("tea")).await,
            key(&cluster, delete_item("milk")).await,
            key(&cluster, delete_user).await,
            key(&cluster, upsert("Tea")).await,
            key(&cluster, upsert("Green tea")).await,
            key(&cluster, set_stock).await,
            key(&cluster, adjust).await,
            key(&cluster, record("tea")).await,
            key(&cluster, record("milk")).await,
        ]);
    }
    assert_eq!(keys[0], keys[1], "the same again is the same");
    let contents: BTreeSet<&[u8]> = keys[0].iter().map(|key| &key[8..]).collect();
    assert_eq!(contents.len(), 9, "each stands for its own content");
    let ids: BTreeSet<&[u8]> = keys[0].iter().map(|key| &key[..8]).collect();
    assert_eq!(ids.len(), 1, "under one id");
}

#[tokio::test]
async fn a_number_of_a_stream_stands_for_its_events() {
    let cluster = TestCluster::start(0).await;
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let answers = cluster.events().ingest(requests).await.expect("opens");
    let mut answers = answers.into_inner();
    let mut send = async |request: IngestRequest| {
        sender.send(request).await.expect("open");
        match answers.message().await.expect("open").expect("an answer").outcome {
            Some(Outcome::Acknowledgement(_)) => Ok(()),
            Some(Outcome::Rejection(status)) => Err(from_message(&status)),
            None => panic!("no outcome"),
        }
    };
    cluster.log.failures.lock().push_back(LogError::Unconfirmed);
    send(batch(5, 4, "tea")).await.expect_err("may have been stored");
    let status = send(batch(5, 4, "milk")).await.expect_err("other events");
    let refused = (Code::InvalidArgument, "INVALID_REQUEST".into(), vec!["batch_sequence".into()]);
    assert_eq!(details(&status), refused);
    assert!(status.message().contains("5 was sent with other events"), "{}", status.message());
    assert!(cluster.log.sections().is_empty());
    // What was refused for itself leaves no trace, and may come again in order.
    let mut bad = batch(6, 4, "tea");
    bad.events[0].item_id.clear();
    send(bad).await.expect_err("refused");
    send(batch(6, 4, "milk")).await.expect("the first that counts");
    send(batch(5, 4, "tea")).await.expect("the same again");
    send(batch(5, 4, "tea")).await.expect("as often as it likes");
}

#[tokio::test]
async fn every_section_is_stamped_with_the_log_s_own_clock_whatever_the_wall_clock_does() {
    let log = TestLog::new();
    let clock = Arc::new(TestClock::new());
    let context = RecordContext {
        layout: ShardLayout::new(4),
        currency: "USD".into(),
        time_zone: TimeZone::UTC,
        visit_key: 7,
        user_visit_key: 8,
    };
    let events: Arc<dyn EventLog> = Arc::<TestLog>::clone(&log);
    let wall: SharedClock = Arc::<TestClock>::clone(&clock);
    let workers = Arc::new(Workers::new(ClusterSecret::drawn()));
    let membership = Membership::load(
        Arc::new(TestMetadata::default()),
        Arc::clone(&events),
        Arc::clone(&wall),
        Arc::clone(&workers),
        context.layout,
        1,
        3.0,
    );
    let membership = Arc::new(membership.await.expect("loads"));
    let fanout = Fanout::new(membership, workers, Arc::clone(&events));
    let ingest = Ingest::new(
        events,
        wall,
        Arc::new(context),
        Room::new(fanout, true),
        &AdmissionConfig::default(),
    );
    let days = |days: i64| days * 86_400_000;
    for (step, step_ms) in [0, days(2), -days(10), 3_600_000, -1_000].into_iter().enumerate() {
        clock.step(step_ms);
        let logged = log.log_time_ms.fetch_add(10, Ordering::SeqCst) + 10;
        let request = RecordEventsRequest { events: vec![event("a", "tea")], request_id: None };
        ingest.record_events(request).await.expect("accepted");
        let deleted = DeleteItemRequest { item_id: "tea".into(), request_id: None };
        ingest.delete_item(deleted).await.expect("accepted");
        let exposure = Exposure { user_id: "anna".into(), ..Exposure::default() };
        ingest.expose(exposure).await.expect("accepted");
        ingest.forget_experiment("lists".into()).await.expect("accepted");
        let wall = clock.now_ms();
        let sections = log.sections();
        let stamps: BTreeSet<(i64, i64)> = sections[sections.len() - 7..]
            .iter()
            .map(|(_, section)| (section.append_time_ms, section.log_time_ms))
            .collect();
        assert_eq!(stamps, BTreeSet::from([(wall, logged)]), "step {step}");
    }
}

#[tokio::test]
async fn markers_of_jobs_are_stamped_too() {
    let cluster = TestCluster::start(1).await;
    cluster.log.log_time_ms.store(77, Ordering::SeqCst);
    cluster.train(&["p3"]).await;
    let sections = cluster.log.sections();
    let markers: Vec<_> = sections.iter().filter(|(_, section)| section.marker.is_some()).collect();
    assert_eq!(markers.len(), 4);
    for (_, section) in markers {
        assert_eq!(section.log_time_ms, 77);
        assert!(section.append_time_ms > 1_600_000_000_000);
    }
}
