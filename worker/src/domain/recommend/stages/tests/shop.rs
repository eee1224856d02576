//! A small random shop, its live state for any number of shards, and its training.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    event::{RecordContext, SplitEvents},
    manifest::part,
    pipeline::{Graph, MERCER, Output, numbers},
    slot::{ShardId, ShardLayout, Subject},
};
use mercer_proto::{
    internal::{
        ItemFields, Model, ModelSet, Mutation, Phase, RunTaskRequest, RunTaskResponse, Section,
        SetStock, Task, TaskInput, TrainingSpec, UpsertItem, UpsertUser, UserFields,
        VersionManifest, mutation,
    },
    v1::{Event, EventType, ItemStatus},
};
use prost_types::Timestamp;

use crate::{
    shard::{
        ShardState,
        apply::{Prepared, apply},
        cut,
    },
    task::{TaskRunner, TrainingError},
};

/// 2024-01-01T00:00:00Z
const START: i64 = 1_704_067_200;
const DAY: i64 = 86_400;

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// splitmix64
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    pub(crate) fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CatalogueItem {
    pub(crate) id: String,
    pub(crate) fields: ItemFields,
    /// (location, on hand)
    pub(crate) stock: Vec<(String, f64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// Some items of events are not in here and stay unlisted.
    pub(crate) items: Vec<CatalogueItem>,
    pub(crate) item_ids: Vec<String>,
    pub(crate) user_ids: Vec<String>,
    /// (user, item)
    pub(crate) denied: Vec<(String, String)>,
    pub(crate) events: Vec<Event>,
}

impl Shop {
    pub(crate) fn random(seed: u64, users: u64, items: u64, events: u64) -> Self {
        let mut random = Random::new(seed);
        let user_ids: Vec<String> = (0..users).map(|user| format!("user-{user}")).collect();
        let item_ids: Vec<String> = (0..items).map(|item| format!("item-{item}")).collect();
        let catalogued =
            item_ids.iter().filter(|_| random.below(8) > 0).cloned().collect::<Vec<_>>();
        let items = catalogued.into_iter().map(|id| catalogue_item(id, &mut random)).collect();
        let denied =
            (0..users / 4).map(|_| (random.pick(&user_ids), random.pick(&item_ids))).collect();
        let events = (0..events).map(|_| event(&user_ids, &item_ids, &mut random)).collect();
        Self { items, item_ids, user_ids, denied, events }
    }

    /// The live state of every shard.
    pub(crate) fn states(&self, shards: ShardId) -> Vec<ShardState> {
        let layout = ShardLayout::new(shards);
        let context = RecordContext {
            layout,
            currency: "USD".into(),
            time_zone: TimeZone::UTC,
            visit_key: 7,
            user_visit_key: 8,
        };
        let mut sections = vec![Section::default(); usize::from(shards)];
        let split = SplitEvents::new(self.events.clone(), &context, 1).expect("no clashes");
        for (shard, section) in split.into_sections() {
            sections[usize::from(shard)] = section;
        }
        let mut mutate = |kind, id: &str, mutation| {
            let shard = usize::from(layout.shard_of(kind, id));
            sections[shard].mutations.push(Mutation { kind: Some(mutation) });
        };
        for CatalogueItem { id, fields, stock } in &self.items {
            let (item_id, fields) = (id.clone(), Some(fields.clone()));
            let upsert = UpsertItem { item_id, fields, ..UpsertItem::default() };
            mutate(Subject::Item, id, mutation::Kind::UpsertItem(upsert));
            for (location_id, on_hand) in stock {
                let (item_id, location_id) = (id.clone(), location_id.clone());
                let set = SetStock {
                    item_id,
                    location_id,
                    on_hand: *on_hand,
                    as_of_ms: 1,
                    ..SetStock::default()
                };
                mutate(Subject::Item, id, mutation::Kind::SetStock(set));
            }
        }
        for user in &self.user_ids {
            let denied: Vec<String> = self.denied_by(user).map(str::to_owned).collect();
            if !denied.is_empty() {
                let fields = UserFields { denied_item_ids: denied, ..Default::default() };
                let (user_id, fields) = (user.clone(), Some(fields));
                let upsert = UpsertUser { user_id, fields, ..UpsertUser::default() };
                mutate(Subject::User, user, mutation::Kind::UpsertUser(upsert));
            }
        }
        (0..)
            .zip(sections)
            .map(|(shard, section)| {
                let mut state = ShardState::new(layout, shard, TimeZone::UTC);
                let prepared = Prepared::new(layout, shard, section).expect("of this shard");
                apply(&mut state, 1, prepared).expect("applies");
                state
            })
            .collect()
    }

    pub(crate) fn denied_by<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a str> {
        self.denied.iter().filter(move |(who, _)| who == user).map(|(_, item)| item.as_str())
    }
}

fn catalogue_item(id: String, random: &mut Random) -> CatalogueItem {
    let path = [
        vec![],
        vec!["food".to_owned()],
        vec!["food".to_owned(), "fruit".to_owned()],
        vec!["tools".to_owned(), "saws".to_owned()],
    ];
    let status = match random.below(8) {
        0 => ItemStatus::Inactive,
        _ => ItemStatus::Active,
    };
    let fields = ItemFields {
        title: format!("title of {id}"),
        category_path: random.pick(&path),
        brand: random.pick(&["", "ant", "bee"]).to_owned(),
        attributes: random
            .flip()
            .then(|| ("colour".to_owned(), random.pick(&["red", "blue"]).to_owned()))
            .into_iter()
            .collect(),
        list_price_micros: random.flip().then(|| random.below(20) as i64 * 1_000_000),
        status: status.into(),
        ..Default::default()
    };
    let stock = ["default", "north"]
        .into_iter()
        .filter_map(|location| {
            let on_hand = random.below(3) as f64;
            (random.below(3) > 0).then(|| (location.to_owned(), on_hand))
        })
        .collect();
    CatalogueItem { id, fields, stock }
}

fn event(users: &[String], items: &[String], random: &mut Random) -> Event {
    let kinds = [
        EventType::View,
        EventType::Click,
        EventType::Favourite,
        EventType::AddToCart,
        EventType::Purchase,
        EventType::Purchase,
        EventType::Purchase,
        EventType::Return,
        EventType::Rating,
    ];
    let kind = random.pick(&kinds);
    // Squares make some items and users more frequent than others.
    let mut skewed = |of: &[String]| {
        let draw = random.below(1_000) as f64 / 1_000.0;
        of[(draw * draw * of.len() as f64) as usize].clone()
    };
    let (user, item) = (skewed(users), skewed(items));
    let quantity = matches!(kind, EventType::Purchase | EventType::Return);
    Event {
        r#type: kind.into(),
        item_id: item,
        event_time: Some(Timestamp { seconds: START + random.below(60) as i64 * DAY, nanos: 0 }),
        user_id: (random.below(20) > 0).then_some(user),
        basket_id: random.flip().then(|| format!("basket-{}", random.below(60))),
        quantity: quantity.then(|| 1.0 + random.below(4) as f64),
        rating: (kind == EventType::Rating).then(|| random.below(11) as f64 - 5.0),
        ..Default::default()
    }
}

pub(crate) fn spec(shards: ShardId) -> TrainingSpec {
    TrainingSpec {
        algorithms: vec!["item-cosine".into(), "p3".into()],
        event_weights: vec![0.0, 1.0, 1.0, 3.0, 3.0, 5.0, -5.0, 1.0],
        half_life_days: 0.0,
        weighted: false,
        history_cap: 500,
        top_k: 100,
        shard_count: shards.into(),
        log_quantity: false,
        ..TrainingSpec::default()
    }
}

/// Runs the tasks of a job in the order of a coordinator.
pub(crate) struct Job<'a> {
    pub(crate) id: &'a str,
    pub(crate) spec: TrainingSpec,
    pub(crate) runner: &'a TaskRunner,
    pub(crate) outputs: Vec<TaskInput>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(id: &'a str, spec: TrainingSpec, runner: &'a TaskRunner) -> Self {
        Self { id, spec, runner, outputs: Vec::new() }
    }

    pub(crate) fn request(&self, phase: Phase, shard: u32, algorithm: &str) -> RunTaskRequest {
        RunTaskRequest {
            task: Some(Task {
                job_id: self.id.to_owned(),
                phase: phase.into(),
                shard,
                algorithm: algorithm.to_owned(),
                step: 0,
            }),
            spec: Some(self.spec.clone()),
            inputs: self.inputs(phase, shard, algorithm),
            wait_ms: 60_000,
            marker: 0,
        }
    }

    /// What a task is declared to read, of any step.
    fn inputs(&self, phase: Phase, shard: u32, algorithm: &str) -> Vec<TaskInput> {
        let algorithms = MERCER.products().map(|product| product.name.to_owned()).collect();
        let everything = TrainingSpec { algorithms, kinds: Vec::new(), ..self.spec.clone() };
        let graph = Graph::new(&MERCER, &everything).expect("declared");
        let phase = numbers::name(phase);
        let steps =
            (0..graph.steps(phase)).filter_map(|step| graph.find(phase, algorithm, step, shard));
        let read: Vec<Output> = steps.flat_map(|task| graph.reads(&task)).collect();
        let mut inputs = self.outputs.clone();
        inputs.retain(|one| {
            let phase = numbers::name(one.phase());
            read.iter().any(|read| {
                (read.phase, read.name) == (phase, one.algorithm.as_str())
                    && (read.step, read.shard) == (one.step, one.shard)
            })
        });
        inputs
    }

    pub(crate) async fn task(
        &mut self,
        phase: Phase,
        shard: u32,
        algorithm: &str,
    ) -> Result<RunTaskResponse, Arc<TrainingError>> {
        let request = self.request(phase, shard, algorithm);
        let deadline = Instant::now() + Duration::from_secs(60);
        let response = self.runner.run(request, deadline).await?;
        self.outputs.push(TaskInput {
            phase: phase.into(),
            shard,
            algorithm: algorithm.to_owned(),
            step: 0,
            artifact: response.output.clone(),
        });
        Ok(response)
    }

    /// All phases; the cuts must exist.
    pub(crate) async fn run(&mut self) -> Result<(), Arc<TrainingError>> {
        let shards = self.spec.shard_count;
        let algorithms = self.spec.algorithms.clone();
        for shard in 0..shards {
            self.task(Phase::Cut, shard, "").await?;
        }
        self.task(Phase::Dictionary, 0, "").await?;
        for shard in 0..shards {
            self.task(Phase::Encode, shard, "").await?;
        }
        self.task(Phase::Statistics, 0, "").await?;
        for phase in [Phase::Rows, Phase::Postings] {
            for algorithm in &algorithms {
                for shard in 0..shards {
                    self.task(phase, shard, algorithm).await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn output(&self, phase: Phase, shard: u32, algorithm: &str) -> ArtifactRef {
        let found = self.outputs.iter().find(|output| {
            output.phase() == phase && output.shard == shard && output.algorithm == algorithm
        });
        found.and_then(|output| output.artifact.clone()).expect("the task has run")
    }

    pub(crate) fn manifest(&self, version: &str) -> VersionManifest {
        let models = self.spec.algorithms.iter().map(|algorithm| {
            let postings = (0..self.spec.shard_count)
                .map(|shard| self.output(Phase::Postings, shard, algorithm));
            Model {
                algorithm: algorithm.clone(),
                parts: vec![part::new(part::POSTINGS, postings.collect())],
                ..Model::default()
            }
        });
        let set = ModelSet {
            job_id: self.id.to_owned(),
            spec: Some(self.spec.clone()),
            item_table: Some(self.output(Phase::Dictionary, 0, "")),
            models: models.collect(),
            ..ModelSet::default()
        };
        VersionManifest {
            version: version.to_owned(),
            model_sets: vec![set],
            ..VersionManifest::default()
        }
    }
}

/// Writes the cuts of all shards.
pub(crate) fn write_cuts(states: &[ShardState], job: &str, store: &ArtifactStore) {
    for state in states {
        cut::interactions::write(state, job, store).expect("written");
    }
}
