//! Every method of recommendation, trained and served: the same for any shape of the cluster,
//! explained, filtered, and as fresh as the tokens that calls carry.

use std::collections::HashSet;

use mercer_proto::v1::{
    BrandCondition, CompleteRequest, DeleteItemRequest, Event, EventType, Filter, Item,
    ItemsCondition, RecommendRequest, RecommendResponse, RecommendRule, Reranking, SeenPolicy,
    SetRulesRequest, SetStockRequest, SimilarUsersRequest, Source, Stock, UpsertItemsRequest,
    batch_recommend_response::Result as Element, catalog_service_client::CatalogServiceClient,
    filter::Condition, recommend_rule::Action, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, Result, request},
    catalogue,
    processes::{Processes, describe},
    workload::{START, Workload},
};
use tonic::transport::Channel;

use super::BINARY;

const USERS: u64 = 40;
const ITEMS: u64 = 60;
const EVENTS: usize = 4_000;

/// What must be the same to the bit however many shards there are.
const EXACT: [&str; 18] = [
    "item-cosine",
    "item-adjusted-cosine",
    "item-pearson",
    "item-jaccard",
    "item-llr",
    "item-tfidf",
    "item-bm25",
    "item-asymmetric-cosine",
    "p3",
    "rp3beta",
    "item-transitions",
    "bought-together",
    "content",
    "popular",
    "fresh",
    "trending",
    "new",
    "repurchase",
];
/// What may differ in its last bits.
const ROUNDED: [&str; 7] = ["user-cosine", "user-pearson", "ials", "als", "slim", "ease", "hybrid"];
/// What scores nothing in this shop; the tests of the worker have shops where it does. Profiles are not
/// weighted, and values that are all alike leave the first two nothing to compare; users buy one item at
/// a time; what sells most only fills lists up; no item came in the last month.
const SILENT: [&str; 5] =
    ["item-adjusted-cosine", "item-pearson", "bought-together", "popular", "new"];

struct Shop {
    _cluster: Processes,
    channel: Channel,
}

impl Shop {
    async fn open(mut cluster: Processes) -> anyhow::Result<Self> {
        cluster.wait_until_serving().await?;
        let channel = answers::connect(cluster.endpoint()).await?;
        let mut tokens = catalogue::set_up(&channel, ITEMS).await?;
        tokens.push(titles(&channel).await?);
        let workload = Workload { users: USERS, items: ITEMS, seed: 11 };
        tokens.extend(answers::record(&channel, workload.events(EVENTS)).await?);
        describe(cluster.endpoint(), tokens).await?;
        let kinds: Vec<&str> =
            EXACT.into_iter().chain(ROUNDED).filter(|name| *name != "popular").collect();
        answers::train(&channel, &kinds).await?;
        Ok(Self { _cluster: cluster, channel })
    }

    async fn lists(&self, algorithms: &[&str]) -> anyhow::Result<Vec<Vec<Result>>> {
        let mut lists = Vec::new();
        for (first, seen) in [(0, SeenPolicy::ExcludePurchased), (2, SeenPolicy::Include)] {
            let users = (first..USERS).step_by(8).map(|user| format!("user-{user}"));
            let asked = answers::recommendations_with(&self.channel, users, algorithms, seen);
            lists.extend(asked.await?);
        }
        Ok(lists)
    }

    async fn recommend(&self, message: RecommendRequest) -> anyhow::Result<RecommendResponse> {
        let mut client = RecommendServiceClient::new(self.channel.clone());
        Ok(client.recommend(request(message)).await?.into_inner())
    }

    fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone())
    }
}

/// Words for the items, some of them shared, and brands.
async fn titles(channel: &Channel) -> anyhow::Result<String> {
    let mut items = Vec::new();
    for item in 0..ITEMS {
        items.push(Item {
            item_id: format!("item-{item}"),
            title: format!("thing {} of kind {}", item % 7, item % 5),
            brand: format!("brand {}", item % 3),
            ..Item::default()
        });
    }
    let paths = vec!["title".to_owned(), "brand".to_owned()];
    let message = UpsertItemsRequest {
        items,
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let mut client = CatalogServiceClient::new(channel.clone());
    Ok(client.upsert_items(request(message)).await?.into_inner().token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_answers_alike_in_any_shape() -> anyhow::Result<()> {
    let one_process = Shop::open(Processes::up(BINARY, 2, 16)?).await?;
    let all: Vec<&str> = EXACT.into_iter().chain(ROUNDED).collect();
    let truth = one_process.lists(&all).await?;
    let mut scored: HashSet<&str> = HashSet::new();
    for (list, algorithm) in truth.iter().zip(all.iter().cycle()) {
        assert_eq!(list.len(), 20, "{algorithm} gives fewer than there are");
        for (item, score, source, reasons) in list {
            let score = f64::from_bits(*score);
            assert!(score.is_finite(), "{algorithm} scores {item} {score}");
            if *source == Source::Algorithm as i32 {
                scored.insert(algorithm);
                let parts: f64 = reasons.iter().map(|(_, _, part)| f64::from_bits(*part)).sum();
                let error = (parts - score).abs() / score.abs().max(1.0);
                assert!(
                    error < 1e-9,
                    "{algorithm}: parts of {item} add up to {parts}, not {score}"
                );
            }
        }
    }
    let silent: Vec<&str> = all.iter().copied().filter(|one| !scored.contains(one)).collect();
    assert_eq!(silent, SILENT, "others scored nothing for anybody");
    drop(one_process);

    let processes = Shop::open(Processes::cluster(BINARY, 3)?).await?;
    assert_eq!(processes.lists(&all).await?, truth, "three processes answer otherwise");
    drop(processes);

    let odd_shards = Shop::open(Processes::up(BINARY, 1, 7)?).await?;
    let other = odd_shards.lists(&all).await?;
    for ((list, other), algorithm) in truth.iter().zip(&other).zip(all.iter().cycle()) {
        if EXACT.contains(algorithm) {
            assert_eq!(list, other, "{algorithm} answers otherwise with 7 shards");
        }
        for ((_, left, ..), (_, right, ..)) in list.iter().zip(other) {
            let (left, right) = (f64::from_bits(*left), f64::from_bits(*right));
            let error = (left - right).abs() / left.abs().max(1e-2);
            assert!(error < 1e-5, "{algorithm} scores {left} with 16 shards, {right} with 7");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_call_knows_what_its_token_names() -> anyhow::Result<()> {
    let shop = Shop::open(Processes::up(BINARY, 2, 16)?).await?;
    let user_id = "user-1".to_owned();
    for algorithm in ["hybrid", "p3", "ials", "user-cosine", "fresh"] {
        let question = RecommendRequest {
            user_id: user_id.clone(),
            n: 20,
            algorithm: algorithm.into(),
            ..RecommendRequest::default()
        };
        let first = |answer: &RecommendResponse| answer.items[0].item_id.clone();
        let names = |answer: &RecommendResponse, item: &str| {
            answer.items.iter().any(|one| one.item_id == item)
        };
        // A purchase: no longer recommended.
        let bought = first(&shop.recommend(question.clone()).await?);
        let event = Event {
            r#type: EventType::Purchase.into(),
            item_id: bought.clone(),
            user_id: Some(user_id.clone()),
            event_time: Some(prost_types::Timestamp { seconds: START + 90 * 86_400, nanos: 0 }),
            quantity: Some(1.0),
            ..Event::default()
        };
        let tokens = answers::record(&shop.channel, vec![event]).await?;
        let after = shop.recommend(RecommendRequest { tokens, ..question.clone() }).await?;
        assert!(!names(&after, &bought), "{algorithm} recommends what was just bought");

        // A deleted item.
        let hidden = first(&after);
        let delete = DeleteItemRequest { item_id: hidden.clone(), request_id: None };
        let token = shop.catalog().delete_item(request(delete)).await?.into_inner().token;
        let after =
            shop.recommend(RecommendRequest { tokens: vec![token], ..question.clone() }).await?;
        assert!(!names(&after, &hidden), "{algorithm} recommends a deleted item");

        // A stock-out, for those who ask for what is in stock.
        let in_stock =
            RecommendRequest { filter_expression: "in_stock = true".into(), ..question.clone() };
        let empty = first(&shop.recommend(in_stock.clone()).await?);
        let stock = ["store-0", "store-1", "default"].map(|location| Stock {
            item_id: empty.clone(),
            location_id: location.into(),
            ..Stock::default()
        });
        let message = SetStockRequest { stock: stock.into(), ..Default::default() };
        let token = shop.catalog().set_stock(request(message)).await?.into_inner().token;
        let after = shop.recommend(RecommendRequest { tokens: vec![token], ..in_stock }).await?;
        assert!(!names(&after, &empty), "{algorithm} recommends what is out of stock");

        // A new rule.
        let excluded = first(&shop.recommend(question.clone()).await?);
        let items = ItemsCondition { item_ids: vec![excluded.clone()] };
        let rule = RecommendRule {
            rule_id: format!("not in {algorithm}"),
            action: Some(Action::Exclude(true)),
            filter: Some(Filter { condition: Some(Condition::Items(items)) }),
            ..RecommendRule::default()
        };
        let message = SetRulesRequest { rules: vec![rule], ..SetRulesRequest::default() };
        let token = shop.catalog().set_rules(request(message)).await?.into_inner().token;
        let after = shop.recommend(RecommendRequest { tokens: vec![token], ..question }).await?;
        assert!(!names(&after, &excluded), "{algorithm} breaks a rule");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baskets_users_batches_filters_and_goals() -> anyhow::Result<()> {
    let shop = Shop::open(Processes::up(BINARY, 1, 16)?).await?;
    let mut client = RecommendServiceClient::new(shop.channel.clone());

    let basket: Vec<String> = vec!["item-1".into(), "item-2".into()];
    let message = CompleteRequest { basket_items: basket.clone(), n: 10, ..Default::default() };
    let complete = client.complete(request(message)).await?.into_inner();
    assert_eq!((complete.algorithm.as_str(), complete.items.len()), ("bought-together", 10));
    assert!(complete.items.iter().all(|item| !basket.contains(&item.item_id)));

    let message =
        SimilarUsersRequest { user_id: "user-3".into(), n: 5, ..SimilarUsersRequest::default() };
    let similar = client.similar_users(request(message)).await?.into_inner();
    assert_eq!((similar.algorithm.as_str(), similar.users.len()), ("user-cosine", 5));
    assert!(similar.users.iter().all(|user| user.user_id != "user-3" && user.similarity <= 1.0));
    assert!(similar.users.is_sorted_by(|left, right| left.similarity >= right.similarity));

    // A batch answers as single calls do, and a bad question fails alone.
    let mut questions: Vec<RecommendRequest> = (0..12)
        .map(|user| RecommendRequest {
            user_id: format!("user-{user}"),
            algorithm: "hybrid".into(),
            explain: user % 2 == 0,
            ..RecommendRequest::default()
        })
        .collect();
    questions[7].n = 5_000;
    let stream = tokio_stream::iter(questions.clone());
    let mut answers = client.batch_recommend(request(stream)).await?.into_inner();
    for (index, question) in (0..).zip(questions) {
        let answer = answers.message().await?.expect("an answer to each");
        assert_eq!(answer.index, index);
        match answer.result {
            Some(Element::Error(status)) => {
                assert_eq!(index, 7);
                assert!(status.message.contains('n'), "{}", status.message);
            }
            Some(Element::Response(answer)) => {
                let single = shop.recommend(question).await?;
                assert_eq!(answer.items, single.items);
            }
            None => panic!("question {index} has no answer"),
        }
    }
    assert!(answers.message().await?.is_none());

    // Both forms of a filter are the same, and hold together.
    let brand = BrandCondition { brands: vec!["brand 1".into()] };
    let typed = RecommendRequest {
        user_id: "user-5".into(),
        algorithm: "hybrid".into(),
        n: 30,
        seen: SeenPolicy::Include.into(),
        filter: Some(Filter { condition: Some(Condition::Brand(brand)) }),
        ..RecommendRequest::default()
    };
    let expression = RecommendRequest {
        filter: None,
        filter_expression: r#"brand = "brand 1""#.into(),
        ..typed.clone()
    };
    let typed_answer = shop.recommend(typed.clone()).await?;
    assert_eq!(typed_answer.items, shop.recommend(expression).await?.items);
    assert_eq!(typed_answer.items.len(), 20, "all 20 items of the brand are eligible");
    let none = RecommendRequest { filter_expression: "price < 0.01".into(), ..typed.clone() };
    assert!(shop.recommend(none).await?.items.is_empty());
    let broken = RecommendRequest { filter_expression: "price < < 1".into(), ..typed.clone() };
    let status = client.recommend(request(broken)).await.expect_err("refused");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("filter_expression"), "{status}");

    // What reordering gives up is bounded; 0 gives up nothing.
    let plain = RecommendRequest { filter: None, n: 10, ..typed };
    let order = |answer: &RecommendResponse| -> Vec<String> {
        answer.items.iter().map(|item| item.item_id.clone()).collect()
    };
    let most_relevant = shop.recommend(plain.clone()).await?;
    for max_relevance_loss in [0.0, 0.05, 0.5] {
        let goals =
            Reranking { max_relevance_loss, margin: 1.0, diversity: 1.0, ..Default::default() };
        let reordered =
            shop.recommend(RecommendRequest { reranking: Some(goals), ..plain.clone() }).await?;
        assert_eq!(reordered.items.len(), 10);
        assert!(reordered.relevance_loss <= max_relevance_loss + 1e-12);
        if max_relevance_loss == 0.0 {
            assert_eq!(order(&reordered), order(&most_relevant));
        }
    }
    Ok(())
}
