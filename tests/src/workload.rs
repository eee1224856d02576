//! Seeded shop events with the shape of a real shop: few items sell most, users have tastes.

use mercer_proto::{
    google::r#type::Money,
    v1::{Event, EventType},
};
use prost_types::Timestamp;

use crate::random::Random;

/// 2026-01-01T00:00:00Z, a Thursday.
pub const START: i64 = 1_767_225_600;
/// The lowest list price.
pub const LISTED_CENTS: u64 = 199;
/// Prices in percent of the list price; the first one is a promotion.
const OFFERS: [u64; 4] = [75, 90, 100, 110];

/// The price of a unit without any offer.
#[must_use]
pub fn list_price_cents(item: u64) -> u64 {
    LISTED_CENTS + item % 10 * 100
}

fn money(cents: u64) -> Money {
    let units = i64::try_from(cents / 100).expect("small");
    let nanos = i32::try_from(cents % 100).expect("small") * 10_000_000;
    Money { currency_code: "USD".into(), units, nanos }
}

/// Settings of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Number of users.
    pub users: u64,
    /// Number of items.
    pub items: u64,
    /// Decides everything else.
    pub seed: u64,
}

impl Workload {
    /// The first `count` events, in an order in which time jumps back and forth.
    #[must_use]
    pub fn events(&self, count: usize) -> Vec<Event> {
        let mut random = Random::new(self.seed);
        (0..count).map(|index| self.event(&mut random, index)).collect()
    }

    fn event(&self, random: &mut Random, index: usize) -> Event {
        let user = random.below(self.users);
        // Two draws, the smaller wins: a skew towards few items; one in three within a taste.
        let skewed = random.below(self.items).min(random.below(self.items));
        let taste = (user * 17 + random.below(20)) % self.items;
        let item = if random.below(3) == 0 { taste } else { skewed };
        let event_type = match random.below(20) {
            0 => EventType::Return,
            1 => EventType::Rating,
            2..=5 => EventType::View,
            6 => EventType::AddToCart,
            _ => EventType::Purchase,
        };
        let bought = matches!(event_type, EventType::Purchase | EventType::Return);
        let second = random.below(90 * 86_400);
        let quantity = random.below(4) + 1;
        // One offer an item and week.
        let week = second / (7 * 86_400);
        let offer = (item * 7 + week * 3) % 4;
        let list_price = list_price_cents(item);
        let paid = quantity * list_price * OFFERS[usize::try_from(offer).expect("small")] / 100;
        Event {
            r#type: event_type.into(),
            item_id: format!("item-{item}"),
            event_time: Some(Timestamp {
                seconds: START + i64::try_from(second).expect("small"),
                nanos: 0,
            }),
            // One in twenty is anonymous.
            user_id: (random.below(20) != 0).then(|| format!("user-{user}")),
            basket_id: (random.below(2) == 0).then(|| format!("basket-{}", index / 7)),
            location_id: (random.below(2) == 0).then(|| format!("store-{}", random.below(5))),
            // One in ten is named.
            event_id: (random.below(10) == 0).then(|| format!("event-{index}")),
            quantity: bought.then_some(quantity as f64),
            amount: bought.then(|| money(paid)),
            list_price: bought.then(|| money(list_price)),
            promotion: bought && offer == 0,
            rating: (event_type == EventType::Rating).then(|| random.below(5) as f64 + 1.0),
            ..Event::default()
        }
    }
}
