//! Which events are hidden to learn from them, or to measure with them.

use crate::{
    recommend::{
        liking::Liking,
        profile::{HistoryEvent, ProfileSpec, event_weight},
        sequences::{History, Sequences, SequencesBuf},
    },
    stats::random::Random,
};

use super::data::{SECONDS_PER_DAY, seen};

/// Part of the data that is held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Holdout {
    /// The latest visit of each user; for a user with only one visit, such as all users where no
    /// times are known, one item of it.
    LastVisit,
    /// What happened of all users in so many days before the newest event.
    Days(f64),
}

/// Events without those held out, and what is to be found.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// What is learned from: the same users in the same order.
    pub train: SequencesBuf,
    /// Rows to be found, by user, ascending and distinct; empty where nothing was held out.
    pub test: Vec<Vec<u32>>,
}

/// Splits the events of all users; for those who are not `chosen`, only [`Holdout::Days`] does.
///
/// To be found are the items with an event of positive weight; without `repeats` only those that
/// the user has not purchased or rated before. `seed` chooses where there is no order.
#[must_use]
pub fn hold_out(
    sequences: Sequences<'_>,
    holdout: Holdout,
    repeats: bool,
    profile: &ProfileSpec,
    seed: u64,
    chosen: impl Fn(usize) -> bool,
) -> HeldOut {
    let users = 0..sequences.users();
    let newest = users.clone().filter_map(|user| sequences.of(user).times.last()).max();
    let newest = newest.copied().unwrap_or_default();
    let cut = match holdout {
        Holdout::LastVisit => u32::MAX,
        // Saturates: a longer time than there is holds out everything.
        Holdout::Days(days) => {
            newest.saturating_sub((days.max(0.0) * f64::from(SECONDS_PER_DAY)) as u32)
        }
    };
    let mut held = HeldOut { train: SequencesBuf::default(), test: Vec::new() };
    for user in users {
        let history = sequences.of(user);
        let hidden: Vec<usize> = match holdout {
            Holdout::Days(_) => (0..history.len()).filter(|&at| history.times[at] > cut).collect(),
            Holdout::LastVisit if chosen(user) => last_visit(history, seed, user),
            Holdout::LastVisit => Vec::new(),
        };
        let mut rest = hidden.iter().copied().peekable();
        for at in 0..history.len() {
            if rest.next_if_eq(&at).is_none() {
                let (item, time) = (history.items[at], history.times[at]);
                held.train.push(item, time, history.types[at], history.values[at]);
            }
        }
        held.train.close_user();
        let liking = Liking::of(history.types, history.values);
        let mut wanted: Vec<u32> = Vec::new();
        for at in hidden {
            if chosen(user) && is_wanted(history, at, profile, liking) {
                wanted.push(history.items[at]);
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        if !repeats && !wanted.is_empty() {
            let kept = held.train.offsets[user] as usize..held.train.items.len();
            let before = seen(History {
                items: &held.train.items[kept.clone()],
                times: &held.train.times[kept.clone()],
                types: &held.train.types[kept.clone()],
                values: &held.train.values[kept],
            });
            wanted.retain(|row| before.binary_search(row).is_err());
        }
        held.test.push(wanted);
    }
    held
}

/// Indexes of the events of the latest visit, or of all events at one item of the only visit; none
/// of a user who would be left without history.
fn last_visit(history: History<'_>, seed: u64, user: usize) -> Vec<usize> {
    let (Some(first), Some(last)) = (history.times.first(), history.times.last()) else {
        return Vec::new();
    };
    if first < last {
        return (history.times.partition_point(|time| time < last)..history.len()).collect();
    }
    let mut items = history.items.to_vec();
    items.sort_unstable();
    items.dedup();
    if items.len() < 2 {
        return Vec::new();
    }
    let choice = Random::new(seed, user as u64).next() % items.len() as u64;
    let item = items[choice as usize];
    (0..history.len()).filter(|&at| history.items[at] == item).collect()
}

fn is_wanted(history: History<'_>, at: usize, profile: &ProfileSpec, liking: Liking) -> bool {
    let (item, kind, value) = (history.items[at], history.types[at], history.values[at]);
    event_weight(&HistoryEvent { item, kind, age_days: 0.0, value }, profile, liking) > 0.0
}
