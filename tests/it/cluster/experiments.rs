//! An experiment on a cluster that loses a worker: what is reported is what was shown and done.

use std::collections::BTreeMap;

use mercer_common::clock::{Clock as _, SystemClock};
use mercer_proto::v1::{
    Arm, Event, EventType, Experiment, ExperimentState, Outcome, RecommendRequest,
    RecommendResponse, ReportRequest, SetExperimentRequest,
    experiment_service_client::ExperimentServiceClient,
    recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    catalogue,
    processes::{Processes, describe},
    workload::Workload,
};
use tonic::transport::Channel;

use super::BINARY;

const WORKLOAD: Workload = Workload { users: 60, items: 60, seed: 11 };
const NAME: &str = "cosine or walks";

fn arm(arm_id: &str, algorithm: &str, exploration: f64) -> Arm {
    Arm {
        arm_id: arm_id.into(),
        algorithm: algorithm.into(),
        weight: 1,
        exploration,
        ..Arm::default()
    }
}

async fn set(channel: &Channel, state: ExperimentState) -> anyhow::Result<()> {
    let arms = vec![arm("walks", "p3", 0.0), arm("cosine", "item-cosine", 0.5)];
    let experiment = Experiment {
        experiment_id: NAME.into(),
        arms,
        state: state.into(),
        ..Experiment::default()
    };
    let message = SetExperimentRequest { experiment: Some(experiment) };
    ExperimentServiceClient::new(channel.clone()).set_experiment(request(message)).await?;
    Ok(())
}

async fn ask(channel: &Channel, user_id: &str) -> anyhow::Result<RecommendResponse> {
    let message = RecommendRequest {
        user_id: user_id.into(),
        experiment_id: NAME.into(),
        n: 5,
        ..RecommendRequest::default()
    };
    let mut client = RecommendServiceClient::new(channel.clone());
    Ok(client.recommend(request(message)).await?.into_inner())
}

fn now() -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: SystemClock.now_ms() / 1_000, nanos: 0 }
}

/// What an arm should report.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    exposures: u64,
    users: u64,
    clicks: u64,
    clicking_users: u64,
    explored: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_what_was_shown_and_done_though_a_worker_dies() -> anyhow::Result<()> {
    let mut cluster = Processes::cluster(BINARY, 3)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    let mut tokens = catalogue::set_up(&channel, WORKLOAD.items).await?;
    tokens.extend(answers::record(&channel, WORKLOAD.events(4_000)).await?);
    describe(cluster.endpoint(), tokens).await?;
    answers::train(&channel, &["similarity"]).await?;
    set(&channel, ExperimentState::Running).await?;

    // Everybody is shown two lists; every third user clicks the first item of both and the last
    // item of the second.
    let (mut expected, mut arms, mut tokens) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut clicks = Vec::new();
    for user in 0..WORKLOAD.users {
        let user_id = format!("user-{user}");
        let lists = [ask(&channel, &user_id).await?, ask(&channel, &user_id).await?];
        assert_eq!(lists[0].arm_id, lists[1].arm_id, "{user_id} belongs to one arm");
        let algorithm = if lists[0].arm_id == "walks" { "p3" } else { "item-cosine" };
        assert_eq!(lists[0].algorithm, algorithm);
        let arm: &mut Expected = expected.entry(lists[0].arm_id.clone()).or_default();
        arm.users += 1;
        arm.exposures += 2;
        for list in &lists {
            let last = list.items.last().expect("five items");
            arm.explored += u64::from(last.explored);
            assert!(list.items[..4].iter().all(|item| item.propensity == 1.0 && !item.explored));
            assert_eq!(last.propensity < 1.0, algorithm == "item-cosine");
        }
        let click = |list: &RecommendResponse, place: usize| Event {
            r#type: EventType::Click.into(),
            user_id: Some(user_id.clone()),
            item_id: list.items[place].item_id.clone(),
            event_time: Some(now()),
            attribution_token: Some(list.attribution_token.clone()),
            ..Event::default()
        };
        if user % 3 == 0 {
            arm.clicks += 3;
            arm.clicking_users += 1;
            // Twice the same counts once.
            clicks.extend([click(&lists[0], 0), click(&lists[0], 0), click(&lists[1], 0)]);
            clicks.push(click(&lists[1], 4));
        }
        arms.insert(user_id, lists[0].arm_id.clone());
        tokens.extend(lists.into_iter().map(|list| list.token));
    }
    assert_eq!(expected.len(), 2, "both arms have users: {expected:?}");
    assert!(expected["cosine"].explored > 0 && expected["walks"].explored == 0);

    // A worker dies before the clicks are counted, and recovers from the log.
    cluster.kill(1)?;
    tokens.extend(answers::record(&channel, clicks).await?);
    cluster.restart(1)?;
    cluster.wait_until_serving().await?;
    describe(cluster.endpoint(), tokens.split_off(tokens.len().saturating_sub(64))).await?;

    let mut experiments = ExperimentServiceClient::new(channel.clone());
    let message = ReportRequest { experiment_id: NAME.into(), ..ReportRequest::default() };
    let report = experiments.report(request(message.clone())).await?.into_inner();
    assert!(report.sample_ratio_probability > 0.001, "{report:?}");
    let reported = report.arms.iter().map(|arm| {
        let of_clicks = arm.outcomes.iter().find(|one| one.outcome() == Outcome::Click);
        let of_clicks = of_clicks.expect("clicks are reported");
        let interval = of_clicks.user_rate.expect("an interval");
        assert!(interval.low <= interval.estimate && interval.estimate <= interval.high);
        assert_eq!(interval.estimate, of_clicks.users as f64 / arm.users as f64);
        let found = Expected {
            exposures: arm.exposures,
            users: arm.users,
            clicks: of_clicks.count,
            clicking_users: of_clicks.users,
            explored: arm.exploration.as_ref().map_or(0, |one| one.explored_exposures),
        };
        (arm.arm_id.clone(), found)
    });
    assert_eq!(reported.collect::<BTreeMap<_, _>>(), expected);

    // Nobody changes sides; whom nobody knows is not counted; and a stopped experiment is over.
    for (user_id, arm) in arms.iter().take(10) {
        assert_eq!(&ask(&channel, user_id).await?.arm_id, arm);
    }
    let shown = ask(&channel, "a stranger").await?;
    assert_eq!((shown.arm_id.as_str(), shown.algorithm.as_str()), ("walks", "p3"));
    set(&channel, ExperimentState::Stopped).await?;
    assert_eq!(ask(&channel, "user-0").await?.arm_id, "");
    let report = experiments.report(request(message)).await?.into_inner();
    let exposures: u64 = report.arms.iter().map(|arm| arm.exposures).sum();
    assert_eq!(exposures, 2 * WORKLOAD.users + 10);
    Ok(())
}
