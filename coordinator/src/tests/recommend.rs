//! What queries for recommendations make of their workers' answers.

use mercer_common::slot::{ShardLayout, Subject};
use mercer_proto::{
    google::r#type::Date,
    internal::PastEvent,
    v1::{
        BrandCondition, CompleteRequest, EventType, Filter, PopularRequest, Reason,
        RecommendRequest, RecommendResponse, Reranking, SeenPolicy, SimilarItemsRequest,
        SimilarUsersRequest, filter::Condition,
    },
};
use tonic::{Code, Status};

use super::{TestCluster, details};

/// Two workers; `item-N` has score N and lives where its slot says.
pub(super) async fn cluster() -> TestCluster {
    let cluster = TestCluster::start(2).await;
    for number in 0..40 {
        let item_id = format!("item-{number}");
        let shard = u32::from(ShardLayout::new(4).shard_of(Subject::Item, &item_id));
        let worker = &cluster.workers[cluster.holder(shard)];
        worker.script.lock().items.push((shard, item_id, f64::from(number)));
    }
    cluster
}

fn anna() -> RecommendRequest {
    RecommendRequest { user_id: "anna".into(), n: 3, ..Default::default() }
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

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let status = answer.expect_err(field);
    let (code, _, fields) = details(&status);
    assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]), "{status:?}");
}

#[tokio::test]
async fn bad_requests_are_named_by_field() {
    let cluster = cluster().await;
    let rerank = |change: &dyn Fn(&mut Reranking)| {
        let mut reranking = Reranking { max_relevance_loss: 0.1, ..Default::default() };
        change(&mut reranking);
        RecommendRequest { reranking: Some(reranking), ..anna() }
    };
    let cases = [
        (RecommendRequest { rule_set: "a\n".into(), ..anna() }, "rule_set"),
        (RecommendRequest { filter_expression: "price <".into(), ..anna() }, "filter_expression"),
        (RecommendRequest { anonymous_fallback: true, ..anna() }, "anonymous_fallback"),
        (RecommendRequest { algorithm: "slime".into(), ..anna() }, "algorithm"),
        (rerank(&|r| r.max_relevance_loss = 1.1), "reranking.max_relevance_loss"),
        (rerank(&|r| r.max_relevance_loss = f64::NAN), "reranking.max_relevance_loss"),
        (rerank(&|r| r.margin = -1.0), "reranking.margin"),
        (rerank(&|r| r.stock = f64::NAN), "reranking.stock"),
        (rerank(&|r| r.overstock = f64::INFINITY), "reranking.overstock"),
        (rerank(&|r| r.diversity = 1e7), "reranking.diversity"),
    ];
    for (request, field) in cases {
        refused(ask(&cluster, request).await, field);
    }
    let basket = |items: &[&str], user_id: &str| CompleteRequest {
        basket_items: items.iter().map(ToString::to_string).collect(),
        user_id: user_id.into(),
        ..Default::default()
    };
    refused(cluster.recommend().complete(basket(&[], "")).await, "basket_items");
    refused(cluster.recommend().complete(basket(&["a"; 101], "")).await, "basket_items");
    refused(cluster.recommend().complete(basket(&["a", ""], "")).await, "basket_items[1]");
    refused(cluster.recommend().complete(basket(&["a"], "\t")).await, "user_id");
    let popular = PopularRequest { location_id: "*".into(), ..Default::default() };
    refused(cluster.recommend().popular(popular).await, "location_id");
    let popular = PopularRequest { filter_expression: "brand".into(), ..Default::default() };
    refused(cluster.recommend().popular(popular).await, "filter_expression");
    let users = SimilarUsersRequest { user_id: "anna".into(), ..Default::default() };
    let other = SimilarUsersRequest { algorithm: "p3".into(), ..users.clone() };
    refused(cluster.recommend().similar_users(other).await, "algorithm");
    let many = SimilarUsersRequest { n: 1_001, ..users };
    refused(cluster.recommend().similar_users(many).await, "n");
    for worker in &cluster.workers {
        let script = worker.script.lock();
        let asked = ["get_profile", "recommend", "popular", "similar_users"];
        assert_eq!(asked.map(|method| script.count(method)), [0; 4]);
    }
}

#[tokio::test]
async fn what_is_asked_reaches_the_workers() {
    let cluster = cluster().await;
    let brand = |name: &str| {
        let brands = vec![name.to_owned()];
        Filter { condition: Some(Condition::Brand(BrandCondition { brands })) }
    };
    let request = RecommendRequest {
        filter: Some(brand("Acme")),
        filter_expression: "brand = Other".into(),
        rule_set: "winter".into(),
        ..anna()
    };
    let response = ask(&cluster, request).await.expect("answered");
    assert!(response.full_scan && !response.anonymous);
    assert_eq!(response.relevance_loss, 0.0);
    for worker in &cluster.workers {
        let script = worker.script.lock();
        let [asked] = &script.recommended[..] else { panic!("{:?}", script.recommended) };
        let Some(Filter { condition: Some(Condition::AllOf(all)) }) = &asked.filter else {
            panic!("{:?}", asked.filter)
        };
        assert_eq!(all.filters, [brand("Acme"), brand("Other")]);
        assert_eq!((asked.n, asked.rule_set.as_str()), (3, "winter"));
        assert!(asked.now_ms > 0 && !asked.rerank_facts);
    }
    let item = SimilarItemsRequest {
        item_id: "item-1".into(),
        n: 2,
        filter_expression: "in_stock".into(),
        explain: true,
        ..Default::default()
    };
    let similar = cluster.recommend().similar_items(item).await.expect("answered").into_inner();
    assert_eq!(ids(&similar), ["item-39", "item-38"]);
    let script = cluster.workers[0].script.lock();
    let asked = script.recommended.last().expect("asked");
    assert!(asked.explain && asked.filter.is_some());
}

#[tokio::test]
async fn more_than_relevance_orders_a_list_within_the_bound() {
    let cluster = cluster().await;
    // The fake workers have the more on hand the lower the score.
    let reranking = Reranking { max_relevance_loss: 1.0, stock: 100.0, ..Default::default() };
    let request = RecommendRequest { reranking: Some(reranking), explain: true, ..anna() };
    let response = ask(&cluster, request.clone()).await.expect("answered");
    assert_eq!(ids(&response), ["item-28", "item-29", "item-30"]);
    assert!(response.relevance_loss > 0.5, "{}", response.relevance_loss);
    assert_eq!(response.items[1].score, 29.0);
    let names: Vec<&str> = response.items[1].place.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["relevance", "stock"]);
    for worker in &cluster.workers {
        let script = worker.script.lock();
        let asked = script.recommended.last().expect("asked");
        assert_eq!((asked.n, asked.rerank_facts), (12, true));
    }
    let bounded = Reranking { max_relevance_loss: 0.05, ..reranking };
    let request = RecommendRequest { reranking: Some(bounded), explain: false, ..request };
    let response = ask(&cluster, request).await.expect("answered");
    assert!(response.relevance_loss <= 0.05, "{}", response.relevance_loss);
    assert!(response.items.iter().all(|item| item.place.is_empty()));
    // Nothing may be given up, or nothing is wanted: the order of scores.
    for reranking in
        [Reranking { max_relevance_loss: 0.0, ..reranking }, Reranking { stock: 0.0, ..reranking }]
    {
        let request = RecommendRequest { reranking: Some(reranking), ..anna() };
        let response = ask(&cluster, request).await.expect("answered");
        assert_eq!(ids(&response), ["item-39", "item-38", "item-37"]);
    }
}

#[tokio::test]
async fn reasons_name_items_with_their_titles() {
    let cluster = cluster().await;
    let reason = |item_id: &str| Reason { item_id: item_id.into(), ..Default::default() };
    for worker in &cluster.workers {
        worker.script.lock().reasons = vec![reason("tea"), reason(""), reason("milk")];
    }
    let explained = RecommendRequest { explain: true, ..anna() };
    let response = ask(&cluster, explained.clone()).await.expect("answered");
    for item in &response.items {
        let titles: Vec<&str> = item.reasons.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(titles, ["Title of tea", "", "Title of milk"]);
    }
    let titles = |cluster: &TestCluster| {
        cluster.workers.iter().map(|one| one.script.lock().count("titles")).collect::<Vec<_>>()
    };
    assert_eq!(titles(&cluster), [1, 1]);
    ask(&cluster, anna()).await.expect("answered");
    assert_eq!(titles(&cluster), [1, 1]);
    // Titles are no reason to fail.
    for worker in &cluster.workers {
        worker.script.lock().fail("titles", Status::internal("no"));
    }
    let response = ask(&cluster, explained).await.expect("answered");
    assert_eq!(response.items[0].reasons[0].title, "");
}

#[tokio::test]
async fn reasons_say_what_the_user_did_on_which_day_of_the_cluster() {
    let cluster = cluster().await;
    let reason = |item_id: &str| Reason { item_id: item_id.into(), ..Default::default() };
    let bought = PastEvent {
        item_id: "tea".into(),
        r#type: EventType::Purchase.into(),
        // The last second of 12 December 2025 in UTC.
        time: 1_134_431_999,
    };
    for worker in &cluster.workers {
        let mut script = worker.script.lock();
        script.reasons = vec![reason("tea"), reason("milk"), reason("")];
        script.past = vec![bought.clone()];
    }
    let explained = RecommendRequest { explain: true, ..anna() };
    let response = ask(&cluster, explained).await.expect("answered");
    for item in &response.items {
        let [tea, others @ ..] = &item.reasons[..] else { panic!("{item:?}") };
        assert_eq!(tea.event_type(), EventType::Purchase);
        assert_eq!(tea.event_date, Some(Date { year: 2025, month: 12, day: 12 }));
        // What the window does not have has no date.
        assert!(others.iter().all(|one| one.event_type == 0 && one.event_date.is_none()));
    }
}

#[tokio::test]
async fn a_missing_user_shard_can_be_done_without_if_the_caller_says_so() {
    let mut cluster = cluster().await;
    let shard = u32::from(ShardLayout::new(4).shard_of(Subject::User, "anna"));
    let holder = cluster.holder(shard);
    let request = RecommendRequest {
        seen: SeenPolicy::Include.into(),
        anonymous_fallback: true,
        session_items: vec!["tea".into()],
        ..anna()
    };
    let response = ask(&cluster, request.clone()).await.expect("answered");
    assert!(response.user_known && !response.anonymous);

    drop(cluster.workers.remove(holder));
    let strict = RecommendRequest { anonymous_fallback: false, ..request.clone() };
    let status = ask(&cluster, strict).await.expect_err("the shard is missing");
    assert_eq!(details(&status).1, "SHARD_UNAVAILABLE");
    let response = ask(&cluster, request).await.expect("answered");
    assert!(response.anonymous && !response.user_known);
    assert!(response.coverage < 1.0);
    let script = cluster.workers[0].script.lock();
    let profile = script.profiles.last().expect("asked");
    assert_eq!((profile.user_id.as_str(), &profile.session_items[..]), ("", &["tea".into()][..]));
}

#[tokio::test]
async fn a_basket_is_completed_by_what_is_bought_together() {
    let cluster = cluster().await;
    let request = CompleteRequest {
        basket_items: vec!["tea".into(), "milk".into()],
        user_id: "anna".into(),
        n: 2,
        ..Default::default()
    };
    let complete = |request| async { cluster.recommend().complete(request).await };
    let response = complete(request.clone()).await.expect("answered").into_inner();
    assert_eq!((response.algorithm.as_str(), ids(&response)), ("p3", vec!["item-39", "item-38"]));
    assert!(response.user_known);
    let anonymous = CompleteRequest { user_id: String::new(), ..request.clone() };
    complete(anonymous).await.expect("answered");
    let profiles: Vec<_> =
        cluster.workers.iter().flat_map(|worker| worker.script.lock().profiles.clone()).collect();
    assert_eq!(profiles.len(), 2);
    for profile in profiles {
        assert!(profile.basket && !profile.exclude_purchased);
        assert_eq!(profile.session_items, request.basket_items);
    }
    cluster.train(&["p3", "bought-together"]).await;
    let response = complete(request.clone()).await.expect("answered").into_inner();
    assert_eq!(response.algorithm, "bought-together");
    let named = CompleteRequest { algorithm: "p3".into(), ..request };
    assert_eq!(complete(named).await.expect("answered").into_inner().algorithm, "p3");
}

#[tokio::test]
async fn similar_users_are_those_that_still_exist() {
    let cluster = cluster().await;
    let request = SimilarUsersRequest { user_id: "anna".into(), n: 2, ..Default::default() };
    let similar = |request| async { cluster.recommend().similar_users(request).await };
    let status = similar(request.clone()).await.expect_err("nothing is trained");
    assert_eq!(details(&status).1, "NOT_TRAINED");
    cluster.train(&["p3"]).await;
    let status = similar(request.clone()).await.expect_err("not that");
    assert_eq!(details(&status).1, "NOT_TRAINED");
    cluster.train(&["user-pearson"]).await;

    let shard = u32::from(ShardLayout::new(4).shard_of(Subject::User, "anna"));
    let holder = cluster.holder(shard);
    for user in ["anna", "gone", "berta", "carla", "dora"] {
        cluster.workers[holder].script.lock().users.push((shard, user.into()));
    }
    let response = similar(request.clone()).await.expect("answered").into_inner();
    let users = |response: &mercer_proto::v1::SimilarUsersResponse| {
        response.users.iter().map(|user| user.user_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(users(&response), ["gone", "berta"]);
    assert_eq!((response.algorithm.as_str(), response.coverage), ("user-pearson", 1.0));
    assert!(!response.token.is_empty());
    cluster.workers[holder].script.lock().deleted.insert("gone".into());
    let response = similar(request.clone()).await.expect("answered").into_inner();
    assert_eq!(users(&response), ["berta", "carla"]);

    let cosine = SimilarUsersRequest { algorithm: "user-cosine".into(), ..request.clone() };
    let status = similar(cosine).await.expect_err("not trained");
    assert_eq!(details(&status).1, "NOT_TRAINED");
    cluster.workers[holder].script.lock().known = false;
    let status = similar(request).await.expect_err("unknown");
    assert_eq!((status.code(), details(&status).1.as_str()), (Code::NotFound, "USER_NOT_FOUND"));
}
