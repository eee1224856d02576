//! A request with everything that its shards need, checked.

use std::sync::Arc;

use mercer_algorithms::recommend::{
    hybrid::{ItemFacts, Mix, MixFeature},
    score::Profile,
};
use mercer_common::{limits, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::{
    internal::{PartialRecommendRequest, SourceQuery},
    v1::ItemStatus,
};

use crate::{
    domain::recommend::{
        rules::ActiveRules,
        sources::{self, Source},
    },
    serve::filter::Filter,
    shard::ItemState,
    version::{OpenSet, OpenVersion},
};

/// A call with everything that its shards need.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: PartialRecommendRequest,
    pub(super) filter: Option<Filter>,
    pub(super) rules: ActiveRules,
    pub(super) version: Option<Arc<OpenVersion>>,
    pub(super) set: Option<Arc<OpenSet>>,
    /// The mix of several sources.
    pub(super) mix: Option<Mix>,
    /// Number of results, 1 to 1,000.
    pub(super) n: usize,
    /// All items are candidates.
    pub(super) is_full_scan: bool,
}

impl Call {
    /// The sources that are asked, with their places in the mix.
    pub(super) fn sources<'a>(
        &'a self,
        set: &'a OpenSet,
    ) -> impl Iterator<Item = (usize, &'a SourceQuery, Source<'a>)> {
        let asked = self.request.sources.iter().enumerate();
        asked.filter_map(|(index, query)| Some((index, query, sources::asked(set, query)?)))
    }

    /// What is shared by all shards is checked once.
    pub(super) fn check(&self) -> Result<(), InvalidRequest> {
        let refused = |index: usize, problem: &str| {
            Err(InvalidRequest::field(format!("sources[{index}]"), problem))
        };
        let Some(set) = &self.set else { return Ok(()) };
        if let Some(mix) = &self.mix {
            let asked = self.request.sources.iter().map(|query| &query.algorithm);
            if !mix.sources.iter().map(|source| &source.algorithm).eq(asked) {
                return Err(InvalidRequest::field("sources", "are not those of the mix"));
            }
        }
        for (index, query) in self.request.sources.iter().enumerate() {
            if query.rows.len() != query.weights.len() {
                return refused(index, "has other rows than weights");
            }
            if !query.rows.is_sorted_by(|left, right| left < right) {
                return refused(index, "has rows that do not ascend");
            }
            if let Some(Source::Factors(_, side)) = sources::asked(set, query)
                && query.vector.len() != side.dimensions()
            {
                return refused(index, "has a vector of another length");
            }
        }
        Ok(())
    }

    /// What an item's properties add that are as they were at the training.
    pub(super) fn features_of_version(
        &self,
        popularity: u64,
    ) -> impl Iterator<Item = (&MixFeature, f64)> {
        let facts = ItemFacts { popularity, ..ItemFacts::default() };
        let known = self.features().filter(|one| one.feature.is_of_version());
        known.map(move |one| (one, one.part(&facts)))
    }

    /// The properties that the mix weighs as they are now.
    pub(super) fn live_features(&self) -> impl Iterator<Item = &MixFeature> {
        self.features().filter(|one| !one.feature.is_of_version())
    }

    fn features(&self) -> impl Iterator<Item = &MixFeature> {
        self.mix.iter().flat_map(|mix| &mix.features)
    }

    /// Whether the item may be recommended, exclusions aside.
    pub(super) fn admits(&self, item: &ItemState) -> bool {
        item.status() == ItemStatus::Active
            && self.filter.as_ref().is_none_or(|filter| filter.admits(item))
    }

    pub(super) fn excludes_row(&self, row: u32) -> bool {
        self.request.excluded_rows.binary_search(&row).is_ok()
    }

    /// Whether the item must not be recommended, whatever its row.
    pub(super) fn excludes(&self, item: &ItemState) -> bool {
        match self.row(item.id()) {
            Some(row) => self.excludes_row(row),
            None => {
                let excluded = &self.request.excluded_ids;
                excluded.binary_search_by(|id| id.as_str().cmp(item.id())).is_ok()
            }
        }
    }

    /// The item's row, where the version knows it.
    pub(super) fn row(&self, id: &str) -> Option<u32> {
        self.set.as_ref()?.items().row(id)
    }

    /// Rows of postings that a shard looks up, roughly.
    pub(super) fn lookups(&self) -> usize {
        self.request.sources.iter().map(|query| query.rows.len() + query.vector.len()).sum()
    }

    /// The index of a row among the items of a shard.
    pub(super) fn candidate(&self, shard: ShardId, row: u32) -> Option<u32> {
        let rows = self.set.as_ref()?.items().shard_rows(shard);
        rows.contains(&row).then(|| row - rows.start)
    }
}

/// The profile that a neighbourhood is asked with.
pub(super) fn profile(query: &SourceQuery) -> Profile<'_> {
    Profile { rows: &query.rows, weights: &query.weights }
}

/// Number of results of a request.
pub(super) fn results(n: u32) -> usize {
    n.clamp(1, limits::RESULTS) as usize
}
