//! Workers and tokens that know more than the log.

use std::time::Duration;

use mercer_common::{
    log::{Epoch, EventLog as _, Mark},
    rpc::{
        connect_peer,
        generation::{set_generation, set_worker},
        status::reason,
    },
    token::Token,
};
use mercer_proto::{
    internal::{self, FetchRequest, ShardMark, log_service_client::LogServiceClient},
    v1::{
        DeleteItemRequest, DescribeClusterRequest, GetItemRequest, GetItemResponse, PopularRequest,
    },
};
use tonic::{Code, Request, Status};

use super::TestCluster;

async fn get(cluster: &TestCluster, tokens: &[String]) -> Result<GetItemResponse, Status> {
    let request = GetItemRequest { item_id: "tea".into(), tokens: tokens.to_vec() };
    Ok(cluster.catalog().get_item(request).await?.into_inner())
}

fn mark(shard: u32, position: u64) -> ShardMark {
    ShardMark { shard, mark: Some(internal::Mark { epoch: Vec::new(), position }) }
}

/// Appends one record and returns its token.
async fn append(cluster: &TestCluster) -> String {
    let request = DeleteItemRequest { item_id: "tea".into(), request_id: None };
    cluster.catalog().delete_item(request).await.expect("stored").into_inner().token
}

#[tokio::test]
async fn an_answer_from_beyond_the_end_of_the_log_is_not_passed_on() {
    let cluster = TestCluster::start(1).await;
    let token = append(&cluster).await;
    let end = cluster.log.end();
    let answer = get(&cluster, std::slice::from_ref(&token)).await.expect("answered");
    assert_eq!(answer.token, token, "the worker had applied what was required");

    let script = || cluster.workers[0].script.lock();
    script().applied = end;
    get(&cluster, &[]).await.expect("as far as the log goes");
    script().applied = end + 1;
    let status = get(&cluster, &[]).await.expect_err("from another history");
    assert_eq!(reason(&status).as_deref(), Some("SHARD_UNAVAILABLE"), "{status:?}");
    assert!(status.message().contains("ahead of the log"), "{}", status.message());
    let popular = cluster.recommend().popular(PopularRequest::default()).await;
    let status = popular.expect_err("no other worker");
    assert_eq!(reason(&status).as_deref(), Some("NO_COVERAGE"), "{status:?}");
    append(&cluster).await;
    get(&cluster, &[]).await.expect("the log goes as far now");
}

#[tokio::test]
async fn a_worker_is_asked_nothing_before_the_log_accepts_where_it_stands() {
    let mut cluster = TestCluster::start(2).await;
    append(&cluster).await;
    // The log that comes back has forgotten what worker-1 has.
    let holder = cluster.holder(0);
    cluster.workers[holder].script.lock().marks = vec![mark(0, 1), mark(1, 9)];
    cluster.restart().await;
    cluster.until_live(1).await;
    // Through many of its heartbeats.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    let workers = described.expect("described").into_inner().workers;
    let id = &cluster.workers[holder].id;
    assert!(workers.iter().all(|worker| worker.live == (worker.worker_id != *id)), "{workers:?}");
    cluster.workers[holder].script.lock().marks = vec![mark(0, 1), mark(1, 1)];
    cluster.until_live(2).await;
}

#[tokio::test]
async fn a_token_of_a_lost_history_is_told_from_a_malformed_one() {
    let cluster = TestCluster::start(1).await;
    let token = append(&cluster).await;
    let lost = |mark: Mark| {
        let mut token = Token::default();
        token.advance(0, mark);
        token.encode(7)
    };
    let beyond = lost(Mark { epoch: Epoch::NONE, position: 1_000 });
    let other_epoch = lost(Mark { epoch: Epoch::random(), position: 1 });
    for lost in [beyond, other_epoch] {
        let status = get(&cluster, &[token.clone(), lost]).await.expect_err("refused");
        let told = (status.code(), reason(&status));
        assert_eq!(told, (Code::FailedPrecondition, Some("TOKEN_OF_LOST_HISTORY".into())));
        assert!(status.message().starts_with("tokens[1] "), "{}", status.message());
    }
    let malformed = get(&cluster, &[token, "?".into()]).await.expect_err("refused");
    assert_eq!(malformed.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_fetch_is_refused_for_a_slot_ahead_as_for_its_cursor() {
    let cluster = TestCluster::start(1).await;
    append(&cluster).await;
    let end = cluster.log.end();
    let coordinator = cluster.handle.as_ref().expect("running");
    let url = format!("http://{}", coordinator.internal_address());
    let channel = connect_peer(&url, coordinator.secret()).expect("a URL");
    let mut log = LogServiceClient::new(channel);
    let live = async || {
        let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
        described.expect("described").into_inner().workers[0].live
    };
    // Heartbeats that follow would have it live again.
    cluster.workers[0].script.lock().silent = true;
    let mut fetch = async |highest: Option<u64>| {
        let highest = highest.map(|position| internal::Mark { epoch: Vec::new(), position });
        let cursor = internal::Cursor { shard: 0, after: end, epoch: Vec::new(), highest };
        let mut request = Request::new(FetchRequest {
            cursors: vec![cursor],
            max_bytes: 1,
            ..FetchRequest::default()
        });
        set_generation(&mut request, cluster.workers[0].script.lock().generation);
        set_worker(&mut request, &cluster.workers[0].id).expect("ASCII");
        log.fetch(request).await.map(|_| ())
    };
    fetch(None).await.expect("at the end");
    fetch(Some(end)).await.expect("no slot is ahead");
    assert!(live().await);
    let status = fetch(Some(end + 1)).await.expect_err("ahead");
    assert_eq!(reason(&status).as_deref(), Some("AHEAD_OF_LOG"), "{status:?}");
    assert!(!live().await, "it is asked nothing more");
}
