//! The best results of a shard.

use std::collections::BinaryHeap;

use mercer_algorithms::recommend::score::Scorer;
use mercer_common::slot::{Subject, slot};
use mercer_proto::internal::ShardPosition;

use super::{
    call::Call,
    candidates::{Included, rank},
    judge::{Found, Judge},
};
use crate::{
    serve::position,
    shard::{ItemState, Shard, ShardState},
};

/// Offers the shard's items to `top`, which may have seen those of shards before it, and returns the
/// position at which it was read.
///
/// Candidates are looked at from the one of which the version says most on, until no other can be
/// among the best, whatever its live properties and the rules add: live items cost more to look at
/// than candidates to score.
pub(super) fn best(
    call: &Call,
    shard: &Shard,
    scorer: &mut Scorer,
    top: &mut Top,
) -> ShardPosition {
    let (mut rows, strangers) = included(call, shard);
    let ranking = rank(call, shard.id(), scorer, &mut rows);
    let first = call.set.as_ref().map_or(0, |set| set.items().shard_rows(shard.id()).start);
    let state = shard.read();
    let mut judge = Judge::new(call, &state);
    let set = call.set.as_deref();
    for one in &rows {
        let row = first + one.candidate;
        if let Some(item) = set.and_then(|set| state.item(set.items().id(row))) {
            top.offer(&mut judge, item, Some(row), one.base);
        }
    }
    for item in strangers.iter().filter_map(|id| state.item(id)) {
        top.offer(&mut judge, item, None, None);
    }
    if let Some((set, ranking)) = set.zip(ranking) {
        let has_included = !rows.is_empty() || !strangers.is_empty();
        let keeps_order = judge.keeps_order() && !has_included;
        let (lowest, is_alone) = (ranking.lowest(), call.mix.is_none());
        for scored in ranking {
            if is_alone && scored.score <= 0.0 {
                break;
            }
            let is_closed = match keeps_order {
                true => top.is_closed(|worst| scored.score <= worst),
                false => top.is_closed(|worst| judge.bound(lowest, scored.score) < worst),
            };
            if is_closed {
                break;
            }
            let row = first + scored.candidate;
            let is_done = rows.binary_search_by_key(&scored.candidate, |one| one.candidate).is_ok();
            if call.excludes_row(row) || is_done {
                continue;
            }
            if let Some(item) = state.item(set.items().id(row)) {
                top.offer(&mut judge, item, Some(row), Some(scored.score));
            }
        }
    }
    position(&state)
}

/// The best n of some shards so far, the worst of them on top.
pub(super) struct Top {
    n: usize,
    heap: BinaryHeap<Found>,
}

impl Top {
    pub(super) fn new(n: usize) -> Self {
        Self { n, heap: BinaryHeap::with_capacity(n + 1) }
    }

    /// In no order.
    pub(super) fn into_items(self) -> Vec<Found> {
        self.heap.into_vec()
    }

    /// Whether there are n and no further item can be among them; `cannot` says so of the score of
    /// the worst.
    fn is_closed(&self, cannot: impl Fn(f64) -> bool) -> bool {
        let worst = self.heap.peek().filter(|_| self.heap.len() >= self.n);
        worst.is_some_and(|worst| cannot(worst.score))
    }

    /// Takes an item in that may be recommended and is among the best so far.
    fn offer(
        &mut self,
        judge: &mut Judge<'_>,
        item: &ItemState,
        row: Option<u32>,
        base: Option<f64>,
    ) {
        let Some(verdict) = judge.judge(item, row, base) else { return };
        if self.heap.len() >= self.n
            && let Some(worst) = self.heap.peek()
        {
            let order = (worst.score.total_cmp(&verdict.score))
                .then_with(|| slot(Subject::Item, item.id()).cmp(&worst.slot))
                .then_with(|| item.id().cmp(&worst.id));
            if order.is_gt() {
                return;
            }
            self.heap.pop();
        }
        self.heap.push(judge.found(item, row, verdict));
    }
}

/// What rules include here and nothing excludes: ascending candidates, and ids that have no row.
///
/// Where a rule names no items, its first n by (slot, id) are enough: what has no score of its own
/// ranks by that, and what has one is a candidate without the rule.
fn included(call: &Call, shard: &Shard) -> (Vec<Included>, Vec<String>) {
    let (mut candidates, mut strangers): (Vec<u32>, Vec<String>) = Default::default();
    if call.rules.includes().next().is_none() {
        return (Vec::new(), strangers);
    }
    let state = shard.read();
    let mut judge = Judge::new(call, &state);
    let mut add = |item: &ItemState| match call.row(item.id()) {
        Some(row) => candidates.extend(call.candidate(shard.id(), row)),
        None => strangers.push(item.id().to_owned()),
    };
    for rule in call.rules.includes() {
        let mut is_eligible =
            |item: &&ItemState| rule.matches(item) && !call.excludes(item) && judge.admits(item);
        match rule.filter.items() {
            Some(ids) => named(&state, ids).filter(&mut is_eligible).for_each(&mut add),
            None => state.items().filter(&mut is_eligible).take(call.n).for_each(&mut add),
        }
    }
    candidates.sort_unstable();
    candidates.dedup();
    strangers.sort_unstable();
    strangers.dedup();
    let rows = candidates.into_iter().map(|candidate| Included { candidate, base: None });
    (rows.collect(), strangers)
}

/// The items of a shard among those named.
fn named<'a>(state: &'a ShardState, ids: &'a [String]) -> impl Iterator<Item = &'a ItemState> {
    ids.iter().filter_map(|id| state.item(id))
}
