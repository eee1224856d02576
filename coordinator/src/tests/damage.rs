//! Versions of which a file is damaged at a worker: what answers in their place, and who says so.

use std::time::Duration;

use mercer_common::slot::{ShardLayout, Subject};
use mercer_proto::v1::{
    Arm, DescribeClusterRequest, Experiment, ForecastRequest, ListPoliciesRequest,
    RecommendRequest, RecommendResponse, SetExperimentRequest, SimilarItemsRequest,
    SimilarUsersRequest, experiment_service_client::ExperimentServiceClient, note,
};
use tonic::Code;

use super::{TestCluster, details, recommend::cluster};

fn anna() -> RecommendRequest {
    RecommendRequest { user_id: "anna".into(), n: 3, ..Default::default() }
}

async fn ask(cluster: &TestCluster, request: RecommendRequest) -> RecommendResponse {
    cluster.recommend().recommend(request).await.expect("answered").into_inner()
}

/// Damages a version at the worker that does not hold the user, who asks the other one first.
fn damage(cluster: &TestCluster, version: &str) {
    let shard = u32::from(ShardLayout::new(4).shard_of(Subject::User, "anna"));
    let other = 1 - cluster.holder(shard);
    cluster.workers[other].script.lock().damaged.insert(version.into());
}

fn mend(cluster: &TestCluster) {
    cluster.workers.iter().for_each(|worker| worker.script.lock().damaged.clear());
}

/// Version and algorithm of all that workers have been asked since.
fn asked(cluster: &TestCluster) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for worker in &cluster.workers {
        let mut script = worker.script.lock();
        let recommended = std::mem::take(&mut script.recommended).into_iter();
        asked.extend(recommended.map(|one| (one.version, one.algorithm)));
    }
    asked
}

#[tokio::test]
async fn the_version_before_answers_on_all_shards_until_the_damage_is_undone() {
    let cluster = cluster().await;
    cluster.train(&["p3"]).await;
    cluster.train(&["p3"]).await;
    let response = ask(&cluster, anna()).await;
    assert_eq!((response.version.as_str(), response.fallback_reason.as_str()), ("v2", ""));

    damage(&cluster, "v2");
    for call in 0..5 {
        asked(&cluster);
        let response = ask(&cluster, anna()).await;
        assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("v1", "p3"));
        assert_eq!((response.items.len(), response.coverage), (3, 1.0));
        let reason = &response.fallback_reason;
        assert!(reason.contains("version v2 is damaged"), "{reason}");
        // Once a worker has said so, the damaged version is not asked for a moment.
        let asked = asked(&cluster);
        let of_v1 = asked.iter().filter(|(version, _)| version == "v1").count();
        assert_eq!((of_v1, asked.len() == 2), (2, call > 0), "{asked:?}");
    }
    let item = SimilarItemsRequest { item_id: "item-1".into(), ..Default::default() };
    let similar = cluster.recommend().similar_items(item).await.expect("answered").into_inner();
    assert_eq!(similar.version, "v1");
    assert!(!similar.fallback_reason.is_empty());

    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    let described = described.expect("described").into_inner();
    assert_eq!(described.current_version, "v2");
    let [v2, v1] = &described.versions[..] else { panic!("{described:?}") };
    let [problem] = &v2.problems[..] else { panic!("{v2:?}") };
    assert!(problem.gone && problem.reason.contains("a file of v2 is cut"), "{problem:?}");
    assert!(problem.worker_id.starts_with("worker-"));
    assert_eq!(v1.problems, []);

    mend(&cluster);
    loop {
        let response = ask(&cluster, anna()).await;
        if response.version == "v2" {
            assert_eq!(response.fallback_reason, "");
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_sells_most_answers_where_no_version_before_would() {
    let cluster = cluster().await;
    cluster.train(&["item-cosine"]).await;
    cluster.train(&["p3"]).await;
    damage(&cluster, "v2");
    // The version before is of two sets now; the one before that has not got the algorithm.
    let response = ask(&cluster, anna()).await;
    assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("", "popular"));
    assert!(response.fallback_reason.contains("v2"));
    assert_eq!((response.items.len(), response.coverage), (3, 1.0));
    // What it has, it answers.
    let named = |algorithm: &str| RecommendRequest { algorithm: algorithm.into(), ..anna() };
    let response = ask(&cluster, named("item-cosine")).await;
    assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("v1", "item-cosine"));
    // Damaged as well.
    damage(&cluster, "v1");
    for _ in 0..2 {
        let response = ask(&cluster, named("item-cosine")).await;
        assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("", "popular"));
        assert!(response.fallback_reason.contains("v2"));
    }
}

#[tokio::test]
async fn a_default_is_the_best_of_the_version_that_answers() {
    let cluster = TestCluster::with(1, |config| {
        config.recommend.default_algorithm = "auto".into();
    })
    .await;
    cluster.train(&["item-cosine"]).await;
    cluster.train(&["p3"]).await;
    assert_eq!(ask(&cluster, anna()).await.algorithm, "p3");
    cluster.workers[0].script.lock().damaged.insert("v2".into());
    let response = ask(&cluster, anna()).await;
    assert_eq!((response.version.as_str(), response.algorithm.as_str()), ("v1", "item-cosine"));
}

#[tokio::test]
async fn decisions_come_from_the_version_before_with_a_note_or_not_at_all() {
    let cluster = TestCluster::start(1).await;
    cluster.train(&["demand"]).await;
    let damage = |version: &str| {
        cluster.workers[0].script.lock().damaged.insert(version.into());
    };
    damage("v1");
    let forecast = ForecastRequest { item_id: "tea".into(), ..Default::default() };
    let status = cluster.forecasts().forecast(forecast.clone()).await.expect_err("damaged");
    assert_eq!(details(&status).0, Code::Unavailable);
    assert_eq!(details(&status).1, "VERSION_DAMAGED");
    assert!(status.message().contains("v1"), "{}", status.message());

    mend(&cluster);
    cluster.train(&["demand", "inventory"]).await;
    damage("v2");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let answer = cluster.forecasts().forecast(forecast.clone()).await.expect("answered");
    let answer = answer.into_inner();
    assert_eq!(answer.version, "v1");
    let [note] = &answer.notes[..] else { panic!("{:?}", answer.notes) };
    assert_eq!((note.kind(), note.field.as_str()), (note::Kind::DataIgnored, "version"));
    assert!(note.message.contains("v2") && note.message.contains("v1 answers"), "{note:?}");

    // The version before has no policies.
    let list = |page_token: &str| {
        let page_token = page_token.to_owned();
        let request = ListPoliciesRequest { page_size: 1, page_token, orders_only: false };
        let mut inventory = cluster.inventory();
        async move { inventory.list_policies(request).await.map(tonic::Response::into_inner) }
    };
    let status = list("").await.expect_err("damaged");
    assert_eq!(details(&status).1, "VERSION_DAMAGED");
    mend(&cluster);
    cluster.train(&["inventory"]).await;
    for (shard, item_id) in [(0, "a"), (1, "b")] {
        cluster.workers[0].script.lock().items.push((shard, item_id.into(), 1.0));
    }
    let page = list("").await.expect("listed");
    assert_eq!((page.version.as_str(), page.fallback_reason.as_str()), ("v3", ""));
    damage("v3");
    let status = list(&page.next_page_token).await.expect_err("not from another version");
    assert_eq!(details(&status).1, "LISTING_EXPIRED");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let page = list("").await.expect("listed anew");
    assert_eq!(page.version, "v2");
    assert!(page.fallback_reason.contains("v3"), "{}", page.fallback_reason);
    assert_eq!(list(&page.next_page_token).await.expect("goes on").version, "v2");
}

#[tokio::test]
async fn similar_users_come_from_the_version_before() {
    let cluster = cluster().await;
    let request = SimilarUsersRequest { user_id: "anna".into(), n: 2, ..Default::default() };
    cluster.train(&["user-cosine"]).await;
    for worker in &cluster.workers {
        worker.script.lock().damaged.insert("v1".into());
    }
    let status = cluster.recommend().similar_users(request.clone()).await.expect_err("damaged");
    assert_eq!(details(&status).1, "VERSION_DAMAGED");
    mend(&cluster);
    cluster.train(&["user-cosine"]).await;
    for worker in &cluster.workers {
        worker.script.lock().damaged.insert("v2".into());
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let answer = cluster.recommend().similar_users(request).await.expect("answered").into_inner();
    assert_eq!(answer.version, "v1");
    assert!(answer.fallback_reason.contains("v2"), "{}", answer.fallback_reason);
}

#[tokio::test]
async fn an_experiment_does_not_count_what_another_version_answered() {
    let cluster = cluster().await;
    cluster.train(&["p3"]).await;
    cluster.train(&["p3"]).await;
    let arm = |arm_id: &str| Arm { arm_id: arm_id.into(), weight: 1, ..Arm::default() };
    let experiment = Experiment {
        experiment_id: "lists".into(),
        arms: vec![arm("a"), arm("b")],
        ..Experiment::default()
    };
    let request = SetExperimentRequest { experiment: Some(experiment) };
    let mut experiments = ExperimentServiceClient::new(cluster.channel.clone());
    experiments.set_experiment(request).await.expect("set");
    let request = RecommendRequest { experiment_id: "lists".into(), ..anna() };
    let exposures = || cluster.log.sections().iter().flat_map(|(_, one)| &one.exposures).count();
    let response = ask(&cluster, request.clone()).await;
    assert_eq!((response.arm_id.is_empty(), exposures()), (false, 1));
    damage(&cluster, "v2");
    let response = ask(&cluster, request).await;
    assert_eq!((response.version.as_str(), response.arm_id.as_str()), ("v1", ""));
    assert_eq!(exposures(), 1);
}
