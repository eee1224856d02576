//! Ids that callers use again for something else: answers do not depend on the number of shards.

use mercer_proto::v1::{
    AdjustStockRequest, Event, GetItemRequest, GetItemResponse, GetUserResponse, PopularItem,
    PopularRequest, RecordEventsRequest, StockDelta, catalog_service_client::CatalogServiceClient,
    event_service_client::EventServiceClient, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    processes::{Processes, describe},
    random::Random,
    workload::Workload,
};

use super::BINARY;

const WORKLOAD: Workload = Workload { users: 30, items: 40, seed: 5 };

#[derive(Debug, PartialEq)]
struct Answers {
    items: Vec<GetItemResponse>,
    users: Vec<GetUserResponse>,
    popular: Vec<PopularItem>,
    events: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_reused_for_something_else_give_the_same_answers_on_1_7_and_16_shards()
-> anyhow::Result<()> {
    let one = answer(Processes::up(BINARY, 1, 1)?).await?;
    assert!(one.events > 300, "{} events", one.events);
    assert_eq!(one, answer(Processes::up(BINARY, 1, 7)?).await?, "7 shards");
    assert_eq!(one, answer(Processes::up(BINARY, 2, 16)?).await?, "16 shards");
    Ok(())
}

async fn answer(mut cluster: Processes) -> anyhow::Result<Answers> {
    let description = cluster.wait_until_serving().await?;
    anyhow::ensure!(
        description.log.is_some_and(|log| log.apply_version == log.newest_apply_version)
    );
    let channel = answers::connect(cluster.endpoint()).await?;
    let mut events = EventServiceClient::new(channel.clone());
    let mut catalog = CatalogServiceClient::new(channel.clone());
    let mut random = Random::new(11);
    let mut tokens = Vec::new();
    let calls: Vec<RecordEventsRequest> = (WORKLOAD.events(400).chunks(4))
        .map(|events| {
            // Few ids for many events; within a call each has its own.
            let first = random.below(6) * 4;
            let named = (first..).zip(events).map(|(id, event)| Event {
                event_id: (id % 4 != 3).then(|| format!("line-{id}")),
                ..event.clone()
            });
            let events = named.collect();
            let request_id = (random.below(2) == 0).then(|| format!("call-{}", random.below(5)));
            RecordEventsRequest { events, request_id }
        })
        .collect();
    for (number, call) in calls.iter().enumerate() {
        // One in three is sent again at once, and one in five some calls later.
        let mut again = vec![call];
        again.extend((random.below(3) == 0).then_some(call));
        again.extend((random.below(5) == 0).then(|| &calls[number / 2]));
        for call in again {
            tokens.push(events.record_events(request(call.clone())).await?.into_inner().token);
        }
        let deltas = (0..3).map(|_| StockDelta {
            item_id: format!("item-{}", random.below(WORKLOAD.items)),
            delta: 1.0,
            ..StockDelta::default()
        });
        let deltas = deltas.collect();
        let request_id = Some(format!("stock-{}", random.below(4)));
        let change = AdjustStockRequest { deltas, request_id };
        for _ in 0..2 {
            let answer = catalog.adjust_stock(request(change.clone())).await?;
            tokens.push(answer.into_inner().token);
        }
    }
    let description = describe(cluster.endpoint(), tokens.split_off(tokens.len() - 60)).await?;
    let clashes: u64 = description.shards.iter().map(|shard| shard.clashes).sum();
    anyhow::ensure!(clashes > 100, "{clashes} clashes");
    let shards = description.shards.iter();
    let events = shards.map(|shard| shard.item_events.as_ref().map_or(0, |one| one.count)).sum();

    let mut items = Vec::new();
    for item in 0..WORKLOAD.items {
        let message = GetItemRequest { item_id: format!("item-{item}"), tokens: Vec::new() };
        let Ok(answer) = catalog.get_item(request(message)).await else { continue };
        items.push(GetItemResponse { token: String::new(), ..answer.into_inner() });
    }
    let users = (0..WORKLOAD.users).map(|user| format!("user-{user}"));
    let users = answers::known_users(&channel, users).await?;
    let mut recommend = RecommendServiceClient::new(channel);
    let message = PopularRequest { n: 40, ..PopularRequest::default() };
    let popular = recommend.popular(request(message)).await?.into_inner().items;
    Ok(Answers { items, users, popular, events })
}
