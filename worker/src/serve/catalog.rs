//! Items and users as the catalogue API shows them.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Instant};

use mercer_common::{
    ids::EVERYWHERE,
    limits, money,
    slot::{Subject, compare},
    time::EventTime,
};
use mercer_proto::{
    internal::{
        GetShardItemRequest, GetShardItemResponse, GetShardUserRequest, GetShardUserResponse,
        ListShardItemsResponse, ListShardRequest, ListShardUsersResponse,
    },
    v1::{
        self, CompetitorPrice, EventType, GetItemResponse, GetUserResponse, HistoryItem, Item,
        ItemStatistics, ItemStatus, Stock, Supply, User,
    },
};
use prost_types::Timestamp;

use super::{ServeError, Serving, ledger, page, position};
use crate::shard::{Interner, ItemState, Met, PriceRule, ShardState, Terms, UserState};

/// Items of a history as it is shown.
const HISTORY: usize = 100;
/// Days of sales as they are shown.
const SALES_DAYS: usize = 28;

/// Attributes by name.
type Attributes = [(Arc<str>, Arc<str>)];

impl Serving {
    /// An item with its statistics and stock.
    ///
    /// # Errors
    /// [`ServeError::UnknownItem`] when no record has named it.
    pub(crate) async fn get_item(
        &self,
        request: GetShardItemRequest,
        deadline: Instant,
    ) -> Result<GetShardItemResponse, ServeError> {
        let cluster = self.cluster()?.clone();
        let shard = self.shard_at(request.shard, deadline).await?;
        self.compute
            .serve(move || {
                let state = shard.read();
                let item = state
                    .item(&request.item_id)
                    .ok_or(ServeError::UnknownItem { id: request.item_id })?;
                let shown = GetItemResponse {
                    item: Some(show_item(item, &cluster.currency)),
                    statistics: Some(ItemStatistics {
                        popularity: item.popularity(),
                        units: item.units(),
                        revenue: Some(money::from_micros(item.revenue_micros(), &cluster.currency)),
                        at_limit: item.is_at_limit(),
                    }),
                    stock: show_all_stock(item),
                    stock_left_out: left_out(item.stock().len()),
                    token: String::new(),
                    supply: show_supply(item),
                    competitor_prices: show_competitor_prices(item, &cluster.currency),
                    price_rule: item.price_rule().map(PriceRule::encode),
                    sales: show_sales(item, &cluster.currency),
                };
                let position = Some(position(&state));
                Ok(GetShardItemResponse { item: Some(shown), position })
            })
            .await?
    }

    /// A user with what they did.
    ///
    /// # Errors
    /// [`ServeError::UnknownUser`] when no record has named them, or they were deleted.
    pub(crate) async fn get_user(
        &self,
        request: GetShardUserRequest,
        deadline: Instant,
    ) -> Result<GetShardUserResponse, ServeError> {
        let cluster = self.cluster()?.clone();
        let shard = self.shard_at(request.shard, deadline).await?;
        self.compute
            .serve(move || {
                let state = shard.read();
                let user = state
                    .user(&request.user_id)
                    .ok_or_else(|| ServeError::UnknownUser { id: request.user_id.clone() })?;
                let shown = GetUserResponse {
                    user: Some(show_user(&request.user_id, user, state.interner())),
                    history: history(user, state.interner()),
                    purchased_items: user.seen().len() as u64,
                    window_events: user.window().len() as u64,
                    token: String::new(),
                    first_met: show_met(user.met()),
                    ledger: (user.ledger())
                        .map(|known| ledger::show(known, request.rows, &cluster.currency)),
                    ledgers_since: state.ledgers_since_ms().and_then(show_time),
                };
                let position = Some(position(&state));
                Ok(GetShardUserResponse { user: Some(shown), position })
            })
            .await?
    }

    /// A page of a shard's items by (slot, id).
    pub(crate) async fn list_items(
        &self,
        request: ListShardRequest,
        deadline: Instant,
    ) -> Result<ListShardItemsResponse, ServeError> {
        let cluster = self.cluster()?.clone();
        let shard = self.shard_at(request.shard, deadline).await?;
        let listed = self.compute.serve(move || {
            let state = shard.read();
            let wanted = request.status();
            let items = after(&request, &state)
                .filter(|item| wanted == ItemStatus::Unspecified || item.status() == wanted);
            let shown = items.map(|item| show_item(item, &cluster.currency));
            let (items, more) = page::fill(shown, request.limit);
            ListShardItemsResponse { items, more }
        });
        Ok(listed.await?)
    }

    /// A page of a shard's users by (slot, id).
    pub(crate) async fn list_users(
        &self,
        request: ListShardRequest,
        deadline: Instant,
    ) -> Result<ListShardUsersResponse, ServeError> {
        let shard = self.shard_at(request.shard, deadline).await?;
        let listed = self.compute.serve(move || {
            let state = shard.read();
            let users: Box<dyn Iterator<Item = _>> = match request.after_id.as_str() {
                "" => Box::new(state.users()),
                id => Box::new(state.users_after(id)),
            };
            let shown = users.map(|(id, user)| show_user(id, user, state.interner()));
            let (users, more) = page::fill(shown, request.limit);
            ListShardUsersResponse { users, more }
        });
        Ok(listed.await?)
    }
}

fn after<'a>(
    request: &'a ListShardRequest,
    state: &'a ShardState,
) -> Box<dyn Iterator<Item = &'a ItemState> + 'a> {
    match request.after_id.as_str() {
        "" => Box::new(state.items()),
        id => Box::new(state.items_after(id)),
    }
}

fn show_item(item: &ItemState, currency: &str) -> Item {
    let money = |micros: Option<i64>| micros.map(|micros| money::from_micros(micros, currency));
    Item {
        item_id: item.id().to_owned(),
        title: item.title().to_owned(),
        description: item.description().to_owned(),
        category_path: item.category_path().iter().map(ToString::to_string).collect(),
        brand: item.brand().to_owned(),
        attributes: show_attributes(item.attributes()),
        list_price: money(item.list_price_micros()),
        unit_cost: money(item.unit_cost_micros()),
        status: item.status().into(),
        embedding: item.embedding().to_vec(),
    }
}

fn show_attributes(attributes: &Attributes) -> std::collections::BTreeMap<String, String> {
    attributes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The first locations: an item that had more before there was a bound still fits a message.
fn show_all_stock(item: &ItemState) -> Vec<Stock> {
    let shown = item.stock().iter().take(limits::ITEM_LOCATIONS);
    shown.map(|stock| show_stock(item, stock)).collect()
}

fn left_out(locations: usize) -> u32 {
    u32::try_from(locations.saturating_sub(limits::ITEM_LOCATIONS)).unwrap_or(u32::MAX)
}

fn show_stock(item: &ItemState, stock: &crate::shard::Stock) -> Stock {
    Stock {
        item_id: item.id().to_owned(),
        location_id: stock.location.to_string(),
        on_hand: stock.on_hand,
        as_of: show_time(stock.as_of_ms),
        on_order: Some(stock.on_order),
        backordered: Some(stock.backordered),
    }
}

/// The terms for all locations first, then by location.
fn show_supply(item: &ItemState) -> Vec<Supply> {
    let mut supply = Vec::with_capacity(item.supply().len());
    for known in item.supply() {
        supply.push(Supply {
            item_id: item.id().to_owned(),
            location_id: known.location.to_string(),
            supplier_id: known.supplier_id.clone(),
            terms: known.terms.as_ref().map(Terms::encode),
        });
    }
    supply.sort_by_key(|supply| supply.location_id != EVERYWHERE);
    supply
}

fn show_competitor_prices(item: &ItemState, currency: &str) -> Vec<CompetitorPrice> {
    let mut shown = Vec::with_capacity(item.competitor_prices().len());
    for entry in item.competitor_prices() {
        shown.push(CompetitorPrice {
            item_id: item.id().to_owned(),
            competitor_id: entry.competitor.to_string(),
            price: Some(money::from_micros(entry.price_micros, currency)),
            as_of: show_time(entry.as_of_ms),
        });
    }
    shown
}

/// The latest days with a sale, over all locations.
fn show_sales(item: &ItemState, currency: &str) -> Vec<v1::SalesDay> {
    let units = |micros: i64| micros as f64 / 1e6;
    let mut shown = Vec::new();
    for day in &item.series().latest_sale_days(SALES_DAYS) {
        shown.push(v1::SalesDay {
            date: Some(day.day.to_api()),
            units: units(day.units_micros),
            promoted_units: units(day.promoted_micros),
            returned_units: units(day.returned_micros),
            revenue: Some(money::from_micros(day.revenue_micros, currency)),
        });
    }
    shown
}

/// `None` for the 0 that stands for no time.
fn show_time(ms: i64) -> Option<Timestamp> {
    (ms != 0).then(|| Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos: i32::try_from(ms.rem_euclid(1_000) * 1_000_000).unwrap_or_default(),
    })
}

/// `None` where it was not kept yet.
fn show_met(met: Met) -> Option<Timestamp> {
    let seconds = met.time.unix_seconds();
    (met.time != EventTime::default()).then_some(Timestamp { seconds, nanos: 0 })
}

fn show_user(id: &str, user: &UserState, interner: &Interner) -> User {
    User {
        user_id: id.to_owned(),
        attributes: show_attributes(user.attributes()),
        denied_item_ids: user.denied().iter().map(|&item| interner.id(item).to_owned()).collect(),
    }
}

/// The window by item: most purchases first, then latest first, then by (slot, id).
fn history(user: &UserState, interner: &Interner) -> Vec<HistoryItem> {
    /// What the window holds of one item.
    #[derive(Default)]
    struct Counts {
        purchases: u32,
        events: u32,
        last: u32,
    }
    let mut items: HashMap<_, Counts> = HashMap::new();
    for entry in user.window() {
        let counts = items.entry(entry.item).or_default();
        counts.events += 1;
        counts.purchases += u32::from(entry.event_type() == EventType::Purchase);
        counts.last = counts.last.max(entry.time);
    }
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort_unstable_by(|(left_item, left), (right_item, right)| {
        let by_count = |counts: &Counts| Reverse((counts.purchases, counts.last));
        by_count(left)
            .cmp(&by_count(right))
            .then_with(|| compare(Subject::Item, interner.id(*left_item), interner.id(*right_item)))
    });
    items.truncate(HISTORY);
    let mut shown = Vec::with_capacity(items.len());
    for (item, counts) in items {
        let seconds = EventTime(counts.last).unix_seconds();
        shown.push(HistoryItem {
            item_id: interner.id(item).to_owned(),
            purchases: counts.purchases,
            events: counts.events,
            last_event_time: Some(Timestamp { seconds, nanos: 0 }),
        });
    }
    shown
}
