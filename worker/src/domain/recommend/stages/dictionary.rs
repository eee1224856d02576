//! Numbers all items: the item table, from the cuts of all shards.
//!
//! Popularity is what the cuts say of purchases. Where nothing at all has been purchased it goes by
//! the other events that there are: the distinct days of users with any event at the item.

use std::collections::HashMap;

use mercer_algorithms::control::Control as _;
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use crate::{
    artifact::{ItemTableWriter, cut::Cut},
    task::{Context, Inputs, TrainingError},
};

const SECONDS_PER_DAY: u32 = 86_400;

/// Reads and writes more than it computes, and so stays off the pool.
pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let cuts = inputs.of_all_shards(Phase::Cut, "")?;
    context.watch.begin(cuts.len() as u64);
    let mut table = ItemTableWriter::default();
    let mut as_of = 0;
    let events = match has_purchases(context, &cuts)? {
        true => None,
        false => Some(days_of_users(context, &cuts)?),
    };
    // Shards are ranges of slots in order, so their items follow each other by (slot, id).
    for artifact in cuts {
        context.watch.checkpoint()?;
        let cut = Cut::open(context.store, artifact)?;
        let paths: Vec<u32> = (0..cut.paths()).map(|path| table.path(cut.path(path))).collect();
        for item in 0..cut.items() {
            let path = paths[cut.item_path(item)];
            let id = cut.item_id(item);
            let popularity = match &events {
                None => cut.item_popularity(item),
                Some(events) => events.get(id).copied().unwrap_or_default(),
            };
            table.push(id, popularity, path);
        }
        table.end_shard();
        as_of = as_of.max(cut.newest_event());
        context.watch.advance(1);
    }
    Ok(table.finish(context.store, context.job, as_of)?)
}

fn has_purchases(context: &Context<'_>, cuts: &[&ArtifactRef]) -> Result<bool, TrainingError> {
    for artifact in cuts {
        let cut = Cut::open(context.store, artifact)?;
        if (0..cut.items()).any(|item| cut.item_popularity(item) > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Number of distinct (user, day) pairs with any event at each item.
fn days_of_users(
    context: &Context<'_>,
    cuts: &[&ArtifactRef],
) -> Result<HashMap<String, u64>, TrainingError> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut days: Vec<(u32, u32)> = Vec::new();
    for artifact in cuts {
        let cut = Cut::open(context.store, artifact)?;
        let mut referred = vec![0_u64; cut.referred_items()];
        for user in 0..cut.users() {
            context.watch.checkpoint()?;
            let entries = cut.user_entries(user);
            days.clear();
            let times = entries.times.iter().map(|time| time / SECONDS_PER_DAY);
            days.extend(entries.items.iter().copied().zip(times));
            days.sort_unstable();
            days.dedup();
            days.iter().for_each(|&(item, _)| referred[item as usize] += 1);
        }
        for (item, count) in referred.into_iter().enumerate() {
            *counts.entry(cut.referred_id(item).to_owned()).or_default() += count;
        }
    }
    Ok(counts)
}
