//! What fills up when the algorithm has fewer results than asked: popular items of the profile's
//! categories, then popular items. What was never bought is ordered by the version's popularity,
//! which goes by other events in a shop without purchases.

use std::{collections::HashSet, sync::Arc};

use mercer_common::slot::{Subject, slot};
use mercer_proto::{
    internal::ShardPosition,
    v1::{Reason, Recommendation, Source, reason},
};

use super::{
    call::Call,
    judge::{Found, Judge},
};
use crate::{
    artifact::ItemTable,
    serve::{filter::within_category, position},
    shard::{ItemState, Shard, ShardState},
};

/// A popular item.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    score: f64,
    slot: u16,
    id: String,
    title: String,
}

/// The worker's fill-ups, best first.
#[derive(Debug, Default)]
pub(super) struct Fills {
    /// Bought at least once, or asked for, in one of the profile's categories.
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

    /// Adds the shard's best `missing` of either kind, by (score descending, slot, id).
    fn add(&mut self, call: &Call, state: &ShardState, taken: &HashSet<&str>, missing: usize) {
        let (mut category, mut popular) = (0, 0);
        let has_categories = !call.request.categories.is_empty();
        let mut judge = Judge::new(call, state);
        for (item, score) in scored(call, state) {
            let may_be_category = has_categories && score > 0.0;
            if category == missing || (popular == missing && !may_be_category) {
                break;
            }
            if taken.contains(item.id()) || call.excludes(item) || !judge.admits(item) {
                continue;
            }
            if may_be_category && is_in_category(call, item) {
                category += 1;
                self.category.push(Fill::new(item, score));
            } else if popular < missing {
                popular += 1;
                self.popular.push(Fill::new(item, score));
            }
        }
    }
}

/// All items of the shard, best first: those that were bought by their popularity, and below 1
/// those that were not, by the popularity in the version.
fn scored<'a>(call: &'a Call, state: &'a ShardState) -> impl Iterator<Item = (&'a ItemState, f64)> {
    let is_bought = |item: &&ItemState| item.popularity() > 0;
    let bought = state.by_popularity().take_while(is_bought);
    let bought = bought.map(|item| (item, item.popularity() as f64));

    let table = call.set.as_ref().map(|set| set.items());
    let own = table.map_or(0..0, |table| table.shard_rows(state.shard()));
    let known = table.into_iter().flat_map(move |table| {
        let by_rank =
            table.rows_by_rank().iter().map(|&row| (row, table.popularity()[row as usize]));
        let asked_for = by_rank.take_while(|&(_, popularity)| popularity > 0);
        let own = own.clone();
        asked_for
            .filter(move |(row, _)| own.contains(row))
            .filter_map(move |(row, popularity)| Some((state.item(table.id(row))?, popularity)))
    });
    let asked_for = known.filter(move |(item, _)| !is_bought(item));
    let asked_for =
        asked_for.map(|(item, popularity)| (item, popularity as f64 / (popularity + 1) as f64));

    let others = state.by_popularity().skip_while(is_bought);
    let others = others.filter(move |item| popularity_in_version(table, item.id()) == 0);
    bought.chain(asked_for).chain(others.map(|item| (item, 0.0)))
}

/// The popularity that the version gives an item; 0 where it does not know it.
fn popularity_in_version(table: Option<&ItemTable>, id: &str) -> u64 {
    let row = table.and_then(|table| Some(table.popularity()[table.row(id)? as usize]));
    row.unwrap_or_default()
}

fn is_in_category(call: &Call, item: &ItemState) -> bool {
    let mut categories = call.request.categories.iter();
    categories.any(|category| within_category(item.category_path(), &category.path))
}

impl Fill {
    pub(super) fn new(item: &ItemState, score: f64) -> Self {
        Self {
            score,
            slot: slot(Subject::Item, item.id()),
            id: item.id().to_owned(),
            title: item.title().to_owned(),
        }
    }

    /// A result whose score is the popularity.
    pub(super) fn show(self, source: Source, explain: bool) -> Recommendation {
        let score = self.score;
        let code = match source {
            _ if score < 1.0 => reason::Code::OfInterest,
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

/// Sorts by (score descending, slot, id) and keeps n.
fn keep_best(fills: &mut Vec<Fill>, n: usize) {
    fills.sort_unstable_by(|left, right| {
        let by_score = right.score.total_cmp(&left.score);
        by_score.then_with(|| (left.slot, &left.id).cmp(&(right.slot, &right.id)))
    });
    fills.truncate(n);
}
