//! The items bought in most distinct baskets, of one worker's shards.

use std::{cmp::Reverse, sync::Arc, time::Instant};

use mercer_common::{
    limits, money,
    slot::{Kind, slot},
};
use mercer_proto::{
    internal::{PartialPopularRequest, PartialPopularResponse},
    v1::{ItemStatus, PopularItem},
};

use super::{ServeError, Serving, filter::Filter, position};
use crate::shard::{ItemState, Shard};

impl Serving {
    /// The worker's own most popular n, by (popularity descending, slot, id).
    pub(crate) async fn popular(
        &self,
        request: PartialPopularRequest,
        deadline: Instant,
    ) -> Result<PartialPopularResponse, ServeError> {
        let currency = self.cluster()?.currency.clone();
        let filter = self.filter(request.filter.as_ref())?;
        let n = request.n.clamp(1, limits::RESULTS) as usize;
        let shards = self.shards_at(&request.shards, deadline).await?;
        let work = move || popular(&shards, filter.as_ref(), n, &currency);
        Ok(self.compute.serve(work).await?)
    }
}

fn popular(
    shards: &[Arc<Shard>],
    filter: Option<&Filter>,
    n: usize,
    currency: &str,
) -> PartialPopularResponse {
    let mut response = PartialPopularResponse::default();
    let mut best: Vec<(u16, PopularItem)> = Vec::new();
    for shard in shards {
        let state = shard.read();
        let admitted = |item: &&ItemState| {
            item.status() == ItemStatus::Active && filter.is_none_or(|filter| filter.admits(item))
        };
        let items = state.by_popularity().filter(admitted).take(n);
        best.extend(items.map(|item| (slot(Kind::Item, item.id()), show(item, currency))));
        response.answered.push(position(&state));
    }
    best.sort_unstable_by(|(left_slot, left), (right_slot, right)| {
        let key = |item: &PopularItem, slot: u16| (Reverse(item.popularity), slot);
        key(left, *left_slot)
            .cmp(&key(right, *right_slot))
            .then_with(|| left.item_id.cmp(&right.item_id))
    });
    best.truncate(n);
    response.items = best.into_iter().map(|(_, item)| item).collect();
    response
}

fn show(item: &ItemState, currency: &str) -> PopularItem {
    PopularItem {
        item_id: item.id().to_owned(),
        popularity: item.popularity(),
        units: item.units(),
        revenue: Some(money::from_micros(item.revenue_micros(), currency)),
        title: item.title().to_owned(),
    }
}
