//! Every family of algorithms, trained by its own tasks and answered by clusters of any shape.

use mercer_common::manifest::part;
use mercer_proto::{
    internal::{
        GetProfileRequest, KnownUsersRequest, Model, ModelSet, Part, Phase, RepurchaseSpec,
        SimilarShardUsersRequest, SimilaritySpec, VersionManifest,
    },
    v1::{
        Source,
        reason::{Code, Kind},
    },
};

use super::{
    ServeError, VERSION,
    cluster::{Cluster, Shape, at, deadline},
    plain,
    reference::Question,
};
use crate::domain::recommend::training::{
    Bench,
    everything::{shop, train, whole_spec},
    reference,
    shop::Job,
};
use mercer_common::slot::Subject;

const SHARDS: u16 = 7;
const NEIGHBOURS: [&str; 4] = ["item-transitions", "bought-together", "content", "slim"];
const TRENDS: [&str; 3] = ["fresh", "trending", "new"];

/// Regroups what was trained, and puts it together as a coordinator does.
async fn manifest(job: &mut Job<'_>) -> VersionManifest {
    let shards = job.spec.shard_count;
    for algorithm in NEIGHBOURS.into_iter().chain(["ials"]) {
        for shard in 0..shards {
            job.task(Phase::Postings, shard, algorithm).await.expect("regroups");
        }
    }
    for algorithm in NEIGHBOURS {
        job.task(Phase::Norms, 0, algorithm).await.expect("measures");
    }
    let one = |name, phase, algorithm: &str| part::new(name, vec![job.output(phase, 0, algorithm)]);
    let by_shard = |name, phase, algorithm: &str| {
        let files = (0..shards).map(|shard| job.output(phase, shard, algorithm));
        part::new(name, files.collect())
    };
    let model = |algorithm: &str, parts: Vec<Part>| Model {
        algorithm: algorithm.into(),
        parts,
        ..Model::default()
    };
    let mut models = Vec::new();
    for algorithm in NEIGHBOURS.into_iter().chain(["ials"]) {
        // The weights of factors' neighbours are no scores.
        let second = match algorithm {
            "ials" => one(part::SIDE, Phase::Side, algorithm),
            _ => one(part::NORMS, Phase::Norms, algorithm),
        };
        models.push(model(
            algorithm,
            vec![by_shard(part::POSTINGS, Phase::Postings, algorithm), second],
        ));
    }
    for algorithm in TRENDS.into_iter().chain(["repurchase"]) {
        models.push(model(algorithm, vec![one(part::SCORES, Phase::Scores, algorithm)]));
    }
    let columns = by_shard(part::COLUMNS, Phase::Columns, "");
    let rows = by_shard(part::ROWS, Phase::Rows, "user-cosine");
    models.push(model("user-cosine", vec![columns, rows]));
    models.push(model("hybrid", vec![one(part::LEARNED, Phase::Learn, "")]));
    let set = ModelSet {
        job_id: job.id.to_owned(),
        spec: Some(job.spec.clone()),
        item_table: Some(job.output(Phase::Dictionary, 0, "")),
        models,
        ..ModelSet::default()
    };
    VersionManifest { version: VERSION.into(), model_sets: vec![set], ..Default::default() }
}

#[tokio::test]
async fn all_families_answer_alike_wherever_the_shards_are() {
    let shop = shop();
    let bench = Bench::new(2);
    let mut spec = whole_spec(SHARDS);
    spec.similarity = Some(SimilaritySpec { user_neighbours: 20, ..SimilaritySpec::default() });
    // Everything is new.
    spec.trends.as_mut().expect("has trends").new_days = 1_000.0;
    let mut job = Job::new("families", spec.clone(), &bench.runner);
    train(&mut job, &shop.states(SHARDS), &bench.store).await;
    let manifest = manifest(&mut job).await;
    let cluster = |workers, scan_bytes| {
        let shape = Shape { shards: SHARDS, workers, scan_bytes };
        Cluster::shaped(&shop, shape, &[], &bench, &manifest)
    };
    let clusters = [cluster(1, 0), cluster(3, 0)];
    let scanning = cluster(2, u64::MAX);

    let others = ["ials", "repurchase", "user-cosine", "hybrid"];
    for algorithm in NEIGHBOURS.into_iter().chain(TRENDS).chain(others) {
        let mut scored = 0;
        for user in shop.user_ids.iter().take(12) {
            let question = Question {
                user: user.clone(),
                session: vec![shop.item_ids[5].clone()],
                n: 8,
                algorithm,
                exclude_purchased: false,
                filter: None,
            };
            let answer = clusters[0].recommend(&question, VERSION).await;
            assert_eq!(answer, clusters[1].recommend(&question, VERSION).await, "{algorithm}");
            assert_eq!(answer.len(), 8, "{algorithm}");
            for item in answer.iter().filter(|item| item.source() == Source::Algorithm) {
                scored += 1;
                let total: f64 = item.reasons.iter().map(|one| one.contribution).sum();
                assert!((total - item.score).abs() < 1e-6 * (1.0 + item.score.abs()), "{item:?}");
                let kinds: Vec<Kind> = item.reasons.iter().map(|one| one.kind()).collect();
                let is_expected = match algorithm {
                    "user-cosine" => kinds == [Kind::Users],
                    "repurchase" | "fresh" | "trending" | "new" => kinds == [Kind::Source],
                    _ => kinds.contains(&Kind::HistoryItem),
                };
                assert!(is_expected, "{algorithm} {item:?}");
                for reason in &item.reasons {
                    let source = if algorithm == "hybrid" { &reason.name } else { algorithm };
                    let expected = match (reason.kind(), source) {
                        (Kind::Other, _) => Code::RestOfHistory,
                        (Kind::HistoryItem, "item-transitions") => Code::OftenBoughtAfter,
                        (Kind::HistoryItem, "bought-together") => Code::OftenBoughtWith,
                        (Kind::HistoryItem, "content") => Code::SimilarTo,
                        (Kind::HistoryItem, "ials" | "als") => Code::FitsLikingFor,
                        (_, "ials" | "als") => Code::FitsHistory,
                        (_, "user-cosine") => Code::ChosenBySimilarUsers,
                        (_, "repurchase") => Code::DueAgain,
                        (_, "fresh") => Code::InDemand,
                        (_, "trending") => Code::Rising,
                        (_, "new") => Code::New,
                        (_, "log-popularity") => Code::Popular,
                        (_, "log-price") => Code::HighPrice,
                        (_, "in-stock") => Code::InStock,
                        _ => Code::ChosenByTheSame,
                    };
                    assert_eq!(reason.code(), expected, "{algorithm} {reason:?}");
                }
            }
        }
        assert!(scored > 0, "{algorithm}");
    }

    // Scanning finds at least as good items as candidates do.
    let question = Question { exclude_purchased: true, ..plain(&shop, 3, "ials", 5) };
    let few = clusters[0].recommend(&question, VERSION).await;
    let all = scanning.recommend(&question, VERSION).await;
    assert!(all.iter().zip(&few).all(|(all, few)| all.score >= few.score));

    // Repeat purchases are scored as the job was told.
    let rate_alone = RepurchaseSpec { due_exponent: 0.0, ..spec.repurchase.expect("is said") };
    let mut other = manifest.clone();
    other.model_sets[0].spec.as_mut().expect("is said").repurchase = Some(rate_alone);
    let shape = Shape { shards: SHARDS, workers: 1, scan_bytes: 0 };
    let other = Cluster::shaped(&shop, shape, &[], &bench, &other);
    let mut scores = Vec::new();
    for cluster in [&clusters[0], &other] {
        let answer = cluster.recommend(&plain(&shop, 3, "repurchase", 5), VERSION).await;
        scores.push(answer.iter().map(|item| item.score).collect::<Vec<_>>());
    }
    assert_ne!(scores[0], scores[1]);

    // What is like an item, where that can be said.
    for (algorithm, can) in
        [("ials", true), ("content", true), ("fresh", false), ("user-cosine", false)]
    {
        let item = &shop.item_ids[2];
        let (worker, shard) = clusters[1].of(Subject::Item, item);
        let request = GetProfileRequest {
            shard: Some(shard),
            version: VERSION.into(),
            similar_item: item.clone(),
            algorithm: algorithm.into(),
            ..Default::default()
        };
        match worker.recommender.get_profile(request, deadline()).await {
            Ok(profile) => assert!(can && profile.sources[0].vector.is_empty(), "{algorithm}"),
            Err(error) => {
                assert!(!can && matches!(error, ServeError::Invalid(_)), "{algorithm} {error}");
            }
        }
    }

    // Cosines of users, by plain loops over the signed sums of the live history.
    let sums = reference::sums(&shop, &spec);
    for user in shop.user_ids.iter().take(6) {
        let Some(own) = sums.get(user) else { continue };
        let own: Vec<(&String, f64)> = own
            .iter()
            .filter(|(_, sum)| **sum != 0.0)
            .map(|(id, sum)| (id, sum.signum()))
            .collect();
        let cosine = |other: &str| {
            let other: Vec<&String> =
                sums[other].iter().filter(|(_, sum)| **sum > 0.0).map(|(id, _)| id).collect();
            let common = own.iter().filter(|(id, _)| other.contains(id)).map(|(_, sign)| sign);
            common.sum::<f64>() / ((own.len() * other.len()) as f64).sqrt()
        };
        let others = sums.keys().filter(|other| *other != user);
        let best = others.map(|other| cosine(other)).fold(0.0, f64::max);
        let mut answers = Vec::new();
        for cluster in &clusters {
            let (worker, shard) = cluster.of(Subject::User, user);
            let request = SimilarShardUsersRequest {
                shard: Some(shard),
                version: VERSION.into(),
                algorithm: "user-cosine".into(),
                user_id: user.clone(),
                n: 4,
            };
            let answer =
                worker.recommender.similar_users(request, deadline()).await.expect("answers");
            assert!(answer.known && answer.users.len() <= 4);
            for found in &answer.users {
                assert_ne!(found.user_id, *user);
                assert!((found.similarity - cosine(&found.user_id)).abs() < 1e-6);
            }
            assert!((answer.users[0].similarity - best).abs() < 1e-6);
            answers.push(answer.users);
        }
        assert_eq!(answers[0], answers[1]);
    }

    let (held, worker) = &clusters[1].workers[0];
    let user_ids = shop.user_ids.iter().cloned().chain(["nobody".into()]).collect();
    let request = KnownUsersRequest { shards: at(held), user_ids };
    let known = worker.serving.known_users(request, deadline()).await.expect("answers").user_ids;
    for id in &shop.user_ids {
        let shard = clusters[1].layout.shard_of(Subject::User, id);
        let is_expected = held.contains(&shard) && sums.contains_key(id);
        assert!(!is_expected || known.contains(id), "{id}");
    }
    assert!(!known.contains(&"nobody".into()));
}
