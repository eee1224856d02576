//! Queries against workers that fail on demand.

use std::time::Duration;

use mercer_common::{
    rpc::status::reason,
    slot::{ShardLayout, Subject},
    token::Token,
};
use mercer_proto::v1::{
    DescribeClusterRequest, GetItemRequest, GetUserRequest, ListItemsRequest, ListUsersRequest,
    PopularRequest, RecommendRequest, RecommendResponse, ShardState, SimilarItemsRequest,
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{TestCluster, details, gone, internal_error};

/// Two workers; `item-N` has score N and lives where its slot says.
async fn cluster() -> TestCluster {
    let cluster = TestCluster::start(2).await;
    for number in 0..40 {
        let item_id = format!("item-{number}");
        let shard = u32::from(ShardLayout::new(4).shard_of(Subject::Item, &item_id));
        for worker in &cluster.workers {
            let mut script = worker.script.lock();
            if script.shards.contains(&shard) {
                script.items.push((shard, item_id.clone(), f64::from(number)));
            }
        }
    }
    cluster
}

fn anna() -> RecommendRequest {
    RecommendRequest { user_id: "anna".into(), n: 5, ..Default::default() }
}

async fn ask(
    cluster: &TestCluster,
    request: RecommendRequest,
) -> Result<RecommendResponse, Status> {
    cluster.recommend().recommend(request).await.map(tonic::Response::into_inner)
}

fn ids(response: &RecommendResponse) -> Vec<&str> {
    response.items.iter().map(|item| item.item_id.as_str()).collect()
}

fn shard_of(subject: Subject, id: &str) -> u32 {
    u32::from(ShardLayout::new(4).shard_of(subject, id))
}

#[tokio::test]
async fn the_best_of_all_workers_win() {
    let cluster = cluster().await;
    let response = ask(&cluster, anna()).await.expect("answered");
    assert_eq!(ids(&response), ["item-39", "item-38", "item-37", "item-36", "item-35"]);
    assert_eq!((response.coverage, response.user_known), (1.0, true));
    assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("", "p3"));
    assert!(!response.attribution_token.is_empty());

    cluster.train(&["p3"]).await;
    let response = ask(&cluster, anna()).await.expect("answered");
    assert_eq!((response.version.as_str(), response.items.len()), ("v1", 5));
    let popular = cluster.recommend().popular(PopularRequest { n: 2, ..Default::default() }).await;
    let popular = popular.expect("answered").into_inner();
    assert_eq!(popular.items.iter().map(|i| i.popularity).collect::<Vec<_>>(), [39, 38]);
    assert_eq!(popular.coverage, 1.0);
}

#[tokio::test]
async fn bad_queries_are_named_by_field() {
    let cluster = cluster().await;
    let long = "x".repeat(257);
    let base = anna();
    let with = |change: &dyn Fn(&mut RecommendRequest)| {
        let mut request = base.clone();
        change(&mut request);
        request
    };
    let cases = [
        (with(&|r| r.user_id.clear()), "user_id"),
        (with(&|r| r.user_id.clone_from(&long)), "user_id"),
        (with(&|r| r.session_items = vec!["tea".into(); 101]), "session_items"),
        (with(&|r| r.session_items = vec!["tea".into(), String::new()]), "session_items[1]"),
        (with(&|r| r.n = 1_001), "n"),
        (with(&|r| r.algorithm = "slime".into()), "algorithm"),
        (with(&|r| r.seen = 9), "seen"),
        (with(&|r| r.filter = Some(Default::default())), "filter"),
        (with(&|r| r.tokens = vec!["?".into()]), "tokens[0]"),
        (with(&|r| r.tokens = vec![Token::default().encode(7); 65]), "tokens"),
    ];
    for (request, field) in cases {
        let status = ask(&cluster, request).await.expect_err("refused");
        let (code, _, fields) = details(&status);
        assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]), "{status:?}");
    }
    let request = SimilarItemsRequest::default();
    let status = cluster.recommend().similar_items(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["item_id"]);
    let foreign = with(&|r| r.tokens = vec![Token::default().encode(8)]);
    let status = ask(&cluster, foreign).await.expect_err("refused");
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn an_algorithm_that_was_not_trained_is_not_replaced() {
    let cluster = cluster().await;
    cluster.train(&["item-cosine"]).await;
    let status = ask(&cluster, anna()).await.expect_err("refused");
    assert_eq!(
        (status.code(), reason(&status).as_deref()),
        (Code::FailedPrecondition, Some("NOT_TRAINED"))
    );
    assert!(status.message().contains("mercer train p3"), "{}", status.message());
    for algorithm in ["item-cosine", "popular"] {
        let request = RecommendRequest { algorithm: algorithm.into(), ..anna() };
        assert_eq!(ask(&cluster, request).await.expect("answered").algorithm, algorithm);
    }
}

#[tokio::test]
async fn a_version_that_is_gone_restarts_the_call_once() {
    let cluster = cluster().await;
    cluster.train(&["p3"]).await;
    for method in ["get_profile", "recommend"] {
        for status in [gone(), internal_error(Code::FailedPrecondition, "STALE_GENERATION")] {
            let shard = shard_of(Subject::User, "anna");
            let worker = &cluster.workers[cluster.holder(shard)];
            worker.script.lock().fail(method, status.clone());
            worker.script.lock().calls.clear();
            let response = ask(&cluster, anna()).await.expect("answered");
            assert_eq!((response.items.len(), response.coverage), (5, 1.0));
            assert_eq!(worker.script.lock().count("get_profile"), 2, "{method}");

            let is_gone = reason(&status).as_deref() == Some("VERSION_GONE");
            worker.script.lock().fail(method, status.clone());
            worker.script.lock().fail(method, status);
            let answer = ask(&cluster, anna()).await;
            if is_gone {
                let response = answer.expect("without the version");
                assert_eq!(
                    (response.version.as_str(), response.algorithm.as_str()),
                    ("", "popular")
                );
                assert!(response.fallback_reason.contains("v1"), "{}", response.fallback_reason);
            } else {
                let status = answer.expect_err("changed twice");
                assert_eq!(details(&status).0, Code::Unavailable);
                assert_eq!(details(&status).1, "CLUSTER_CHANGED");
            }
        }
    }
}

#[tokio::test]
async fn missing_item_shards_make_an_answer_partial() {
    let mut cluster = cluster().await;
    let user_shard = shard_of(Subject::User, "anna");
    let place = cluster.holder(user_shard);

    // One shard of the user's own worker is recovering.
    let other_shard = {
        let mut script = cluster.workers[place].script.lock();
        let other = script.shards.iter().copied().find(|shard| *shard != user_shard);
        script.recovering.extend(other);
        other.expect("two shards")
    };
    let response = ask(&cluster, RecommendRequest { n: 40, ..anna() }).await.expect("answered");
    assert_eq!(response.coverage, 0.75);
    assert!(response.items.iter().all(|i| shard_of(Subject::Item, &i.item_id) != other_shard));

    // The other worker is gone: at first it does not answer, then it is not live.
    drop(cluster.workers.remove(1 - place));
    for _ in 0..2 {
        let response = ask(&cluster, anna()).await.expect("answered");
        assert_eq!(response.coverage, 0.25);
        let popular = cluster.recommend().popular(PopularRequest::default()).await;
        assert_eq!(popular.expect("answered").into_inner().coverage, 0.25);
        tokio::time::sleep(Duration::from_millis(600)).await;
    }

    // What is asked of the missing shard itself is unavailable, and says where.
    let missing = (0..100)
        .map(|number| format!("user-{number}"))
        .find(|id| ![user_shard, other_shard].contains(&shard_of(Subject::User, id)))
        .expect("a user there");
    let request = RecommendRequest { user_id: missing, ..anna() };
    let status = ask(&cluster, request).await.expect_err("unavailable");
    assert_eq!(details(&status).1, "SHARD_UNAVAILABLE");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());
    let info = status.get_details_error_info().expect("says where");
    assert!(info.metadata.contains_key("shard") && info.metadata["worker"].starts_with("worker-"));

    // A session alone is answered by whoever is there.
    let session = vec!["tea".into(), "milk".into()];
    let request = RecommendRequest { user_id: String::new(), session_items: session, ..anna() };
    let response = ask(&cluster, request).await.expect("answered");
    assert_eq!((response.coverage, response.user_known), (0.25, false));
    assert_eq!(response.unknown_session_items, ["tea", "milk"]);

    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    let described = described.expect("described").into_inner();
    let away = described.shards.iter().filter(|shard| shard.state() == ShardState::Unavailable);
    assert!(away.clone().all(|shard| shard.reason.contains(&shard.worker_id)));
    assert_eq!((away.count(), described.shards.len()), (2, 4));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let mut cluster = cluster().await;
    cluster.workers.clear();
    let status = ask(&cluster, anna()).await.expect_err("unavailable");
    assert_eq!(status.code(), Code::Unavailable);
    let status = cluster.recommend().popular(PopularRequest::default()).await;
    let status = status.expect_err("unavailable");
    assert_eq!((status.code(), details(&status).1.as_str()), (Code::Unavailable, "NO_COVERAGE"));

    let undealt = TestCluster::start(0).await;
    let status = ask(&undealt, anna()).await.expect_err("unavailable");
    assert_eq!(details(&status).1, "SHARDS_NOT_DEALT");
}

#[tokio::test]
async fn what_a_worker_refuses_reaches_the_caller_as_it_was_said() {
    let cluster = cluster().await;
    let shard = shard_of(Subject::User, "anna");
    let place = cluster.holder(shard);
    let lagging = internal_error(Code::DeadlineExceeded, "SHARD_LAGGING");
    for method in ["get_profile", "recommend"] {
        cluster.workers[place].script.lock().fail(method, lagging.clone());
        let status = ask(&cluster, anna()).await.expect_err("lagging");
        assert_eq!(details(&status), (Code::DeadlineExceeded, "SHARD_LAGGING".into(), vec![]));
    }
    let unknown = internal_error(Code::NotFound, "USER_NOT_FOUND");
    cluster.workers[place].script.lock().fail("get_user", unknown);
    let request = GetUserRequest { user_id: "anna".into(), tokens: vec![], rows: 0 };
    let status = cluster.catalog().get_user(request.clone()).await.expect_err("unknown");
    assert_eq!(details(&status).1, "USER_NOT_FOUND");
    let found = cluster.catalog().get_user(request).await.expect("found").into_inner();
    assert_eq!(found.user.expect("set").user_id, "anna");

    for worker in &cluster.workers {
        worker.script.lock().known = false;
    }
    let request = SimilarItemsRequest { item_id: "tea".into(), ..Default::default() };
    let status = cluster.recommend().similar_items(request).await.expect_err("unknown");
    assert_eq!(status.code(), Code::NotFound);
    assert!(!ask(&cluster, anna()).await.expect("answered").user_known);
}

#[tokio::test]
async fn a_lookup_survives_one_change_of_the_cluster() {
    let cluster = cluster().await;
    let shard = shard_of(Subject::Item, "tea");
    let worker = &cluster.workers[cluster.holder(shard)];
    worker.script.lock().fail("get_item", internal_error(Code::FailedPrecondition, "NOT_HELD"));
    let request = GetItemRequest { item_id: "tea".into(), tokens: vec![] };
    cluster.catalog().get_item(request.clone()).await.expect("found");
    worker.script.lock().fail("get_item", internal_error(Code::Unavailable, "NOT_READY"));
    let status = cluster.catalog().get_item(request).await.expect_err("recovering");
    assert_eq!(details(&status).1, "SHARD_UNAVAILABLE");
}

#[tokio::test]
async fn listings_go_through_all_shards_once() {
    let cluster = cluster().await;
    for page_size in [1, 7, 39, 40, 1_000] {
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListItemsRequest { page_size, page_token, ..Default::default() };
            let page = cluster.catalog().list_items(request).await.expect("listed").into_inner();
            assert!(page.items.len() <= page_size as usize);
            listed.extend(page.items.into_iter().map(|item| item.item_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let mut distinct = listed.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!((listed.len(), distinct.len()), (40, 40), "pages of {page_size}");
    }
    let request = ListItemsRequest { page_size: 7, ..Default::default() };
    let page = cluster.catalog().list_items(request).await.expect("listed").into_inner();
    let page_token = page.next_page_token;
    let request = ListUsersRequest { page_token: page_token.clone(), ..Default::default() };
    let status = cluster.catalog().list_users(request).await.expect_err("another listing");
    assert_eq!(details(&status).2, ["page_token"]);
    let request = ListItemsRequest { page_token, status: 1, ..Default::default() };
    let status = cluster.catalog().list_items(request).await.expect_err("another filter");
    assert_eq!(details(&status).2, ["page_token"]);
    let request = ListItemsRequest { page_size: 1_001, ..Default::default() };
    let status = cluster.catalog().list_items(request).await.expect_err("too many");
    assert_eq!(details(&status).2, ["page_size"]);
}

#[tokio::test]
async fn a_worker_that_does_not_answer_costs_its_part_only() {
    let cluster = cluster().await;
    let shard = shard_of(Subject::User, "anna");
    let away = 1 - cluster.holder(shard);
    // Its heartbeats go on, but the call never returns.
    cluster.workers[away].script.lock().hang = true;
    let mut request = Request::new(anna());
    request.set_timeout(Duration::from_secs(2));
    let response = cluster.recommend().recommend(request).await.expect("answered").into_inner();
    assert_eq!(response.coverage, 0.5);
}
