//! Which batches of which producers a shard has applied.
//!
//! A producer has a floor and 64 bits above it until it is forgotten, 7 days after its last batch.
//! Since version 3 of what records mean, the latest 100,000 are remembered so; of a finished one its
//! floor stays then, of at most 100,000. A further one that finishes is remembered like any other.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::limits;

use crate::shard::origin::{Batch, ProducerId};

/// The producers that a shard remembers.
#[derive(Debug)]
pub(super) struct Producers {
    known: BTreeMap<ProducerId, Producer>,
    /// Those that may be forgotten, by the time of their last batch.
    by_age: BTreeSet<(i64, ProducerId)>,
    /// How many of `known` are finished.
    finishing: usize,
    /// Floors of those that finished long ago.
    finished: BTreeMap<ProducerId, u64>,
    /// Since version 3.
    is_bounded: bool,
    capacity: Capacity,
}

/// How many producers are remembered since version 3.
#[derive(Clone, Copy, Debug)]
pub(in crate::shard) struct Capacity {
    pub(in crate::shard) producers: usize,
    pub(in crate::shard) finished: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { producers: limits::PRODUCERS, finished: limits::FINISHED_PRODUCERS.records }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Producer {
    /// Every batch up to here has been acknowledged.
    pub(super) floor: u64,
    /// Bit i: batch floor + 1 + i has been applied.
    pub(super) applied_above: u64,
    pub(super) last_ms: i64,
    pub(super) is_final: bool,
}

impl Producers {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            known: BTreeMap::new(),
            by_age: BTreeSet::new(),
            finishing: 0,
            finished: BTreeMap::new(),
            is_bounded: false,
            capacity,
        }
    }

    /// Whether a batch is to be applied; notes that it was.
    pub(super) fn admit(&mut self, batch: &Batch, now_ms: i64) -> bool {
        let &Batch { producer: id, number, acknowledged_through, is_final } = batch;
        let finished = self.finished.get(&id).copied();
        if finished.is_some_and(|floor| number <= floor) {
            return false;
        }
        // One that goes on after it had finished is known again.
        let new = Producer {
            floor: finished.unwrap_or_default(),
            applied_above: 0,
            last_ms: now_ms,
            is_final: self.finished.remove(&id).is_some(),
        };
        let may_finish = !self.is_bounded || self.finished() < self.capacity.finished;
        let producer = self.known.entry(id).or_insert_with(|| {
            self.finishing += usize::from(new.is_final);
            new
        });
        self.by_age.remove(&(producer.last_ms, id));
        producer.last_ms = now_ms;
        if is_final && !producer.is_final && may_finish {
            producer.is_final = true;
            self.finishing += 1;
        }
        if self.is_bounded || !producer.is_final {
            self.by_age.insert((now_ms, id));
        }
        // Ingest refuses batches further ahead, so the second bound never says more than the first.
        producer.raise(acknowledged_through.max(number.saturating_sub(limits::BATCHES_IN_FLIGHT)));
        let fresh = match number.checked_sub(producer.floor + 1) {
            Some(offset) => {
                let bit = 1 << offset;
                let fresh = producer.applied_above & bit == 0;
                producer.applied_above |= bit;
                fresh
            }
            None => false,
        };
        if self.is_bounded && self.known.len() > self.capacity.producers {
            self.forget_oldest();
        }
        fresh
    }

    /// Forgets those whose last batch lies more than `after_ms` before `now_ms`.
    pub(super) fn forget(&mut self, now_ms: i64, after_ms: i64) {
        while let Some(&(last, _)) = self.by_age.first()
            && last.saturating_add(after_ms) < now_ms
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, id)) = self.by_age.pop_first() else { return };
        let Some(producer) = self.known.remove(&id) else { return };
        if producer.is_final {
            self.finishing -= 1;
            self.finished.insert(id, producer.highest());
        }
    }

    /// From here on the bounds hold. What is remembered beyond them stays.
    pub(super) fn use_bounds(&mut self) {
        self.is_bounded = true;
        let finished = self.known.iter().filter(|(_, producer)| producer.is_final);
        self.by_age.extend(finished.map(|(&id, producer)| (producer.last_ms, id)));
    }

    /// How many are finished.
    pub(super) fn finished(&self) -> usize {
        self.finished.len() + self.finishing
    }

    /// Whether a producer is finished.
    pub(super) fn is_finished(&self, id: &ProducerId) -> bool {
        self.finished.contains_key(id) || self.known.get(id).is_some_and(|known| known.is_final)
    }

    /// Producers that are known, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ProducerId, &Producer)> {
        self.known.iter()
    }

    /// The inverse of [`Self::iter`].
    pub(super) fn insert(&mut self, id: ProducerId, producer: Producer) {
        self.known.insert(id, producer);
        self.finishing += usize::from(producer.is_final);
        if self.is_bounded || !producer.is_final {
            self.by_age.insert((producer.last_ms, id));
        }
    }

    /// The floors of those that finished long ago, by id.
    pub(super) fn floors(&self) -> impl Iterator<Item = (&ProducerId, u64)> {
        self.finished.iter().map(|(id, &floor)| (id, floor))
    }

    /// The inverse of [`Self::floors`].
    pub(super) fn insert_floor(&mut self, id: ProducerId, floor: u64) {
        self.finished.insert(id, floor);
    }

    /// The same producers by another clock.
    pub(super) fn redated(&self, time: impl Fn(i64) -> i64) -> Self {
        let mut redated = Self::new(self.capacity);
        for (&id, &producer) in &self.known {
            redated.insert(id, Producer { last_ms: time(producer.last_ms), ..producer });
        }
        redated
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

    /// The highest batch that was applied or acknowledged.
    fn highest(&self) -> u64 {
        self.floor + u64::from(u64::BITS - self.applied_above.leading_zeros())
    }
}
