//! Trains everything on a small shop, in the order of phases.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_algorithms::recommend::{similarity::Neighbours, trends::Trend};
use mercer_common::artifact::ArtifactStore;
use mercer_proto::internal::{
    self, ContentSpec, FactorSpec, LearnSpec, LinearSpec, Phase, RepurchaseSpec, RunTaskResponse,
    TransitionSpec, TrendSpec,
};

use super::shop::{Job, Random, Shop, spec, write_cuts};
use crate::{
    artifact::{
        EncodedUsers, FactorSide, ItemScores, ItemTable, ItemUsers, RepurchaseModel, UserRows,
        UserSequences, read_message,
    },
    compute::Compute,
    shard::{ShardState, cut},
    task::{TaskRunner, TrainingError},
};

pub(super) const ORDERS: [&str; 2] = ["item-transitions", "bought-together"];
pub(super) const ITERATIONS: u32 = 2;

pub(crate) fn whole_spec(shards: u16) -> internal::TrainingSpec {
    let mut spec = spec(shards);
    spec.algorithms =
        ["bought-together", "hybrid", "ials", "item-transitions", "p3"].map(str::to_owned).into();
    spec.top_k = 12;
    spec.factors = Some(FactorSpec {
        dimensions: 6,
        iterations: ITERATIONS,
        unobserved_weight: 0.1,
        regularization: 0.02,
        frequency_exponent: 0.5,
        steps: 3,
        seed: 5,
        neighbours: 7,
    });
    spec.linear = Some(LinearSpec {
        ease_regularization: 3.0,
        exact_items: 1_000,
        neighbourhood: 8,
        slim_l1: 0.01,
        slim_l2: 0.5,
    });
    spec.transitions = Some(TransitionSpec { decay: 0.6, max_gap: 5, min_support: 1 });
    spec.content = Some(ContentSpec {
        min_items: 1,
        max_share: 1.0,
        attribute_weight: 2.0,
        embedding_weight: 0.4,
    });
    spec.trends =
        Some(TrendSpec { fresh_half_life_days: 9.0, trend_window_days: 6.0, new_days: 50.0 });
    spec.learn = Some(LearnSpec {
        sources: ["ials", "item-transitions", "slim"].map(str::to_owned).into(),
        users: 60,
        events: 10_000,
        length: 5,
        holdout_days: 0.0,
        repeats: true,
        seed: 3,
    });
    spec.repurchase =
        Some(RepurchaseSpec { half_life_days: 20.0, horizon_days: 5.0, due_exponent: 1.5 });
    spec
}

pub(crate) fn shop() -> Shop {
    let mut shop = Shop::random(11, 80, 60, 2_500);
    let mut random = Random::new(3);
    for item in &mut shop.items {
        item.fields.description = random.pick(&["ripe and red", "a red saw", "", "ripe"]).into();
        let numbers = random.pick(&[0, 3, 3, 3, 5]);
        item.fields.embedding = (0..numbers).map(|_| random.below(9) as f32 - 4.0).collect();
    }
    shop
}

pub(super) async fn step(
    job: &mut Job<'_>,
    phase: Phase,
    shard: u32,
    algorithm: &str,
    step: u32,
) -> Result<RunTaskResponse, Arc<TrainingError>> {
    let mut request = job.request(phase, shard, algorithm);
    request.task.as_mut().expect("is a task").step = step;
    let deadline = Instant::now() + Duration::from_secs(60);
    let response = job.runner.run(request, deadline).await?;
    job.outputs.push(internal::TaskInput {
        phase: phase.into(),
        shard,
        algorithm: algorithm.to_owned(),
        step,
        artifact: response.output.clone(),
    });
    Ok(response)
}

/// Runs every task of all algorithms in the order of phases.
pub(crate) async fn train(job: &mut Job<'_>, states: &[ShardState], store: &ArtifactStore) {
    write_cuts(states, job.id, store);
    for state in states {
        cut::content::write(state, job.id, store).expect("written");
        cut::users::write(state, job.id, store).expect("written");
    }
    let shards = job.spec.shard_count;
    let mut tasks: Vec<(Phase, u32, &str, u32)> = Vec::new();
    let each = |phase, algorithm| (0..shards).map(move |shard| (phase, shard, algorithm, 0));
    for part in ["", "content", "users"] {
        tasks.extend(each(Phase::Cut, part));
    }
    tasks.push((Phase::Dictionary, 0, "", 0));
    tasks.extend(each(Phase::Encode, "").chain(each(Phase::Encode, "sequences")));
    tasks.extend(each(Phase::Columns, ""));
    tasks.extend([(Phase::Statistics, 0, "", 0), (Phase::Statistics, 0, "content", 0)]);
    for number in 0..2 * ITERATIONS {
        tasks.extend((0..shards).map(|shard| (Phase::Factors, shard, "ials", number)));
    }
    tasks.push((Phase::Side, 0, "ials", 0));
    for algorithm in ["ials", "content", "user-cosine"].into_iter().chain(ORDERS) {
        tasks.extend(each(Phase::Rows, algorithm));
    }
    tasks.extend(["ease", "slim"].map(|algorithm| (Phase::Rows, 0, algorithm, 0)));
    tasks
        .extend(["fresh", "trending", "new", "repurchase"].map(|name| (Phase::Scores, 0, name, 0)));
    tasks.push((Phase::Learn, 0, "", 0));
    for (phase, shard, algorithm, number) in tasks {
        step(job, phase, shard, algorithm, number).await.unwrap_or_else(|error| {
            panic!("{} {shard} {algorithm} {number}: {error}", phase.as_str_name())
        });
    }
}

/// The rows of all shards together.
pub(super) fn rows(job: &Job<'_>, store: &ArtifactStore, algorithm: &str) -> Neighbours {
    let mut all = Neighbours { offsets: vec![0], ..Neighbours::default() };
    let parts = job
        .outputs
        .iter()
        .filter(|output| output.phase() == Phase::Rows && output.algorithm == algorithm);
    for part in parts {
        let artifact = part.artifact.as_ref().expect("written");
        let artifact = store.open_artifact(artifact).expect("whole");
        let start = all.targets.len() as u64;
        let offsets = artifact.section::<u64>(0).expect("offsets");
        all.offsets.extend(offsets[1..].iter().map(|offset| start + offset));
        all.targets.extend(artifact.section::<u32>(1).expect("targets"));
        all.weights.extend(artifact.section::<f32>(2).expect("weights"));
    }
    all
}

/// Everything that was trained, opened.
pub(super) struct Trained {
    pub(super) table: ItemTable,
    pub(super) matrix: Vec<EncodedUsers>,
    pub(super) sequences: Vec<UserSequences>,
    pub(super) columns: Vec<ItemUsers>,
    pub(super) users: Vec<UserRows>,
    pub(super) side: FactorSide,
    pub(super) trends: Vec<ItemScores>,
    pub(super) repurchase: RepurchaseModel,
    pub(super) learned: internal::Learned,
}

impl Trained {
    pub(super) fn open(job: &Job<'_>, store: &ArtifactStore) -> Self {
        let table = ItemTable::open(store, &job.output(Phase::Dictionary, 0, "")).expect("whole");
        let items = table.rows() as usize;
        let of = |phase, shard, algorithm| job.output(phase, shard, algorithm);
        let (mut matrix, mut sequences) = (Vec::new(), Vec::new());
        let (mut columns, mut users) = (Vec::new(), Vec::new());
        for shard in 0..job.spec.shard_count {
            let artifact = of(Phase::Encode, shard, "");
            matrix.push(EncodedUsers::open(store, &artifact).expect("whole"));
            let artifact = of(Phase::Encode, shard, "sequences");
            sequences.push(UserSequences::open(store, &artifact, items).expect("whole"));
            let (artifact, own) = (of(Phase::Columns, shard, ""), table.shard_rows(shard as u16));
            columns.push(ItemUsers::open(store, &artifact, own.len()).expect("whole"));
            let artifact = of(Phase::Rows, shard, "user-cosine");
            users.push(UserRows::open(store, &artifact, items).expect("whole"));
        }
        let trends = Trend::ALL.into_iter().map(|trend| {
            ItemScores::open(store, &of(Phase::Scores, 0, trend.name()), items).expect("whole")
        });
        Self {
            matrix,
            sequences,
            columns,
            users,
            side: FactorSide::open(store, &of(Phase::Side, 0, "ials"), items).expect("whole"),
            trends: trends.collect(),
            repurchase: RepurchaseModel::open(store, &of(Phase::Scores, 0, "repurchase"), items)
                .expect("whole"),
            learned: read_message(store, &of(Phase::Learn, 0, "")).expect("whole"),
            table,
        }
    }
}

pub(super) fn fresh_runner(store: &ArtifactStore) -> TaskRunner {
    TaskRunner::new(
        store.clone(),
        Arc::new(Compute::new(2).expect("threads")),
        Arc::default(),
        crate::domain::stages(),
    )
}
