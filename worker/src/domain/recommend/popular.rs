//! The items bought in most distinct baskets, or of which most units were sold at a location, of
//! one worker's shards.

use std::{cmp::Reverse, sync::Arc, time::Instant};

use mercer_common::{
    limits, money,
    slot::{Subject, slot},
};
use mercer_proto::{
    internal::{PartialPopularRequest, PartialPopularResponse},
    v1::{ItemStatus, PopularItem},
};

use super::Recommender;
use crate::{
    artifact::ItemTable,
    serve::{ServeError, filter::Filter, position},
    shard::{ItemState, SalesDay, Shard, ShardState},
    version::OpenSet,
};

impl Recommender {
    /// The worker's own most popular n, by (popularity descending, slot, id); of a location by
    /// (units sold there descending, slot, id), only what was sold there.
    pub(crate) async fn popular(
        &self,
        request: PartialPopularRequest,
        deadline: Instant,
    ) -> Result<PartialPopularResponse, ServeError> {
        let currency = self.serving.cluster()?.currency.clone();
        let filter = self.serving.filter(request.filter.as_ref())?;
        let shards = self.serving.shards_at(&request.shards, deadline).await?;
        let n = request.n.clamp(1, limits::RESULTS) as usize;
        let trained = self.serving.versions().newest_models(&request.version)?;
        let question = Question { filter, n, location: request.location_id, currency, trained };
        let compute = self.serving.compute();
        let per_thread = shards.len().div_ceil(compute.serve_threads()).max(1);
        let pieces: Vec<Vec<Arc<Shard>>> = shards.chunks(per_thread).map(<[_]>::to_vec).collect();
        let answer = compute.scatter(
            pieces,
            move |shards| question.best(&shards),
            move |parts| finish(parts, n),
        );
        Ok(answer.await?)
    }
}

#[derive(Debug)]
struct Question {
    filter: Option<Filter>,
    n: usize,
    /// Empty: everywhere.
    location: String,
    currency: String,
    /// When set, order is by the popularity at its training.
    trained: Option<Arc<OpenSet>>,
}

/// What some shards found; each item with what it is ordered by.
#[derive(Debug, Default)]
struct Part {
    items: Vec<(Reverse<u64>, u16, PopularItem)>,
    response: PartialPopularResponse,
}

impl Question {
    fn best(&self, shards: &[Arc<Shard>]) -> Part {
        let mut part = Part::default();
        for shard in shards {
            let state = shard.read();
            if let Some(trained) = &self.trained {
                part.items.extend(self.best_of_training(&state, trained.items()));
            } else if self.location.is_empty() {
                let items = state.by_popularity().filter(|item| self.admits(item)).take(self.n);
                part.items.extend(items.map(|item| {
                    self.show(item, item.popularity(), item.units(), item.revenue_micros())
                }));
            } else {
                self.add_sold(&state, &mut part);
                keep_best(&mut part.items, self.n);
            }
            part.response.answered.push(position(&state));
        }
        keep_best(&mut part.items, self.n);
        part
    }

    /// The shard's own best by the popularity at the training.
    fn best_of_training(
        &self,
        state: &ShardState,
        table: &ItemTable,
    ) -> Vec<(Reverse<u64>, u16, PopularItem)> {
        let own = table.shard_rows(state.shard());
        let rows = table.rows_by_rank().iter().copied().filter(|row| own.contains(row));
        let known = rows.filter_map(|row| Some((row, state.item(table.id(row))?)));
        let best = known.filter(|(_, item)| self.admits(item)).take(self.n);
        best.map(|(row, item)| {
            let popularity = table.popularity()[row as usize];
            let (key, slot, shown) =
                self.show(item, popularity, item.units(), item.revenue_micros());
            (key, slot, PopularItem { popularity, ..shown })
        })
        .collect()
    }

    fn admits(&self, item: &ItemState) -> bool {
        item.status() == ItemStatus::Active
            && self.filter.as_ref().is_none_or(|filter| filter.admits(item))
    }

    /// Adds what was sold at the location.
    fn add_sold(&self, state: &ShardState, part: &mut Part) {
        for item in state.items() {
            let days = item.series().at(&self.location);
            let sum = |of: fn(&SalesDay) -> i64| days.iter().map(of).fold(0, i64::saturating_add);
            let (units, revenue) = (sum(|day| day.units_micros), sum(|day| day.revenue_micros));
            if units > 0 && self.admits(item) {
                let shown = units as f64 / 1e6;
                part.items.push(self.show(item, units.unsigned_abs(), shown, revenue));
            }
        }
    }

    fn show(
        &self,
        item: &ItemState,
        key: u64,
        units: f64,
        revenue_micros: i64,
    ) -> (Reverse<u64>, u16, PopularItem) {
        let shown = PopularItem {
            item_id: item.id().to_owned(),
            popularity: item.popularity(),
            units,
            revenue: Some(money::from_micros(revenue_micros, &self.currency)),
            title: item.title().to_owned(),
        };
        (Reverse(key), slot(Subject::Item, item.id()), shown)
    }
}

fn keep_best(items: &mut Vec<(Reverse<u64>, u16, PopularItem)>, n: usize) {
    items.sort_unstable_by(|left, right| {
        let by_key = (left.0, left.1).cmp(&(right.0, right.1));
        by_key.then_with(|| left.2.item_id.cmp(&right.2.item_id))
    });
    items.truncate(n);
}

fn finish(parts: Vec<Part>, n: usize) -> PartialPopularResponse {
    let mut all = Part::default();
    for mut part in parts {
        all.items.append(&mut part.items);
        all.response.answered.append(&mut part.response.answered);
    }
    keep_best(&mut all.items, n);
    all.response.items = all.items.into_iter().map(|(.., item)| item).collect();
    all.response
}
