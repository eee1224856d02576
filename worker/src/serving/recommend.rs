//! One worker's part of a recommendation: all asked shards, the worker's own best n.
//!
//! First every shard scores its candidates, completely, and hands out its best n that may be
//! recommended. Only if all of them together are fewer than n do popular items fill up; then
//! there is no better worker-local answer, and the coordinator, which merges by source first,
//! needs fill-ups from nobody else.

use std::{cmp::Ordering, sync::Arc, time::Instant};

use mercer_algorithms::recommend::score::Scorer;
use mercer_common::limits;
use mercer_proto::{
    internal::{PartialRecommendRequest, PartialRecommendResponse, ShardPosition},
    v1::{Recommendation, Source},
};
use parking_lot::Mutex;

use super::{
    ServeError, Serving,
    fill::{Fill, Fills},
    filter::Filter,
    shard_scores::{ScoredItem, best, explained},
};
use crate::{shard::Shard, version::{OpenSet, VersionError}};

/// The algorithm that scores nothing.
pub(super) const POPULAR: &str = "popular";
/// Lookups of a profile row in a shard from which a call is spread over the threads.
const SPREAD_FROM: usize = 2_000;

/// A request with everything that its shards need, checked.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) request: PartialRecommendRequest,
    pub(super) filter: Option<Filter>,
    pub(super) version: Option<Arc<OpenSet>>,
    /// Number of results, 1 to 1,000.
    pub(super) n: usize,
}

/// What the shards of a worker found.
#[derive(Debug, Default)]
struct Found {
    /// Best first.
    items: Vec<ScoredItem>,
    positions: Vec<ShardPosition>,
}

impl Serving {
    /// The worker's own best n.
    pub(crate) async fn recommend(
        &self,
        mut request: PartialRecommendRequest,
        deadline: Instant,
    ) -> Result<PartialRecommendResponse, ServeError> {
        let filter = self.filter(request.filter.as_ref())?;
        let version = self.models(&request.version, &request.algorithm)?;
        request.excluded_ids.sort_unstable();
        if request.algorithm == POPULAR {
            request.rows.clear();
            request.weights.clear();
            request.categories.clear();
        }
        let shards = self.shards_at(&request.shards, deadline).await?;
        let n = request.n.clamp(1, limits::RESULTS) as usize;
        let query = Arc::new(Query { request, filter, version, n });

        let pieces = self.pieces(&shards, &query);
        let scorers = Arc::clone(&self.scorers);
        let score = {
            let query = Arc::clone(&query);
            move |shards: Vec<Arc<Shard>>| score(&query, &shards, &scorers)
        };
        let finish = move |found: Vec<Found>| finish(&query, &shards, found);
        Ok(self.compute.scatter(pieces, score, finish).await?)
    }

    /// The models that an algorithm is served from; the newest where it needs none.
    pub(super) fn models(
        &self,
        version: &str,
        algorithm: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        match algorithm {
            "" | POPULAR => self.versions.newest_models(version),
            _ => self.versions.models(version, algorithm),
        }
    }

    /// Deals the shards to the threads, or all to one when there is little to do.
    fn pieces(&self, shards: &[Arc<Shard>], query: &Query) -> Vec<Vec<Arc<Shard>>> {
        let lookups = shards.len() * query.request.rows.len();
        let threads = if lookups < SPREAD_FROM { 1 } else { self.compute.serve_threads() };
        let size = shards.len().div_ceil(threads).max(1);
        shards.chunks(size).map(<[_]>::to_vec).collect()
    }
}

/// The best n of some shards.
fn score(query: &Query, shards: &[Arc<Shard>], scorers: &Scorers) -> Found {
    let mut found = Found::default();
    let mut scorer = scorers.take();
    for shard in shards {
        found.positions.push(best(query, shard, &mut scorer, &mut found.items));
    }
    scorers.put(scorer);
    keep_best(&mut found.items, query.n);
    found
}

/// The best n of all shards, filled up if they are fewer, as the answer.
fn finish(query: &Query, shards: &[Arc<Shard>], found: Vec<Found>) -> PartialRecommendResponse {
    let mut all = Found::default();
    for mut part in found {
        all.items.append(&mut part.items);
        all.positions.append(&mut part.positions);
    }
    keep_best(&mut all.items, query.n);
    let mut fills = Fills::default();
    if all.items.len() < query.n {
        fills = Fills::collect(query, shards, &all.items, &mut all.positions);
    }
    let mut items = explained(query, shards, &all.items);
    let explain = query.request.explain;
    let show = |source: Source, fills: Vec<Fill>| {
        fills.into_iter().map(move |fill| fill.show(source, explain))
    };
    items.extend(show(Source::CategoryPopular, fills.category));
    items.extend(show(Source::Popular, fills.popular));
    items.truncate(query.n);
    PartialRecommendResponse { items, answered: all.positions, ..Default::default() }
}

/// Sorts by (score descending, row) and keeps n. Rows are in (slot, id) order.
fn keep_best(items: &mut Vec<ScoredItem>, n: usize) {
    let order = |left: &ScoredItem, right: &ScoredItem| -> Ordering {
        right.score.total_cmp(&left.score).then(left.row.cmp(&right.row))
    };
    items.sort_unstable_by(order);
    items.truncate(n);
}

/// Score buffers of calls that are over, for the next ones: at most one a thread is in use.
#[derive(Debug, Default)]
pub(super) struct Scorers(Mutex<Vec<Scorer>>);

impl Scorers {
    fn take(&self) -> Scorer {
        self.0.lock().pop().unwrap_or_default()
    }

    fn put(&self, scorer: Scorer) {
        self.0.lock().push(scorer);
    }
}

/// A result without reasons.
pub(super) fn recommendation(id: &str, score: f64, source: Source, title: &str) -> Recommendation {
    Recommendation {
        item_id: id.to_owned(),
        score,
        source: source.into(),
        reasons: Vec::new(),
        title: title.to_owned(),
    }
}
