//! What happened since the training shows in the next answer.

use std::collections::BTreeSet;

use mercer_common::{slot::Subject, time::EventTime};
use mercer_proto::{
    internal::{GetProfileRequest, PartialPopularRequest},
    v1::{
        Event, EventType, Filter, InStockCondition, ItemStatus, RecommendRule, Recommendation,
        filter::Condition, recommend_rule::Action,
    },
};
use prost_types::Timestamp;

use super::{
    VERSION, check,
    cluster::{Cluster, Shape, at, deadline},
    items,
    mixture::Mixture,
    reference::{self, Question},
};
use crate::{
    domain::recommend::training::{
        Bench, neighbours,
        reference::{Neighbours, as_of},
        shop::{Shop, spec},
    },
    version::OpenVersions,
};

/// A shop and a version of it, which does not change when the shop does.
struct Past {
    shop: Shop,
    mixture: Mixture,
    neighbours: Neighbours,
    bench: Bench,
}

const SHARDS: u16 = 7;

async fn past() -> Past {
    let shop = Shop::random(31, 20, 50, 400);
    let bench = Bench::new(2);
    let mixture = Mixture::new(&shop, SHARDS, &bench).await;
    let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
    let held: Vec<u16> = (0..SHARDS).collect();
    versions.prepare(mixture.manifest.clone(), &held).expect("opens");
    let open = versions.newest_models(VERSION).expect("open").expect("trained");
    let neighbours = neighbours(&open, "p3", SHARDS);
    Past { shop, mixture, neighbours, bench }
}

impl Past {
    fn question(&self) -> Question {
        Question {
            user: self.shop.user_ids[0].clone(),
            session: vec![],
            n: 10,
            algorithm: "p3",
            exclude_purchased: true,
            filter: None,
        }
    }

    fn cluster(&self, shop: &Shop, rules: &[RecommendRule]) -> Cluster {
        let shape = Shape { shards: SHARDS, workers: 2, scan_bytes: 0 };
        Cluster::shaped(shop, shape, rules, &self.bench, &self.mixture.manifest)
    }

    /// The answer for a shop that went on, which must be that of plain loops.
    async fn ask(&self, shop: &Shop, question: &Question) -> Vec<Recommendation> {
        let answer = self.cluster(shop, &[]).recommend(question, VERSION).await;
        let expected = reference::recommend(shop, &spec(1), &self.neighbours, question);
        check(&answer, &expected, question);
        answer
    }

    fn event(&self, kind: EventType, item: &str) -> Event {
        Event {
            r#type: kind.into(),
            item_id: item.into(),
            user_id: Some(self.shop.user_ids[0].clone()),
            event_time: Some(Timestamp { seconds: as_of(&self.shop) + 60, nanos: 0 }),
            quantity: Some(1.0),
            ..Event::default()
        }
    }
}

fn ids(answer: &[Recommendation]) -> Vec<&str> {
    answer.iter().map(|item| item.item_id.as_str()).collect()
}

#[tokio::test]
async fn a_purchase_is_left_out_and_counts() {
    let past = past().await;
    let question = past.question();
    let before = past.ask(&past.shop, &question).await;
    let mut shop = past.shop.clone();
    let mut met = BTreeSet::new();
    for event in &shop.events {
        if event.user_id.as_ref() == Some(&question.user) {
            met.insert(event.item_id.clone());
        }
    }
    let new = before.iter().find(|item| !met.contains(&item.item_id)).expect("something new");
    shop.events.push(past.event(EventType::Purchase, &new.item_id));
    let after = past.ask(&shop, &question).await;
    assert!(!ids(&after).contains(&new.item_id.as_str()));

    // Factors are those of the whole history with the purchase.
    let ials = Question { algorithm: "ials", ..question };
    let old = past.cluster(&past.shop, &[]).profile(&ials, VERSION).await.sources.remove(0);
    let new = past.cluster(&shop, &[]).profile(&ials, VERSION).await.sources.remove(0);
    assert_eq!(new.rows.len(), old.rows.len() + 1);
    assert!(old.vector != new.vector && new.vector.iter().all(|number| number.is_finite()));
}

#[tokio::test]
async fn a_return_counts_against() {
    let past = past().await;
    let question = Question { exclude_purchased: false, ..past.question() };
    let before = past.ask(&past.shop, &question).await;
    let liked = before.iter().flat_map(|item| &item.reasons).find(|one| one.contribution > 0.0);
    let liked = liked.expect("something speaks for it").item_id.clone();
    let mut shop = past.shop.clone();
    shop.events.extend((0..30).map(|_| past.event(EventType::Return, &liked)));
    let after = past.ask(&shop, &question).await;
    let parts = after.iter().flat_map(|item| &item.reasons).filter(|one| one.item_id == liked);
    assert!(parts.into_iter().all(|part| part.contribution < 0.0));
}

#[tokio::test]
async fn explanations_know_what_the_user_did_last_with_each_item() {
    let past = past().await;
    let [bought, viewed, returned] = &past.shop.item_ids[..3] else { panic!("a small shop") };
    let mut shop = past.shop.clone();
    shop.events.retain(|event| event.user_id.as_ref() != Some(&shop.user_ids[0]));
    let at = |seconds: i64, kind, item: &str| {
        let mut event = past.event(kind, item);
        event.event_time = Some(Timestamp { seconds, nanos: 0 });
        event
    };
    let start = as_of(&past.shop);
    shop.events.extend([
        at(start + 5, EventType::View, bought),
        at(start + 4, EventType::Purchase, bought),
        at(start + 3, EventType::Click, viewed),
        at(start + 6, EventType::View, viewed),
        at(start + 1, EventType::Purchase, returned),
        at(start + 2, EventType::Return, returned),
    ]);
    let cluster = past.cluster(&shop, &[]);
    let (worker, shard) = cluster.of(Subject::User, &shop.user_ids[0]);
    let request = GetProfileRequest {
        shard: Some(shard),
        version: VERSION.into(),
        user_id: shop.user_ids[0].clone(),
        algorithm: "p3".into(),
        explain: true,
        ..GetProfileRequest::default()
    };
    let profile = |request| worker.recommender.get_profile(request, deadline());
    let answer = profile(request.clone()).await.expect("answers");
    let told = |item: &str| {
        let event = answer.past.iter().find(|event| event.item_id == item).expect(item);
        (event.r#type(), EventTime(event.time).unix_seconds() - start)
    };
    assert_eq!(answer.past.len(), 3);
    assert_eq!(told(bought), (EventType::Purchase, 4));
    assert_eq!(told(viewed), (EventType::View, 6));
    assert_eq!(told(returned), (EventType::Return, 2));
    // Neither where nobody explains, nor of a basket, of which the past is no part.
    for request in [
        GetProfileRequest { explain: false, ..request.clone() },
        GetProfileRequest { basket: true, session_items: vec![bought.clone()], ..request },
    ] {
        assert_eq!(profile(request).await.expect("answers").past, []);
    }
}

#[tokio::test]
async fn what_is_hidden_or_out_of_stock_is_gone() {
    let past = past().await;
    let question = past.question();
    let best = past.ask(&past.shop, &question).await[0].item_id.clone();
    let mut shop = past.shop.clone();
    let item = shop.items.iter_mut().find(|item| item.id == best).expect("catalogued");
    item.fields.status = ItemStatus::Inactive.into();
    assert!(!ids(&past.ask(&shop, &question).await).contains(&best.as_str()));

    let condition = Condition::InStock(InStockCondition::default());
    let filter = Some(Filter { condition: Some(condition) });
    let question = Question { filter, ..question };
    let mut shop = past.shop.clone();
    let best = past.ask(&shop, &question).await[0].item_id.clone();
    let item = shop.items.iter_mut().find(|item| item.id == best).expect("catalogued");
    item.stock.iter_mut().for_each(|(_, units)| *units = 0.0);
    assert!(!ids(&past.ask(&shop, &question).await).contains(&best.as_str()));
}

#[tokio::test]
async fn rules_hold_for_every_algorithm_and_for_what_fills_up() {
    let past = past().await;
    for algorithm in ["p3", "ials", "fresh", "hybrid", "popular"] {
        let question = Question { algorithm, n: 100, ..past.question() };
        let before = past.cluster(&past.shop, &[]).recommend(&question, VERSION).await;
        let (first, last) = (before[0].item_id.clone(), before[before.len() - 1].item_id.clone());
        let rule = |rule_id: &str, action, ids: &[&str]| RecommendRule {
            rule_id: rule_id.into(),
            action: Some(action),
            filter: Some(items(ids)),
            ..RecommendRule::default()
        };
        let rules = [
            rule("first", Action::Exclude(true), &[first.as_str()]),
            rule("last", Action::Include(1e6), &[last.as_str(), first.as_str()]),
        ];
        let after = past.cluster(&past.shop, &rules).recommend(&question, VERSION).await;
        assert!(!ids(&after).contains(&first.as_str()), "{algorithm}");
        assert_eq!((ids(&after)[0], after[0].score), (last.as_str(), 1e6), "{algorithm}");
        assert_eq!(after.len(), before.len() - 1);
    }
}

#[tokio::test]
async fn a_basket_is_completed_whatever_was_bought_before() {
    let past = past().await;
    let shop = &past.shop;
    let (user, denied) = shop.denied.first().expect("someone denies something");
    let basket = vec![shop.items[0].id.clone(), shop.items[1].id.clone()];
    let cluster = past.cluster(shop, &[]);
    let question = Question {
        user: user.clone(),
        session: basket.clone(),
        n: 1_000,
        algorithm: "p3",
        exclude_purchased: true,
        filter: None,
    };
    let profile = cluster.basket(&question, VERSION).await;
    let alone = Question { user: String::new(), ..question.clone() };
    let session = cluster.profile(&alone, VERSION).await;
    assert_eq!(profile.sources, session.sources);
    let answer = cluster.score(&question, VERSION, profile).await;
    let found = ids(&answer);
    assert!(!found.contains(&denied.as_str()) && basket.iter().all(|id| !found.contains(&&**id)));
    let bought = shop.events.iter().filter(|event| {
        event.r#type() == EventType::Purchase && event.user_id.as_ref() == Some(user)
    });
    assert!(bought.into_iter().any(|event| found.contains(&event.item_id.as_str())));
}

#[tokio::test]
async fn a_location_orders_by_what_was_sold_there() {
    let mut shop = Shop::random(32, 20, 50, 400);
    for (index, event) in shop.events.iter_mut().enumerate() {
        event.location_id = (index % 3 == 0).then(|| "north".to_owned());
    }
    let bench = Bench::new(1);
    let shape = Shape { shards: SHARDS, workers: 2, scan_bytes: 0 };
    let cluster = Cluster::shaped(&shop, shape, &[], &bench, &Default::default());
    let mut found = Vec::new();
    for (held, worker) in &cluster.workers {
        let location_id = "north".into();
        let request =
            PartialPopularRequest { shards: at(held), n: 20, location_id, ..Default::default() };
        found.extend(worker.recommender.popular(request, deadline()).await.expect("answers").items);
    }
    reference::sort(&mut found, |item| (item.units, &item.item_id));
    let mut expected: Vec<(&str, f64)> = Vec::new();
    for item in shop.items.iter().filter(|item| item.fields.status() == ItemStatus::Active) {
        let mut units = 0.0;
        for event in shop.events.iter().filter(|event| event.item_id == item.id) {
            if event.r#type() == EventType::Purchase && event.location_id.is_some() {
                units += event.quantity.unwrap_or_default();
            }
        }
        if units > 0.0 {
            expected.push((&item.id, units));
        }
    }
    reference::sort(&mut expected, |&(id, units)| (units, id));
    let found = found.iter().map(|item| (item.item_id.as_str(), item.units)).take(20);
    assert_eq!(found.collect::<Vec<_>>(), expected[..expected.len().min(20)]);
}
