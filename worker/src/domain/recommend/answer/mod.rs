//! One worker's part of a recommendation: all asked shards, the worker's own best n.
//!
//! First every shard scores its candidates by all sources, completely, and hands out its best n
//! that may be recommended. Only if all of them together are fewer than n do popular items fill up;
//! then there is no better worker-local answer, and the coordinator, which merges by source first,
//! needs fill-ups from nobody else.

mod best;
mod call;
mod candidates;
mod code;
mod explain;
mod facts;
mod fill;
mod judge;
mod mix;

use std::{sync::Arc, time::Instant};

use mercer_algorithms::recommend::score::Scorer;
use mercer_common::slot::{ShardId, Subject};
use mercer_proto::{
    internal::{PartialRecommendRequest, PartialRecommendResponse, RerankFacts, ShardPosition},
    v1::{Recommendation, Source},
};
use parking_lot::Mutex;

use super::{
    Recommender,
    rules::{ActiveRules, Rules},
    sources::POPULAR,
};
use crate::{
    serve::ServeError,
    shard::Shard,
    version::{OpenSet, VersionError},
};
use best::{Top, best};
use call::{Call, results};
use explain::Explainer;
use fill::{Fill, Fills};
use judge::Found;

/// Lookups in a shard from which a call is spread over the threads.
const SPREAD_FROM: usize = 2_000;

/// What the shards of a worker found.
#[derive(Debug, Default)]
struct Part {
    items: Vec<Found>,
    positions: Vec<ShardPosition>,
}

impl Recommender {
    /// The worker's own best n.
    pub(crate) async fn recommend(
        &self,
        request: PartialRecommendRequest,
        deadline: Instant,
    ) -> Result<PartialRecommendResponse, ServeError> {
        let shards = self.serving.shards_at(&request.shards, deadline).await?;
        let rules = self.rules(&shards).await?;
        let call = Arc::new(self.call(request, rules)?);
        let pieces = self.pieces(&shards, &call);
        let (asked, scorers) = (Arc::clone(&call), Arc::clone(&self.scorers));
        let answer = self.serving.compute().scatter(
            pieces,
            move |shards| score(&asked, &shards, &scorers),
            move |parts| finish(&call, &shards, parts),
        );
        answer.await?
    }

    /// The rules that all shards know.
    async fn rules(&self, shards: &[Arc<Shard>]) -> Result<Arc<Rules>, ServeError> {
        let Some(shard) = shards.first().cloned() else { return Ok(Arc::default()) };
        let (cache, currency) = (Arc::clone(&self.rules), self.serving.cluster()?.currency.clone());
        let rules =
            self.serving.compute().serve(move || cache.of(&shard.read(), &currency)).await?;
        Ok(rules?)
    }

    fn call(
        &self,
        mut request: PartialRecommendRequest,
        rules: Arc<Rules>,
    ) -> Result<Call, ServeError> {
        let filter = self.serving.filter(request.filter.as_ref())?;
        let set = self.models(&request.version, &request.algorithm)?;
        request.excluded_ids.sort_unstable();
        if request.algorithm == POPULAR {
            request.sources.clear();
            request.categories.clear();
        }
        let rules = ActiveRules::new(rules, request.now_ms, &request.rule_set);
        let mix = match set.as_deref() {
            Some(set) => mix::of(&request.version, set, &request.algorithm)?,
            None => None,
        };
        let version = self.serving.versions().named(&request.version)?;
        let n = results(request.n);
        let mut call = Call { request, filter, rules, version, set, mix, n, is_full_scan: false };
        call.check()?;
        call.is_full_scan = call
            .set
            .as_deref()
            .is_some_and(|set| candidates::can_scan(&call, set, self.scan_bytes));
        Ok(call)
    }

    /// The models that an algorithm is served from; the newest where it needs none.
    pub(super) fn models(
        &self,
        version: &str,
        algorithm: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        match algorithm {
            "" | POPULAR => self.serving.versions().newest_models(version),
            _ => self.serving.versions().models(version, algorithm),
        }
    }

    /// Assigns the shards to the threads, or all to one when there is little to do.
    fn pieces(&self, shards: &[Arc<Shard>], call: &Call) -> Vec<Vec<Arc<Shard>>> {
        let is_little = !call.is_full_scan && shards.len() * call.lookups() < SPREAD_FROM;
        let threads = if is_little { 1 } else { self.serving.compute().serve_threads() };
        let size = shards.len().div_ceil(threads).max(1);
        shards.chunks(size).map(<[_]>::to_vec).collect()
    }
}

/// The best n of some shards.
fn score(call: &Call, shards: &[Arc<Shard>], scorers: &Scorers) -> Part {
    let (mut scorer, mut top) = (scorers.take(), Top::new(call.n));
    let positions = shards.iter().map(|shard| best(call, shard, &mut scorer, &mut top)).collect();
    scorers.put(scorer);
    Part { items: top.into_items(), positions }
}

/// The best n of all shards, filled up if they are fewer, as the answer.
fn finish(
    call: &Call,
    shards: &[Arc<Shard>],
    parts: Vec<Part>,
) -> Result<PartialRecommendResponse, ServeError> {
    let mut all = Part::default();
    for mut part in parts {
        all.items.append(&mut part.items);
        all.positions.append(&mut part.positions);
    }
    keep_best(&mut all.items, call.n);
    let mut fills = Fills::default();
    if all.items.len() < call.n {
        fills = Fills::collect(call, shards, &all.items, &mut all.positions);
    }
    let rows: Vec<Option<u32>> = all.items.iter().map(|found| found.row).collect();
    let explainer = Explainer::new(call, &all.items);
    let shown = all.items.into_iter().enumerate();
    let mut items: Vec<Recommendation> =
        shown.map(|(at, found)| show(&explainer, shards, at, found)).collect();
    let fill = |source: Source, fills: Vec<Fill>| {
        fills.into_iter().map(move |fill| fill.show(source, call.request.explain))
    };
    items.extend(fill(Source::CategoryPopular, fills.category));
    items.extend(fill(Source::Popular, fills.popular));
    items.truncate(call.n);
    if call.request.explain {
        add_titles(shards, &mut items);
    }
    let mut facts: Vec<RerankFacts> = Vec::new();
    if call.request.rerank_facts {
        let known = rows.into_iter().map(Some).chain(std::iter::repeat(None));
        for (item, known) in items.iter().zip(known) {
            let row = known.unwrap_or_else(|| call.row(&item.item_id));
            let shard = of_item(shards, &item.item_id);
            facts.push(match shard {
                Some(shard) => facts::facts(call, shard, &item.item_id, row)?,
                None => RerankFacts::default(),
            });
        }
    }
    let (answered, full_scan) = (all.positions, call.is_full_scan);
    Ok(PartialRecommendResponse { items, answered, facts, full_scan })
}

/// Best first, at most n.
fn keep_best(items: &mut Vec<Found>, n: usize) {
    items.sort_unstable();
    items.truncate(n);
}

fn show(
    explainer: &Explainer<'_>,
    shards: &[Arc<Shard>],
    at: usize,
    found: Found,
) -> Recommendation {
    let shard = of_item(shards, &found.id);
    let reasons = shard.map(|shard| explainer.reasons(at, shard.id(), &found));
    let mut reasons = reasons.unwrap_or_default();
    if !reasons.is_empty() && !shard.is_some_and(|shard| is_bought(shard, &found.id)) {
        for reason in &mut reasons {
            reason.set_code(code::of_never_bought(reason.code()));
        }
    }
    Recommendation {
        item_id: found.id,
        score: found.score,
        source: found.source.into(),
        reasons,
        title: found.title,
        ..Recommendation::default()
    }
}

/// Whether a shard has an item that was ever bought.
fn is_bought(shard: &Shard, id: &str) -> bool {
    shard.read().item(id).is_some_and(|item| item.popularity() > 0)
}

/// The shard of an item, if it was asked.
fn of_item<'a>(shards: &'a [Arc<Shard>], id: &str) -> Option<&'a Arc<Shard>> {
    let layout = shards.first()?.layout();
    let wanted: ShardId = layout.shard_of(Subject::Item, id);
    shards.iter().find(|shard| shard.id() == wanted)
}

/// Titles of the items that reasons name, as far as they live here.
fn add_titles(shards: &[Arc<Shard>], items: &mut [Recommendation]) {
    for reason in items.iter_mut().flat_map(|item| &mut item.reasons) {
        if !reason.item_id.is_empty()
            && let Some(shard) = of_item(shards, &reason.item_id)
            && let Some(item) = shard.read().item(&reason.item_id)
        {
            item.title().clone_into(&mut reason.title);
        }
    }
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
