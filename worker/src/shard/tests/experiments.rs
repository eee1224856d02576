//! What was shown and what was done about it meet as in a plain model that keeps everything; what
//! is kept of a user is bounded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jiff::tz::TimeZone;
use mercer_common::limits;
use mercer_proto::{
    internal::{
        Exposure, Interaction, Mutation, Section, StoredOutcome, StoredTally, UpsertUser, mutation,
    },
    v1::EventType,
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    files::{Folder, stamp},
    workload::{ITEMS, SHARD, USERS, exposure, interaction, layout},
};
use crate::shard::{
    ShardState,
    apply::{Prepared, apply},
};

const DAYS_30: u32 = 30 * 86_400;

/// (experiment, arm)
type Arm = (String, String);

#[derive(Clone, Debug)]
enum Record {
    Shown(Exposure),
    Done(Interaction),
    Deleted(String),
    Forgotten(&'static str),
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        6 => exposure().prop_map(Record::Shown),
        12 => interaction().prop_map(|one| Record::Done(Interaction { time: one.time % 20, ..one })),
        1 => select(&USERS[..]).prop_map(Record::Deleted),
        1 => select(&["one", "two"][..]).prop_map(Record::Forgotten),
    ]
}

/// A user of a state, until they are deleted.
type Life = (String, usize);

/// Keeps what was shown and what counted, and adds up at the end.
#[derive(Debug, Default)]
struct Model {
    lives: BTreeMap<String, usize>,
    known: BTreeSet<String>,
    shown: Vec<(Life, Exposure)>,
    /// What may still be acted on: indexes of `shown`.
    pending: BTreeMap<Life, Vec<usize>>,
    counted: BTreeSet<(usize, String, i32)>,
    forgotten: BTreeSet<usize>,
}

impl Model {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Shown(exposure) => self.show(exposure),
            Record::Done(interaction) => self.act(interaction),
            Record::Deleted(user) => {
                self.known.remove(user);
                *self.lives.entry(user.clone()).or_default() += 1;
            }
            Record::Forgotten(experiment) => {
                for (index, (_, exposure)) in self.shown.iter().enumerate() {
                    if exposure.experiment_id == *experiment {
                        self.forgotten.insert(index);
                    }
                }
                for pending in self.pending.values_mut() {
                    pending.retain(|index| !self.forgotten.contains(index));
                }
            }
        }
    }

    fn life(&self, user: &str) -> Life {
        (user.to_owned(), self.lives.get(user).copied().unwrap_or_default())
    }

    fn show(&mut self, exposure: &Exposure) {
        let life = self.life(&exposure.user_id);
        let pending = self.pending.entry(life.clone()).or_default();
        let is_repeated =
            pending.iter().any(|&index| self.shown[index].1.attribution == exposure.attribution);
        if !self.known.contains(&exposure.user_id) || is_repeated {
            return;
        }
        pending.retain(|&index| self.shown[index].1.time + DAYS_30 >= exposure.time);
        pending.push(self.shown.len());
        self.shown.push((life, exposure.clone()));
    }

    fn act(&mut self, done: &Interaction) {
        self.known.insert(done.user_id.clone());
        let counts = [EventType::Click, EventType::AddToCart, EventType::Purchase];
        let pending = self.pending.get(&self.life(&done.user_id)).cloned().unwrap_or_default();
        for index in pending {
            let exposure = &self.shown[index].1;
            if counts.contains(&done.r#type())
                && done.attribution == Some(exposure.attribution)
                && done.time <= exposure.time + DAYS_30
                && exposure.item_ids.contains(&done.item_id)
            {
                self.counted.insert((index, done.item_id.clone(), done.r#type));
            }
        }
    }

    fn tallies(&self) -> BTreeMap<Arm, StoredTally> {
        let mut tallies: BTreeMap<Arm, StoredTally> = BTreeMap::new();
        let live = |index: &usize| !self.forgotten.contains(index);
        for index in (0..self.shown.len()).filter(live) {
            let (_, exposure) = &self.shown[index];
            let arm = (exposure.experiment_id.clone(), exposure.arm_id.clone());
            let tally = tallies.entry(arm.clone()).or_insert_with(|| StoredTally {
                experiment_id: arm.0,
                arm_id: arm.1,
                outcomes: vec![StoredOutcome::default(); 3],
                ..StoredTally::default()
            });
            tally.exposures += 1;
            tally.explored_exposures += u64::from(exposure.explored);
            tally.greedy_exposures += u64::from(!exposure.explored && exposure.propensity < 1.0);
        }
        for (arm, tally) in &mut tallies {
            let of_arm = |index: &usize| {
                let exposure = &self.shown[*index].1;
                live(index) && exposure.experiment_id == arm.0 && exposure.arm_id == arm.1
            };
            let lives: BTreeSet<&Life> =
                (0..self.shown.len()).filter(of_arm).map(|index| &self.shown[index].0).collect();
            tally.users = lives.len() as u64;
            let kinds = [EventType::Click, EventType::AddToCart, EventType::Purchase];
            for (outcome, kind) in tally.outcomes.iter_mut().zip(kinds) {
                let counted =
                    || self.counted.iter().filter(|one| of_arm(&one.0) && one.2 == kind as i32);
                for life in &lives {
                    let own = counted().filter(|one| self.shown[one.0].0 == **life).count() as u64;
                    outcome.count += own;
                    outcome.squares += own * own;
                    outcome.users += u64::from(own > 0);
                }
                for (index, item, _) in counted() {
                    let exposure = &self.shown[*index].1;
                    let is_last = exposure.item_ids.last() == Some(item);
                    let is_open = is_last && exposure.propensity < 1.0;
                    outcome.explored += u64::from(is_last && exposure.explored);
                    outcome.greedy += u64::from(is_open && !exposure.explored);
                }
            }
        }
        tallies
    }
}

fn tallies(state: &ShardState) -> BTreeMap<Arm, StoredTally> {
    let of = |experiment: &'static str| {
        let sums = state.tally(experiment).into_iter();
        sums.map(move |(arm, tally)| {
            ((experiment.to_owned(), arm.to_owned()), tally.encode(experiment, arm))
        })
    };
    of("one").chain(of("two")).collect()
}

fn step(state: &mut ShardState, section: Section) {
    let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
    apply(state, state.applied() + 1, prepared).expect("applies");
}

fn section(record: Record) -> Section {
    let mutation = |kind| vec![Mutation { kind: Some(kind) }];
    match record {
        Record::Shown(exposure) => Section { exposures: vec![exposure], ..Section::default() },
        Record::Done(interaction) => {
            Section { interactions: vec![interaction], ..Section::default() }
        }
        Record::Deleted(user) => {
            Section { mutations: mutation(mutation::Kind::DeleteUser(user)), ..Section::default() }
        }
        Record::Forgotten(experiment) => Section {
            mutations: mutation(mutation::Kind::ForgetExperiment(experiment.into())),
            ..Section::default()
        },
    }
}

proptest! {
    #[test]
    fn counts_equal_plain_loops(records in vec(record(), 0..150)) {
        let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
        let mut model = Model::default();
        for mut record in records {
            if let Record::Done(interaction) = &mut record {
                // Duplicates of events are another matter.
                interaction.event_hash.clear();
                interaction.event_key.clear();
                interaction.time = interaction.time * 3 * 86_400;
            }
            model.apply(&record);
            step(&mut state, section(record));
        }
        prop_assert_eq!(tallies(&state), model.tallies());
    }
}

fn shown(attribution: u64, item_ids: &[String]) -> Record {
    Record::Shown(Exposure {
        user_id: USERS[0].clone(),
        experiment_id: "one".into(),
        arm_id: "a".into(),
        attribution,
        time: 1_000,
        item_ids: item_ids.to_vec(),
        propensity: 1.0,
        explored: false,
    })
}

fn purchase(attribution: u64, item_id: &str) -> Record {
    Record::Done(Interaction {
        user_id: USERS[0].clone(),
        item_id: item_id.into(),
        r#type: EventType::Purchase.into(),
        time: 1_000,
        value: 1.0,
        attribution: Some(attribution),
        ..Interaction::default()
    })
}

fn known() -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    let upsert = UpsertUser { user_id: USERS[0].clone(), ..UpsertUser::default() };
    let mutations = vec![Mutation { kind: Some(mutation::Kind::UpsertUser(upsert)) }];
    step(&mut state, Section { mutations, ..Section::default() });
    state
}

#[test]
fn the_latest_exposures_are_kept_and_no_more() {
    let kept = limits::PENDING_EXPOSURES as u64;
    let bought = |state: &ShardState| state.tally("one")["a"].outcomes[2].count;
    let mut state = known();
    for attribution in 0..kept + 3 {
        step(&mut state, section(shown(attribution, &ITEMS[..2])));
    }
    for attribution in 0..kept + 3 {
        step(&mut state, section(purchase(attribution, &ITEMS[1])));
    }
    assert_eq!(bought(&state), kept);
    assert_eq!(state.tally("one")["a"].exposures, kept + 3);
    // Long lists: the newest two of them.
    let long: Vec<String> = (0..limits::RESULTS).map(|number| format!("long {number}")).collect();
    for attribution in 100..104 {
        step(&mut state, section(shown(attribution, &long)));
    }
    for attribution in 100..104 {
        step(&mut state, section(purchase(attribution, &long[7])));
    }
    assert_eq!(bought(&state), kept + 2);
    // A deleted user takes along what was shown, not what was counted.
    step(&mut state, section(Record::Deleted(USERS[0].clone())));
    step(&mut state, section(purchase(103, &long[8])));
    step(&mut state, section(shown(104, &long)));
    assert_eq!((bought(&state), state.tally("one")["a"].users), (kept + 2, 1 + 1));
}

/// A state that uses every field of experiments, at position 7. Never change it: the golden file
/// holds it.
fn golden() -> ShardState {
    let mut state = known();
    let Record::Shown(plain) = shown(1, &ITEMS[..3]) else { unreachable!() };
    let greedy = Exposure { attribution: 2, propensity: 0.75, ..plain.clone() };
    let drawn = Exposure { attribution: 3, arm_id: "b".into(), explored: true, ..greedy.clone() };
    for exposure in [plain, greedy, drawn] {
        step(&mut state, section(Record::Shown(exposure)));
    }
    for (attribution, item) in [(1, 0), (2, 2), (3, 2)] {
        step(&mut state, section(purchase(attribution, &ITEMS[item])));
    }
    state
}

#[test]
fn a_snapshot_with_experiments_loads_for_ever() {
    let name = "golden-2-experiments.snapshot";
    let golden_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests").join(name);
    let folder = Folder::new();
    drop(folder.open(stamp()));
    let path = folder.folder.path().join("shards/05-7.snapshot");
    fs::copy(&golden_file, path).expect("the golden file is there");
    let loaded = folder.load();
    assert!(loaded.read().canonical_encoding() == golden().canonical_encoding());
    let sums = tallies(&loaded.read());
    let of = |arm: &str| &sums[&("one".to_owned(), arm.to_owned())];
    assert_eq!((of("a").users, of("a").exposures, of("a").greedy_exposures), (1, 2, 1));
    let purchases = of("a").outcomes[2];
    assert_eq!((purchases.count, purchases.squares, purchases.greedy), (2, 4, 1));
    assert_eq!((of("b").explored_exposures, of("b").outcomes[2].explored), (1, 1));
}
