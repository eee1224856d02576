//! Which batches of which producers a shard has applied.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::limits;

use crate::shard::apply::{Batch, ProducerId};

/// Producers, each with a floor and 64 bits above it.
#[derive(Debug, Default)]
pub(super) struct Producers {
    known: BTreeMap<ProducerId, Producer>,
    /// Those that may be forgotten, by the time of their last batch.
    by_age: BTreeSet<(i64, ProducerId)>,
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
    /// Whether a batch is to be applied; notes that it was.
    pub(super) fn admit(&mut self, batch: &Batch, now_ms: i64) -> bool {
        let &Batch { producer: id, number, acknowledged_through, is_final } = batch;
        let producer = self.known.entry(id).or_insert(Producer {
            floor: 0,
            applied_above: 0,
            last_ms: now_ms,
            is_final: false,
        });
        self.by_age.remove(&(producer.last_ms, id));
        producer.last_ms = now_ms;
        producer.is_final |= is_final;
        if !producer.is_final {
            self.by_age.insert((now_ms, id));
        }
        // Ingest refuses batches further ahead, so the second bound never says more than the first.
        producer.raise(acknowledged_through.max(number.saturating_sub(limits::BATCHES_IN_FLIGHT)));
        let Some(offset) = number.checked_sub(producer.floor + 1) else { return false };
        let bit = 1 << offset;
        let fresh = producer.applied_above & bit == 0;
        producer.applied_above |= bit;
        fresh
    }

    /// Forgets those whose last batch lies more than `after_ms` before `now_ms`.
    pub(super) fn forget(&mut self, now_ms: i64, after_ms: i64) {
        while let Some(&(last, id)) = self.by_age.first()
            && last.saturating_add(after_ms) < now_ms
        {
            self.by_age.pop_first();
            self.known.remove(&id);
        }
    }

    /// By id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ProducerId, &Producer)> {
        self.known.iter()
    }

    /// The inverse of [`Self::iter`].
    pub(super) fn insert(&mut self, id: ProducerId, producer: Producer) {
        self.known.insert(id, producer);
        if !producer.is_final {
            self.by_age.insert((producer.last_ms, id));
        }
    }

    /// The same producers by another clock.
    pub(super) fn redated(&self, time: impl Fn(i64) -> i64) -> Self {
        let mut redated = Self::default();
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
}
