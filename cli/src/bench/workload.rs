//! Seeded shop events, made as fast as they can be sent.

use anyhow::Result;
use mercer_common::money::from_micros;
use mercer_proto::v1::{
    Event, EventType, Item, SetStockRequest, SetSupplyRequest, Stock, Supply, SupplyTerms,
};
use prost_types::Timestamp;
use tonic::transport::Channel;

use crate::{
    client,
    import::{self, Records},
    ingest_client::{Batch, IngestOptions, ingest},
    show::progress,
};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

/// A stream of events of so many users and items; few items make most of it.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    users: u64,
    items: u64,
    state: u64,
    next: u64,
    /// Every item is promoted one week in eight.
    promotions: bool,
    /// Every event has an id.
    event_ids: bool,
}

impl Workload {
    pub(super) fn new(users: u64, items: u64, seed: u64) -> Self {
        Self {
            users: users.max(1),
            items: items.max(1),
            state: seed,
            next: 0,
            promotions: false,
            event_ids: false,
        }
    }

    /// The same stream, with items a fifth cheaper one week in eight.
    pub(super) fn with_promotions(self) -> Self {
        Self { promotions: true, ..self }
    }

    /// Gives each event of the stream an id of its own.
    pub(super) fn with_event_ids(self) -> Self {
        Self { event_ids: true, ..self }
    }

    /// Stream behind its first `count` events.
    pub(super) fn skip(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.event();
        }
        self
    }

    /// Sends `count` events, then all items as a catalogue, and waits until they are applied.
    pub(super) async fn load(mut self, count: usize, channel: &Channel) -> Result<()> {
        let bar = progress::bar("loading", count as u64, progress::Unit::Records);
        let items = (0..self.items).map(Self::item).collect();
        let sizes = (0..count).step_by(500).map(move |start| (count - start).min(500));
        let batches = sizes.map(move |size| Batch { events: self.batch(size), last: false });
        let mut refused = None;
        let options = IngestOptions::new();
        ingest(channel.clone(), options, tokio_stream::iter(batches), |answer| {
            bar.inc(answer.events as u64);
            refused = refused.take().or(answer.outcome.err());
        })
        .await?;
        bar.finish_and_clear();
        if let Some(status) = refused {
            return Err(status.into());
        }
        // Only catalogued items are recommended, priced and ordered.
        let token = import::send_items(channel, items).await?;
        client::describe(channel, &token).await?;
        Ok(())
    }

    /// Stock and supply terms of all items.
    pub(super) fn supplied(&self) -> [Records; 2] {
        let (mut supply, mut stock) = (Vec::new(), Vec::new());
        for number in 0..self.items {
            supply.push(Supply {
                item_id: Self::item_id(number),
                terms: Some(SupplyTerms {
                    lead_time_days: Some(5.0),
                    lead_time_deviation_days: Some(1.5),
                    pack_size: Some(6.0),
                    ..SupplyTerms::default()
                }),
                ..Supply::default()
            });
            stock.push(Stock {
                item_id: Self::item_id(number),
                on_hand: (number % 50) as f64,
                ..Stock::default()
            });
        }
        [
            Records::Supply(SetSupplyRequest { supply, ..SetSupplyRequest::default() }),
            Records::Stock(SetStockRequest { stock, ..SetStockRequest::default() }),
        ]
    }

    fn user_id(number: u64) -> String {
        format!("u{number:07}")
    }

    /// An item that the events are of, as a catalogue would have it.
    pub(super) fn item(number: u64) -> Item {
        Item {
            item_id: Self::item_id(number),
            title: format!("Item {number}"),
            category_path: vec![format!("Department {}", number % 20), format!("{}", number % 400)],
            list_price: Some(from_micros(price(number), "")),
            unit_cost: Some(from_micros(price(number) / 2, "")),
            ..Item::default()
        }
    }

    fn item_id(number: u64) -> String {
        format!("i{number:06}")
    }

    /// The next `count` events.
    pub(super) fn batch(&mut self, count: usize) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> Event {
        let index = self.next;
        self.next += 1;
        let user = self.below(self.users);
        // Three draws, the smallest wins: a long tail.
        let popular =
            self.below(self.items).min(self.below(self.items)).min(self.below(self.items));
        // Users have tastes: half of their events are of 50 items of their own.
        let taste = (user.wrapping_mul(0x9e37_79b9) + self.below(50)) % self.items;
        let item = if self.below(2) == 0 { taste } else { popular };
        let event_type = match self.below(10) {
            0..6 => EventType::Purchase,
            6..9 => EventType::View,
            _ => EventType::AddToCart,
        };
        let bought = event_type == EventType::Purchase;
        let second = self.below(300 * 86_400);
        let promotion =
            bought && self.promotions && (item * 7 + second / 604_800).is_multiple_of(8);
        let list_price = Some(price(item)).filter(|_| bought && self.promotions);
        let paid = if promotion { price(item) * 8 / 10 } else { price(item) };
        Event {
            r#type: event_type.into(),
            item_id: Self::item_id(item),
            event_time: Some(Timestamp { seconds: START + second.cast_signed(), nanos: 0 }),
            user_id: Some(Self::user_id(user)),
            basket_id: bought.then(|| format!("b{:08}", index / 4)),
            location_id: bought.then(|| format!("s{}", user % 100)),
            quantity: bought.then_some(1.0),
            amount: bought.then(|| from_micros(paid, "")),
            list_price: list_price.map(|price| from_micros(price, "")),
            promotion,
            event_id: self.event_ids.then(|| format!("e{index:09}")),
            ..Event::default()
        }
    }

    /// SplitMix64, scaled.
    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(end)) >> 64) as u64
    }
}

/// Price of an item, in millionths.
fn price(item: u64) -> i64 {
    (99 + (item % 900).cast_signed()) * 10_000
}
