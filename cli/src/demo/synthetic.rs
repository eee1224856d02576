//! A made-up grocery shop for machines without Python or network: the same every time.
//!
//! Households have a few departments they shop in and favourites among their products; they come
//! back to them, look at others, return a little, rate some, and a few products they never want
//! to see.

use mercer_common::money::from_micros;
use mercer_proto::v1::{Event, EventType, Item, User};
use prost_types::Timestamp;

/// 2025-01-01T05:00:00Z, a new year in the shop's zone.
const START: i64 = 1_735_707_600;
const YEAR: u64 = 365 * 86_400;
const DEPARTMENTS: &[(&str, &[&str])] = &[
    ("Bakery", &["Bread", "Rolls", "Cakes", "Cookies"]),
    ("Dairy", &["Milk", "Yogurt", "Cheese", "Butter"]),
    ("Produce", &["Fruit", "Salad", "Vegetables", "Herbs"]),
    ("Meat", &["Beef", "Poultry", "Pork", "Sausage"]),
    ("Frozen", &["Pizza", "Ice cream", "Vegetables", "Fish"]),
    ("Drinks", &["Juice", "Soda", "Water", "Coffee"]),
    ("Pantry", &["Pasta", "Rice", "Sauces", "Soup"]),
    ("Household", &["Paper", "Detergent", "Candles", "Bags"]),
    ("Baby", &["Diapers", "Food", "Wipes", "Care"]),
    ("Pets", &["Cat food", "Dog food", "Treats", "Litter"]),
];
const BRANDS: &[&str] = &["Hillside", "Nordbo", "Casa Lina", "Sunfield", "Own brand"];
const KINDS: &[&str] =
    &["classic", "light", "organic", "family size", "spicy", "sweet", "fresh", "premium"];
const PER_CATEGORY: u64 = 25;
const HOUSEHOLDS: u64 = 800;
const DENYING: u64 = 20;

/// The whole shop.
pub(super) struct Shop {
    pub(super) items: Vec<Item>,
    pub(super) users: Vec<User>,
    /// In the order in which the shop wrote them down, household by household.
    pub(super) events: Vec<Event>,
}

/// The shop that `seed` makes.
pub(super) fn shop(seed: u64) -> Shop {
    let items = items();
    let mut random = Random(seed);
    let (mut users, mut events) = (Vec::new(), Vec::new());
    for household in 1..=HOUSEHOLDS {
        let user_id = format!("household-{household}");
        let favourites = favourites(&mut random, items.len() as u64);
        let denied = if household % (HOUSEHOLDS / DENYING) == 0 {
            (0..3).map(|_| item_id(random.below(items.len() as u64))).collect()
        } else {
            Vec::new()
        };
        let size = (1 + random.below(5)).to_string();
        let attributes = [("household_size".to_owned(), size)].into();
        users.push(User { user_id: user_id.clone(), attributes, denied_item_ids: denied });
        let trips = 10 + random.below(40);
        for trip in 0..trips {
            let time = START + random.below(YEAR).cast_signed();
            let basket = format!("{user_id}-{trip}");
            let lines = 2 + random.below(8);
            for line in 0..lines {
                let item = pick(&mut random, &favourites, items.len() as u64);
                let mut visit = Visit { random: &mut random, user_id: &user_id, basket: &basket };
                visit.line(&items, item, time + line.cast_signed() * 30, &mut events);
            }
        }
    }
    Shop { items, users, events }
}

fn item_id(number: u64) -> String {
    format!("sku-{:04}", number + 1)
}

fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for (department, categories) in DEPARTMENTS {
        for category in *categories {
            for number in 0..PER_CATEGORY {
                let index = items.len() as u64;
                let brand = BRANDS[(index % BRANDS.len() as u64) as usize];
                let kind = KINDS[(number % KINDS.len() as u64) as usize];
                let cents = 99 + mix(index) % 900;
                items.push(Item {
                    item_id: item_id(index),
                    title: format!("{brand} {} {kind} no. {}", category.to_lowercase(), number + 1),
                    category_path: vec![(*department).into(), (*category).into()],
                    brand: brand.into(),
                    list_price: Some(from_micros(cents.cast_signed() * 10_000, "")),
                    ..Item::default()
                });
            }
        }
    }
    items
}

/// Products that a household comes back to: from three departments, a few of each.
fn favourites(random: &mut Random, items: u64) -> Vec<u64> {
    let per_department = items / DEPARTMENTS.len() as u64;
    let mut favourites = Vec::new();
    for _ in 0..3 {
        let first = random.below(DEPARTMENTS.len() as u64) * per_department;
        for _ in 0..8 {
            favourites.push(first + random.below(per_department).min(random.below(per_department)));
        }
    }
    favourites
}

/// Mostly a favourite, the first ones most; at times anything, what is popular most.
fn pick(random: &mut Random, favourites: &[u64], items: u64) -> u64 {
    if random.below(10) < 8 {
        let place =
            random.below(favourites.len() as u64).min(random.below(favourites.len() as u64));
        favourites[place as usize]
    } else {
        // Spread over the departments, the first of each category most.
        let skew = random.below(PER_CATEGORY).min(random.below(PER_CATEGORY));
        random.below(items / PER_CATEGORY) * PER_CATEGORY + skew
    }
}

/// A household in the shop.
struct Visit<'a> {
    random: &'a mut Random,
    user_id: &'a str,
    basket: &'a str,
}

impl Visit<'_> {
    /// What one line of a receipt leaves behind.
    fn line(&mut self, items: &[Item], item: u64, time: i64, events: &mut Vec<Event>) {
        let item = &items[item as usize];
        if self.random.below(4) == 0 {
            events.push(self.event(EventType::View, item, time - 3_600));
        }
        if self.random.below(10) == 0 {
            events.push(self.event(EventType::AddToCart, item, time - 600));
        }
        let quantity = 1 + self.random.below(3).min(self.random.below(3));
        let promotion = self.random.below(5) == 0;
        let price = item
            .list_price
            .as_ref()
            .map_or(0, |p| p.units * 1_000_000 + i64::from(p.nanos) / 1_000);
        let paid = price * quantity.cast_signed() * if promotion { 8 } else { 10 } / 10;
        #[expect(clippy::cast_precision_loss, reason = "at most 3")]
        let quantity = Some(quantity as f64);
        let purchase = Event {
            quantity,
            amount: Some(from_micros(paid, "")),
            list_price: item.list_price.clone(),
            promotion,
            ..self.event(EventType::Purchase, item, time)
        };
        if self.random.below(100) == 0 {
            let amount = purchase.amount.clone();
            let back = self.event(EventType::Return, item, time + 86_400);
            events.push(Event { quantity, amount, ..back });
        }
        if self.random.below(30) == 0 {
            #[expect(clippy::cast_precision_loss, reason = "at most 5")]
            let rating = Some((1 + self.random.below(5).max(self.random.below(5))) as f64);
            events.push(Event { rating, ..self.event(EventType::Rating, item, time + 7_200) });
        }
        events.push(purchase);
    }

    fn event(&self, event_type: EventType, item: &Item, seconds: i64) -> Event {
        Event {
            r#type: event_type.into(),
            item_id: item.item_id.clone(),
            event_time: Some(Timestamp { seconds, nanos: 0 }),
            user_id: Some(self.user_id.to_owned()),
            basket_id: Some(self.basket.to_owned()),
            ..Event::default()
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    /// Uniform from 0 up to `end`, which is small.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * u128::from(end)) >> 64) as u64
    }
}

fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use mercer_common::{
        clock::{Clock as _, SystemClock},
        event::EventChecker,
    };

    use super::*;

    #[test]
    fn is_the_same_for_the_same_seed_and_valid() {
        let (one, again, other) = (shop(1), shop(1), shop(2));
        assert_eq!(one.events, again.events);
        assert_ne!(one.events, other.events);
        assert_eq!(one.users, again.users);
        let checker = EventChecker::new("USD", SystemClock.now());
        for batch in one.events.chunks(500) {
            checker.check_batch(batch).expect("the server would take it");
        }
        for event_type in [EventType::Return, EventType::Rating, EventType::View] {
            assert!(one.events.iter().any(|event| event.r#type() == event_type));
        }
        assert!(one.users.iter().any(|user| !user.denied_item_ids.is_empty()));
    }
}
