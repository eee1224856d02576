//! What fills up when the algorithm has fewer results than asked: popular items of the profile's
//! categories, then popular items.

use std::{collections::HashSet, sync::Arc};

use mercer_common::slot::{Kind, slot};
use mercer_proto::{
    internal::ShardPosition,
    v1::{Reason, Recommendation, Source, reason},
};

use super::{
    filter::within_category,
    position,
    recommend::{Query, recommendation},
    shard_scores::ScoredItem,
};
use crate::shard::{ItemState, Shard, ShardState};

/// A popular item.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    popularity: u64,
    slot: u16,
    id: String,
    title: String,
}

/// The worker's fill-ups, best first.
#[derive(Debug, Default)]
pub(super) struct Fills {
    /// Bought at least once, in one of the profile's categories.
    pub(super) category: Vec<Fill>,
    /// None of the above.
    pub(super) popular: Vec<Fill>,
}

impl Fills {
    /// Collects as many as `results` lack to n, and notes the positions at which shards were read.
    pub(super) fn collect(
        query: &Query,
        shards: &[Arc<Shard>],
        results: &[ScoredItem],
        positions: &mut Vec<ShardPosition>,
    ) -> Self {
        let missing = query.n - results.len();
        let taken: HashSet<u32> = results.iter().map(|result| result.row).collect();
        let mut fills = Self::default();
        positions.clear();
        for shard in shards {
            let state = shard.read();
            positions.push(position(&state));
            fills.add(query, &state, &taken, missing);
        }
        keep_best(&mut fills.category, missing);
        keep_best(&mut fills.popular, missing - fills.category.len());
        fills
    }

    /// Adds the shard's best `missing` of either kind.
    fn add(&mut self, query: &Query, state: &ShardState, taken: &HashSet<u32>, missing: usize) {
        let (mut category, mut popular) = (0, 0);
        let has_categories = !query.request.categories.is_empty();
        for item in eligible(query, state, taken) {
            let may_be_category = has_categories && item.popularity() > 0;
            if category == missing || (popular == missing && !may_be_category) {
                break;
            }
            if may_be_category && query.is_in_category(item) {
                category += 1;
                self.category.push(Fill::new(item));
            } else if popular < missing {
                popular += 1;
                self.popular.push(Fill::new(item));
            }
        }
    }
}

impl Query {
    fn is_in_category(&self, item: &ItemState) -> bool {
        let mut categories = self.request.categories.iter();
        categories.any(|category| within_category(item.category_path(), &category.path))
    }
}

/// Items that may fill up, by (popularity descending, slot, id).
fn eligible<'a>(
    query: &'a Query,
    state: &'a ShardState,
    taken: &'a HashSet<u32>,
) -> impl Iterator<Item = &'a ItemState> {
    let excluded = move |item: &ItemState| {
        let version = query.version.as_deref();
        match version.and_then(|version| version.items().row(item.id())) {
            Some(row) => query.excludes_row(row) || taken.contains(&row),
            None => {
                let by_id = |id: &String| id.as_str().cmp(item.id());
                query.request.excluded_ids.binary_search_by(by_id).is_ok()
            }
        }
    };
    state.by_popularity().filter(move |item| query.admits(item) && !excluded(item))
}

impl Fill {
    pub(super) fn new(item: &ItemState) -> Self {
        Self {
            popularity: item.popularity(),
            slot: slot(Kind::Item, item.id()),
            id: item.id().to_owned(),
            title: item.title().to_owned(),
        }
    }

    /// As a result, whose score is the popularity.
    pub(super) fn show(self, source: Source, explain: bool) -> Recommendation {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let score = self.popularity as f64;
        let mut shown = recommendation(&self.id, score, source, &self.title);
        if explain {
            let kind = reason::Kind::Popularity.into();
            shown.reasons.push(Reason { kind, contribution: score, ..Reason::default() });
        }
        shown
    }
}

/// Sorts by (popularity descending, slot, id) and keeps n.
fn keep_best(fills: &mut Vec<Fill>, n: usize) {
    fills.sort_unstable_by(|left, right| {
        let key = |fill: &Fill| (std::cmp::Reverse(fill.popularity), fill.slot);
        key(left).cmp(&key(right)).then_with(|| left.id.cmp(&right.id))
    });
    fills.truncate(n);
}
