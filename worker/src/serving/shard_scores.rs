//! The candidates of a shard, scored, and the parts of a score.

use std::sync::Arc;

use mercer_algorithms::recommend::score::{self, Profile, Scorer};
use mercer_proto::{
    internal::ShardPosition,
    v1::{ItemStatus, Reason, Recommendation, Source, reason},
};

use super::{
    position,
    recommend::{POPULAR, Query, recommendation},
};
use crate::{
    shard::{ItemState, Shard},
    version::{OpenModel, OpenSet},
};

/// A candidate that may be recommended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScoredItem {
    pub(super) score: f64,
    /// Row of the version.
    pub(super) row: u32,
}

impl Query {
    /// Whether the item may be recommended at all, exclusions aside.
    pub(super) fn admits(&self, item: &ItemState) -> bool {
        item.status() == ItemStatus::Active
            && self.filter.as_ref().is_none_or(|filter| filter.admits(item))
    }

    pub(super) fn excludes_row(&self, row: u32) -> bool {
        self.request.excluded_rows.binary_search(&row).is_ok()
    }

    /// The version and its postings, when there is anything to score.
    fn scored(&self) -> Option<(&OpenSet, &OpenModel)> {
        let version = self.version.as_deref()?;
        if self.request.algorithm == POPULAR {
            return None;
        }
        let postings = version.model(&self.request.algorithm)?;
        Some((version, postings))
    }

    fn profile(&self) -> Profile<'_> {
        Profile { rows: &self.request.rows, weights: &self.request.weights }
    }
}

/// Adds the shard's best n candidates, and returns the position at which it was read.
///
/// Only what the profile speaks for, with a score above 0, is a result of the algorithm.
pub(super) fn best(
    query: &Query,
    shard: &Shard,
    scorer: &mut Scorer,
    found: &mut Vec<ScoredItem>,
) -> ShardPosition {
    let postings =
        query.scored().and_then(|(version, postings)| Some((version, postings.postings(shard.id())?)));
    let Some((version, postings)) = postings else { return position(&shard.read()) };
    let first = version.items().shard_rows(shard.id()).start;
    let ranking = scorer.score(postings, query.profile());
    let state = shard.read();
    let eligible = ranking
        .take_while(|scored| scored.score > 0.0)
        .map(|scored| ScoredItem { score: scored.score, row: first + scored.candidate })
        .filter(|scored| !query.excludes_row(scored.row))
        .filter(|scored| {
            state.item(version.items().id(scored.row)).is_some_and(|item| query.admits(item))
        });
    found.extend(eligible.take(query.n));
    position(&state)
}

/// Scored items as results, with reasons if the request wants them.
pub(super) fn explained(
    query: &Query,
    shards: &[Arc<Shard>],
    items: &[ScoredItem],
) -> Vec<Recommendation> {
    let Some((version, postings)) = query.scored() else { return Vec::new() };
    let mut results = vec![Recommendation::default(); items.len()];
    for shard in shards {
        let rows = version.items().shard_rows(shard.id());
        let Some(postings) = postings.postings(shard.id()) else { continue };
        let state = shard.read();
        for (result, item) in results.iter_mut().zip(items) {
            if !rows.contains(&item.row) {
                continue;
            }
            let id = version.items().id(item.row);
            let title = state.item(id).map_or("", ItemState::title);
            *result = recommendation(id, item.score, Source::Algorithm, title);
            if query.request.explain {
                let parts = score::explain(postings, query.profile(), item.row - rows.start);
                result.reasons = reasons(&parts, &query.request.rows, version);
            }
        }
    }
    results
}

/// The five largest parts by history item, and one for the rest.
fn reasons(parts: &[f64], rows: &[u32], version: &OpenSet) -> Vec<Reason> {
    let score::Reasons { largest, other } = score::reasons(parts);
    let mut reasons: Vec<Reason> = largest
        .into_iter()
        .map(|(index, contribution)| Reason {
            kind: reason::Kind::HistoryItem.into(),
            item_id: version.items().id(rows[index]).to_owned(),
            contribution,
            ..Reason::default()
        })
        .collect();
    if other != 0.0 {
        let kind = reason::Kind::Other.into();
        reasons.push(Reason { kind, contribution: other, ..Reason::default() });
    }
    reasons
}
