//! Profiles of all categories from all shards, and the days on which the shop was closed.

use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{DemandProfiles, Phase};

use super::{WEEK, profiles::Categories};
use crate::{
    artifact::{DEMAND, read_message, write_message},
    task::{Context, Inputs, TrainingError},
};

/// Weeks before and after a day that it is compared with, and how many there must be.
const WEEKS: usize = 4;
const COMPARED: usize = 4;
/// Items that sell on such a weekday, at least: a small shop has days without a sale by chance.
const USUAL: u64 = 20;
/// A day with less than one in this many of them was closed.
const SHARE: u64 = 20;

pub(in super::super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
) -> Result<ArtifactRef, TrainingError> {
    let name = DEMAND;
    let mut parts: Vec<DemandProfiles> = Vec::new();
    for artifact in inputs.of_all_shards(Phase::Estimates, name)? {
        parts.push(read_message(context.store, artifact)?);
    }
    let pooled = merged(&parts);
    Ok(write_message(context.store, context.job, "pool", &context.name(name), &pooled)?)
}

/// Adds up the parts in order.
fn merged(parts: &[DemandProfiles]) -> DemandProfiles {
    let last_day = parts.iter().map(|part| part.last_day).max().unwrap_or_default();
    let as_of_day = parts.iter().map(|part| part.as_of_day).max().unwrap_or_default();
    let newest_event_day = parts.iter().map(|part| part.newest_event_day).max().unwrap_or_default();
    // The same in all parts: each is told of the whole shop.
    let silent = parts.first().map(|part| part.silent.clone()).unwrap_or_default();
    let first_day = parts.iter().map(|part| part.first_day).min().unwrap_or_default();
    let mut items_sold = vec![0_u64; last_day.saturating_sub(first_day) as usize + 1];
    let mut categories = Categories::default();
    for part in parts {
        for category in &part.categories {
            categories.add(category);
        }
        let from = (part.first_day - first_day) as usize;
        for (sum, sold) in items_sold[from..].iter_mut().zip(&part.items_sold) {
            *sum += sold;
        }
    }
    let closed = (first_day..).zip(closed(&items_sold));
    DemandProfiles {
        categories: categories.into_sorted(),
        first_day,
        closed_days: closed.filter(|(_, closed)| *closed).map(|(day, _)| day).collect(),
        items_sold,
        last_day,
        as_of_day,
        silent,
        newest_event_day,
    }
}

/// Which days the whole shop was closed on: fewer items sold than a twentieth of the median of the
/// same weekday in the four weeks before and after, where that is at least twenty items. A weekday
/// on which the shop never opens is no such day: its demand is 0.
fn closed(items_sold: &[u64]) -> impl Iterator<Item = bool> {
    items_sold.iter().enumerate().map(|(day, &sold)| {
        let before = (1..=WEEKS).filter_map(|weeks| day.checked_sub(weeks * WEEK));
        let after = (1..=WEEKS).map(|weeks| day + weeks * WEEK);
        let mut others: Vec<u64> =
            before.chain(after).filter_map(|day| items_sold.get(day).copied()).collect();
        others.sort_unstable();
        let median = others.get(others.len() / 2).copied().unwrap_or_default();
        others.len() >= COMPARED && median >= USUAL && sold * SHARE < median
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_days(items_sold: &[u64]) -> Vec<usize> {
        closed(items_sold).enumerate().filter(|(_, closed)| *closed).map(|(day, _)| day).collect()
    }

    #[test]
    fn finds_the_days_on_which_nothing_was_open() {
        let mut sold: Vec<u64> = (0..140).map(|day| 200 + day % 7 * 50).collect();
        // Every Sunday is closed, which its weekday knows; Christmas and a flood are not usual.
        for sunday in (6..140).step_by(7) {
            sold[sunday] = 0;
        }
        (sold[50], sold[51], sold[100]) = (0, 9, 150);
        assert_eq!(closed_days(&sold), [50, 51]);
        // Chance empties the days of a small shop.
        let mut small = vec![3; 140];
        small[70] = 0;
        assert_eq!(closed_days(&small), [0; 0]);
        // The beginning and the end of the history are compared with one side.
        let mut sold = vec![100; 60];
        (sold[0], sold[59]) = (0, 0);
        assert_eq!(closed_days(&sold), [0, 59]);
        assert_eq!(closed_days(&sold[..20]), [0; 0]);
        assert_eq!(closed_days(&[]), [0; 0]);
    }
}
