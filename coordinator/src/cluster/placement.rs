//! Which worker holds which shard: a pure function of the worker ids.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::slot::{ShardId, ShardLayout};

/// The worker of every shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    owners: Vec<String>,
}

impl Placement {
    /// Assigns the shards in contiguous ranges of nearly equal size by ascending worker id.
    pub(crate) fn assign(layout: ShardLayout, workers: &BTreeSet<String>) -> Self {
        let shards = usize::from(layout.shards());
        let ids: Vec<&String> = workers.iter().collect();
        let owners = (0..shards)
            .filter_map(|shard| ids.get(shard * ids.len() / shards).map(|id| (*id).clone()))
            .collect();
        Self { owners }
    }

    /// The placement as it was stored, unless it is of another number of shards.
    pub(crate) fn from_owners(layout: ShardLayout, owners: Vec<String>) -> Option<Self> {
        (owners.len() == usize::from(layout.shards())).then_some(Self { owners })
    }

    /// The worker of every shard, by shard.
    pub(crate) fn owners(&self) -> &[String] {
        &self.owners
    }

    /// The worker of `shard`.
    pub(crate) fn owner(&self, shard: ShardId) -> &str {
        &self.owners[usize::from(shard)]
    }

    /// The distinct workers.
    pub(crate) fn workers(&self) -> BTreeSet<String> {
        self.owners.iter().cloned().collect()
    }

    /// The shards of `worker`, ascending.
    pub(crate) fn shards_of(&self, worker: &str) -> Vec<ShardId> {
        (0..).zip(&self.owners).filter(|(_, owner)| *owner == worker).map(|(s, _)| s).collect()
    }

    /// The shards of every worker.
    pub(crate) fn by_worker(&self) -> BTreeMap<&str, Vec<ShardId>> {
        let mut workers: BTreeMap<&str, Vec<ShardId>> = BTreeMap::new();
        for (shard, owner) in (0..).zip(&self.owners) {
            workers.entry(owner).or_default().push(shard);
        }
        workers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn deals_contiguous_ranges_of_nearly_equal_size(
            shards in 1u16..=64,
            workers in 1usize..=64,
        ) {
            let workers = workers.min(usize::from(shards));
            let ids: BTreeSet<String> = (0..workers).map(|i| format!("worker-{i:02}")).collect();
            let placement = Placement::assign(ShardLayout::new(shards), &ids);
            prop_assert_eq!(placement.owners().len(), usize::from(shards));
            prop_assert!(placement.owners().is_sorted());
            prop_assert_eq!(placement.workers(), ids);
            let sizes: Vec<usize> = placement.by_worker().values().map(Vec::len).collect();
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            prop_assert!(most.unwrap() - least.unwrap() <= 1, "{:?}", sizes);
        }
    }

    #[test]
    fn deals_eight_shards_to_three_workers() {
        let ids = ["c", "a", "b"].map(String::from).into();
        let placement = Placement::assign(ShardLayout::new(8), &ids);
        assert_eq!(placement.shards_of("a"), [0, 1, 2]);
        assert_eq!(placement.shards_of("b"), [3, 4, 5]);
        assert_eq!(placement.shards_of("c"), [6, 7]);
    }
}
