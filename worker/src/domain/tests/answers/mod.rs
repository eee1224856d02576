mod cluster;
mod decisions;
mod families;
mod hybrid;
mod live;
mod mixture;
mod reference;

use std::{collections::BTreeSet, time::Instant};

use cluster::{Cluster, at, deadline};
use mercer_common::slot::{Subject, compare};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        GetProfileRequest, GetShardItemRequest, GetShardUserRequest, ListShardRequest,
        PartialPopularRequest, PartialRecommendRequest, ShardPosition, TrainingSpec,
        VersionManifest,
    },
    v1::{
        AttributeCondition, BrandCondition, CategoryCondition, EventType, Filter, FilterList,
        InStockCondition, ItemStatus, ItemsCondition, PopularItem, PriceBand, Recommendation,
        Source, filter::Condition, reason,
    },
};
use proptest::prelude::*;
use reference::{Expected, Question};

use crate::{
    domain::recommend::training::{
        Bench, neighbours,
        reference::Neighbours,
        shop::{Job, Random, Shop, spec, write_cuts},
    },
    serve::ServeError,
    shard::ShardError,
    version::{OpenVersions, VersionError},
};

/// A shop, trained once for every number of shards.
struct Trained {
    shop: Shop,
    spec: TrainingSpec,
    bench: Bench,
    neighbours: [(&'static str, Neighbours); 2],
    clusters: Vec<Cluster>,
}

const VERSION: &str = "v1";

async fn trained(shop: Shop, spec_of: impl Fn(u16) -> TrainingSpec) -> Trained {
    let bench = Bench::new(2);
    let mut clusters = Vec::new();
    let mut found = None;
    for (shards, workers) in [(1, 1), (7, 1), (7, 3), (16, 4)] {
        let name = format!("job-{shards}");
        if workers < 2 || shards != 7 {
            write_cuts(&shop.states(shards), &name, &bench.store);
        }
        let mut job = Job::new(&name, spec_of(shards), &bench.runner);
        job.run().await.expect("trains");
        let manifest = job.manifest(VERSION);
        let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
        versions.prepare(manifest.clone(), &(0..shards).collect::<Vec<_>>()).expect("opens");
        let version = versions.newest_models(VERSION).expect("open").expect("trained");
        let of = |algorithm| (algorithm, neighbours(&version, algorithm, shards));
        found.get_or_insert_with(|| [of("p3"), of("item-cosine")]);
        clusters.push(Cluster::new(&shop, shards, workers, &bench, &manifest));
    }
    let neighbours = found.expect("trained");
    Trained { shop, spec: spec_of(1), bench, neighbours, clusters }
}

impl Trained {
    fn expected(&self, question: &Question) -> Vec<Expected> {
        let found = self.neighbours.iter().find(|(name, _)| *name == question.algorithm);
        let neighbours = found.map(|(_, neighbours)| neighbours.clone()).unwrap_or_default();
        reference::recommend(&self.shop, &self.spec, &neighbours, question)
    }
}

/// What a user asks without a session or a filter, and puts up with what they have purchased.
fn plain(shop: &Shop, user: usize, algorithm: &'static str, n: usize) -> Question {
    Question {
        user: shop.user_ids[user].clone(),
        session: vec![],
        n,
        algorithm,
        exclude_purchased: false,
        filter: None,
    }
}

fn question(shop: &Shop, random: &mut Random) -> Question {
    let mut strangers = shop.item_ids.clone();
    strangers.push("stranger".into());
    let user = match random.below(6) {
        0 => String::new(),
        1 => "unknown user".to_owned(),
        _ => random.pick(&shop.user_ids),
    };
    let session = (0..random.below(4)).map(|_| random.pick(&strangers));
    Question {
        user,
        session: session.collect::<BTreeSet<_>>().into_iter().collect(),
        n: random.pick(&[1, 3, 10, 60]),
        algorithm: random.pick(&["p3", "p3", "item-cosine", "popular"]),
        exclude_purchased: random.below(3) > 0,
        filter: random.flip().then(|| filter(random, 3)),
    }
}

fn filter(random: &mut Random, depth: u64) -> Filter {
    let list = |random: &mut Random| {
        let count = 1 + random.below(3);
        FilterList { filters: (0..count).map(|_| filter(random, depth - 1)).collect() }
    };
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let condition = match random.below(if depth > 0 { 9 } else { 6 }) {
        0 => Condition::Category(CategoryCondition {
            path: texts(random.pick(&[&["food"][..], &["food", "fruit"], &["tools"]])),
        }),
        1 => Condition::Attribute(AttributeCondition {
            name: "colour".into(),
            values: texts(random.pick(&[&["red"][..], &["red", "blue"]])),
        }),
        2 => {
            let mut bound = || {
                let units = random.below(20) as i64;
                random.flip().then(|| Money { units, ..Default::default() })
            };
            Condition::Price(PriceBand { minimum: bound(), maximum: bound() })
        }
        3 => Condition::InStock(InStockCondition {
            location_id: random.pick(&["", "north"]).to_owned(),
        }),
        4 => Condition::Brand(BrandCondition {
            brands: texts(random.pick(&[&["bee"][..], &["bee", "ant"]])),
        }),
        5 => Condition::Items(ItemsCondition {
            item_ids: (0..20).map(|_| format!("item-{}", random.below(40))).collect(),
        }),
        6 => Condition::AllOf(list(random)),
        7 => Condition::AnyOf(list(random)),
        _ => Condition::Not(Box::new(filter(random, depth - 1))),
    };
    Filter { condition: Some(condition) }
}

fn items(ids: &[&str]) -> Filter {
    let item_ids = ids.iter().map(|&id| id.to_owned()).collect();
    Filter { condition: Some(Condition::Items(ItemsCondition { item_ids })) }
}

fn check(answer: &[Recommendation], expected: &[Expected], question: &Question) {
    assert_eq!(answer.len(), expected.len(), "{question:?}");
    for (answer, expected) in answer.iter().zip(expected) {
        let found = (answer.item_id.as_str(), answer.source(), answer.score);
        let wanted = (expected.item.as_str(), expected.source, expected.score);
        assert_eq!(found, wanted, "{question:?}");
        assert!(answer.score.is_finite());
        assert_eq!(answer.title, format!("title of {}", answer.item_id));
        let total: f64 = answer.reasons.iter().map(|reason| reason.contribution).sum();
        let scale =
            expected.parts.iter().map(|part| part.1.abs()).fold(answer.score.abs(), f64::max);
        assert!((total - answer.score).abs() <= 1e-9 * scale, "{question:?} {answer:?}");
        let kinds: Vec<_> = answer.reasons.iter().map(|reason| reason.kind()).collect();
        if expected.source == Source::Algorithm {
            let history: Vec<f64> = answer
                .reasons
                .iter()
                .filter(|reason| reason.kind() == reason::Kind::HistoryItem)
                .map(|reason| {
                    let part = (reason.item_id.clone(), reason.contribution);
                    assert!(expected.parts.contains(&part), "{part:?} {expected:?}");
                    reason.contribution.abs()
                })
                .collect();
            let largest = expected.parts.iter().take(5).map(|part| part.1.abs());
            assert_eq!(history, largest.collect::<Vec<_>>());
            // Parts of opposite signs may leave nothing for the rest; the sum is checked above.
            assert!(expected.parts.len() > 5 || !kinds.contains(&reason::Kind::Other));
        } else {
            assert_eq!(kinds, [reason::Kind::Popularity]);
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn equals_plain_loops_for_any_shards_and_workers(seed: u64, weighted: bool, cap in 3_u32..30) {
        run(async {
            let shop = Shop::random(seed, 25, 40, 500);
            let of = |shards: u16| {
                TrainingSpec { weighted, history_cap: cap, ..spec(shards) }
            };
            let trained = trained(shop, of).await;
            let mut random = Random::new(!seed);
            for _ in 0..25 {
                let question = question(&trained.shop, &mut random);
                let expected = trained.expected(&question);
                for cluster in &trained.clusters {
                    check(&cluster.recommend(&question, VERSION).await, &expected, &question);
                }
            }
        });
    }
}

#[tokio::test]
async fn before_the_first_training_popular_items_answer() {
    let shop = Shop::random(11, 20, 30, 300);
    let bench = Bench::new(1);
    let untrained = VersionManifest::default();
    let cluster = Cluster::new(&shop, 7, 2, &bench, &untrained);
    let question = Question {
        user: shop.user_ids[0].clone(),
        session: vec!["stranger".into()],
        n: 8,
        algorithm: "p3",
        exclude_purchased: true,
        filter: None,
    };
    let popular = Question { algorithm: "popular", ..question.clone() };
    let expected = reference::recommend(&shop, &spec(1), &Neighbours::new(), &popular);
    assert_eq!(expected.len(), 8);
    check(&cluster.recommend(&question, "").await, &expected, &question);
}

#[tokio::test]
async fn similar_items_are_the_neighbours_and_never_the_item() {
    let trained = trained(Shop::random(12, 25, 40, 600), spec).await;
    let (_, neighbours) = &trained.neighbours[0];
    for cluster in &trained.clusters {
        for item in &trained.shop.item_ids {
            let (worker, shard) = cluster.of(Subject::Item, item);
            let request = GetProfileRequest {
                shard: Some(shard),
                version: VERSION.into(),
                similar_item: item.clone(),
                algorithm: "p3".into(),
                ..Default::default()
            };
            let profile =
                worker.recommender.get_profile(request, deadline()).await.expect("answers");
            let named = trained.shop.events.iter().any(|event| event.item_id == *item)
                || trained.shop.items.iter().any(|one| one.id == *item);
            assert_eq!(profile.known, named);
            let question = Question {
                user: String::new(),
                session: Vec::new(),
                n: 1_000,
                algorithm: "p3",
                exclude_purchased: false,
                filter: None,
            };
            let answer = cluster.score(&question, VERSION, profile).await;
            assert!(answer.iter().all(|one| one.item_id != *item));
            let similar = answer.iter().filter(|one| one.source() == Source::Algorithm);
            let weights = neighbours.get(item);
            for found in similar {
                assert_eq!(found.score, weights.expect("has some")[&found.item_id]);
            }
            let active = trained.shop.items.iter();
            let active = active.filter(|one| one.fields.status() == ItemStatus::Active);
            assert_eq!(answer.len(), active.filter(|one| one.id != *item).count());
        }
    }
}

#[tokio::test]
async fn popular_items_are_counted_exactly() {
    let shop = Shop::random(13, 25, 40, 600);
    let bench = Bench::new(1);
    let mut random = Random::new(1);
    let counts = reference::popularity(&shop);
    for (shards, workers) in [(1, 1), (7, 3)] {
        let cluster = Cluster::new(&shop, shards, workers, &bench, &VersionManifest::default());
        for _ in 0..20 {
            let filter = random.flip().then(|| filter(&mut random, 2));
            let mut found: Vec<PopularItem> = Vec::new();
            for (held, worker) in &cluster.workers {
                let shards = at(held);
                let filter = filter.clone();
                let request = PartialPopularRequest { shards, filter, n: 10, ..Default::default() };
                found.extend(
                    worker.recommender.popular(request, deadline()).await.expect("answers").items,
                );
            }
            reference::sort(&mut found, |item| (item.popularity as f64, &item.item_id));
            let mut expected: Vec<(&str, u64)> = shop
                .items
                .iter()
                .filter(|item| item.fields.status() == ItemStatus::Active)
                .filter(|item| {
                    filter.as_ref().is_none_or(|one| reference::holds(one, item) == Some(true))
                })
                .map(|item| (item.id.as_str(), counts[&item.id]))
                .collect();
            reference::sort(&mut expected, |&(id, count)| (count as f64, id));
            let found = found.iter().map(|item| (item.item_id.as_str(), item.popularity));
            assert_eq!(found.take(10).collect::<Vec<_>>(), &expected[..expected.len().min(10)]);
        }
    }
}

#[tokio::test]
async fn users_items_and_pages_show_the_state() {
    let shop = Shop::random(14, 25, 40, 600);
    let cluster = Cluster::new(&shop, 5, 2, &Bench::new(1), &VersionManifest::default());
    for user in &shop.user_ids {
        let (worker, shard) = cluster.of(Subject::User, user);
        let request = GetShardUserRequest { shard: Some(shard), user_id: user.clone(), rows: 0 };
        let events: Vec<_> =
            shop.events.iter().filter(|event| event.user_id.as_deref() == Some(user)).collect();
        let answer = match worker.serving.get_user(request, deadline()).await {
            Err(ServeError::UnknownUser { id }) => {
                assert!(id == *user && events.is_empty());
                continue;
            }
            answer => answer.expect("answers").user.expect("a user"),
        };
        assert_eq!(answer.window_events, events.len() as u64);
        let mut rows: Vec<(u32, i64, &str, u32)> = Vec::new();
        for item in events.iter().map(|event| event.item_id.as_str()).collect::<BTreeSet<_>>() {
            let of: Vec<_> = events.iter().filter(|event| event.item_id == item).collect();
            let bought = of.iter().filter(|event| event.r#type() == EventType::Purchase).count();
            let last = of.iter().filter_map(|event| Some(event.event_time?.seconds)).max();
            rows.push((bought as u32, last.expect("timed"), item, of.len() as u32));
        }
        rows.sort_by(|left, right| {
            (right.0, right.1).cmp(&(left.0, left.1)).then(compare(Subject::Item, left.2, right.2))
        });
        let found: Vec<_> = answer
            .history
            .iter()
            .map(|one| {
                let last = one.last_event_time.expect("timed").seconds;
                (one.purchases, last, one.item_id.as_str(), one.events)
            })
            .collect();
        assert_eq!(found, rows);
        assert_eq!(answer.purchased_items, rows.iter().filter(|row| row.0 > 0).count() as u64);
    }

    let mut listed = Vec::new();
    for shard in 0..5 {
        let (_, worker) =
            cluster.workers.iter().find(|(held, _)| held.contains(&shard)).expect("dealt");
        let mut after_id = String::new();
        loop {
            let request = ListShardRequest {
                shard: Some(ShardPosition { shard: shard.into(), sequence: 1 }),
                after_id: after_id.clone(),
                limit: 3,
                status: ItemStatus::Active.into(),
            };
            let page = worker.serving.list_items(request, deadline()).await.expect("answers");
            assert!(page.items.len() <= 3);
            listed.extend(page.items.iter().map(|item| item.item_id.clone()));
            match page.items.last() {
                Some(last) if page.more => after_id.clone_from(&last.item_id),
                _ => break,
            }
        }
    }
    let active = shop.items.iter().filter(|item| item.fields.status() == ItemStatus::Active);
    let mut expected: Vec<String> = active.map(|item| item.id.clone()).collect();
    crate::domain::recommend::training::reference::sort_items(&mut expected);
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn refusals_name_the_cause() {
    let trained = trained(Shop::random(15, 10, 20, 100), spec).await;
    let (held, worker) = &trained.clusters[2].workers[0];
    let question = |shards: Vec<ShardPosition>, version: &str| PartialRecommendRequest {
        shards,
        version: version.into(),
        algorithm: "p3".into(),
        n: 3,
        ..Default::default()
    };
    let elsewhere = trained.clusters[2].workers[1].0[0];

    // A shard that is not here is left out, unless none is.
    let mut shards = at(held);
    shards.extend(at(&[elsewhere]));
    let partial =
        worker.recommender.recommend(question(shards, VERSION), deadline()).await.expect("partial");
    assert_eq!(partial.answered.len(), held.len());
    let none = worker.recommender.recommend(question(at(&[elsewhere]), VERSION), deadline()).await;
    assert!(matches!(none, Err(ServeError::Shard(ShardError::NotHeld { .. }))), "{none:?}");

    let gone = worker.recommender.recommend(question(at(held), "v0"), deadline()).await;
    assert!(matches!(gone, Err(ServeError::Version(VersionError::Gone { .. }))), "{gone:?}");

    // The deadline has come, and the state has not.
    let ahead = vec![ShardPosition { shard: held[0].into(), sequence: 5 }];
    let behind = worker.recommender.recommend(question(ahead, VERSION), Instant::now()).await;
    let lag = ShardError::Lagging { shard: held[0], required: 5, applied: 1 };
    assert!(matches!(&behind, Err(ServeError::Shard(error)) if *error == lag), "{behind:?}");

    let mut bad = question(at(held), VERSION);
    bad.filter = Some(Filter { condition: None });
    let refused = worker.recommender.recommend(bad, deadline()).await;
    assert!(matches!(refused, Err(ServeError::Invalid(_))), "{refused:?}");

    let request =
        GetShardItemRequest { shard: Some(at(&held[..1])[0]), item_id: "stranger".into() };
    let unknown = worker.serving.get_item(request, deadline()).await;
    assert!(matches!(unknown, Err(ServeError::UnknownItem { .. })), "{unknown:?}");
    drop(trained.bench);
}
