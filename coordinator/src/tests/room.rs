//! What every shard keeps is refused before it is appended when there is no room for it.

use mercer_common::limits::{self, Bound};
use mercer_proto::{
    internal::{BoundedKind, CheckRoomResponse, KindSize},
    v1::{
        DeleteLocationRequest, Event, EventType, IngestRequest, Location, UpsertLocationsRequest,
        ingest_response::Outcome,
    },
};
use prost_types::Timestamp;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{TestCluster, details};

/// A worker's answer: so much of everything is kept.
fn kept(full: BoundedKind, records: usize) -> CheckRoomResponse {
    let kinds = [
        BoundedKind::Locations,
        BoundedKind::Suppliers,
        BoundedKind::PriceRules,
        BoundedKind::RecommendRules,
        BoundedKind::FinishedProducers,
    ];
    let records = records as u64;
    let mut sizes = Vec::new();
    for kind in kinds {
        sizes.push(KindSize { kind: kind.into(), records, bytes: records });
    }
    CheckRoomResponse { full: full.into(), sizes }
}

async fn upsert(cluster: &TestCluster, first: usize, count: usize) -> Result<String, Status> {
    let mut locations = Vec::new();
    for number in first..first + count {
        locations.push(Location { location_id: format!("s{number}"), ..Location::default() });
    }
    let request = UpsertLocationsRequest { locations, ..Default::default() };
    Ok(cluster.catalog().upsert_locations(request).await?.into_inner().token)
}

fn assert_names(status: &Status, bound: Bound) {
    assert_eq!(
        details(status),
        (Code::ResourceExhausted, "BOUND_REACHED".into(), vec![]),
        "{status:?}"
    );
    let begin = format!("at most {} {}", bound.records, bound.of);
    assert!(status.message().starts_with(&begin), "{status:?}");
}

#[tokio::test]
async fn nobody_is_asked_while_there_is_room_for_certain() {
    let cluster = TestCluster::start(1).await;
    for first in 0..10 {
        upsert(&cluster, first * 1_000, 1_000).await.expect("room");
    }
    assert_eq!(cluster.workers[0].script.lock().count("check_room"), 0);
    // One more may be too many; it is not, for they all replace one another.
    cluster.workers[0].script.lock().room = kept(BoundedKind::Unspecified, 1_000);
    let before = cluster.log.sections().len();
    upsert(&cluster, 0, 1).await.expect("room");
    assert_eq!(cluster.log.sections().len(), before + 4);
    upsert(&cluster, 0, 1_000).await.expect("as the worker has said");
    let calls = cluster.workers[0].script.lock().calls.clone();
    let asked: Vec<&String> =
        calls.iter().filter(|call| call.0 == "check_room").map(|call| &call.1).collect();
    // After the last append to the shard that is asked: 10 in 4 shards, and what the log began with.
    assert_eq!(asked, ["41"]);
}

#[tokio::test]
async fn beyond_a_bound_nothing_is_appended_and_removing_goes_on() {
    let cluster = TestCluster::start(1).await;
    for first in 0..10 {
        upsert(&cluster, first * 1_000, 1_000).await.expect("room");
    }
    cluster.workers[0].script.lock().room = kept(BoundedKind::Locations, limits::LOCATIONS.records);
    let before = cluster.log.sections().len();
    let status = upsert(&cluster, 10_000, 1).await.expect_err("full");
    assert_names(&status, limits::LOCATIONS);
    assert_eq!(cluster.log.sections().len(), before);
    let request = DeleteLocationRequest { location_id: "s1".into(), request_id: None };
    cluster.catalog().delete_location(request).await.expect("makes room");
    cluster.workers[0].script.lock().room =
        kept(BoundedKind::Unspecified, limits::LOCATIONS.records - 1);
    upsert(&cluster, 10_000, 1).await.expect("room again");
}

#[tokio::test]
async fn what_is_merged_needs_the_room_of_what_may_be_new() {
    let cluster = TestCluster::start(1).await;
    let merge = async |number: usize| {
        let location = Location { location_id: format!("s{number}"), ..Location::default() };
        let (locations, keep_absent) = (vec![location], true);
        let request = UpsertLocationsRequest { locations, keep_absent, ..Default::default() };
        cluster.catalog().upsert_locations(request).await
    };
    for first in 0..10 {
        upsert(&cluster, first * 1_000, 1_000).await.expect("room");
    }
    cluster.workers[0].script.lock().room = kept(BoundedKind::Locations, limits::LOCATIONS.records);
    let before = cluster.log.sections().len();
    assert_names(&merge(10_000).await.expect_err("full"), limits::LOCATIONS);
    assert_eq!(cluster.log.sections().len(), before);
    cluster.workers[0].script.lock().room =
        kept(BoundedKind::Unspecified, limits::LOCATIONS.records);
    merge(5).await.expect("it is known");
    assert_eq!(cluster.log.sections().len(), before + 4);
}

#[tokio::test]
async fn a_log_that_holds_something_is_asked_about_and_nobody_guesses() {
    let mut cluster = TestCluster::start(1).await;
    upsert(&cluster, 0, 1).await.expect("room");
    cluster.restart().await;
    cluster.until_live(1).await;
    cluster.workers[0].script.lock().room = kept(BoundedKind::Unspecified, 1);
    upsert(&cluster, 1, 1).await.expect("room");
    upsert(&cluster, 2, 1).await.expect("room");
    assert_eq!(cluster.workers[0].script.lock().count("check_room"), 1);

    cluster.restart().await;
    cluster.until_live(1).await;
    let before = cluster.log.sections().len();
    let failure = Status::unavailable("busy");
    cluster.workers[0].script.lock().fail("check_room", failure);
    let status = upsert(&cluster, 3, 1).await.expect_err("not known");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(cluster.log.sections().len(), before);
    upsert(&cluster, 3, 1).await.expect("known");
}

#[tokio::test]
async fn a_finished_producer_too_many_is_told_to_do_without() {
    let cluster = TestCluster::start(1).await;
    let send = async |is_final: bool| {
        let event = Event {
            r#type: EventType::View.into(),
            item_id: "tea".into(),
            event_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            ..Event::default()
        };
        #[expect(deprecated, reason = "it is still taken")]
        let request = IngestRequest {
            producer_id: Uuid::new_v4().to_string(),
            batch_sequence: 1,
            events: vec![event],
            r#final: is_final,
            ..IngestRequest::default()
        };
        let requests = tokio_stream::iter([request]);
        let mut answers = cluster.events().ingest(requests).await.expect("opens").into_inner();
        answers.message().await.expect("open").expect("an answer").outcome.expect("one")
    };
    assert!(matches!(send(true).await, Outcome::Acknowledgement(_)));
    let room = kept(BoundedKind::FinishedProducers, limits::FINISHED_PRODUCERS.records);
    cluster.workers[0].script.lock().room = room;
    // What is known from the worker is as high as can be.
    for _ in 0..10 {
        upsert(&cluster, 0, 1_000).await.expect("room");
    }
    let status = upsert(&cluster, 0, 1).await.expect_err("the worker says that it is full");
    assert_names(&status, limits::FINISHED_PRODUCERS);
    let before = cluster.log.sections().len();
    let Outcome::Rejection(rejection) = send(true).await else { panic!("it was taken") };
    assert_eq!(rejection.code, Code::ResourceExhausted as i32);
    assert!(rejection.message.contains("100000 finished producers"), "{}", rejection.message);
    assert!(rejection.message.contains("without `final`"), "{}", rejection.message);
    assert_eq!(cluster.log.sections().len(), before);
    assert!(matches!(send(false).await, Outcome::Acknowledgement(_)));
}
