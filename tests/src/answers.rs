//! What a cluster answers, in a form that can be compared bit for bit.

use std::time::Duration;

use anyhow::{Context as _, bail};
use mercer_proto::v1::{
    Event, GetJobRequest, GetUserRequest, GetUserResponse, Job, JobState, RecommendRequest,
    Recommendation, RecordEventsRequest, SeenPolicy, SimilarItemsRequest, StartJobRequest,
    catalog_service_client::CatalogServiceClient, event_service_client::EventServiceClient,
    job_service_client::JobServiceClient, recommend_service_client::RecommendServiceClient,
};
use tonic::{Code, Request, transport::Channel};

/// A result with its floating-point numbers as bits.
pub type Result = (String, u64, i32, Vec<(i32, String, u64)>);

/// Connects to a public API.
///
/// # Errors
/// When nobody listens.
pub async fn connect(endpoint: &str) -> anyhow::Result<Channel> {
    let endpoint = Channel::from_shared(endpoint.to_owned())?;
    endpoint.connect_timeout(Duration::from_secs(5)).connect().await.context("connecting")
}

/// A call that gives up after a minute.
pub fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(60));
    request
}

/// Trains `kinds` and waits for the end; fails unless the job succeeded.
///
/// # Errors
/// When the job cannot be started, watched, or does not succeed.
pub async fn train(channel: &Channel, kinds: &[&str]) -> anyhow::Result<Job> {
    let mut client = JobServiceClient::new(channel.clone());
    let kinds = kinds.iter().map(ToString::to_string).collect();
    let start = StartJobRequest { kinds, request_id: None };
    let started = client.start_job(request(start)).await?.into_inner();
    let mut watch = Request::new(GetJobRequest { job_id: started.job_id });
    watch.set_timeout(Duration::from_secs(300));
    let mut updates = client.watch_job(watch).await?.into_inner();
    let mut last = None;
    while let Some(job) = updates.message().await? {
        last = Some(job);
    }
    match last {
        Some(job) if job.state() == JobState::Succeeded => Ok(job),
        job => bail!("the job did not succeed: {job:#?}"),
    }
}

/// What the cluster recommends to each user by each algorithm, with reasons, but for what they have
/// purchased.
///
/// # Errors
/// When a call fails or an answer is not whole.
pub async fn recommendations(
    channel: &Channel,
    users: impl IntoIterator<Item = String>,
    algorithms: &[&str],
) -> anyhow::Result<Vec<Vec<Result>>> {
    recommendations_with(channel, users, algorithms, SeenPolicy::ExcludePurchased).await
}

/// [`recommendations`] by another policy.
///
/// # Errors
/// When a call fails or an answer is not whole.
pub async fn recommendations_with(
    channel: &Channel,
    users: impl IntoIterator<Item = String>,
    algorithms: &[&str],
    seen: SeenPolicy,
) -> anyhow::Result<Vec<Vec<Result>>> {
    let mut client = RecommendServiceClient::new(channel.clone());
    let mut answers = Vec::new();
    for user_id in users {
        for algorithm in algorithms {
            let message = RecommendRequest {
                user_id: user_id.clone(),
                n: 20,
                algorithm: (*algorithm).to_owned(),
                explain: true,
                seen: seen.into(),
                ..RecommendRequest::default()
            };
            let answer = client.recommend(request(message)).await?.into_inner();
            anyhow::ensure!(answer.coverage == 1.0, "coverage is {}", answer.coverage);
            answers.push(answer.items.iter().map(comparable).collect());
        }
    }
    Ok(answers)
}

/// What the cluster finds similar to each item.
///
/// # Errors
/// When a call fails.
pub async fn similar_items(
    channel: &Channel,
    items: impl IntoIterator<Item = String>,
    algorithm: &str,
) -> anyhow::Result<Vec<Vec<Result>>> {
    let mut client = RecommendServiceClient::new(channel.clone());
    let mut answers = Vec::new();
    for item_id in items {
        let message = SimilarItemsRequest {
            item_id,
            n: 20,
            algorithm: algorithm.to_owned(),
            ..SimilarItemsRequest::default()
        };
        let answer = client.similar_items(request(message)).await?.into_inner();
        answers.push(answer.items.iter().map(comparable).collect());
    }
    Ok(answers)
}

/// What the cluster knows of each of these users, without what says when and under which keys: none of
/// those whom it does not know.
///
/// # Errors
/// When a call fails, or no ledgers are kept.
pub async fn known_users(
    channel: &Channel,
    users: impl IntoIterator<Item = String>,
) -> anyhow::Result<Vec<GetUserResponse>> {
    let mut client = CatalogServiceClient::new(channel.clone());
    let mut known = Vec::new();
    for user_id in users {
        let message = GetUserRequest { user_id, tokens: Vec::new(), rows: 512 };
        let mut answer = match client.get_user(request(message)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => continue,
            Err(status) => return Err(status.into()),
        };
        answer.token.clear();
        let times = (answer.first_met.take(), answer.ledgers_since.take());
        anyhow::ensure!(matches!(times, (Some(_), Some(_))), "no times: {times:?}");
        let rows = answer.ledger.iter_mut().flat_map(|ledger| &mut ledger.rows);
        rows.for_each(|row| row.visit = 0);
        known.push(answer);
    }
    Ok(known)
}

fn comparable(item: &Recommendation) -> Result {
    let reasons = item
        .reasons
        .iter()
        .map(|reason| (reason.kind, reason.item_id.clone(), reason.contribution.to_bits()))
        .collect();
    (item.item_id.clone(), item.score.to_bits(), item.source, reasons)
}

/// Records events in calls of at most 1,000; returns the latest tokens.
///
/// # Errors
/// When a call fails.
pub async fn record(channel: &Channel, events: Vec<Event>) -> anyhow::Result<Vec<String>> {
    let mut client = EventServiceClient::new(channel.clone());
    let mut tokens = Vec::new();
    for events in events.chunks(1_000) {
        let message = RecordEventsRequest { events: events.to_vec(), request_id: None };
        tokens.push(client.record_events(request(message)).await?.into_inner().token);
    }
    Ok(tokens)
}
