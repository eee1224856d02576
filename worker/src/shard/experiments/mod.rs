//! What users of experiments were shown, what they did about it, and the sums over them.
//!
//! An exposure and the events that carry its attribution token name the same user, so that they
//! meet in one slot. Sums are kept by slot and are of whole numbers: they add up to the same for
//! any number of shards. A deleted user's exposures go with them, what was counted stays; when they
//! come back they count as another user.

mod stored;

pub(crate) use stored::{decode_tallies, encode_tallies};

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use mercer_common::limits;
use mercer_proto::{internal::Exposure, v1::EventType};

use super::{
    interner::{Interner, InternerFull, ItemHandle},
    labels::Labels,
};

/// An exposure can be acted on for so long: 30 days of event time.
const ACTED_ON_SECONDS: u32 = 30 * 86_400;
/// Items of all pending exposures of a user.
const PENDING_ITEMS: usize = 2_000;
/// Arms that a slot or a user can have to do with: ingest knows of no more at a time.
const ARMS: usize = limits::EXPERIMENTS * limits::ARMS;

/// What can become of a shown item, in the order in which it is counted.
const OUTCOMES: [EventType; 3] = [EventType::Click, EventType::AddToCart, EventType::Purchase];

/// An arm of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ArmKey {
    experiment: Arc<str>,
    arm: Arc<str>,
}

/// How the last place of a list was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastPlace {
    /// Filled by rank: nothing else could have stood there.
    Closed,
    /// Filled by rank, where a drawn item might have stood.
    Greedy,
    Explored,
}

/// What was shown and may still be acted on.
#[derive(Debug)]
struct Pending {
    arm: ArmKey,
    attribution: u64,
    time: u32,
    last_place: LastPlace,
    /// Items by place, each with what was counted of it: bit i for outcome i.
    items: Box<[(ItemHandle, u8)]>,
}

/// How often each outcome was counted of a user in an arm.
#[derive(Debug)]
struct Participation {
    arm: ArmKey,
    outcomes: [u32; OUTCOMES.len()],
}

/// What a user has to do with experiments.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Oldest first by the log: the latest 32 exposures of at most 2,000 items in all.
    pending: VecDeque<Pending>,
    /// Counts by arm.
    participations: Vec<Participation>,
}

/// One outcome in one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutcomeTally {
    pub(crate) count: u64,
    /// Users with at least one.
    pub(crate) users: u64,
    /// Sum over users of the square of each one's count.
    pub(crate) squares: u64,
    /// Count of the item in the last place, where it stood by rank though another might have.
    pub(crate) greedy: u64,
    /// Count of the item in the last place, where it was drawn.
    pub(crate) explored: u64,
}

/// What users did in an arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) exposures: u64,
    pub(crate) users: u64,
    pub(crate) outcomes: [OutcomeTally; OUTCOMES.len()],
    pub(crate) greedy_exposures: u64,
    pub(crate) explored_exposures: u64,
}

/// Tallies by arm.
pub(crate) type Tallies = BTreeMap<ArmKey, Tally>;

impl Tally {
    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.exposures += other.exposures;
        self.users += other.users;
        self.greedy_exposures += other.greedy_exposures;
        self.explored_exposures += other.explored_exposures;
        for (own, other) in self.outcomes.iter_mut().zip(&other.outcomes) {
            own.count += other.count;
            own.users += other.users;
            own.squares += other.squares;
            own.greedy += other.greedy;
            own.explored += other.explored;
        }
    }
}

impl Trials {
    /// The items that pending exposures hold.
    pub(crate) fn items(&self) -> impl Iterator<Item = ItemHandle> {
        self.pending.iter().flat_map(|pending| &pending.items).map(|&(item, _)| item)
    }

    fn participation(&self, arm: &ArmKey) -> Result<usize, usize> {
        self.participations.binary_search_by(|one| one.arm.cmp(arm))
    }

    /// Makes room for an exposure of `items` items at `time`.
    fn make_room(&mut self, items: usize, time: u32) {
        self.pending.retain(|pending| pending.time.saturating_add(ACTED_ON_SECONDS) >= time);
        let mut held = self.items().count();
        while self.pending.len() >= limits::PENDING_EXPOSURES || held + items > PENDING_ITEMS {
            match self.pending.pop_front() {
                Some(oldest) => held -= oldest.items.len(),
                None => return,
            }
        }
    }
}

/// Notes what a user was shown. Nothing is noted of an answer that is pending already.
pub(super) fn expose(
    trials: &mut Trials,
    tallies: &mut Tallies,
    interner: &mut Interner,
    labels: &mut Labels,
    record: &Exposure,
) -> Result<(), InternerFull> {
    let (experiment, arm) = (labels.label(&record.experiment_id), labels.label(&record.arm_id));
    let key = ArmKey { experiment, arm };
    let full = trials.participations.len() >= ARMS && trials.participation(&key).is_err();
    let repeated = trials.pending.iter().any(|one| one.attribution == record.attribution);
    if full || repeated || (tallies.len() >= ARMS && !tallies.contains_key(&key)) {
        return Ok(());
    }
    let items: Result<Box<[_]>, _> =
        record.item_ids.iter().map(|id| Ok((interner.intern(id)?, 0))).collect();
    let items = items?;
    let last_place = match (record.explored, record.propensity < 1.0) {
        (true, _) => LastPlace::Explored,
        (false, true) => LastPlace::Greedy,
        (false, false) => LastPlace::Closed,
    };
    let tally = tallies.entry(key.clone()).or_default();
    tally.exposures += 1;
    tally.greedy_exposures += u64::from(last_place == LastPlace::Greedy);
    tally.explored_exposures += u64::from(last_place == LastPlace::Explored);
    if let Err(place) = trials.participation(&key) {
        tally.users += 1;
        let participation = Participation { arm: key.clone(), outcomes: [0; OUTCOMES.len()] };
        trials.participations.insert(place, participation);
    }
    trials.make_room(items.len(), record.time);
    let Exposure { attribution, time, .. } = *record;
    trials.pending.push_back(Pending { arm: key, attribution, time, last_place, items });
    Ok(())
}

/// Counts an event that carries an attribution token, if the user was shown its item in the answer
/// of that token and the same was not counted before. The order of events does not matter.
pub(super) fn act(
    trials: Option<&mut Trials>,
    tallies: &mut Tallies,
    item: ItemHandle,
    event_type: EventType,
    time: u32,
    attribution: u64,
) {
    let (Some(trials), Some(outcome)) =
        (trials, OUTCOMES.iter().position(|outcome| *outcome == event_type))
    else {
        return;
    };
    let acted_on = trials.pending.iter_mut().find(|pending| {
        pending.attribution == attribution && time <= pending.time.saturating_add(ACTED_ON_SECONDS)
    });
    let Some(pending) = acted_on else { return };
    let is_last = pending.items.last().is_some_and(|&(last, _)| last == item);
    let Some((_, counted)) = pending.items.iter_mut().find(|(shown, _)| *shown == item) else {
        return;
    };
    let bit = 1 << outcome;
    if *counted & bit != 0 {
        return;
    }
    *counted |= bit;
    let last_place = if is_last { pending.last_place } else { LastPlace::Closed };
    let arm = pending.arm.clone();
    let Ok(place) = trials.participation(&arm) else { return };
    let Some(tally) = tallies.get_mut(&arm) else { return };
    let own = &mut trials.participations[place].outcomes[outcome];
    let before = u64::from(*own);
    *own = own.saturating_add(1);
    let tally = &mut tally.outcomes[outcome];
    tally.count += 1;
    tally.users += u64::from(before == 0);
    tally.squares += 2 * before + 1;
    tally.greedy += u64::from(last_place == LastPlace::Greedy);
    tally.explored += u64::from(last_place == LastPlace::Explored);
}

/// Forgets everything about an experiment, of a slot's tallies and of the trials of its users.
pub(super) fn forget<'a>(
    tallies: &mut Tallies,
    users: impl Iterator<Item = &'a mut Option<Box<Trials>>>,
    experiment: &str,
) {
    let before = tallies.len();
    tallies.retain(|arm, _| *arm.experiment != *experiment);
    if tallies.len() == before {
        return;
    }
    for user in users {
        let Some(trials) = user else { continue };
        trials.pending.retain(|pending| *pending.arm.experiment != *experiment);
        trials.participations.retain(|one| *one.arm.experiment != *experiment);
        if trials.participations.is_empty() {
            *user = None;
        }
    }
}

/// The sums of an experiment over slots, by arm.
pub(crate) fn tally<'a>(
    slots: impl IntoIterator<Item = &'a Tallies>,
    experiment: &str,
) -> BTreeMap<&'a str, Tally> {
    let mut sums: BTreeMap<&str, Tally> = BTreeMap::new();
    for (key, tally) in slots.into_iter().flatten() {
        if *key.experiment == *experiment {
            sums.entry(&key.arm).or_default().add(tally);
        }
    }
    sums
}
