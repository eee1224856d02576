//! Seeded shop events, made as fast as they can be sent.

use mercer_common::money::from_micros;
use mercer_proto::v1::{Event, EventType, Item};
use prost_types::Timestamp;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

/// A stream of events of so many users and items; few items make most of it.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    users: u64,
    items: u64,
    state: u64,
    next: u64,
}

impl Workload {
    pub(super) fn new(users: u64, items: u64, seed: u64) -> Self {
        Self { users: users.max(1), items: items.max(1), state: seed, next: 0 }
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
        Event {
            r#type: event_type.into(),
            item_id: Self::item_id(item),
            event_time: Some(Timestamp {
                seconds: START + self.below(300 * 86_400).cast_signed(),
                nanos: 0,
            }),
            user_id: Some(Self::user_id(user)),
            basket_id: bought.then(|| format!("b{:08}", index / 4)),
            location_id: bought.then(|| format!("s{}", user % 100)),
            quantity: bought.then_some(1.0),
            amount: bought.then(|| from_micros(price(item), "")),
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

/// In millionths.
fn price(item: u64) -> i64 {
    (99 + (item % 900).cast_signed()) * 10_000
}
