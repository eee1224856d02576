//! What a shard has applied already: the only place that decides duplicates.
//!
//! A pure function of the shard's part of the log. Time is the append time in the log, never
//! the wall clock, so that a replay decides as the first pass did.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use mercer_common::limits;
use mercer_proto::internal::{DedupTable, ProducerEntry};

use super::apply::{ApplyError, Origin, ProducerId};

/// A producer is forgotten so long after its last batch.
const PRODUCER_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// An event or request id is forgotten so long after it was first seen.
const EVENT_ID_MS: i64 = 24 * 3_600 * 1_000;

/// What a remembered hash stands for: both sides of an event may live in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request = 0,
    User = 1,
    Item = 2,
}

/// What a shard has applied already.
#[derive(Debug)]
pub(crate) struct Dedup {
    producers: BTreeMap<ProducerId, Producer>,
    /// Producers that may be forgotten, by their last append time.
    by_age: BTreeSet<(i64, ProducerId)>,
    known: HashSet<u128>,
    /// As `known`, by time first seen.
    order: VecDeque<(u128, i64)>,
    latest_ms: i64,
    duplicates: u64,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    /// Every batch up to here has been acknowledged.
    floor: u64,
    /// Bit i: batch floor + 1 + i has been applied.
    applied_above: u64,
    last_ms: i64,
    is_final: bool,
}

impl Default for Dedup {
    fn default() -> Self {
        Self::with_capacity(limits::EVENT_IDS)
    }
}

impl Dedup {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            producers: BTreeMap::new(),
            by_age: BTreeSet::new(),
            known: HashSet::new(),
            order: VecDeque::new(),
            latest_ms: i64::MIN,
            duplicates: 0,
            capacity,
        }
    }

    /// Records dropped so far.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether a section is to be applied; notes that it was, and drops its `records` if not.
    pub(crate) fn admit(&mut self, append_time_ms: i64, origin: &Origin, records: u64) -> bool {
        self.latest_ms = self.latest_ms.max(append_time_ms);
        self.forget();
        let fresh = match *origin {
            Origin::Untracked => true,
            Origin::Producer { id, batch, acknowledged_through, is_final } => {
                self.admit_batch(id, batch, acknowledged_through, is_final)
            }
            Origin::Request(hash) => self.admit_hash(hash, Side::Request),
        };
        if !fresh {
            self.duplicates += records;
        }
        fresh
    }

    /// Whether one side of an event is to be applied; notes that it was.
    pub(crate) fn admit_event(&mut self, hash: u128, side: Side) -> bool {
        let fresh = self.admit_hash(hash, side);
        if !fresh {
            self.duplicates += 1;
        }
        fresh
    }

    fn admit_batch(
        &mut self,
        id: ProducerId,
        batch: u64,
        acknowledged_through: u64,
        is_final: bool,
    ) -> bool {
        let now = self.latest_ms;
        let producer = self.producers.entry(id).or_insert(Producer {
            floor: 0,
            applied_above: 0,
            last_ms: now,
            is_final: false,
        });
        self.by_age.remove(&(producer.last_ms, id));
        producer.last_ms = now;
        producer.is_final |= is_final;
        if !producer.is_final {
            self.by_age.insert((now, id));
        }
        // Ingest refuses batches further ahead, so the second bound never says more than the first.
        producer.raise(acknowledged_through.max(batch.saturating_sub(limits::BATCHES_IN_FLIGHT)));
        let Some(offset) = batch.checked_sub(producer.floor + 1) else { return false };
        let bit = 1 << offset;
        let fresh = producer.applied_above & bit == 0;
        producer.applied_above |= bit;
        fresh
    }

    fn admit_hash(&mut self, hash: u128, side: Side) -> bool {
        let key = (hash & !3) | side as u128;
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back((key, self.latest_ms));
        if self.order.len() > self.capacity {
            self.forget_oldest();
        }
        true
    }

    fn forget(&mut self) {
        while let Some(&(last, id)) = self.by_age.first()
            && last.saturating_add(PRODUCER_MS) < self.latest_ms
        {
            self.by_age.pop_first();
            self.producers.remove(&id);
        }
        while let Some(&(_, time)) = self.order.front()
            && time.saturating_add(EVENT_ID_MS) < self.latest_ms
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.known.remove(&key);
        }
    }

    /// As snapshots store it.
    pub(crate) fn encode(&self) -> DedupTable {
        let producers = self.producers.iter().map(|(id, producer)| ProducerEntry {
            producer_id: id.to_vec(),
            floor: producer.floor,
            applied_above: producer.applied_above,
            last_append_time_ms: producer.last_ms,
            r#final: producer.is_final,
        });
        DedupTable {
            producers: producers.collect(),
            event_hashes: self.order.iter().flat_map(|(key, _)| key.to_le_bytes()).collect(),
            event_times_ms: self.order.iter().map(|&(_, time)| time).collect(),
            duplicates: self.duplicates,
            latest_append_time_ms: self.latest_ms,
        }
    }

    /// The inverse of [`Self::encode`].
    pub(crate) fn decode(table: &DedupTable) -> Result<Self, ApplyError> {
        let (keys, rest) = table.event_hashes.as_chunks::<16>();
        if !rest.is_empty() || keys.len() != table.event_times_ms.len() {
            return Err(ApplyError::Malformed("hashes and times of event ids do not agree"));
        }
        let mut dedup = Self {
            latest_ms: table.latest_append_time_ms,
            duplicates: table.duplicates,
            ..Self::default()
        };
        for entry in &table.producers {
            let id = ProducerId::try_from(entry.producer_id.as_slice())
                .map_err(|_| ApplyError::Malformed("a producer id has not 16 bytes"))?;
            let producer = Producer {
                floor: entry.floor,
                applied_above: entry.applied_above,
                last_ms: entry.last_append_time_ms,
                is_final: entry.r#final,
            };
            dedup.producers.insert(id, producer);
            if !producer.is_final {
                dedup.by_age.insert((producer.last_ms, id));
            }
        }
        let keys = keys.iter().map(|key| u128::from_le_bytes(*key));
        dedup.order = keys.zip(table.event_times_ms.iter().copied()).collect();
        dedup.known = dedup.order.iter().map(|&(key, _)| key).collect();
        Ok(dedup)
    }
}

impl Producer {
    fn raise(&mut self, floor: u64) {
        if let Some(shift) = floor.checked_sub(self.floor) {
            let shift = u32::try_from(shift).unwrap_or(u32::MAX);
            self.applied_above = self.applied_above.checked_shr(shift).unwrap_or(0);
            self.floor = floor;
        }
    }
}
