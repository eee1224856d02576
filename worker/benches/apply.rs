//! Events applied a second on one core: decoding, deduplication and both records of each event.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use mercer_common::{
    event::encode_section,
    slot::{ShardLayout, Subject},
};
use mercer_proto::{
    internal::{Interaction, ItemEvent, Mutation, ProducerBatch, Section, mutation, section},
    v1::{EventType, Location},
};
use mercer_worker::shard::{
    ShardState,
    apply::{Prepared, apply},
};

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: u16 = 16;
const BATCH: u64 = 500;
const BATCHES: u64 = 400;
const USERS: u64 = 100_000;
const ITEMS: u64 = 50_000;
const FIRST_LOCATION: u64 = 300;
const LOCATIONS: u64 = 400;

/// Sections of batches as ingest would append them, by shard.
fn log(layout: ShardLayout) -> Vec<(u16, u64, bytes::Bytes)> {
    let mut state = 1_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut log = Vec::new();
    for batch in 1..=BATCHES {
        let mut sections = vec![Section::default(); usize::from(SHARDS)];
        for event in 0..BATCH {
            let user_id = format!("household-{}", random() % USERS);
            // A few items are in most baskets.
            let item_id = format!("{:08}", (random() % ITEMS) * (random() % ITEMS) / ITEMS);
            let r#type = if random() % 3 == 0 { EventType::Purchase } else { EventType::View };
            // Each batch is some hours of a chain of stores.
            let time = u32::try_from(800_000_000 + batch * 14_400).expect("32 bits");
            let location_id = format!("{}", FIRST_LOCATION + random() % LOCATIONS);
            let user_shard = usize::from(layout.shard_of(Subject::User, &user_id));
            let item_shard = usize::from(layout.shard_of(Subject::Item, &item_id));
            let visit = xxhash_rust::xxh3::xxh3_64(format!("{batch} {}", event / 10).as_bytes());
            sections[user_shard].interactions.push(Interaction {
                user_id,
                item_id: item_id.clone(),
                r#type: r#type.into(),
                time,
                value: 1.0,
                ..Interaction::default()
            });
            sections[item_shard].item_events.push(ItemEvent {
                item_id,
                r#type: r#type.into(),
                time,
                quantity: 1.0,
                amount_micros: Some(1_990_000),
                list_price_micros: Some(2_490_000),
                promotion: random() % 4 == 0,
                location_id,
                visit,
                ..ItemEvent::default()
            });
        }
        for (shard, mut section) in (0..).zip(sections) {
            section.append_time_ms = i64::try_from(batch).expect("small");
            section.origin = Some(section::Origin::Producer(ProducerBatch {
                producer_id: vec![1; 16],
                batch_sequence: batch,
                acknowledged_through: batch.saturating_sub(8),
                r#final: false,
            }));
            log.push((
                shard,
                batch * u64::from(SHARDS) + u64::from(shard),
                encode_section(&section),
            ));
        }
    }
    log
}

/// The states where each location has a time zone with summer time.
fn located(layout: ShardLayout, mut states: Vec<ShardState>) -> Vec<ShardState> {
    for (shard, state) in (0..).zip(&mut states) {
        let mutations = (FIRST_LOCATION..FIRST_LOCATION + LOCATIONS).map(|number| {
            let kind = mutation::Kind::UpsertLocation(Location {
                location_id: number.to_string(),
                time_zone: "America/New_York".into(),
                ..Location::default()
            });
            Mutation { kind: Some(kind) }
        });
        let section = Section { mutations: mutations.collect(), ..Section::default() };
        let prepared = Prepared::new(layout, shard, section).expect("valid");
        apply(state, 1, prepared).expect("valid");
    }
    states
}

fn events(criterion: &mut Criterion) {
    let layout = ShardLayout::new(SHARDS);
    let log = log(layout);
    let empty = || {
        (0..SHARDS).map(|shard| ShardState::new(layout, shard, TimeZone::UTC)).collect::<Vec<_>>()
    };
    let run = |mut states: Vec<ShardState>| {
        for (shard, sequence, section) in &log {
            let prepared = Prepared::decode(layout, *shard, section).expect("valid");
            apply(&mut states[usize::from(*shard)], *sequence, prepared).expect("valid");
        }
        states
    };
    let mut group = criterion.benchmark_group("apply");
    group
        .throughput(Throughput::Elements(BATCH * BATCHES))
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("events", |bencher| {
        bencher.iter_batched(empty, run, BatchSize::LargeInput);
    });
    group.bench_function("events-at-locations", |bencher| {
        bencher.iter_batched(|| located(layout, empty()), run, BatchSize::LargeInput);
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            for (shard, _, section) in &log {
                black_box(Prepared::decode(layout, *shard, section).expect("valid"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
