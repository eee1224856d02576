//! Whom weights are learned from.

use super::{
    Holdout, LearnOptions,
    cases::Held,
    data::{Dataset, seen},
};
use crate::{
    recommend::sequences::{Sequences, SequencesBuf},
    stats::random::Random,
};

/// Streams of the seed.
const SAMPLE: u64 = 0;
const VALIDATION: u64 = 1;
const CHOICE: u64 = 2;

/// Users in the order of a hash of their number, until there are enough events; in their own order.
pub(super) fn sample(parts: &[Sequences<'_>], options: &LearnOptions) -> SequencesBuf {
    let events: u64 = parts.iter().map(|part| part.events() as u64).sum();
    let histories =
        || parts.iter().flat_map(|part| (0..part.users()).map(move |user| part.of(user)));
    let mut taken = vec![true; histories().count()];
    if events > options.events {
        let lengths: Vec<u64> = histories().map(|history| history.len() as u64).collect();
        taken.fill(false);
        let mut sum = 0;
        for user in shuffled(0..taken.len(), options.seed, SAMPLE) {
            sum += lengths[user];
            if sum > options.events {
                break;
            }
            taken[user] = true;
        }
    }
    let mut sample = SequencesBuf::default();
    for (history, _) in histories().zip(taken).filter(|(_, is_taken)| *is_taken) {
        for at in 0..history.len() {
            let (item, time) = (history.items[at], history.times[at]);
            sample.push(item, time, history.types[at], history.values[at]);
        }
        sample.close_user();
    }
    sample
}

/// Whether each user's latest visit is held out: as many as are learned from, so that the others
/// stay whole.
pub(super) fn chosen(sample: Sequences<'_>, options: &LearnOptions) -> Vec<bool> {
    let mut chosen = vec![false; sample.users()];
    let users = shuffled(0..sample.users(), options.seed, VALIDATION);
    let limit = match options.holdout {
        Holdout::LastVisit => options.users,
        Holdout::Days(_) => usize::MAX,
    };
    let users = users.into_iter().filter(|&user| are_several(sample.of(user).items));
    for user in users.take(limit) {
        chosen[user] = true;
    }
    chosen
}

/// Whether a history is of two items at least: one to be found, and one to find it by.
fn are_several(items: &[u32]) -> bool {
    items.iter().any(|item| Some(item) != items.first())
}

/// The users with something to be found and a history to find it by, in the order of a hash.
pub(super) fn people(data: &Dataset<'_>, test: &[Vec<u32>], options: &LearnOptions) -> Vec<Held> {
    let users = (0..test.len())
        .filter(|&user| !test[user].is_empty() && !data.sequences.of(user).is_empty());
    let mut users = shuffled(users, options.seed, CHOICE);
    users.truncate(options.users);
    let mut people = Vec::with_capacity(users.len());
    for user in users {
        people.push(Held {
            user,
            profile: data.entries(user),
            masked: if options.repeats { Vec::new() } else { seen(data.sequences.of(user)) },
            wanted: test[user].clone(),
        });
    }
    people
}

/// Numbers by a hash of themselves.
fn shuffled(numbers: impl Iterator<Item = usize>, seed: u64, stream: u64) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = numbers
        .map(|number| (Random::new(seed ^ (stream << 32), number as u64).next(), number))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, number)| number).collect()
}
