//! Batches of questions: in order, each for itself, one call a worker and chunk.

use std::time::Duration;

use mercer_common::{
    rpc::status::from_message,
    slot::{ShardLayout, Subject},
};
use mercer_proto::v1::{
    BatchForecastRequest, BatchForecastResponse, BatchPolicyRequest, BatchPriceRequest,
    ForecastRequest, PolicyRequest, PriceRequest, batch_forecast_response::Outcome,
    batch_policy_response, batch_price_response,
};
use tonic::{Code, Request, Status};

use super::{TestCluster, details, gone};

async fn trained() -> TestCluster {
    let cluster = TestCluster::start(2).await;
    cluster.train(&["demand", "elasticity"]).await;
    cluster
}

fn forecast(item_id: impl Into<String>) -> ForecastRequest {
    ForecastRequest { item_id: item_id.into(), ..Default::default() }
}

async fn ask(
    cluster: &TestCluster,
    requests: Vec<ForecastRequest>,
) -> Result<Vec<BatchForecastResponse>, Status> {
    let request = BatchForecastRequest { requests, tokens: vec![] };
    let mut stream = cluster.forecasts().batch_forecast(request).await?.into_inner();
    let mut answers = Vec::new();
    while let Some(answer) = stream.message().await? {
        answers.push(answer);
    }
    Ok(answers)
}

/// The item that was answered, or code, reason and fields of its error.
fn outcome(answer: &BatchForecastResponse) -> Result<&str, (Code, String, Vec<String>)> {
    match answer.outcome.as_ref().expect("an outcome") {
        Outcome::Forecast(forecast) => Ok(&forecast.item_id),
        Outcome::Error(error) => Err(details(&from_message(error))),
    }
}

#[tokio::test]
async fn answers_come_in_order_and_a_bad_element_fails_alone() {
    let cluster = trained().await;
    let mut requests: Vec<ForecastRequest> =
        (0..600).map(|number| forecast(format!("item-{number}"))).collect();
    requests[3].item_id.clear();
    requests[4].tokens = vec![String::new()];
    requests[5].quantiles = vec![2.0];
    requests[255] = forecast("no-255");
    requests[256].horizon = 400;
    requests[599] = forecast("no-599");
    let answers = ask(&cluster, requests).await.expect("answered");
    assert_eq!(answers.len(), 600);
    let invalid = |field: &str| {
        Err((Code::InvalidArgument, "INVALID_REQUEST".to_owned(), vec![field.to_owned()]))
    };
    for (index, answer) in (0..).zip(&answers) {
        assert_eq!(answer.index, index);
        let expected = match index {
            3 => invalid("requests[3].item_id"),
            4 => invalid("requests[4].tokens"),
            5 => invalid("requests[5].quantiles[0]"),
            256 => invalid("requests[256].horizon"),
            255 | 599 => Err((Code::NotFound, "ITEM_NOT_FOUND".to_owned(), vec![])),
            _ => {
                assert_eq!(outcome(answer), Ok(format!("item-{index}").as_str()));
                continue;
            }
        };
        assert_eq!(outcome(answer).map(str::to_owned), expected);
    }
    // Three chunks, each asked of both workers once.
    for worker in &cluster.workers {
        let script = worker.script.lock();
        let asked: Vec<usize> = script
            .calls
            .iter()
            .filter(|(method, _)| *method == "decide")
            .map(|(_, questions)| questions.parse().expect("a number"))
            .collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(asked.iter().all(|questions| *questions <= 256), "{asked:?}");
    }
    assert!(ask(&cluster, vec![]).await.expect("answered").is_empty());
}

#[tokio::test]
async fn chunks_are_smaller_when_answers_are_large() {
    let cluster = trained().await;
    let mut large = forecast("tea");
    large.horizon = 365;
    large.quantiles = (1..20).map(|level| f64::from(level) / 20.0).collect();
    let answers = ask(&cluster, vec![large; 200]).await.expect("answered");
    assert_eq!(answers.len(), 200);
    let shard = u32::from(ShardLayout::new(4).shard_of(Subject::Item, "tea"));
    let asked = cluster.workers[cluster.holder(shard)].script.lock().count("decide");
    assert!((3..=6).contains(&asked), "{asked}");
}

#[tokio::test]
async fn prices_and_policies_come_in_batches_too() {
    let cluster = trained().await;
    let price = |item_id: &str| PriceRequest { item_id: item_id.into(), ..Default::default() };
    let requests = vec![price("tea"), price("no-tea"), price("milk")];
    let request = BatchPriceRequest { requests, tokens: vec![] };
    let mut stream = cluster.prices().batch_price(request).await.expect("begins").into_inner();
    let mut priced = Vec::new();
    while let Some(answer) = stream.message().await.expect("goes on") {
        priced.push(match answer.outcome.expect("an outcome") {
            batch_price_response::Outcome::Price(price) => price.item_id,
            batch_price_response::Outcome::Error(error) => error.message,
        });
    }
    assert_eq!(priced, ["tea", "item `no-tea` is unknown", "milk"]);

    let policy = |item_id: &str| PolicyRequest { item_id: item_id.into(), ..Default::default() };
    let requests = vec![policy("milk"), policy(""), policy("tea")];
    let request = BatchPolicyRequest { requests, tokens: vec![] };
    let mut stream = cluster.inventory().batch_policy(request).await.expect("begins").into_inner();
    let mut ordered = Vec::new();
    while let Some(answer) = stream.message().await.expect("goes on") {
        ordered.push(match answer.outcome.expect("an outcome") {
            batch_policy_response::Outcome::Policy(policy) => policy.item_id,
            batch_policy_response::Outcome::Error(error) => {
                details(&from_message(&error)).2.concat()
            }
        });
    }
    assert_eq!(ordered, ["milk", "requests[1].item_id", "tea"]);
}

#[tokio::test]
async fn a_worker_that_is_away_costs_its_questions_only() {
    let mut cluster = trained().await;
    let requests: Vec<ForecastRequest> =
        (0..40).map(|number| forecast(format!("item-{number}"))).collect();
    // A version that is gone at one of the workers: the chunk is asked once more.
    cluster.workers[0].script.lock().fail("decide", gone());
    let answers = ask(&cluster, requests.clone()).await.expect("answered");
    assert!(answers.iter().all(|answer| outcome(answer).is_ok()));

    let shards = cluster.workers[0].script.lock().shards.clone();
    drop(cluster.workers.remove(0));
    for answer in ask(&cluster, requests).await.expect("answered") {
        let item_id = format!("item-{}", answer.index);
        let shard = u32::from(ShardLayout::new(4).shard_of(Subject::Item, &item_id));
        match outcome(&answer) {
            Ok(answered) => {
                assert_eq!(answered, item_id);
                assert!(!shards.contains(&shard));
            }
            Err((code, reason, _)) => {
                assert_eq!((code, reason.as_str()), (Code::Unavailable, "SHARD_UNAVAILABLE"));
                assert!(shards.contains(&shard));
            }
        }
    }
}

#[tokio::test]
async fn a_batch_has_bounds() {
    let cluster = TestCluster::with(2, |config| config.admission.batch_streams = 3).await;
    cluster.train(&["demand"]).await;
    let status = ask(&cluster, vec![forecast("tea"); 10_001]).await.expect_err("too many");
    assert_eq!(details(&status).2, ["requests"]);
    let request = BatchForecastRequest { requests: vec![], tokens: vec!["?".into()] };
    let status = cluster.forecasts().batch_forecast(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["tokens[0]"]);

    // Three batches that wait; the next one is shed, until one of them is dropped.
    for worker in &cluster.workers {
        worker.script.lock().hang = true;
    }
    let request = || BatchForecastRequest { requests: vec![forecast("tea")], tokens: vec![] };
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(cluster.forecasts().batch_forecast(request()).await.expect("begins"));
    }
    let status = cluster.forecasts().batch_forecast(request()).await.expect_err("shed");
    assert_eq!(details(&status).1, "BATCHES_EXHAUSTED");
    drop(waiting.pop());
    while cluster.forecasts().batch_forecast(request()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_batch_ends_with_its_deadline_and_its_client() {
    let mut cluster = trained().await;
    for worker in &cluster.workers {
        worker.script.lock().hang = true;
    }
    let batch = BatchForecastRequest { requests: vec![forecast("tea"); 300], tokens: vec![] };
    let mut request = Request::new(batch.clone());
    request.set_timeout(Duration::from_millis(300));
    let mut stream =
        cluster.forecasts().batch_forecast(request).await.expect("begins").into_inner();
    // Workers may be given up a moment before the call is.
    let end = loop {
        match stream.message().await {
            Ok(Some(answer)) => assert!(outcome(&answer).is_err()),
            Ok(None) => break Code::DeadlineExceeded,
            Err(status) => break status.code(),
        }
    };
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&end), "{end:?}");

    let stream = cluster.forecasts().batch_forecast(batch.clone()).await.expect("begins");
    drop(stream);
    let mut stream = cluster.forecasts().batch_forecast(batch).await.expect("begins").into_inner();
    // Nothing that waits for workers or clients keeps a coordinator from stopping.
    let stopping = tokio::spawn(async move {
        cluster.stop().await;
        cluster
    });
    let end = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended as if it were whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(details(&end).1, "SHUTTING_DOWN", "{end:?}");
    stopping.await.expect("stops");
}
