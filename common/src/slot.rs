//! Where an id lives: its slot for ever, and the shard that holds the slot.

use xxhash_rust::xxh3::Xxh3;

/// Number of slots, for ever.
pub const SLOTS: u16 = 4_096;

/// What an id names; users and items with equal ids have unrelated slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A customer.
    User,
    /// A SKU.
    Item,
}

impl Subject {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::User => b"user\0",
            Self::Item => b"item\0",
        }
    }
}

/// The slot of an id: the top 12 bits of xxh3-64 over `user\0` or `item\0` and the id.
#[must_use]
pub fn slot(subject: Subject, id: &str) -> u16 {
    let mut hasher = Xxh3::new();
    hasher.update(subject.prefix());
    hasher.update(id.as_bytes());
    u16::try_from(hasher.digest() >> 52).expect("12 bits fit")
}

/// A shard: a contiguous range of slots.
pub type ShardId = u16;

/// The division of all slots into shards of nearly equal size, in slot order.
///
/// Iterating shards in order iterates slots in order, for any number of shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLayout {
    shards: u16,
}

impl ShardLayout {
    /// A layout of `shards` shards.
    ///
    /// # Panics
    /// When `shards` is 0 or above [`crate::limits::SHARDS`]; configuration checks it first.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        assert!((1..=crate::limits::SHARDS).contains(&shards), "{shards} shards");
        Self { shards }
    }

    /// Number of shards.
    #[must_use]
    pub const fn shards(self) -> u16 {
        self.shards
    }

    /// The shard that holds `slot`.
    #[must_use]
    pub fn shard_of_slot(self, slot: u16) -> ShardId {
        let shard = u32::from(slot) * u32::from(self.shards) / u32::from(SLOTS);
        u16::try_from(shard).expect("below the number of shards")
    }

    /// The shard that holds `id`.
    #[must_use]
    pub fn shard_of(self, subject: Subject, id: &str) -> ShardId {
        self.shard_of_slot(slot(subject, id))
    }

    /// The slots of `shard`, ascending.
    #[must_use]
    pub fn slots(self, shard: ShardId) -> std::ops::Range<u16> {
        let first = |shard: u16| {
            let slot = (u32::from(shard) * u32::from(SLOTS)).div_ceil(u32::from(self.shards));
            u16::try_from(slot).expect("at most 4,096")
        };
        first(shard)..first(shard + 1)
    }
}

/// The order of ids everywhere: by slot, then by id.
#[must_use]
pub fn compare(subject: Subject, left: &str, right: &str) -> std::cmp::Ordering {
    slot(subject, left).cmp(&slot(subject, right)).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_lies_in_the_range_of_its_shard() {
        for shards in 1..=crate::limits::SHARDS {
            let layout = ShardLayout::new(shards);
            for slot in 0..SLOTS {
                assert!(layout.slots(layout.shard_of_slot(slot)).contains(&slot));
            }
            assert_eq!(layout.slots(0).start, 0);
            assert_eq!(layout.slots(shards - 1).end, SLOTS);
        }
    }
}
