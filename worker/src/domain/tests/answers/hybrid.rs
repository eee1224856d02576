//! Several sources, rules and properties in one score, against plain loops.

use mercer_proto::{
    internal::PartialRecommendRequest,
    v1::{
        RecommendRule, Recommendation, Source,
        reason::{Code, Kind},
        recommend_rule::Action,
    },
};
use proptest::prelude::*;

use super::{
    VERSION,
    cluster::{Cluster, Shape, deadline},
    filter,
    mixture::{Mixture, eligible},
    plain, question,
    reference::Question,
    run,
};
use crate::{
    domain::recommend::training::{
        Bench, neighbours,
        reference::Neighbours,
        shop::{Random, Shop},
    },
    version::OpenVersions,
};

/// Shapes of clusters, each with all items scored and with candidates alone.
const SHAPES: [(u16, u16); 3] = [(1, 1), (7, 3), (16, 4)];

fn rules(random: &mut Random) -> Vec<RecommendRule> {
    let mut rules = Vec::new();
    for number in 0..random.below(5) {
        rules.push(RecommendRule {
            rule_id: format!("rule-{number}"),
            action: Some(match random.below(4) {
                0 => Action::Exclude(true),
                1 => Action::Include(random.pick(&[0.25, 1.0, 4.0])),
                _ => Action::Boost(random.pick(&[-1.0, -0.5, 0.5, 0.5, 3.0])),
            }),
            filter: Some(filter(random, 2)),
            ..RecommendRule::default()
        });
    }
    rules
}

struct Shops {
    shop: Shop,
    near: Neighbours,
    /// With whether all items are scored.
    clusters: Vec<(Mixture, Cluster, bool)>,
    _bench: Bench,
}

async fn shops(seed: u64, rules: &[RecommendRule]) -> Shops {
    let shop = Shop::random(seed, 20, 50, 350);
    let bench = Bench::new(2);
    let (mut clusters, mut near) = (Vec::new(), Neighbours::new());
    for (shards, workers) in SHAPES {
        let mixture = Mixture::new(&shop, shards, &bench).await;
        let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
        let held: Vec<u16> = (0..shards).collect();
        versions.prepare(mixture.manifest.clone(), &held).expect("opens");
        let open = versions.newest_models(VERSION).expect("open").expect("trained");
        near = neighbours(&open, "item-cosine", shards);
        let is_full_scan = shards == 7;
        let scan_bytes = if is_full_scan { u64::MAX } else { 0 };
        let shape = Shape { shards, workers, scan_bytes };
        let cluster = Cluster::shaped(&shop, shape, rules, &bench, &mixture.manifest);
        clusters.push((mixture, cluster, is_full_scan));
    }
    Shops { shop, near, clusters, _bench: bench }
}

fn shape(item: &Recommendation) -> (String, Source, f64) {
    (item.item_id.clone(), item.source(), item.score)
}

fn check_reasons(item: &Recommendation) {
    let total: f64 = item.reasons.iter().map(|reason| reason.contribution).sum();
    let largest = item.reasons.iter().map(|reason| reason.contribution.abs());
    let scale = largest.fold(item.score.abs(), f64::max);
    assert!((total - item.score).abs() <= 1e-9 * scale, "{item:?}");
    let of_items = item.reasons.iter().filter(|reason| reason.kind() == Kind::HistoryItem);
    assert!(of_items.count() <= 5);
    let others: Vec<&str> = item
        .reasons
        .iter()
        .filter(|reason| reason.kind() == Kind::Other)
        .map(|reason| &*reason.name)
        .collect();
    assert!(others.iter().all(|name| ["p3", "ials"].contains(name)));
    assert!(others.windows(2).all(|pair| pair[0] != pair[1]), "{others:?}");
    let has = |code| item.reasons.iter().any(|reason| reason.code() == code);
    assert!(!has(Code::OfInterest) || !has(Code::Popular), "{item:?}");
    for reason in &item.reasons {
        let codes: &[Code] = match (reason.kind(), reason.name.as_str()) {
            (Kind::HistoryItem, "p3") => &[Code::ChosenByTheSame],
            (Kind::HistoryItem, _) => &[Code::FitsLikingFor],
            (Kind::Source, "fresh") => &[Code::InDemand],
            (Kind::Source, _) => &[Code::FitsHistory],
            // Of what nobody has bought nothing is said about buying.
            (Kind::Feature, "log-popularity") => &[Code::Popular, Code::OfInterest],
            (Kind::Feature, "log-price") => &[Code::HighPrice],
            (Kind::Feature, _) => &[Code::InStock],
            (Kind::Popularity, _) => &[Code::Popular, Code::PopularInCategory, Code::OfInterest],
            (Kind::Rule, _) => &[Code::Rule],
            (Kind::Other, _) => &[Code::RestOfHistory],
            (Kind::Users | Kind::Unspecified, _) => &[],
        };
        assert!(codes.contains(&reason.code()), "{reason:?}");
        match reason.kind() {
            Kind::HistoryItem => assert!(
                ["p3", "ials"].contains(&reason.name.as_str()) && !reason.item_id.is_empty()
            ),
            Kind::Source => assert!(["ials", "fresh"].contains(&reason.name.as_str())),
            Kind::Feature => assert!(reason.name.starts_with("log-") || reason.name == "in-stock"),
            Kind::Rule => assert!(reason.name.starts_with("rule-")),
            Kind::Other => assert_eq!(reason.item_id, ""),
            Kind::Popularity => assert_eq!(reason.name, ""),
            Kind::Users | Kind::Unspecified => panic!("{reason:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn equals_plain_loops_whatever_the_rules(seed: u64) {
        run(async {
            let mut random = Random::new(!seed);
            let rules = rules(&mut random);
            let shops = shops(seed, &rules).await;
            for _ in 0..12 {
                let question = Question { algorithm: "hybrid", ..question(&shops.shop, &mut random) };
                let eligible = eligible(&shops.shop, &question, &rules);
                let mut answers = Vec::new();
                for (mixture, cluster, is_full_scan) in &shops.clusters {
                    let profile = cluster.profile(&question, VERSION).await;
                    let mut expected = mixture.expected(
                        &shops.shop, &shops.near, &profile, &question, &rules, *is_full_scan,
                    );
                    expected.truncate(question.n);
                    let answer = cluster.score(&question, VERSION, profile).await;
                    let is_fill = |item: &&Recommendation| {
                        [Source::CategoryPopular, Source::Popular].contains(&item.source())
                    };
                    let scored: Vec<_> =
                        answer.iter().filter(|one| !is_fill(one)).map(shape).collect();
                    assert_eq!(scored, expected, "{question:?} {rules:?}");
                    // As many as there are, and none that must not be.
                    assert_eq!(answer.len(), eligible.len().min(question.n));
                    assert!(answer.iter().all(|item| eligible.contains(&item.item_id)));
                    answer.iter().for_each(check_reasons);
                    if !is_full_scan {
                        answers.push(answer);
                    }
                }
                assert_eq!(answers[0], answers[1]);
            }
        });
    }
}

#[tokio::test]
async fn a_source_of_a_hybrid_answers_for_itself() {
    let Shops { shop, clusters, .. } = shops(24, &[]).await;
    let question = plain(&shop, 0, "p3", 10);
    let cluster = &clusters[0].1;
    let profile = cluster.profile(&question, VERSION).await;
    let asked: Vec<(&str, f64)> =
        profile.sources.iter().map(|query| (&*query.algorithm, query.scale)).collect();
    assert_eq!(asked, [("p3", 1.0)]);
    let answer = cluster.score(&question, VERSION, profile).await;
    let scored: Vec<_> = answer.iter().filter(|one| one.source() == Source::Algorithm).collect();
    assert!(!scored.is_empty());
    for item in scored {
        let kinds: Vec<Kind> = item.reasons.iter().map(|reason| reason.kind()).collect();
        assert!(kinds.contains(&Kind::HistoryItem), "{item:?}");
        assert!(kinds.iter().all(|kind| [Kind::HistoryItem, Kind::Other].contains(kind)));
    }
}

#[tokio::test]
async fn rules_count_in_their_time_and_their_set() {
    let Shops { shop, clusters, .. } = shops(21, &[]).await;
    let question = plain(&shop, 0, "hybrid", 5);
    let best = clusters[0].1.recommend(&question, VERSION).await[0].item_id.clone();
    let filter = Some(super::items(&[best.as_str()]));
    let seconds = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let rule = RecommendRule {
        rule_id: "hide".into(),
        action: Some(Action::Exclude(true)),
        filter,
        start_time: seconds(10),
        end_time: seconds(20),
        rule_set: "spring".into(),
    };
    let bench = Bench::new(2);
    let mixture = Mixture::new(&shop, 7, &bench).await;
    let shape = Shape { shards: 7, workers: 2, scan_bytes: 0 };
    let cluster = Cluster::shaped(&shop, shape, &[rule], &bench, &mixture.manifest);
    for (now_ms, rule_set, is_hidden) in [
        (9_999, "spring", false),
        (10_000, "spring", true),
        (19_999, "spring", true),
        (20_000, "spring", false),
        (15_000, "", false),
        (15_000, "autumn", false),
    ] {
        let profile = cluster.profile(&question, VERSION).await;
        let mut found = Vec::new();
        for (held, worker) in &cluster.workers {
            let request = PartialRecommendRequest {
                now_ms,
                rule_set: rule_set.into(),
                ..cluster.request(held, &question, VERSION, &profile)
            };
            found.extend(
                worker.recommender.recommend(request, deadline()).await.expect("answers").items,
            );
        }
        let shows = found.iter().any(|item| item.item_id == best);
        assert_eq!(shows, !is_hidden, "{now_ms} {rule_set}");
    }
}

#[tokio::test]
async fn facts_for_reranking_are_live() {
    let mut shop = Shop::random(22, 20, 50, 350);
    for item in &mut shop.items {
        item.fields.list_price_micros = Some(10_000_000);
        item.fields.unit_cost_micros = Some(7_500_000);
        item.stock = vec![("default".into(), 3.0), ("north".into(), 1.0)];
    }
    let bench = Bench::new(2);
    let mixture = Mixture::new(&shop, 5, &bench).await;
    let shape = Shape { shards: 5, workers: 1, scan_bytes: 0 };
    let cluster = Cluster::shaped(&shop, shape, &[], &bench, &mixture.manifest);
    for (algorithm, has_vectors) in [("hybrid", true), ("popular", true)] {
        let question = plain(&shop, 1, algorithm, 9);
        let profile = cluster.profile(&question, VERSION).await;
        let (held, worker) = &cluster.workers[0];
        let request = PartialRecommendRequest {
            rerank_facts: true,
            ..cluster.request(held, &question, VERSION, &profile)
        };
        let answer = worker.recommender.recommend(request, deadline()).await.expect("answers");
        assert_eq!(answer.facts.len(), answer.items.len());
        for facts in &answer.facts {
            assert_eq!((facts.margin_share, facts.stock), (Some(0.25), Some(4.0)));
            assert_eq!(facts.cover_days, None, "demand was never trained");
            let length: f64 = facts.vector.iter().map(|&one| f64::from(one).powi(2)).sum();
            assert!(facts.vector.is_empty() || (length - 1.0).abs() < 1e-6);
            assert_eq!(facts.vector.is_empty(), !facts.labels.is_empty());
        }
        let with_vectors = answer.facts.iter().filter(|facts| !facts.vector.is_empty()).count();
        assert_eq!(with_vectors > 0, has_vectors);
    }
}
