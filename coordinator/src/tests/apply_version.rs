//! When records begin to mean something else, and which workers may read them then.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use mercer_common::{
    event::{APPLY_VERSION, encode_section},
    log::{EventLog as _, LogError},
    metadata::Metadata as _,
    rpc::connect_peer,
};
use mercer_proto::{
    internal::{
        RegisterRequest, Section, UseApplyVersion,
        membership_service_client::MembershipServiceClient,
    },
    v1::{DescribeClusterRequest, Event, EventType, LaggingWorker, RecordEventsRequest},
};
use prost::Message as _;
use prost_types::Timestamp;

use super::{TestCluster, TestLog, TestMetadata, cluster::launch, details};
use crate::cluster::record::ApplyVersionRecord;

fn event() -> Event {
    Event {
        r#type: EventType::View.into(),
        item_id: "tea".into(),
        event_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        event_id: Some("line-1".into()),
        ..Default::default()
    }
}

/// Records an event; what stands for its id, and whether that is a key.
async fn record(cluster: &TestCluster) -> (Vec<u8>, bool) {
    let request = RecordEventsRequest { events: vec![event()], request_id: None };
    cluster.events().record_events(request).await.expect("accepted");
    let (_, section) = cluster.log.sections().pop().expect("appended");
    let record = &section.item_events[0];
    match (record.event_hash.is_empty(), record.event_key.is_empty()) {
        (true, false) => (record.event_key.clone(), true),
        (false, true) => (record.event_hash.clone(), false),
        both => panic!("{both:?}"),
    }
}

fn raises(log: &TestLog) -> Vec<(u16, Section)> {
    let mut sections = log.all_sections();
    sections.retain(|(_, section)| section.use_apply_version.is_some());
    sections
}

async fn described(cluster: &TestCluster) -> u32 {
    let answer = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    answer.expect("described").into_inner().log.expect("a log").apply_version
}

/// Who keeps the newest version from being used.
async fn waits_for(cluster: &TestCluster) -> Vec<LaggingWorker> {
    let answer = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    let log = answer.expect("described").into_inner().log.expect("a log");
    assert_eq!(log.newest_apply_version, APPLY_VERSION);
    log.waits_for
}

/// A log of an earlier release.
async fn old_log() -> Arc<TestLog> {
    let log = TestLog::new();
    let section = encode_section(&Section { append_time_ms: 5, ..Section::default() });
    log.append(vec![(0, section)]).await.expect("appended");
    log
}

async fn until(cluster: &TestCluster, version: u32) {
    while described(cluster).await != version {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_new_log_begins_with_the_newest_version() {
    let mut cluster = TestCluster::start(0).await;
    let first = cluster.log.all_sections();
    assert_eq!(first.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let change = first[0].1.use_apply_version.expect("says the version");
    for (_, section) in &first {
        let alone = Section {
            append_time_ms: section.append_time_ms,
            log_time_ms: section.log_time_ms,
            use_apply_version: Some(UseApplyVersion { version: APPLY_VERSION, ..change }),
            ..Section::default()
        };
        assert_eq!(*section, alone);
    }
    let (key, is_key) = record(&cluster).await;
    assert!(is_key);
    cluster.restart().await;
    assert_eq!(record(&cluster).await, (key, true), "the key is the cluster's");
    assert_eq!((raises(&cluster.log).len(), described(&cluster).await), (4, APPLY_VERSION));
}

#[tokio::test]
async fn an_old_log_is_raised_when_the_last_worker_knows_the_version() {
    let mut cluster =
        TestCluster::over(old_log().await, Arc::default(), 0, |c| c.cluster.workers = 2).await;
    cluster.add_worker("worker-1").await;
    cluster.add_worker_of_release("worker-2", 0).await;
    cluster.until_live(2).await;
    // Longer than it takes to look.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((raises(&cluster.log).len(), described(&cluster).await), (0, 1));
    let (_, is_key) = record(&cluster).await;
    assert!(!is_key, "a worker would not know what it is");
    let old = LaggingWorker { worker_id: "worker-2".into(), apply_version: 1 };
    assert_eq!(waits_for(&cluster).await, [old]);

    drop(cluster.workers.pop());
    cluster.add_worker("worker-2").await;
    until(&cluster, APPLY_VERSION).await;
    assert_eq!(waits_for(&cluster).await, []);
    assert!(record(&cluster).await.1);
    assert_eq!(raises(&cluster.log).len(), 4);
    cluster.restart().await;
    cluster.until_live(2).await;
    assert!(record(&cluster).await.1);
    assert_eq!(raises(&cluster.log).len(), 4, "it is said once");
}

#[tokio::test]
async fn workers_that_go_on_after_a_restart_say_what_they_know() {
    let log = old_log().await;
    log.failures.lock().push_back(LogError::Closed);
    let mut cluster = TestCluster::over(log, Arc::default(), 0, |c| c.cluster.workers = 1).await;
    cluster.add_worker("worker-1").await;
    cluster.until_live(1).await;
    // Its first attempt has failed, and the next one is seconds away.
    while !cluster.log.failures.lock().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(described(&cluster).await, 1);
    let generation = cluster.workers[0].script.lock().generation;
    cluster.restart().await;
    until(&cluster, APPLY_VERSION).await;
    assert_eq!(cluster.workers[0].script.lock().generation, generation, "it did not register");
}

#[tokio::test]
async fn a_worker_that_is_too_old_is_refused_once_the_log_is_raised() {
    let cluster = TestCluster::start(1).await;
    // Its id is free for another process.
    cluster.workers[0].script.lock().dead = true;
    let url = format!("http://{}", cluster.config.coordinator.internal_listen);
    let secret = cluster.handle.as_ref().expect("running").secret();
    let channel = connect_peer(&url, secret).expect("a URL");
    let mut client = MembershipServiceClient::new(channel);
    let request = |apply_version| RegisterRequest {
        worker_id: "worker-1".into(),
        address: "http://127.0.0.1:9".into(),
        instance: "another".into(),
        apply_version,
    };
    for version in [0, APPLY_VERSION - 1] {
        let status = client.register(request(version)).await.expect_err("refused");
        assert_eq!(details(&status).1, "WORKER_TOO_OLD");
        let known = format!("`worker-1` knows apply version {}", version.max(1));
        assert!(status.message().contains(&known), "{status:?}");
    }
    client.register(request(APPLY_VERSION)).await.expect("accepted");
}

#[tokio::test]
async fn a_raise_that_was_not_confirmed_is_said_again() {
    let log = TestLog::new();
    log.failures.lock().push_back(LogError::Unconfirmed);
    let mut cluster = TestCluster::over(log, Arc::default(), 0, |c| c.cluster.workers = 1).await;
    assert_eq!(described(&cluster).await, 1);
    assert!(!record(&cluster).await.1, "it may not have been stored");
    cluster.add_worker("worker-1").await;
    until(&cluster, APPLY_VERSION).await;
    assert_eq!(raises(&cluster.log).len(), 4);
}

#[tokio::test]
async fn a_log_without_what_metadata_notes_is_raised_again() {
    let cluster = TestCluster::start(0).await;
    let metadata = Arc::clone(&cluster.metadata);
    drop(cluster);
    let cluster = TestCluster::over(TestLog::new(), metadata, 0, |_| ()).await;
    assert_eq!((raises(&cluster.log).len(), described(&cluster).await), (4, APPLY_VERSION));
}

#[tokio::test]
async fn a_log_of_a_later_release_is_refused_by_name() {
    let cluster = TestCluster::start(0).await;
    let record = ApplyVersionRecord { version: APPLY_VERSION + 1, position: 4, epoch: Vec::new() };
    let metadata = Arc::<TestMetadata>::default();
    let value = Some(Bytes::from(record.encode_to_vec()));
    metadata.compare_and_set("cluster/apply-version", None, value).await.expect("stored");
    let mut config = cluster.config.clone();
    config.coordinator.listen = "127.0.0.1:0".into();
    config.coordinator.internal_listen = "127.0.0.1:0".into();
    let before = cluster.log.appends.load(Ordering::SeqCst);
    let error = launch(&config, &cluster.clock, &cluster.log, &metadata)
        .await
        .expect_err("refused")
        .to_string();
    let versions = format!(
        "what apply version {} says, and this release knows {APPLY_VERSION}",
        APPLY_VERSION + 1
    );
    assert!(error.contains(&versions), "{error}");
    assert_eq!(cluster.log.appends.load(Ordering::SeqCst), before);
}
