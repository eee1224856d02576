//! Memory of a process whose shards are sent as much as a client can make up: it stays below a bound
//! that does not depend on how much that is.
//!
//! Counted by the allocator, as requested: what the system gives a process depends on what an allocator
//! keeps for later, and when it gives that back.

use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;
use mercer_common::{
    event::{APPLY_VERSION, IdHasher},
    limits,
    slot::{ShardId, ShardLayout, Subject},
};
use mercer_proto::{
    internal::{
        Interaction, ItemEvent, Mutation, ProducerBatch, Section, SetCategoryPriceRule, SetStock,
        UseApplyVersion, mutation, section::Origin,
    },
    v1::{EventType, Location, PriceRule, Supplier},
};
use mercer_worker::shard::{
    ShardState,
    apply::{Prepared, apply},
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Held by a test, since whatever the process allocates is counted.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;
const SHARDS: u16 = 16;

struct Shards(Vec<ShardState>);

impl Shards {
    /// All shards of a new log.
    fn new() -> Self {
        let layout = ShardLayout::new(SHARDS);
        let states = (0..SHARDS).map(|shard| ShardState::new(layout, shard, TimeZone::UTC));
        let mut shards = Self(states.collect());
        let id_key = IdHasher::of_cluster(1).key();
        let change = UseApplyVersion { version: APPLY_VERSION, id_key };
        shards.everywhere(&Section { use_apply_version: Some(change), ..Section::default() });
        shards
    }

    fn everywhere(&mut self, section: &Section) {
        (0..SHARDS).for_each(|shard| self.step(shard, section.clone()));
    }

    fn step(&mut self, shard: ShardId, section: Section) {
        let state = &mut self.0[usize::from(shard)];
        let sequence = state.applied() + 1;
        let prepared = Prepared::new(ShardLayout::new(SHARDS), shard, section).expect("valid");
        apply(state, sequence, prepared).expect("applies");
    }
}

/// The most that `fill` holds at a time beyond what was held before, what it sends included.
fn grown(shards: &mut Shards, fill: impl FnOnce(&mut Shards)) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    fill(shards);
    ALLOCATOR.peak_usage() - before
}

fn mutations(kinds: impl IntoIterator<Item = mutation::Kind>) -> Section {
    let mutations = kinds.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect();
    Section { mutations, ..Section::default() }
}

fn batch(number: u64, is_final: bool) -> Section {
    let producer_id = u128::from(number).to_be_bytes().to_vec();
    let producer = ProducerBatch {
        producer_id,
        batch_sequence: 1,
        acknowledged_through: 0,
        r#final: is_final,
    };
    Section { origin: Some(Origin::Producer(producer)), ..Section::default() }
}

/// The first of made-up ids whose item lies in the first shard.
fn an_item() -> String {
    let layout = ShardLayout::new(SHARDS);
    let ids = (0..).map(|number| format!("item {number}"));
    let mut here = ids.filter(|id| layout.shard_of(Subject::Item, id) == 0);
    here.next().expect("one in sixteen")
}

fn sale(item_id: &str, number: u64) -> ItemEvent {
    ItemEvent {
        item_id: item_id.to_owned(),
        r#type: EventType::Purchase.into(),
        time: 1_000_000,
        quantity: 1.0,
        location_id: format!("{:060}", number % 20_000),
        // Spread evenly, as keyed hashes are.
        visit: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ..ItemEvent::default()
    }
}

/// A purchase in a visit of its own, a day after the one before.
fn paid(user_id: &str, number: u32) -> Interaction {
    Interaction {
        user_id: user_id.to_owned(),
        item_id: "item".into(),
        r#type: EventType::Purchase.into(),
        time: number % 40_000 * 86_400,
        value: 1.0,
        quantity_micros: Some(1_000_000),
        amount_micros: Some(1_990_000),
        visit: Some(number),
        ..Interaction::default()
    }
}

#[test]
fn made_up_ids_take_a_bounded_amount_of_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut shards = Shards::new();
    let mut bounded = |what: &str, bound: usize, fill: &dyn Fn(&mut Shards)| {
        let bytes = grown(&mut shards, fill);
        assert!(bytes < bound, "{what} took {} MiB", bytes / MIB);
    };
    // Twice as many as are remembered, in one shard: 150 bytes for each one that is.
    let producers = 2 * limits::PRODUCERS as u64;
    bounded("producers", 16 * MIB, &|shards| {
        (0..producers).for_each(|number| shards.step(0, batch(number, false)));
    });
    bounded("finished producers", 20 * MIB, &|shards| {
        (0..producers).for_each(|number| shards.step(1, batch(number, true)));
    });
    // Eight MiB of price rules in each of 16 shards, which hold them once, and the same of others:
    // some records are copied while shards stand at different positions.
    let large = "x".repeat(200);
    bounded("price rules", 20 * MIB, &|shards| {
        for part in 0..20 {
            let rules = (part * 1_000..(part + 1) * 1_000).map(|number| {
                let levels = ["a", "b", "c", "d"].map(|level| format!("{large}{level}{number}"));
                let rule = PriceRule { margin_floor: Some(0.5), ..PriceRule::default() };
                mutation::Kind::SetCategoryPriceRule(SetCategoryPriceRule {
                    category_path: levels.to_vec(),
                    rule: Some(rule),
                })
            });
            shards.everywhere(&mutations(rules));
        }
    });
    bounded("locations and suppliers", 16 * MIB, &|shards| {
        for part in 0..20 {
            let numbers = || part * 1_000..(part + 1) * 1_000;
            let locations = numbers().map(|number| {
                let (location_id, name) = (format!("{number}"), large.clone());
                let location = Location { location_id, name, ..Location::default() };
                mutation::Kind::UpsertLocation(location)
            });
            shards.everywhere(&mutations(locations));
            let suppliers = numbers().map(|number| {
                let (supplier_id, name) = (format!("{number}"), large.clone());
                let supplier = Supplier { supplier_id, name, terms: None };
                mutation::Kind::UpsertSupplier(supplier)
            });
            shards.everywhere(&mutations(suppliers));
        }
    });
    let item = an_item();
    bounded("stock locations of an item", 2 * MIB, &|shards| {
        for part in 0..20 {
            let stock = (part * 1_000..(part + 1) * 1_000).map(|number| {
                mutation::Kind::SetStock(SetStock {
                    item_id: item.clone(),
                    location_id: format!("{number:0200}"),
                    on_hand: 1.0,
                    ..SetStock::default()
                })
            });
            shards.step(0, mutations(stock));
        }
    });
    // A window, 512 rows each in a channel of its own, and what is folded; names of channels that are
    // not used any more are let go of by the thousand.
    bounded("what a user paid", 3 * MIB, &|shards| {
        for number in 0..20_000 {
            let paid = Interaction { channel: format!("{number:0200}"), ..paid("u4", number) };
            let shard = ShardLayout::new(SHARDS).shard_of(Subject::User, &paid.user_id);
            shards.step(shard, Section { interactions: vec![paid], ..Section::default() });
        }
    });
    // 300,000 baskets at 20,000 locations: 65,536 hashes and a thousand cells.
    bounded("baskets of an item", 3 * MIB, &|shards| {
        for part in 0..300 {
            let sales = (part * 1_000..(part + 1) * 1_000).map(|number| sale(&item, number));
            shards.step(0, Section { item_events: sales.collect(), ..Section::default() });
        }
    });
    let state = &shards.0[0];
    let popularity = state.item(&item).expect("known").popularity();
    assert!((295_000..305_000).contains(&popularity), "{popularity}");
    assert_eq!(state.directory().suppliers().count(), limits::SUPPLIERS.records);
}

/// What a shop's events take: told for each hundred thousand, and loosely bounded in all. A long test,
/// to be run by its name.
#[test]
#[expect(clippy::print_stderr, reason = "a measurement is told")]
fn bytes_of_an_event() {
    if std::env::var_os("MERCER_SLOW_TESTS").is_none() {
        return;
    }
    let layout = ShardLayout::new(SHARDS);
    for with_ids in [false, true] {
        let mut shards = Shards::new();
        let hasher = IdHasher::of_cluster(1);
        let begin = ALLOCATOR.current_usage();
        let mut before = begin;
        for step in 1..=5_u64 {
            for event in (step - 1) * 100_000..step * 100_000 {
                let mixed = event.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                let (user, item) =
                    (mixed % 20_000, (mixed / 20_000 % 20_000).min(mixed / 7 % 20_000));
                let (user_id, item_id) = (format!("u{user:07}"), format!("i{item:06}"));
                let key = |side| match with_ids {
                    true => hasher.key_of(&event.to_string(), event.into(), side).to_bytes(),
                    false => Vec::new(),
                };
                let time = 900_000_000 + u32::try_from(event).expect("few") * 50;
                let interaction = Interaction {
                    item_id: item_id.clone(),
                    time,
                    event_key: key(mercer_common::event::Side::User),
                    ..paid(&user_id, u32::try_from(event / 4).expect("few"))
                };
                let item_event = ItemEvent {
                    time,
                    location_id: format!("s{}", user % 100),
                    visit: (event / 4).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    event_key: key(mercer_common::event::Side::Item),
                    ..sale(&item_id, event)
                };
                let of_user = layout.shard_of(Subject::User, &user_id);
                let of_item = layout.shard_of(Subject::Item, &item_id);
                shards.step(
                    of_user,
                    Section { interactions: vec![interaction], ..Section::default() },
                );
                shards
                    .step(of_item, Section { item_events: vec![item_event], ..Section::default() });
            }
            let now = ALLOCATOR.current_usage();
            let bytes = now.saturating_sub(before) / 100_000;
            eprintln!("ids {with_ids}, {}00,000 events: {bytes} bytes for each of the last", step);
            before = now;
        }
        let bytes = before.saturating_sub(begin) / 500_000;
        assert!(bytes < 500, "{bytes} bytes an event, ids {with_ids}");
    }
}
