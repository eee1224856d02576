//! What fills up when the algorithm has fewer results than asked: popular items of the profile's
//! categories, then popular items.

use std::{collections::HashSet, sync::Arc};

use mercer_common::slot::{Kind, slot};
use mercer_proto::{
    internal::ShardPosition,
    v1::{Reason, Recommendation, Source, reason},
};

use super::{
    call::Call,
    judge::{Found, Judge},
};
use crate::{
    serving::{filter::within_category, position},
    shard::{ItemState, Shard, ShardState},
};

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
        call: &Call,
        shards: &[Arc<Shard>],
        results: &[Found],
        positions: &mut Vec<ShardPosition>,
    ) -> Self {
        let missing = call.n - results.len();
        let taken: HashSet<&str> = results.iter().map(|result| result.id.as_str()).collect();
        let mut fills = Self::default();
        positions.clear();
        for shard in shards {
            let state = shard.read();
            positions.push(position(&state));
            fills.add(call, &state, &taken, missing);
        }
        keep_best(&mut fills.category, missing);
        keep_best(&mut fills.popular, missing - fills.category.len());
        fills
    }

    /// Adds the shard's best `missing` of either kind, by (popularity descending, slot, id).
    fn add(&mut self, call: &Call, state: &ShardState, taken: &HashSet<&str>, missing: usize) {
        let (mut category, mut popular) = (0, 0);
        let has_categories = !call.request.categories.is_empty();
        let mut judge = Judge::new(call, state);
        for item in state.by_popularity() {
            let may_be_category = has_categories && item.popularity() > 0;
            if category == missing || (popular == missing && !may_be_category) {
                break;
            }
            if taken.contains(item.id()) || call.excludes(item) || !judge.admits(item) {
                continue;
            }
            if may_be_category && is_in_category(call, item) {
                category += 1;
                self.category.push(Fill::new(item));
            } else if popular < missing {
                popular += 1;
                self.popular.push(Fill::new(item));
            }
        }
    }
}

fn is_in_category(call: &Call, item: &ItemState) -> bool {
    let mut categories = call.request.categories.iter();
    categories.any(|category| within_category(item.category_path(), &category.path))
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
        let code = match source {
            Source::CategoryPopular => reason::Code::PopularInCategory,
            _ => reason::Code::Popular,
        };
        let reason = Reason {
            kind: reason::Kind::Popularity.into(),
            code: code.into(),
            contribution: score,
            ..Reason::default()
        };
        Recommendation {
            item_id: self.id,
            score,
            source: source.into(),
            reasons: if explain { vec![reason] } else { Vec::new() },
            title: self.title,
            ..Recommendation::default()
        }
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
