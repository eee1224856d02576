//! What every shard must have applied after a set of events, once each.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use mercer_common::{
    event::{APPLY_VERSION, RecordContext, SplitEvents, interaction_hash, item_event_hash},
    slot::ShardLayout,
};
use mercer_proto::v1::{AppliedRecords, DescribeClusterResponse, Event};

/// Interactions and item events of one shard.
pub type Applied = (AppliedRecords, AppliedRecords);

/// What the shards of a cluster must have applied when they have applied `events` once each.
///
/// # Panics
/// When an id stands for two events.
#[must_use]
pub fn expected(events: &[Event], shards: u16) -> BTreeMap<u32, Applied> {
    let context = RecordContext {
        layout: ShardLayout::new(shards),
        currency: "USD".into(),
        time_zone: TimeZone::UTC,
        visit_key: 0,
        user_visit_key: 1,
    };
    let mut expected: BTreeMap<u32, Applied> =
        (0..shards).map(|shard| (shard.into(), (sum([]), sum([])))).collect();
    let split = SplitEvents::new(events.to_vec(), &context, APPLY_VERSION).expect("no clashes");
    for (shard, section) in split.into_sections() {
        let interactions = sum(section.interactions.iter().map(interaction_hash));
        let item_events = sum(section.item_events.iter().map(item_event_hash));
        expected.insert(shard.into(), (interactions, item_events));
    }
    expected
}

/// What the shards of a cluster say that they have applied.
#[must_use]
pub fn reported(description: &DescribeClusterResponse) -> BTreeMap<u32, Applied> {
    let applied = |records: &Option<AppliedRecords>| records.clone().unwrap_or_default();
    description
        .shards
        .iter()
        .map(|shard| (shard.shard, (applied(&shard.interactions), applied(&shard.item_events))))
        .collect()
}

fn sum(hashes: impl IntoIterator<Item = u128>) -> AppliedRecords {
    let (count, hash_sum) = hashes
        .into_iter()
        .fold((0, 0_u128), |(count, sum), hash| (count + 1, sum.wrapping_add(hash)));
    AppliedRecords { count, hash_sum: format!("{hash_sum:032x}") }
}
