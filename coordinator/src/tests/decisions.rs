//! Single forecasts, prices and policies, and listings of policies.

use std::time::Duration;

use mercer_common::{
    log::{Epoch, Mark},
    slot::{ShardLayout, Subject},
    token::Token,
};
use mercer_proto::{
    google::r#type::{Date, Money},
    v1::{
        DemandForm, ElasticityRequest, ForecastRequest, ListPoliciesRequest, PlannedPrice,
        PolicyRequest, PriceObjective, PriceRequest, PriceRule, SinglePeriod, SupplyTerms,
    },
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{TestCluster, details, gone, internal_error};

async fn trained() -> TestCluster {
    let cluster = TestCluster::start(2).await;
    cluster.train(&["elasticity", "inventory"]).await;
    cluster
}

fn forecast(item_id: &str) -> ForecastRequest {
    ForecastRequest { item_id: item_id.into(), ..Default::default() }
}

fn money(currency: &str, units: i64) -> Option<Money> {
    Some(Money { currency_code: currency.into(), units, nanos: 0 })
}

fn shard_of(item_id: &str) -> u32 {
    u32::from(ShardLayout::new(4).shard_of(Subject::Item, item_id))
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let (code, _, fields) = details(&answer.expect_err(field));
    assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]));
}

#[tokio::test]
async fn what_a_question_leaves_open_is_filled_in() {
    let cluster = trained().await;
    let answer = cluster.forecasts().forecast(forecast("tea")).await.expect("answered");
    let answer = answer.into_inner();
    assert_eq!((answer.location_id.as_str(), answer.version.as_str()), ("*", "v1"));
    assert_eq!((answer.days.len(), answer.levels.as_slice()), (28, &[0.1, 0.5, 0.9][..]));

    let mut tokens = Token::default();
    let shard = u16::try_from(shard_of("tea")).expect("a shard");
    let mark = Mark { epoch: Epoch::NONE, position: 3 };
    tokens.advance(shard, mark);
    let quantiles = vec![0.9, 0.25, 0.9];
    let tokens = vec![tokens.encode(7)];
    let request = ForecastRequest { quantiles, horizon: 365, tokens, ..forecast("tea") };
    let answer = cluster.forecasts().forecast(request).await.expect("answered").into_inner();
    assert_eq!((answer.days.len(), answer.levels.as_slice()), (365, &[0.25, 0.9][..]));
    // The token of the answer tells what its shard had applied.
    let token = Token::decode(&answer.token, 7, 0).expect("a token");
    assert_eq!(token.marks().collect::<Vec<_>>(), [mark]);
    assert_eq!(token.position(shard), 3);

    let request =
        PriceRequest { item_id: "tea".into(), unit_cost: money("", 2), ..Default::default() };
    let answer = cluster.prices().price(request).await.expect("answered").into_inner();
    assert_eq!(answer.objective(), PriceObjective::Profit);
    assert_eq!(answer.demand_form(), DemandForm::ConstantElasticity);
    assert_eq!((answer.curve.len(), answer.unit_cost), (21, money("USD", 2)));

    let request = ElasticityRequest { item_id: "tea".into(), tokens: vec![] };
    let answer = cluster.prices().elasticity(request).await.expect("answered").into_inner();
    assert_eq!((answer.item_id.as_str(), answer.version.as_str()), ("tea", "v1"));
    let request = PolicyRequest { item_id: "tea".into(), ..Default::default() };
    let answer = cluster.inventory().policy(request).await.expect("answered").into_inner();
    assert_eq!((answer.item_id.as_str(), answer.token.is_empty()), ("tea", false));
}

#[tokio::test]
async fn bad_forecast_questions_are_named_by_field() {
    let cluster = trained().await;
    let with = |change: &dyn Fn(&mut ForecastRequest)| {
        let mut request = forecast("tea");
        change(&mut request);
        request
    };
    let date = |year, month, day| Some(Date { year, month, day });
    let planned = |start_date, end_date, price| PlannedPrice {
        start_date,
        end_date,
        price,
        promotion: false,
    };
    let (first, second) = (date(2024, 1, 1), date(2024, 1, 2));
    let cases = [
        (with(&|r| r.item_id.clear()), "item_id"),
        (with(&|r| r.location_id = "a\n".into()), "location_id"),
        (with(&|r| r.horizon = 366), "horizon"),
        (with(&|r| r.quantiles = vec![0.5, 1.0]), "quantiles[1]"),
        (with(&|r| r.quantiles = vec![0.0]), "quantiles[0]"),
        (with(&|r| r.quantiles = vec![f64::NAN]), "quantiles[0]"),
        (with(&|r| r.quantiles = vec![0.5; 20]), "quantiles"),
        (with(&|r| r.plan = vec![planned(first, second, None); 65]), "plan"),
        (with(&|r| r.plan = vec![planned(second, first, None)]), "plan[0].start_date"),
        (with(&|r| r.plan = vec![planned(None, first, None)]), "plan[0].start_date"),
        (with(&|r| r.plan = vec![planned(first, date(2023, 2, 29), None)]), "plan[0].end_date"),
        (with(&|r| r.plan = vec![planned(first, first, money("USD", 0))]), "plan[0].price"),
        (with(&|r| r.plan = vec![planned(first, first, money("EUR", 1))]), "plan[0].price"),
        (with(&|r| r.tokens = vec!["?".into()]), "tokens[0]"),
    ];
    for (request, field) in cases {
        refused(cluster.forecasts().forecast(request).await, field);
    }
}

#[tokio::test]
async fn bad_price_and_policy_questions_are_named_by_field() {
    let cluster = trained().await;
    let with = |change: &dyn Fn(&mut PriceRequest)| {
        let mut request = PriceRequest { item_id: "tea".into(), ..Default::default() };
        change(&mut request);
        request
    };
    let cases = [
        (with(&|r| r.item_id.clear()), "item_id"),
        (with(&|r| r.objective = 9), "objective"),
        (with(&|r| r.demand_form = -1), "demand_form"),
        (with(&|r| r.horizon = 366), "horizon"),
        (with(&|r| r.curve_points = 1), "curve_points"),
        (with(&|r| r.curve_points = 102), "curve_points"),
        (with(&|r| r.unit_cost = money("USD", -1)), "unit_cost"),
        (
            with(&|r| r.rule = Some(PriceRule { margin_floor: Some(1.0), ..Default::default() })),
            "rule.margin_floor",
        ),
    ];
    for (request, field) in cases {
        refused(cluster.prices().price(request).await, field);
    }
    refused(cluster.prices().elasticity(ElasticityRequest::default()).await, "item_id");

    let with = |change: &dyn Fn(&mut PolicyRequest)| {
        let mut request = PolicyRequest { item_id: "tea".into(), ..Default::default() };
        change(&mut request);
        request
    };
    let period =
        |days, salvage_value, goodwill| Some(SinglePeriod { days, salvage_value, goodwill });
    let cases = [
        (with(&|r| r.item_id = "x".repeat(257)), "item_id"),
        (
            with(&|r| r.terms = Some(SupplyTerms { pack_size: Some(0.0), ..Default::default() })),
            "terms.pack_size",
        ),
        (with(&|r| r.single_period = period(0, None, None)), "single_period.days"),
        (with(&|r| r.single_period = period(366, None, None)), "single_period.days"),
        (
            with(&|r| r.single_period = period(7, money("EUR", 1), None)),
            "single_period.salvage_value",
        ),
        (
            with(&|r| r.single_period = period(7, money("USD", -1), money("USD", -1))),
            "single_period.goodwill",
        ),
    ];
    for (request, field) in cases {
        refused(cluster.inventory().policy(request).await, field);
    }
    for worker in &cluster.workers {
        assert_eq!(worker.script.lock().count("decide"), 0);
    }
}

#[tokio::test]
async fn what_was_never_trained_is_named() {
    let cluster = TestCluster::start(1).await;
    let expect = |answer: Result<(), Status>, kind: &str| {
        let status = answer.expect_err(kind);
        assert_eq!(details(&status).0, Code::FailedPrecondition);
        assert_eq!(details(&status).1, "NOT_TRAINED");
        let command = format!("mercer train {kind}");
        assert!(status.message().contains(&command), "{}", status.message());
    };
    let forecast = || async { cluster.forecasts().forecast(forecast("tea")).await.map(drop) };
    let price = || async {
        let request = PriceRequest { item_id: "tea".into(), ..Default::default() };
        cluster.prices().price(request).await.map(drop)
    };
    let elasticity = || async {
        let request = ElasticityRequest { item_id: "tea".into(), tokens: vec![] };
        cluster.prices().elasticity(request).await.map(drop)
    };
    let policy = || async {
        let request = PolicyRequest { item_id: "tea".into(), ..Default::default() };
        cluster.inventory().policy(request).await.map(drop)
    };
    let policies = || async {
        cluster.inventory().list_policies(ListPoliciesRequest::default()).await.map(drop)
    };
    expect(forecast().await, "demand");
    expect(price().await, "demand");
    expect(elasticity().await, "elasticity");
    expect(policy().await, "demand");
    expect(policies().await, "inventory");
    let batch = mercer_proto::v1::BatchPriceRequest::default();
    expect(cluster.prices().batch_price(batch).await.map(drop), "demand");

    // Neighbours change nothing about that.
    cluster.train(&["p3"]).await;
    expect(forecast().await, "demand");
    cluster.train(&["demand"]).await;
    forecast().await.expect("trained");
    policy().await.expect("trained");
    expect(price().await, "elasticity");
    expect(policies().await, "inventory");
    cluster.train(&["elasticity"]).await;
    price().await.expect("trained");
    elasticity().await.expect("trained");
}

#[tokio::test]
async fn a_decision_is_whole_or_an_error() {
    let mut cluster = trained().await;
    let status = cluster.forecasts().forecast(forecast("no-tea")).await.expect_err("unknown");
    assert_eq!(details(&status), (Code::NotFound, "ITEM_NOT_FOUND".into(), vec![]));

    let place = cluster.holder(shard_of("tea"));
    for (status, reason) in [
        (gone(), "VERSION_DAMAGED"),
        (internal_error(Code::FailedPrecondition, "STALE_GENERATION"), "CLUSTER_CHANGED"),
    ] {
        let worker = &cluster.workers[place];
        worker.script.lock().fail("decide", status.clone());
        cluster.forecasts().forecast(forecast("tea")).await.expect("asked once more");
        for _ in 0..2 {
            worker.script.lock().fail("decide", status.clone());
        }
        let status = cluster.forecasts().forecast(forecast("tea")).await.expect_err("changed");
        assert_eq!(details(&status).1, reason);
    }
    let lagging = internal_error(Code::DeadlineExceeded, "SHARD_LAGGING");
    cluster.workers[place].script.lock().fail("decide", lagging);
    let status = cluster.forecasts().forecast(forecast("tea")).await.expect_err("lags");
    assert_eq!(details(&status).1, "SHARD_LAGGING");

    cluster.workers[place].script.lock().hang = true;
    let mut request = Request::new(forecast("tea"));
    request.set_timeout(Duration::from_millis(300));
    let status = cluster.forecasts().forecast(request).await.expect_err("no answer");
    // On a busy machine the client's own clock is the first to say so.
    let expected = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
    assert!(expected.contains(&status.code()), "{status:?}");

    drop(cluster.workers.remove(place));
    let status = cluster.forecasts().forecast(forecast("tea")).await.expect_err("away");
    assert_eq!(details(&status).1, "SHARD_UNAVAILABLE");
    let info = status.get_details_error_info().expect("says where");
    assert_eq!(info.metadata["shard"], shard_of("tea").to_string());
}

#[tokio::test]
async fn policies_are_listed_from_one_version() {
    let cluster = trained().await;
    let mut all: Vec<String> = Vec::new();
    for number in 0..60 {
        let item_id = format!("item-{number}");
        let shard = shard_of(&item_id);
        let worker = &cluster.workers[cluster.holder(shard)];
        worker.script.lock().items.push((shard, item_id.clone(), 1.0));
        all.push(item_id);
    }
    all.sort();
    let list = |page_size, page_token: String, orders_only| {
        let request = ListPoliciesRequest { page_size, page_token, orders_only };
        let cluster = &cluster;
        async move { cluster.inventory().list_policies(request).await.map(tonic::Response::into_inner) }
    };
    for page_size in [1, 7, 59, 60, 1_000] {
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = list(page_size, page_token, false).await.expect("listed");
            assert!(page.policies.len() <= page_size as usize);
            assert_eq!(page.version, "v1");
            listed.extend(page.policies.into_iter().map(|policy| policy.item_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        listed.sort();
        assert_eq!(listed, all, "pages of {page_size}");
    }

    let first = list(5, String::new(), false).await.expect("listed");
    refused(list(5, first.next_page_token.clone(), true).await, "page_token");
    // The listing goes on with its version while others are published, until it is let go of.
    cluster.train(&["inventory"]).await;
    let page = list(5, first.next_page_token.clone(), false).await.expect("kept");
    assert_eq!(page.version, "v1");
    assert_eq!(list(5, String::new(), false).await.expect("listed").version, "v2");
    cluster.train(&["inventory"]).await;
    let status = loop {
        match list(5, first.next_page_token.clone(), false).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(status) => break status,
        }
    };
    let reason = details(&status).1;
    assert!(["LISTING_EXPIRED", "CLUSTER_CHANGED"].contains(&reason.as_str()), "{status:?}");
}
