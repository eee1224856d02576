//! A made-up grocery shop for machines without Python or network: the same every time.
//!
//! Households have a few departments they shop in and favourites among their products; they come
//! back to them, at the end of the week most, look at others, return a little, rate some, and a
//! few products they never want to see. Prices change by quarter and by weekly promotions, and
//! households buy by them: demand has the [`elasticity`] of the product's category.

use std::collections::HashMap;

use mercer_common::money::from_micros;
use mercer_proto::{
    google::r#type::Money,
    v1::{Event, EventType, Item, Stock, Supply, SupplyTerms, User},
};
use prost_types::Timestamp;

use super::assumptions::SUPPLIER;

/// 2025-01-01T05:00:00Z, a new year in the shop's zone, a Wednesday.
const START: i64 = 1_735_707_600;
const DAYS: u64 = 365;
/// How many go shopping on each day of the week, Wednesday first.
const WEEKDAYS: [u64; 7] = [8, 10, 14, 18, 12, 8, 7];
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
const PER_CATEGORY: u64 = 6;
const HOUSEHOLDS: u64 = 1_500;
const DENYING: u64 = 20;
/// Price under a promotion, in percent of the list price.
const PROMOTION: u64 = 80;

/// The whole shop.
pub(crate) struct Shop {
    pub(super) items: Vec<Item>,
    pub(super) users: Vec<User>,
    /// Events in the order in which the shop wrote them down, household by household.
    pub(crate) events: Vec<Event>,
    /// Terms of supply of all items but every tenth.
    pub(super) supply: Vec<Supply>,
    /// Stock of the same items, at the end of the year.
    pub(super) stock: Vec<Stock>,
}

/// The shop that `seed` makes.
pub(crate) fn shop(seed: u64) -> Shop {
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
            let day = shopping_day(&mut random);
            // From eight to eight.
            let time = START + (day * 86_400 + 28_800 + random.below(43_200)).cast_signed();
            let basket = format!("{user_id}-{trip}");
            let lines = 4 + random.below(14);
            for line in 0..lines {
                let item = pick(&mut random, &favourites, items.len() as u64);
                let mut visit = Visit { random: &mut random, user_id: &user_id, basket: &basket };
                visit.line(&items, item, day, time + line.cast_signed() * 30, &mut events);
            }
        }
    }
    let (supply, stock) = (supply(&items), stock(&items, &events));
    Shop { items, users, events, supply, stock }
}

fn shopping_day(random: &mut Random) -> u64 {
    loop {
        let day = random.below(DAYS);
        if random.below(18) < WEEKDAYS[(day % 7) as usize] {
            return day;
        }
    }
}

/// Change of units in percent when the price of an item rises by one percent.
fn elasticity(item: u64) -> f64 {
    -1.4 - 0.2 * (item / PER_CATEGORY % 8) as f64
}

/// Price in cents without promotion, before the changes of the year.
fn base_price(item: u64) -> u64 {
    99 + mix(item) % 90 * 10
}

/// Price in cents of an item on a day, and whether it is a promotion: up or down by 15 % every
/// quarter or not at all, and one week in eight a fifth less.
fn price_on(item: u64, day: u64) -> (u64, bool) {
    // Weeks begin on Monday.
    let (quarter, week) = (day / 92, (day + 2) / 7);
    let level = base_price(item) * (85 + mix(item * 4 + quarter) % 3 * 15) / 100;
    (level, mix(item * 64 + week).is_multiple_of(8))
}

/// The chance that a household that looks at an item buys it at the price of the day.
fn chance(item: u64, day: u64) -> f64 {
    let (level, promotion) = price_on(item, day);
    let paid = if promotion { level * PROMOTION / 100 } else { level };
    let lowest = base_price(item) * 85 / 100 * PROMOTION / 100;
    (paid as f64 / lowest as f64).powf(elasticity(item)).min(1.0)
}

/// Whether the shop knows what is in store of an item, and who delivers it.
fn is_supplied(item: u64) -> bool {
    item % 10 != 8
}

fn supply(items: &[Item]) -> Vec<Supply> {
    let supplied = (0..).zip(items).filter(|&(number, _)| is_supplied(number));
    supplied
        .map(|(number, item)| Supply {
            item_id: item.item_id.clone(),
            supplier_id: SUPPLIER.into(),
            terms: Some(SupplyTerms {
                pack_size: Some(if number % 2 == 0 { 6.0 } else { 12.0 }),
                ..SupplyTerms::default()
            }),
            ..Supply::default()
        })
        .collect()
}

/// Half a week to four weeks of mean sales.
fn stock(items: &[Item], events: &[Event]) -> Vec<Stock> {
    let mut sold: HashMap<&str, f64> = HashMap::new();
    for event in events.iter().filter(|event| event.r#type() == EventType::Purchase) {
        *sold.entry(&event.item_id).or_default() += event.quantity.unwrap_or(1.0);
    }
    let supplied = (0..).zip(items).filter(|&(number, _)| is_supplied(number));
    supplied
        .map(|(number, item)| {
            let weekly = sold.get(item.item_id.as_str()).copied().unwrap_or_default() / 52.0;
            Stock {
                item_id: item.item_id.clone(),
                on_hand: (weekly * [0.5, 1.0, 2.0, 4.0][(number % 4) as usize]).ceil(),
                as_of: Some(Timestamp { seconds: START + (DAYS * 86_400).cast_signed(), nanos: 0 }),
                ..Stock::default()
            }
        })
        .collect()
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
                let (cents, _) = price_on(index, DAYS - 1);
                let cost = base_price(index) * (45 + mix(index) % 20) / 100;
                items.push(Item {
                    item_id: item_id(index),
                    title: format!("{brand} {} {kind} no. {}", category.to_lowercase(), number + 1),
                    category_path: vec![(*department).into(), (*category).into()],
                    brand: brand.into(),
                    list_price: Some(from_cents(cents)),
                    // What every tenth costs, nobody has written down.
                    unit_cost: (index % 10 != 9).then(|| from_cents(cost)),
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
    /// What looking at an item, and buying it or not, leaves behind.
    fn line(&mut self, items: &[Item], number: u64, day: u64, time: i64, events: &mut Vec<Event>) {
        let item = &items[number as usize];
        if self.random.below(4) == 0 {
            events.push(self.event(EventType::View, item, time - 3_600));
        }
        if self.random.share() >= chance(number, day) {
            return;
        }
        if self.random.below(10) == 0 {
            events.push(self.event(EventType::AddToCart, item, time - 600));
        }
        let quantity = 1 + self.random.below(3).min(self.random.below(3));
        let (level, promotion) = price_on(number, day);
        let paid = quantity * if promotion { level * PROMOTION / 100 } else { level };
        let quantity = Some(quantity as f64);
        let purchase = Event {
            quantity,
            amount: Some(from_cents(paid)),
            list_price: Some(from_cents(level)),
            promotion,
            ..self.event(EventType::Purchase, item, time)
        };
        if self.random.below(100) == 0 {
            let amount = purchase.amount.clone();
            let back = self.event(EventType::Return, item, time + 86_400);
            events.push(Event { quantity, amount, ..back });
        }
        if self.random.below(30) == 0 {
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

fn from_cents(cents: u64) -> Money {
    from_micros(cents.cast_signed() * 10_000, "")
}

/// SplitMix64.
struct Random(u64);

impl Random {
    /// Uniform from 0 up to `end`, which is small.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * u128::from(end)) >> 64) as u64
    }

    /// Uniform from 0 to 1.
    fn share(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1u64 << 53) as f64
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
    #[test]
    fn households_buy_by_price_and_by_day_of_week() {
        let shop = shop(1);
        let mut by_weekday = [0u64; 7];
        // Lines bought in promotion weeks and in others, of items with the same elasticity.
        let (mut promoted, mut normal) = (0.0, 0.0);
        let (mut promoted_days, mut normal_days) = (0.0, 0.0);
        let alike = |number: u64| elasticity(number) == elasticity(0);
        for number in (0..shop.items.len() as u64).filter(|&number| alike(number)) {
            for day in 0..DAYS {
                *if price_on(number, day).1 { &mut promoted_days } else { &mut normal_days } += 1.0;
            }
        }
        for event in shop.events.iter().filter(|event| event.r#type() == EventType::Purchase) {
            let number = event.item_id[4..].parse::<u64>().expect("a number") - 1;
            let seconds = event.event_time.expect("a time").seconds - START;
            by_weekday[(seconds / 86_400 % 7) as usize] += 1;
            if alike(number) {
                *if event.promotion { &mut promoted } else { &mut normal } += 1.0;
            }
        }
        let found = f64::ln(promoted / promoted_days / (normal / normal_days));
        let expected = elasticity(0) * f64::ln(PROMOTION as f64 / 100.0);
        assert!((found / expected - 1.0).abs() < 0.15, "{found} instead of {expected}");
        let (busiest, quietest) = (by_weekday[3] as f64, by_weekday[6] as f64);
        assert!((busiest / quietest - 18.0 / 7.0).abs() < 0.3, "{by_weekday:?}");
    }
}
