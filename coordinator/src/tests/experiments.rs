//! Experiments through the API: definitions, arms, what is logged, reports.

use std::collections::BTreeSet;

use mercer_common::{
    event::attribution_hash,
    slot::{ShardLayout, Subject},
};
use mercer_proto::{
    internal::{Exposure, StoredOutcome, StoredTally, mutation::Kind as Mutation},
    v1::{
        Arm, DeleteExperimentRequest, Experiment, ExperimentState, GetExperimentRequest,
        ListExperimentsRequest, RecommendRequest, RecommendResponse, ReportRequest, Reranking,
        SetExperimentRequest, experiment_service_client::ExperimentServiceClient,
    },
};
use tonic::{Code, Status, transport::Channel};

use super::{TestCluster, details, recommend::cluster};

fn service(cluster: &TestCluster) -> ExperimentServiceClient<Channel> {
    ExperimentServiceClient::new(cluster.channel.clone())
}

fn arm(arm_id: &str, weight: u32) -> Arm {
    Arm { arm_id: arm_id.into(), weight, ..Arm::default() }
}

/// Half of the users see what is popular in a list whose last place is mostly drawn.
fn experiment() -> Experiment {
    let treated = Arm {
        algorithm: "popular".into(),
        rule_set: "winter".into(),
        exploration: 0.75,
        ..arm("treated", 1)
    };
    Experiment {
        experiment_id: "lists".into(),
        arms: vec![arm("control", 1), treated],
        ..Experiment::default()
    }
}

async fn set(cluster: &TestCluster, experiment: Experiment) -> Result<Experiment, Status> {
    let request = SetExperimentRequest { experiment: Some(experiment) };
    service(cluster).set_experiment(request).await.map(tonic::Response::into_inner)
}

async fn ask(cluster: &TestCluster, user_id: &str) -> Result<RecommendResponse, Status> {
    let request = RecommendRequest {
        user_id: user_id.into(),
        session_items: if user_id.is_empty() { vec!["item-1".into()] } else { Vec::new() },
        n: 3,
        experiment_id: "lists".into(),
        ..RecommendRequest::default()
    };
    cluster.recommend().recommend(request).await.map(tonic::Response::into_inner)
}

fn exposures(cluster: &TestCluster) -> Vec<(u16, Exposure)> {
    let sections = cluster.log.sections().into_iter();
    sections.flat_map(|(shard, one)| one.exposures.into_iter().map(move |e| (shard, e))).collect()
}

#[tokio::test]
async fn bad_definitions_are_named_by_field() {
    let cluster = TestCluster::start(0).await;
    let with = |change: fn(&mut Experiment)| {
        let mut experiment = experiment();
        change(&mut experiment);
        experiment
    };
    let treated = "experiment.arms[1]";
    for (bad, field) in [
        (with(|e| e.experiment_id.clear()), "experiment.experiment_id".to_owned()),
        (with(|e| e.arms[1].arm_id = "a\u{9b}".into()), format!("{treated}.arm_id")),
        (with(|e| e.state = 7), "experiment.state".into()),
        (with(|e| e.arms.truncate(1)), "experiment.arms".into()),
        (with(|e| e.arms.iter_mut().for_each(|arm| arm.weight = 0)), "experiment.arms".into()),
        (with(|e| e.arms[1].arm_id = "control".into()), format!("{treated}.arm_id")),
        (with(|e| e.arms[1].weight = 1_000_001), format!("{treated}.weight")),
        (with(|e| e.arms[1].exploration = f64::NAN), format!("{treated}.exploration")),
        (with(|e| e.arms[1].exploration = 1.5), format!("{treated}.exploration")),
        (with(|e| e.arms[1].algorithm = "slime".into()), format!("{treated}.algorithm")),
        (with(|e| e.arms[1].rule_set = "a\n".into()), format!("{treated}.rule_set")),
        (with(|e| e.arms[1].version = "v1".into()), format!("{treated}.version")),
        (
            with(|e| e.arms[1].reranking = Some(Reranking { margin: -1.0, ..Default::default() })),
            format!("{treated}.reranking.margin"),
        ),
    ] {
        let status = set(&cluster, bad).await.expect_err(&field);
        let (code, _, fields) = details(&status);
        assert_eq!((code, fields), (Code::InvalidArgument, vec![field]), "{status:?}");
    }
    let many = (0..17).map(|number| arm(&number.to_string(), 1)).collect();
    let status = set(&cluster, Experiment { arms: many, ..experiment() }).await.expect_err("many");
    assert_eq!(details(&status).2, ["experiment.arms"]);
    let report = ReportRequest { experiment_id: "lists".into(), confidence: 1.0, tokens: vec![] };
    let status = service(&cluster).report(report).await.expect_err("too sure");
    assert_eq!(details(&status).2, ["confidence"]);
}

#[tokio::test]
async fn definitions_outlive_the_coordinator_and_keep_their_arms() {
    let mut cluster = TestCluster::start(0).await;
    let stored = set(&cluster, experiment()).await.expect("created");
    assert_eq!(stored.state(), ExperimentState::Running);
    assert!(stored.create_time.is_some());
    cluster.restart().await;
    let get = || GetExperimentRequest { experiment_id: "lists".into() };
    let found = service(&cluster).get_experiment(get()).await.expect("kept").into_inner();
    assert_eq!(found, stored);
    let mut other = experiment();
    other.arms[0].weight = 2;
    let status = set(&cluster, other).await.expect_err("refused");
    assert_eq!(
        (details(&status).0, details(&status).1.as_str()),
        (Code::FailedPrecondition, "EXPERIMENT_ARMS_DIFFER")
    );
    let stopped = Experiment { state: ExperimentState::Stopped.into(), ..experiment() };
    let stopped = set(&cluster, stopped).await.expect("stopped");
    assert_eq!(stopped.create_time, stored.create_time);
    for _ in 0..2 {
        let request = DeleteExperimentRequest { experiment_id: "lists".into() };
        service(&cluster).delete_experiment(request).await.expect("deleted");
    }
    let status = service(&cluster).get_experiment(get()).await.expect_err("gone");
    assert_eq!(details(&status).1, "EXPERIMENT_NOT_FOUND");
    let listed = service(&cluster).list_experiments(ListExperimentsRequest {}).await;
    assert_eq!(listed.expect("listed").into_inner().experiments, []);
    // Every shard forgets.
    let forgotten = cluster.log.sections().into_iter().flat_map(|(_, section)| section.mutations);
    let forgotten: Vec<Option<Mutation>> = forgotten.map(|mutation| mutation.kind).collect();
    assert_eq!(forgotten, vec![Some(Mutation::ForgetExperiment("lists".into())); 8]);
    for number in 0..100 {
        let experiment_id = format!("e{number}");
        set(&cluster, Experiment { experiment_id, ..experiment() }).await.expect("created");
    }
    let status = set(&cluster, experiment()).await.expect_err("full");
    assert_eq!(details(&status).1, "EXPERIMENTS_EXHAUSTED");
}

#[tokio::test]
async fn what_a_known_user_is_shown_is_logged_before_they_see_it() {
    let cluster = cluster().await;
    let status = ask(&cluster, "anna").await.expect_err("unknown");
    assert_eq!(details(&status).1, "EXPERIMENT_NOT_FOUND");
    set(&cluster, experiment()).await.expect("created");
    let (mut arms, mut drawn) = (BTreeSet::new(), 0);
    for number in 0..40 {
        let user_id = format!("user-{number}");
        let response = ask(&cluster, &user_id).await.expect("answered");
        let (shard, exposure) = exposures(&cluster).pop().expect("logged");
        let ids: Vec<String> = response.items.iter().map(|item| item.item_id.clone()).collect();
        let last = response.items.last().expect("three");
        assert_eq!(shard, ShardLayout::new(4).shard_of(Subject::User, &user_id));
        assert_eq!((&exposure.user_id, &exposure.arm_id), (&user_id, &response.arm_id));
        assert_eq!(exposure.attribution, attribution_hash(&response.attribution_token));
        assert_eq!((exposure.item_ids, exposure.explored), (ids.clone(), last.explored));
        assert!(exposure.propensity == last.propensity && exposure.time > 900_000_000);
        // The same user, the same arm.
        assert_eq!(ask(&cluster, &user_id).await.expect("answered").arm_id, response.arm_id);
        let treated = response.arm_id == "treated";
        assert_eq!(ids[..2], ["item-39", "item-38"]);
        let among: usize = ids[2]["item-".len()..].parse().expect("a number");
        // Of rank 4 to 12 where it is drawn.
        assert!(if last.explored { (28..37).contains(&among) } else { among == 37 }, "{among}");
        let expected = match (treated, last.explored) {
            (false, _) => 1.0,
            (true, false) => 0.25,
            (true, true) => 0.75 / 9.0,
        };
        assert!((last.propensity - expected).abs() < 1e-12 && (treated || !last.explored));
        drawn += usize::from(last.explored);
        arms.insert(response.arm_id);
    }
    assert!(arms.len() == 2 && drawn > 3, "{arms:?} {drawn}");
    let asked = cluster.workers[0].script.lock().recommended.clone();
    let of_treated = asked.iter().filter(|one| one.rule_set == "winter");
    assert!(of_treated.clone().all(|one| one.algorithm == "popular" && one.n >= 4));
    assert!(of_treated.count() > 0);
}

#[tokio::test]
async fn who_is_not_known_gets_the_control_and_is_not_logged() {
    let cluster = cluster().await;
    set(&cluster, experiment()).await.expect("created");
    for worker in &cluster.workers {
        worker.script.lock().known = false;
    }
    for user in (0..20).map(|number| format!("user-{number}")).chain([String::new()]) {
        let response = ask(&cluster, &user).await.expect("answered");
        assert_eq!(response.arm_id, "control");
        assert_eq!(response.items[2].item_id, "item-37");
        assert_ne!(response.algorithm, "popular");
    }
    // Nor does a stopped experiment decide anything.
    for worker in &cluster.workers {
        worker.script.lock().known = true;
    }
    let stopped = Experiment { state: ExperimentState::Stopped.into(), ..experiment() };
    set(&cluster, stopped).await.expect("stopped");
    for number in 0..20 {
        let response = ask(&cluster, &format!("user-{number}")).await.expect("answered");
        assert_eq!((response.arm_id.as_str(), response.items[2].propensity), ("", 0.0));
    }
    assert_eq!(exposures(&cluster), []);
}

#[tokio::test]
async fn a_report_adds_up_all_shards_or_fails() {
    let cluster = cluster().await;
    set(&cluster, experiment()).await.expect("created");
    for (worker, users) in cluster.workers.iter().zip([100, 300]) {
        let outcome =
            StoredOutcome { count: users / 10, users: users / 20, ..StoredOutcome::default() };
        let tally = |arm: &str| StoredTally {
            experiment_id: "lists".into(),
            arm_id: arm.into(),
            exposures: 2 * users,
            users,
            outcomes: vec![outcome; 3],
            ..StoredTally::default()
        };
        worker.script.lock().tallies = vec![tally("control"), tally("treated")];
    }
    let request = || ReportRequest { experiment_id: "lists".into(), ..ReportRequest::default() };
    let report = service(&cluster).report(request()).await.expect("reported").into_inner();
    assert_eq!((report.confidence, report.sample_ratio_probability), (0.95, 1.0));
    for arm in &report.arms {
        assert_eq!((arm.users, arm.exposures, arm.outcomes[2].count), (400, 800, 40));
        let rate = arm.outcomes[2].user_rate.expect("a rate");
        assert!(rate.estimate == 0.05 && rate.low < 0.05 && rate.high > 0.05);
    }
    let missing = cluster.workers[0].script.lock().shards[0];
    cluster.workers[0].script.lock().recovering.insert(missing);
    let status = service(&cluster).report(request()).await.expect_err("a shard is missing");
    assert_eq!(details(&status).1, "SHARD_UNAVAILABLE");
}

#[tokio::test]
async fn arms_compare_versions_which_stay_kept() {
    let mut cluster = TestCluster::with(1, |config| config.training.keep_versions = 1).await;
    cluster.train(&["p3"]).await;
    let treated = Arm { version: "v1".into(), algorithm: "p3".into(), ..arm("treated", 1) };
    let experiment = Experiment { arms: vec![arm("control", 0), treated], ..experiment() };
    set(&cluster, experiment.clone()).await.expect("created");
    cluster.restart().await;
    cluster.until_live(1).await;
    for _ in 0..2 {
        cluster.train(&["p3"]).await;
    }
    assert_eq!(ask(&cluster, "anna").await.expect("answered").version, "v1");
    let stopped = Experiment { state: ExperimentState::Stopped.into(), ..experiment.clone() };
    set(&cluster, stopped).await.expect("stopped");
    cluster.train(&["p3"]).await;
    // Retired by now, so that nobody can run it again.
    let status = set(&cluster, experiment).await.expect_err("refused");
    assert_eq!(details(&status).2, ["experiment.arms[1].version"]);
}
