//! What a shard has applied already: the only place that decides duplicates.
//!
//! A pure function of the shard's part of the log, so that a replay decides as the first pass did.
//!
//! In version 1 of what records mean, ids are remembered by their hash, for a time by the append
//! times in the log, which are those of a wall clock. Since version 2 an id stands for its content:
//! the same pair is a duplicate, an id with other content is another event or request, and what is
//! remembered is decided by log time, which no setting of a clock moves. Since version 3, producers
//! are bounded in number; ids always were.

mod ids;
mod producers;

use mercer_common::{
    event::{IdHasher, IdKey, Side},
    limits,
};
use mercer_proto::internal::{DedupTable, ProducerEntry};

use super::{
    ApplyError,
    origin::{Origin, ProducerId, SentAs},
};
use ids::{Ids, Meeting};
pub(super) use producers::Capacity;
use producers::{Producer, Producers};

/// A producer is forgotten so long after its last batch.
const PRODUCER_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// An event or request id is forgotten so long after it was first seen.
const EVENT_ID_MS: i64 = 24 * 3_600 * 1_000;

/// When a section was appended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// Time by the wall clock, in milliseconds.
    pub(crate) append_ms: i64,
    /// Time by the log's own clock, in milliseconds; 0 in sections from before it had one.
    pub(crate) log_ms: i64,
}

/// What a shard has applied already.
#[derive(Debug)]
pub(crate) struct Dedup {
    producers: Producers,
    ids: Ids,
    /// Since version 2, with it the hashes of version 1 become keys.
    hasher: Option<IdHasher>,
    /// The highest time met: the clock never goes back.
    latest_ms: i64,
    duplicates: u64,
    clashes: u64,
    capacity: usize,
}

impl Default for Dedup {
    fn default() -> Self {
        Self::with_capacity(limits::EVENT_IDS, Capacity::default())
    }
}

impl Dedup {
    pub(super) fn with_capacity(capacity: usize, producers: Capacity) -> Self {
        Self {
            producers: Producers::new(producers),
            ids: Ids::default(),
            hasher: None,
            latest_ms: i64::MIN,
            duplicates: 0,
            clashes: 0,
            capacity,
        }
    }

    /// Records dropped so far.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Events of items, and requests, whose id was remembered with other content.
    pub(crate) fn clashes(&self) -> u64 {
        self.clashes
    }

    /// From here on ids stand for their content, and time is log time.
    ///
    /// What is remembered keeps its age: the two clocks count the same milliseconds but need not
    /// agree on what time it is. Without that, a log time far below the append times would remember
    /// for ever, and one far above would forget everything.
    pub(crate) fn use_content(&mut self, hasher: IdHasher, times: Times) {
        if self.hasher.is_some() {
            return;
        }
        let before = self.latest_ms;
        let redate = |time: i64| times.log_ms.saturating_sub(before.saturating_sub(time));
        self.producers = self.producers.redated(redate);
        let remembered = std::mem::take(&mut self.ids);
        for (hash, time) in remembered.iter() {
            let (hash, side) = unpack(hash);
            self.ids.remember_any(hasher.id(hash, side), redate(time));
        }
        self.latest_ms = times.log_ms;
        self.hasher = Some(hasher);
    }

    /// From here on producers are bounded in number.
    pub(crate) fn use_bounds(&mut self) {
        self.producers.use_bounds();
    }

    /// How many producers are finished.
    pub(crate) fn finished(&self) -> usize {
        self.producers.finished()
    }

    /// Whether a producer is finished.
    pub(crate) fn is_finished(&self, producer: &ProducerId) -> bool {
        self.producers.is_finished(producer)
    }

    /// Whether a section is to be applied; notes that it was, and drops its `records` if not.
    pub(crate) fn admit(&mut self, times: Times, origin: &Origin, records: u64) -> bool {
        let time = if self.hasher.is_some() { times.log_ms } else { times.append_ms };
        self.latest_ms = self.latest_ms.max(time);
        self.forget();
        let fresh = match origin {
            Origin::Untracked => true,
            Origin::Producer(batch) => self.producers.admit(batch, self.latest_ms),
            Origin::Request(sent) => self.admit_id(*sent, Side::Request),
        };
        if !fresh {
            self.duplicates += records;
        }
        fresh
    }

    /// Whether one side of an event is to be applied; notes that it was.
    pub(crate) fn admit_event(&mut self, sent: SentAs, side: Side) -> bool {
        let fresh = self.admit_id(sent, side);
        if !fresh {
            self.duplicates += 1;
        }
        fresh
    }

    fn admit_id(&mut self, sent: SentAs, side: Side) -> bool {
        let fresh = match (self.hasher, sent) {
            (None, SentAs::Hash(hash)) => self.admit_pair(pack(hash, side)),
            // Nobody writes keys before the record that introduces them. Where that was lost they
            // are compared as they are, so that the shard lives.
            (None, SentAs::Key(key)) => self.admit_pair(key),
            (Some(hasher), SentAs::Hash(hash)) => {
                self.ids.remember_any(hasher.id(hash, side), self.latest_ms)
            }
            (Some(_), SentAs::Key(key)) => self.admit_key(key, side),
        };
        if self.ids.len() > self.capacity {
            self.ids.forget_oldest();
        }
        fresh
    }

    /// A hash of version 1, in two halves.
    fn admit_pair(&mut self, pair: IdKey) -> bool {
        let fresh = self.ids.meet(pair) != Meeting::Repeated;
        if fresh {
            self.ids.remember(pair, self.latest_ms);
        }
        fresh
    }

    fn admit_key(&mut self, key: IdKey, side: Side) -> bool {
        match self.ids.meet(key) {
            Meeting::Repeated => return false,
            Meeting::New => {}
            // Each event has one item's side, and counts once.
            Meeting::Clash => self.clashes += u64::from(side != Side::User),
        }
        self.ids.remember(key, self.latest_ms);
        true
    }

    fn forget(&mut self) {
        self.producers.forget(self.latest_ms, PRODUCER_MS);
        while self.ids.oldest().is_some_and(|t| t.saturating_add(EVENT_ID_MS) < self.latest_ms) {
            self.ids.forget_oldest();
        }
    }

    /// As snapshots store it.
    pub(crate) fn encode(&self) -> DedupTable {
        let mut table = DedupTable {
            producers: self
                .producers
                .iter()
                .map(|(id, one)| self.encode_producer(id, one))
                .chain(self.producers.floors().map(|(id, floor)| ProducerEntry {
                    producer_id: id.to_vec(),
                    floor,
                    r#final: true,
                    floor_only: true,
                    ..ProducerEntry::default()
                }))
                .collect(),
            duplicates: self.duplicates,
            clashes: self.clashes,
            id_key: self.hasher.map(|hasher| hasher.key()),
            ..DedupTable::default()
        };
        let times = self.ids.iter().map(|(_, time)| time).collect();
        let keys = self.ids.iter().map(|(key, _)| key);
        if self.hasher.is_some() {
            table.keys = keys.flat_map(|key| halves(key).to_be_bytes()).collect();
            table.key_times_ms = times;
            table.latest_log_time_ms = self.latest_ms;
        } else {
            table.event_hashes = keys.flat_map(|key| halves(key).to_le_bytes()).collect();
            table.event_times_ms = times;
            table.latest_append_time_ms = self.latest_ms;
        }
        table
    }

    fn encode_producer(&self, id: &ProducerId, producer: &Producer) -> ProducerEntry {
        let entry = ProducerEntry {
            producer_id: id.to_vec(),
            floor: producer.floor,
            applied_above: producer.applied_above,
            r#final: producer.is_final,
            ..ProducerEntry::default()
        };
        if self.hasher.is_some() {
            ProducerEntry { last_log_time_ms: producer.last_ms, ..entry }
        } else {
            ProducerEntry { last_append_time_ms: producer.last_ms, ..entry }
        }
    }

    /// The inverse of [`Self::encode`].
    pub(crate) fn decode(table: &DedupTable) -> Result<Self, ApplyError> {
        let hasher = table.id_key.map(IdHasher::new);
        let by_key = hasher.is_some();
        let (keys, times, latest_ms) = if by_key {
            (&table.keys, &table.key_times_ms, table.latest_log_time_ms)
        } else {
            (&table.event_hashes, &table.event_times_ms, table.latest_append_time_ms)
        };
        let (keys, rest) = keys.as_chunks::<16>();
        if !rest.is_empty() || keys.len() != times.len() {
            return Err(ApplyError::Malformed("keys and times of event ids do not agree"));
        }
        let read = if by_key { u128::from_be_bytes } else { u128::from_le_bytes };
        let keys = keys.iter().map(|key| of_halves(read(*key)));
        let mut dedup = Self {
            ids: Ids::from_keys(keys.zip(times.iter().copied())),
            hasher,
            latest_ms,
            duplicates: table.duplicates,
            clashes: table.clashes,
            ..Self::default()
        };
        for entry in &table.producers {
            let id = ProducerId::try_from(entry.producer_id.as_slice())
                .map_err(|_| ApplyError::Malformed("a producer id has not 16 bytes"))?;
            if entry.floor_only {
                dedup.producers.insert_floor(id, entry.floor);
                continue;
            }
            let producer = Producer {
                floor: entry.floor,
                applied_above: entry.applied_above,
                last_ms: if by_key { entry.last_log_time_ms } else { entry.last_append_time_ms },
                is_final: entry.r#final,
            };
            dedup.producers.insert(id, producer);
        }
        Ok(dedup)
    }
}

/// The hash of an id in version 1, whose lowest two bits tell the side.
fn pack(hash: u128, side: Side) -> IdKey {
    of_halves((hash & !3) | side as u128)
}

/// The inverse of [`pack`].
fn unpack(key: IdKey) -> (u128, Side) {
    let packed = halves(key);
    let side = match packed & 3 {
        0 => Side::Request,
        1 => Side::User,
        _ => Side::Item,
    };
    (packed & !3, side)
}

fn of_halves(number: u128) -> IdKey {
    IdKey { id: (number >> 64) as u64, content: number as u64 }
}

fn halves(key: IdKey) -> u128 {
    u128::from(key.id) << 64 | u128::from(key.content)
}
