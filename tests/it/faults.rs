//! A log that loses acknowledgements, loses and repeats appends, leaves gaps and answers short,
//! under producers that repeat what was not acknowledged and shards that start over: everything
//! acknowledged is applied once, also when records begin to mean something else in between. A failing
//! seed is printed; `MERCER_TEST_SEED` repeats it.

use std::time::Duration;

use jiff::tz::TimeZone;
use mercer_common::{
    event::{APPLY_VERSION, RecordContext, SplitEvents, encode_section},
    log::{
        Cursor, EventLog, LogError, Sequence,
        memory::{Faults, MemoryLog},
    },
    slot::{ShardId, ShardLayout},
};
use mercer_proto::{
    internal::{ProducerBatch, Section, UseApplyVersion, section::Origin},
    v1::Event,
};
use mercer_tests::{random::Random, workload::Workload};
use mercer_worker::shard::{
    ShardState,
    apply::{Prepared, apply},
};

const SHARDS: ShardId = 3;
const PRODUCERS: u64 = 3;
const BATCH: usize = 6;
const IN_FLIGHT: usize = 8;

#[tokio::test]
async fn every_acknowledged_event_is_applied_once_whatever_the_log_does() {
    let slow = std::env::var_os("MERCER_SLOW_TESTS").is_some();
    let seeds = match std::env::var("MERCER_TEST_SEED") {
        Ok(seed) => vec![seed.parse().expect("MERCER_TEST_SEED is a number")],
        Err(_) => (0..if slow { 2_000 } else { 100 }).collect::<Vec<u64>>(),
    };
    let (mut repeated, mut restarted, mut raised) = (0, 0, 0);
    for seed in seeds {
        let run = Run::new(seed).finish().await;
        repeated += run.duplicates;
        restarted += run.restarts;
        raised += u64::from(run.raised_after_events);
    }
    assert!(repeated > 0, "no seed made the log repeat anything");
    assert!(restarted > 0, "no shard ever started over");
    assert!(raised > 0, "no log was raised after its first events");
}

/// One producer: its batches, and which of them are still to be acknowledged.
struct Producer {
    id: [u8; 16],
    batches: Vec<Vec<Event>>,
    acknowledged: Vec<bool>,
}

impl Producer {
    fn acknowledged_through(&self) -> usize {
        self.acknowledged.iter().take_while(|done| **done).count()
    }

    /// A batch of the window that is not acknowledged yet, any of them.
    fn pick(&self, random: &mut Random) -> Option<usize> {
        let first = self.acknowledged_through();
        let window = first..(first + IN_FLIGHT).min(self.batches.len());
        let open: Vec<usize> = window.filter(|&batch| !self.acknowledged[batch]).collect();
        let pick = random.below(open.len().max(1) as u64);
        open.get(usize::try_from(pick).expect("small")).copied()
    }
}

struct Run {
    seed: u64,
    random: Random,
    log: MemoryLog,
    context: RecordContext,
    producers: Vec<Producer>,
    shards: Vec<(ShardState, Sequence)>,
    /// What the records mean that are sent.
    version: u32,
    raised_after_events: bool,
    restarts: u64,
    duplicates: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let log = MemoryLog::with_faults(
            1,
            Faults {
                seed,
                lost_acknowledgement: 0.1,
                lost_append: 0.1,
                duplicate: 0.1,
                gap: 0.1,
                short_fetch: 0.3,
                ..Faults::default()
            },
        );
        let layout = ShardLayout::new(SHARDS);
        let mut producers = Vec::new();
        for number in 0..PRODUCERS {
            let workload = Workload { users: 12, items: 15, seed: seed * PRODUCERS + number };
            let count = 30 + usize::try_from(random.below(90)).expect("small");
            // Ids of events are unique within a producer only.
            let events = workload.events(count).into_iter().map(|event| Event {
                event_id: event.event_id.map(|id| format!("{number} {id}")),
                ..event
            });
            let events: Vec<Event> = events.collect();
            let batches: Vec<_> = events.chunks(BATCH).map(<[_]>::to_vec).collect();
            let id = [u8::try_from(number).expect("small"); 16];
            producers.push(Producer { id, acknowledged: vec![false; batches.len()], batches });
        }
        Self {
            seed,
            random,
            log,
            context: RecordContext {
                layout,
                currency: "USD".into(),
                time_zone: jiff::tz::TimeZone::UTC,
                visit_key: 5,
                user_visit_key: 6,
            },
            producers,
            shards: (0..SHARDS)
                .map(|shard| (ShardState::new(layout, shard, TimeZone::UTC), 0))
                .collect(),
            version: 1,
            raised_after_events: false,
            restarts: 0,
            duplicates: 0,
        }
    }

    /// Sends and reads in random turns until all is acknowledged and applied, and compares.
    async fn finish(mut self) -> Self {
        // Half of the logs begin with the newest version, the others are raised some time later.
        if self.seed.is_multiple_of(2) {
            self.raise().await;
        }
        while let Some((producer, batch)) = self.next_batch() {
            if self.version < APPLY_VERSION && self.random.below(30) == 0 {
                self.raised_after_events = self.log.end() > 0;
                self.raise().await;
            }
            self.send(producer, batch).await;
            if self.random.below(3) == 0 {
                self.read().await;
            }
            if self.random.below(25) == 0 {
                let shard = self.random.below(SHARDS.into());
                let shard = ShardId::try_from(shard).expect("small");
                self.shards[usize::from(shard)] =
                    (ShardState::new(self.context.layout, shard, TimeZone::UTC), 0);
                self.restarts += 1;
            }
        }
        while self.shards.iter().any(|(_, cursor)| *cursor < self.log.end()) {
            self.read().await;
        }
        let truth = self.once();
        for ((shard, _), truth) in self.shards.iter().zip(&truth) {
            assert_eq!(view(shard), view(truth), "shard {}, seed {}", shard.shard(), self.seed);
            self.duplicates += shard.duplicates();
        }
        self
    }

    /// Says what records mean, until that is confirmed; it may then stand in the log many times.
    async fn raise(&mut self) {
        while let Err(error) = self.log.append(use_version(&self.context)).await {
            assert!(matches!(error, LogError::Unconfirmed), "seed {}: {error}", self.seed);
        }
        self.version = APPLY_VERSION;
    }

    fn next_batch(&mut self) -> Option<(usize, usize)> {
        let first = usize::try_from(self.random.below(PRODUCERS)).expect("small");
        let order = (first..self.producers.len()).chain(0..first);
        let random = &mut self.random;
        let producers = &self.producers;
        order.into_iter().find_map(|index| Some((index, producers[index].pick(random)?)))
    }

    async fn send(&mut self, producer: usize, batch: usize) {
        // Some were encoded before the version was raised, and are late.
        let version = if self.random.below(10) == 0 { 1 } else { self.version };
        let through = self.producers[producer].acknowledged_through();
        let sections = self.sections(producer, batch, through, version);
        match self.log.append(sections).await {
            Ok(_) => self.producers[producer].acknowledged[batch] = true,
            Err(LogError::Unconfirmed) => {}
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    fn sections(
        &self,
        producer: usize,
        batch: usize,
        acknowledged_through: usize,
        version: u32,
    ) -> Vec<(ShardId, bytes::Bytes)> {
        let Producer { id, batches, .. } = &self.producers[producer];
        SplitEvents::new(batches[batch].clone(), &self.context, version)
            .expect("ids stand for one event each")
            .into_sections()
            .map(|(shard, mut section)| {
                section.origin = Some(Origin::Producer(ProducerBatch {
                    producer_id: id.to_vec(),
                    batch_sequence: batch as u64 + 1,
                    acknowledged_through: acknowledged_through as u64,
                    r#final: batch + 1 == batches.len(),
                }));
                (shard, encode_section(&section))
            })
            .collect()
    }

    async fn read(&mut self) {
        let cursors: Vec<Cursor> = (0..SHARDS)
            .zip(&self.shards)
            .map(|(shard, (_, cursor))| Cursor {
                shard,
                after: *cursor,
                epoch: self.log.epoch_at(*cursor),
            })
            .collect();
        let bytes = 1 + usize::try_from(self.random.below(2_000)).expect("small");
        let fetched = self.log.fetch(&cursors, bytes, Duration::ZERO).await.expect("readable");
        for (fetched, (state, cursor)) in fetched.shards.iter().zip(&mut self.shards) {
            for section in &fetched.sections {
                let prepared =
                    Prepared::decode(self.context.layout, fetched.shard, &section.section);
                apply(state, section.sequence, prepared.expect("a section")).expect("applies");
            }
            *cursor = fetched.next;
        }
    }

    /// The shards after every batch once, in order, without a log between.
    fn once(&self) -> Vec<ShardState> {
        let layout = self.context.layout;
        let mut shards: Vec<_> =
            (0..SHARDS).map(|shard| ShardState::new(layout, shard, TimeZone::UTC)).collect();
        let mut sequence = 0;
        for (shard, section) in use_version(&self.context) {
            sequence += 1;
            let prepared = Prepared::decode(layout, shard, &section).expect("a section");
            apply(&mut shards[usize::from(shard)], sequence, prepared).expect("applies");
        }
        for (index, producer) in self.producers.iter().enumerate() {
            for batch in 0..producer.batches.len() {
                for (shard, section) in self.sections(index, batch, batch, APPLY_VERSION) {
                    sequence += 1;
                    let prepared = Prepared::decode(layout, shard, &section).expect("a section");
                    apply(&mut shards[usize::from(shard)], sequence, prepared).expect("applies");
                }
            }
        }
        shards
    }
}

/// What makes records mean the newest version, in every shard.
fn use_version(context: &RecordContext) -> Vec<(ShardId, bytes::Bytes)> {
    let id_key = context.id_hasher().key();
    let change = UseApplyVersion { version: APPLY_VERSION, id_key };
    let section = Section { use_apply_version: Some(change), ..Section::default() };
    let section = encode_section(&section);
    (0..context.layout.shards()).map(|shard| (shard, section.clone())).collect()
}

/// Everything that an answer can depend on.
fn view(state: &ShardState) -> String {
    let users = state.users().map(|(id, user)| {
        let item = |handle| state.interner().id(handle);
        let window = user.window().iter().map(|entry| (entry.time, item(entry.item), entry.kind));
        let mut seen: Vec<_> = user.seen().iter().map(|&handle| item(handle)).collect();
        seen.sort_unstable();
        format!("{id}: {:?} {seen:?}\n", window.collect::<Vec<_>>())
    });
    let items = state.items().map(|item| {
        let (popularity, revenue) = (item.popularity(), item.revenue_micros());
        format!("{}: {popularity} {} {revenue}\n", item.id(), item.units())
    });
    let popular = state.by_popularity().map(|item| item.id().to_owned());
    let counters = format!("{:?}", state.counters());
    users.chain(items).chain(popular).chain([counters]).collect()
}
