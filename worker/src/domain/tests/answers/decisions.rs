//! Questions about a trained shop: the same answers for any number of shards and workers, and the
//! policies that training stored are those that a question gets.

use std::collections::BTreeMap;

use mercer_common::{
    manifest::part,
    rpc::status::{from_message, reason},
};
use mercer_proto::{
    google::rpc::Status,
    internal::{
        Answer, DecideRequest, DecisionDefaults, DemandSpec, ElasticitySpec, KindResults,
        ListShardPoliciesRequest, Phase, Question, TrainingSpec, answer::Answer as Said,
        question::Question as Asked,
    },
    v1::{
        ElasticityRequest, Event, ForecastRequest, ForecastSource, PolicyRequest, PolicyResponse,
        PriceRequest, ServiceTarget, SupplyTerms, service_target::Target,
    },
};

use super::*;
use crate::{
    domain::{decide, inventory::list_policies},
    shard::cut,
};

/// A shop over 60 days in which every item is sold now and then.
fn shop() -> Shop {
    let mut shop = Shop::random(8, 40, 50, 9_000);
    for (number, item) in shop.items.iter_mut().enumerate() {
        item.fields.unit_cost_micros = (number % 3 > 0).then_some(2_000_000);
    }
    // Too little for a forecast of its own.
    let sale = shop.events.iter().find(|event| event.r#type() == EventType::Purchase);
    let sale = Event { item_id: "item-new".into(), ..sale.expect("a purchase").clone() };
    shop.events.push(sale);
    shop.item_ids.push("item-new".into());
    shop
}

fn defaults() -> DecisionDefaults {
    DecisionDefaults {
        terms: Some(SupplyTerms {
            lead_time_days: Some(7.0),
            lead_time_deviation_days: Some(2.0),
            review_period_days: Some(7.0),
            holding_rate: Some(0.25),
            minimum_order_quantity: Some(1.0),
            pack_size: Some(6.0),
            maximum_cover_days: Some(180.0),
            service: Some(ServiceTarget { target: Some(Target::FillRate(0.97)) }),
            order_cost: Some(Money { units: 20, ..Default::default() }),
        }),
        demand_form: 1,
        price_extrapolation: 0.1,
        competitor_max_age_days: 30.0,
        ..DecisionDefaults::default()
    }
}

fn spec_of(shards: u16) -> TrainingSpec {
    TrainingSpec {
        kinds: ["demand", "elasticity", "inventory"].map(String::from).to_vec(),
        demand: Some(DemandSpec {
            lateness_days: 2,
            min_sale_days: 10,
            min_history_days: 28,
            min_history_sales: 8,
            horizon_days: 28,
            methods: ["naive", "ses", "croston"].map(String::from).to_vec(),
        }),
        elasticity: Some(ElasticitySpec {
            min_weeks: 6,
            poisson_zero_share: 0.1,
            prior_mean: -2.0,
            prior_deviation: 1.0,
        }),
        defaults: Some(defaults()),
        currency: "USD".into(),
        time_zone: "UTC".into(),
        ..spec(shards)
    }
}

/// The kinds of a version, from series to policies.
async fn train(shop: &Shop, shards: u16, bench: &Bench) -> VersionManifest {
    let id = format!("job-{shards}");
    for state in shop.states(shards) {
        cut::series::write(&state, &id, &bench.store).expect("written");
    }
    let mut job = Job::new(&id, spec_of(shards), &bench.runner);
    for shard in 0..shards.into() {
        job.task(Phase::Cut, shard, "series").await.expect("is written");
    }
    let kinds = ["demand", "elasticity"];
    for kind in kinds {
        for shard in 0..shards.into() {
            job.task(Phase::Estimates, shard, kind).await.expect("estimates");
        }
        job.task(Phase::Pool, 0, kind).await.expect("pools");
        for shard in 0..shards.into() {
            job.task(Phase::Results, shard, kind).await.expect("results");
        }
    }
    for shard in 0..shards.into() {
        job.task(Phase::Policies, shard, "inventory").await.expect("policies");
    }
    let results = |phase: Phase, kind: &str| {
        let files = (0..shards.into()).map(|shard| job.output(phase, shard, kind)).collect();
        let mut parts = vec![part::new(part::RESULTS, files)];
        if kinds.contains(&kind) {
            parts.push(part::new(part::POOL, vec![job.output(Phase::Pool, 0, kind)]));
        }
        KindResults { kind: kind.to_owned(), job_id: id.clone(), parts, ..KindResults::default() }
    };
    let mut kinds: Vec<_> = kinds.iter().map(|kind| results(Phase::Results, kind)).collect();
    kinds.push(results(Phase::Policies, "inventory"));
    VersionManifest { version: VERSION.into(), kinds, ..VersionManifest::default() }
}

struct Decided {
    shop: Shop,
    clusters: Vec<Cluster>,
    _bench: Bench,
}

async fn decided() -> Decided {
    let (shop, bench) = (shop(), Bench::new(2));
    let mut clusters = Vec::new();
    for (shards, workers) in [(1, 1), (7, 3), (16, 2)] {
        let manifest = train(&shop, shards, &bench).await;
        clusters.push(Cluster::new(&shop, shards, workers, &bench, &manifest));
    }
    Decided { shop, clusters, _bench: bench }
}

fn item_of(question: &Asked) -> &str {
    match question {
        Asked::Forecast(request) => &request.item_id,
        Asked::Price(request) => &request.item_id,
        Asked::Elasticity(request) => &request.item_id,
        Asked::Policy(request) => &request.item_id,
    }
}

impl Cluster {
    /// One call a worker, as a coordinator asks them; answers in the order of the questions.
    async fn decide(&self, questions: &[Asked]) -> Vec<Answer> {
        let mut answers = vec![None; questions.len()];
        for (held, worker) in &self.workers {
            let (mut places, mut own) = (Vec::new(), Vec::new());
            for (place, question) in questions.iter().enumerate() {
                let shard = self.layout.shard_of(Subject::Item, item_of(question));
                if held.contains(&shard) {
                    places.push(place);
                    own.push(Question {
                        shard: Some(ShardPosition { shard: shard.into(), sequence: 1 }),
                        question: Some(question.clone()),
                    });
                }
            }
            let request = DecideRequest {
                version: VERSION.into(),
                defaults: Some(defaults()),
                questions: own,
            };
            let response = decide(&worker.serving, request, deadline()).await.expect("answers");
            assert_eq!(response.answers.len(), places.len());
            for (place, answer) in places.into_iter().zip(response.answers) {
                answers[place] = Some(answer);
            }
        }
        answers.into_iter().map(|answer| answer.expect("every shard is held")).collect()
    }

    /// All policies, in pages of `limit` items.
    async fn policies(&self, limit: u32, orders_only: bool) -> Vec<PolicyResponse> {
        let mut policies = Vec::new();
        for shard in 0..self.layout.shards() {
            let worker = self.workers.iter().find(|(held, _)| held.contains(&shard));
            let (_, worker) = worker.expect("every shard is held");
            let mut after_id = String::new();
            loop {
                let request = ListShardPoliciesRequest {
                    shard: Some(ShardPosition { shard: shard.into(), sequence: 1 }),
                    version: VERSION.into(),
                    after_id: after_id.clone(),
                    limit,
                    orders_only,
                    defaults: None,
                };
                let page =
                    list_policies(&worker.serving, request, deadline()).await.expect("lists");
                policies.extend(page.policies);
                after_id = page.next_after_id;
                if after_id.is_empty() {
                    break;
                }
            }
        }
        policies
    }
}

/// The answer in a form in which sums over shards may differ in their last digits.
fn rounded(answer: &Answer) -> String {
    let shown = format!("{:?}", answer.answer);
    let is_number = |letter: char| letter.is_ascii_digit() || ".-e".contains(letter);
    let mut rounded = String::new();
    for part in shown.split_inclusive(|letter: char| !is_number(letter)) {
        let (text, end) = part.split_at(part.trim_end_matches(|l: char| !is_number(l)).len());
        match text.parse::<f64>() {
            Ok(number) if text.contains('.') => rounded += &format!("{number:.3e}"),
            _ => rounded += text,
        }
        rounded += end;
    }
    rounded
}

fn error(answer: &Answer) -> Option<&Status> {
    match &answer.answer {
        Some(Said::Error(error)) => Some(error),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_do_not_depend_on_shards_and_workers() {
    let Decided { shop, clusters, _bench } = decided().await;
    let mut questions = Vec::new();
    for id in shop.item_ids.iter().cloned().chain(["stranger".to_owned()]) {
        let item_id = || id.clone();
        let at = |location_id: &str| {
            let (item_id, location_id) = (item_id(), location_id.to_owned());
            Asked::Forecast(ForecastRequest { item_id, location_id, ..Default::default() })
        };
        questions.extend([at("*"), at("north"), at("nowhere")]);
        questions.push(Asked::Price(PriceRequest { item_id: item_id(), ..Default::default() }));
        let elasticity = ElasticityRequest { item_id: item_id(), ..Default::default() };
        questions.push(Asked::Elasticity(elasticity));
        questions.push(Asked::Policy(PolicyRequest { item_id: item_id(), ..Default::default() }));
    }
    let mut expected: Option<Vec<String>> = None;
    for cluster in &clusters {
        let answers = cluster.decide(&questions).await;
        let found: Vec<String> = answers.iter().map(rounded).collect();
        match &expected {
            None => expected = Some(found),
            Some(expected) => {
                for (found, expected) in found.iter().zip(expected) {
                    assert_eq!(found, expected);
                }
            }
        }
        let mut sources: BTreeMap<i32, u32> = BTreeMap::new();
        for (question, answer) in questions.iter().zip(&answers) {
            let (item, place) = match question {
                Asked::Forecast(request) => (&*request.item_id, &*request.location_id),
                other => (item_of(other), "*"),
            };
            let told = error(answer).map(|error| reason(&from_message(error)).unwrap_or_default());
            let expected = match (item, place) {
                ("stranger", _) => Some("ITEM_NOT_FOUND"),
                (_, "nowhere") => Some("LOCATION_NOT_FOUND"),
                // Items without stock there have never been named with it.
                (_, "north") if told.is_some() => Some("LOCATION_NOT_FOUND"),
                _ => None,
            };
            assert_eq!(told.as_deref(), expected, "{question:?}");
            if let Some(Said::Forecast(forecast)) = &answer.answer {
                assert_eq!((forecast.days.len(), &*forecast.version), (28, VERSION));
                *sources.entry(forecast.source).or_default() += 1;
            }
        }
        assert!(sources[&ForecastSource::OwnHistory.into()] > 20, "{sources:?}");
        assert!(sources[&ForecastSource::CategoryProfile.into()] > 0, "{sources:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_policies_are_the_answers_to_questions() {
    let Decided { clusters, _bench, .. } = decided().await;
    for cluster in &clusters {
        let listed = cluster.policies(1_000, false).await;
        assert_eq!(cluster.policies(3, false).await, listed, "pages");
        let key = |policy: &PolicyResponse| (policy.item_id.clone(), policy.location_id.clone());
        let sorted = listed.is_sorted_by(|left, right| {
            let items = compare(Subject::Item, &left.item_id, &right.item_id);
            items.then_with(|| left.location_id.cmp(&right.location_id)).is_lt()
        });
        assert!(sorted, "{:?}", listed.iter().map(key).collect::<Vec<_>>());
        let questions: Vec<Asked> = listed
            .iter()
            .map(|policy| {
                let (item_id, location_id) = key(policy);
                Asked::Policy(PolicyRequest { item_id, location_id, ..Default::default() })
            })
            .collect();
        let answers = cluster.decide(&questions).await;
        let mut central = 0;
        for (answer, listed) in answers.into_iter().zip(&listed) {
            let mut listed = listed.clone();
            if let Some(first) = listed.notes.first()
                && first.message.contains("planned for all locations")
            {
                listed.notes.remove(0);
                assert_eq!(listed.location_id, "*");
                central += 1;
            }
            assert_eq!(answer.answer, Some(Said::Policy(listed)));
        }
        // Their stock is in the north, and most of their sales are not.
        assert!(central > 2, "{central}");
        let orders: Vec<PolicyResponse> = listed
            .into_iter()
            .filter(|policy| policy.policy.as_ref().is_some_and(|it| it.order_quantity > 0.0))
            .collect();
        assert!(orders.len() > 5);
        assert_eq!(cluster.policies(4, true).await, orders);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_cannot_be_answered_fails_alone() {
    let Decided { shop, clusters, _bench } = decided().await;
    let cluster = &clusters[1];
    let item = &shop.item_ids[0];
    let (worker, position) = cluster.of(Subject::Item, item);
    let asked = Asked::Forecast(ForecastRequest { item_id: item.clone(), ..Default::default() });
    let question = |shard, sequence| Question {
        shard: Some(ShardPosition { shard, sequence }),
        question: Some(asked.clone()),
    };
    let ask = async |version: &str, questions: Vec<Question>, wait: std::time::Duration| {
        let request =
            DecideRequest { version: version.to_owned(), defaults: Some(defaults()), questions };
        decide(&worker.serving, request, Instant::now() + wait).await
    };
    let soon = std::time::Duration::from_millis(150);
    let held = &cluster.workers.iter().find(|(held, _)| held.contains(&(position.shard as u16)));
    let (held, _) = held.expect("every shard is held");
    let elsewhere = (0..7).find(|shard| !held.contains(shard)).expect("three workers");
    let lagging = held.iter().find(|shard| u32::from(**shard) != position.shard).expect("two");
    let questions = vec![
        question(position.shard, 1),
        question(elsewhere.into(), 1),
        question((*lagging).into(), 99),
        Question { shard: Some(position), question: None },
        Question { shard: None, question: Some(asked.clone()) },
        question(position.shard, 1),
    ];
    let answers = ask(VERSION, questions, soon).await.expect("answers").answers;
    let told: Vec<Option<String>> = answers
        .iter()
        .map(|answer| error(answer).map(|error| reason(&from_message(error)).unwrap_or_default()))
        .collect();
    let expected = [
        None,
        Some("NOT_HELD"),
        Some("SHARD_LAGGING"),
        Some("INVALID_REQUEST"),
        Some("INVALID_REQUEST"),
        None,
    ];
    assert_eq!(told, expected.map(|reason| reason.map(String::from)));
    assert_eq!(answers[0], answers[5]);

    let gone = ask("v9", vec![question(position.shard, 1)], soon).await.expect_err("gone");
    assert!(matches!(gone, ServeError::Version(VersionError::Gone { .. })), "{gone}");
    // Before the first training.
    let answers = ask("", vec![question(position.shard, 1)], soon).await.expect("answers").answers;
    let told = error(&answers[0]).expect("not trained");
    assert_eq!(reason(&from_message(told)).as_deref(), Some("NOT_TRAINED"));
}
