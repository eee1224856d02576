//! What happens when parts are missing, replaced, emptied or abused.

use std::{fs, time::Duration};

use mercer_proto::v1::{
    BatchPriceRequest, EventType, IngestRequest, PopularRequest, PriceRequest, RecommendRequest,
    ShardState, batch_price_response::Outcome, event_service_client::EventServiceClient,
    pricing_service_client::PricingServiceClient, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers,
    applied::{expected, reported},
    catalogue,
    decisions::decisions,
    processes::{Processes, describe},
    workload::Workload,
};
use tonic::Code;

use super::BINARY;

const WORKLOAD: Workload = Workload { users: 40, items: 60, seed: 11 };

fn users() -> impl Iterator<Item = String> {
    (0..WORKLOAD.users).map(|user| format!("user-{user}"))
}

fn items() -> impl Iterator<Item = String> {
    (0..WORKLOAD.items).map(|item| format!("item-{item}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_folder_and_one_that_died_cost_nothing() -> anyhow::Result<()> {
    let mut cluster = Processes::cluster(BINARY, 3)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    let events = WORKLOAD.events(3_000);
    answers::record(&channel, events.clone()).await?;
    answers::train(&channel, &["p3", "elasticity", "inventory"]).await?;
    let before = answers::recommendations(&channel, users(), &["p3"]).await?;
    let decided = decisions(&channel, items()).await?;

    // While it is dead, its users are unavailable and the others get partial answers; decisions
    // about its items are unavailable, never guessed.
    cluster.kill(2)?;
    let description = loop {
        let description = describe(cluster.endpoint(), Vec::new()).await?;
        if description.workers.iter().any(|worker| !worker.live) {
            break description;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let lost = description.shards.iter().filter(|shard| shard.state() == ShardState::Unavailable);
    let lost_shards = lost.count();
    assert!((5..=6).contains(&lost_shards), "{lost_shards} of 16 shards are lost");
    let mut client = RecommendServiceClient::new(channel.clone());
    let (mut partial, mut unavailable) = (0, 0);
    for user_id in users() {
        let request = RecommendRequest { user_id, ..RecommendRequest::default() };
        match client.recommend(request).await {
            Ok(answer) => {
                let coverage = answer.into_inner().coverage;
                assert!((0.6..0.7).contains(&coverage), "{coverage}");
                partial += 1;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(status.message().contains("worker-2"), "{}", status.message());
                unavailable += 1;
            }
        }
    }
    assert!(partial > 0 && unavailable > 0, "{partial} partial, {unavailable} unavailable");
    let mut client = PricingServiceClient::new(channel.clone());
    let requests = items().map(|item_id| PriceRequest { item_id, ..PriceRequest::default() });
    let batch = BatchPriceRequest { requests: requests.collect(), tokens: Vec::new() };
    let mut batch = client.batch_price(batch).await?.into_inner();
    let (mut priced, mut refused) = (0, 0);
    while let Some(element) = batch.message().await? {
        match element.outcome {
            Some(Outcome::Price(_)) => priced += 1,
            Some(Outcome::Error(error)) => {
                assert_eq!(error.code, Code::Unavailable as i32, "{error:?}");
                refused += 1;
            }
            None => panic!("an element without outcome"),
        }
    }
    assert!(priced > 0 && refused > 0, "{priced} priced, {refused} refused");

    // It returns with an empty folder and is rebuilt from the log.
    fs::remove_dir_all(cluster.folder().join("worker-2"))?;
    cluster.restart(2)?;
    let description = cluster.wait_until_serving().await?;
    assert_eq!(reported(&description), expected(&events, 16));
    assert_eq!(before, answers::recommendations(&channel, users(), &["p3"]).await?);
    assert_eq!(decided, decisions(&channel, items()).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_everything_goes_on_where_it_was() -> anyhow::Result<()> {
    let mut cluster = Processes::cluster(BINARY, 2)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    let events = WORKLOAD.events(2_000);
    let tokens = answers::record(&channel, events.clone()).await?;
    answers::train(&channel, &["similarity"]).await?;
    let before = answers::recommendations(&channel, users(), &["p3", "item-cosine"]).await?;
    for process in 0..cluster.len() {
        cluster.kill(process)?;
    }
    for process in 0..cluster.len() {
        cluster.restart(process)?;
    }
    cluster.wait_until_serving().await?;
    let description = describe(cluster.endpoint(), tokens).await?;
    assert_eq!(reported(&description), expected(&events, 16));
    let channel = answers::connect(cluster.endpoint()).await?;
    let after = answers::recommendations(&channel, users(), &["p3", "item-cosine"]).await?;
    assert_eq!(before, after);
    // Training one algorithm takes no other away.
    answers::train(&channel, &["p3"]).await?;
    let after = answers::recommendations(&channel, users(), &["p3", "item-cosine"]).await?;
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_drops_64_streams_harms_nobody() -> anyhow::Result<()> {
    let mut cluster = Processes::up(BINARY, 1, 4)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    let events = WORKLOAD.events(500);
    for stream in 0..64 {
        let producer_id = format!("00000000-0000-4000-8000-{stream:012}");
        let request = IngestRequest {
            producer_id,
            batch_sequence: 1,
            acknowledged_through: 0,
            events: events.clone(),
            ..IngestRequest::default()
        };
        // One batch, then silence; dropped with its acknowledgement perhaps under way.
        let requests =
            tokio_stream::StreamExt::chain(tokio_stream::iter([request]), tokio_stream::pending());
        let mut client = EventServiceClient::new(channel.clone());
        let answers = client.ingest(requests).await?;
        drop(answers);
    }
    let mut client = RecommendServiceClient::new(channel.clone());
    let popular = tonic::Request::new(PopularRequest::default());
    tokio::time::timeout(Duration::from_secs(30), client.popular(popular)).await??;
    let purchases = events.iter().filter(|event| event.r#type() == EventType::Purchase).count();
    assert!(purchases > 0);
    answers::record(&channel, events).await?;
    cluster.check_running()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_different_set_of_workers_after_a_restart_rebuilds_from_the_log() -> anyhow::Result<()> {
    let mut cluster = Processes::cluster(BINARY, 3)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    let events = WORKLOAD.events(2_000);
    let tokens = answers::record(&channel, events.clone()).await?;
    answers::train(&channel, &["p3"]).await?;
    let before = answers::recommendations(&channel, users(), &["p3"]).await?;
    for process in 0..cluster.len() {
        cluster.kill(process)?;
    }
    // worker-3 is replaced for good.
    cluster.rename_worker(3, "worker-9")?;
    for process in 0..cluster.len() {
        cluster.restart(process)?;
    }
    let description = cluster.wait_until_serving().await?;
    let owners: Vec<_> = description.workers.iter().map(|worker| &worker.worker_id).collect();
    assert_eq!(owners, ["worker-1", "worker-2", "worker-9"]);
    let description = describe(cluster.endpoint(), tokens).await?;
    assert_eq!(reported(&description), expected(&events, 16));
    let channel = answers::connect(cluster.endpoint()).await?;
    assert_eq!(before, answers::recommendations(&channel, users(), &["p3"]).await?);
    Ok(())
}
