//! What an id stands for: keyed hashes of ids, and of ids and what was sent under them.

use prost::{Message, Name};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128, xxh3_128_with_seed};

/// Whom a remembered id concerns. Both sides of an event may live in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A call with a request id.
    Request = 0,
    /// The user's side of an event.
    User = 1,
    /// The item's side of an event.
    Item = 2,
}

impl Side {
    const ALL: [Self; 3] = [Self::Request, Self::User, Self::Item];
}

/// Stands for an id and what was sent under it, on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdKey {
    /// Stands for the id, whatever was sent under it.
    pub id: u64,
    /// Stands for the id and its content together; never 0.
    pub content: u64,
}

impl IdKey {
    /// As records hold it: 16 bytes big endian, the id first.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        (u128::from(self.id) << 64 | u128::from(self.content)).to_be_bytes().to_vec()
    }

    /// The inverse of [`Self::to_bytes`]; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (halves, rest) = bytes.as_chunks::<8>();
        let &[id, content] = halves else { return None };
        let key = Self { id: u64::from_be_bytes(id), content: u64::from_be_bytes(content) };
        (rest.is_empty() && key.content != 0).then_some(key)
    }
}

/// Makes keys. Each side has numbers of its own, so that nobody without the cluster's key can join
/// the records of a user with those of an item by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdHasher {
    key: u64,
    /// Seed of each side's numbers.
    seeds: [u64; 3],
}

impl IdHasher {
    /// The hasher of a cluster with this visit key, which the result does not tell.
    #[must_use]
    pub fn of_cluster(visit_key: u64) -> Self {
        Self::new(xxh3_64_with_seed(b"ids", visit_key))
    }

    /// The one with this [`Self::key`].
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key, seeds: Side::ALL.map(|side| xxh3_64_with_seed(&[side as u8], key)) }
    }

    /// From which it can be made again.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Stands for a content, the message without its id in its canonical encoding.
    #[must_use]
    pub fn content(&self, encoded: &[u8]) -> u128 {
        xxh3_128_with_seed(encoded, self.key)
    }

    /// Stands for a message that has no id, or whose id was taken out; messages of different kinds
    /// never say the same.
    #[must_use]
    pub fn content_of<M: Message + Name>(&self, message: &M) -> u128 {
        let mut encoded = M::full_name().into_bytes();
        encoded.push(0);
        message.encode_raw(&mut encoded);
        self.content(&encoded)
    }

    /// Stands for an id by its [`event_hash`](super::event_hash), on one side. The lowest two bits
    /// of the hash are not kept by what was remembered in version 1, and do not count.
    #[must_use]
    pub fn id(&self, hash: u128, side: Side) -> u64 {
        xxh3_64_with_seed(&(hash & !3).to_le_bytes(), self.seeds[side as usize])
    }

    /// What keys the hashes of the rows of imported files; whoever imports is told it.
    #[must_use]
    pub fn row_key(&self) -> [u8; 16] {
        xxh3_128_with_seed(b"imported rows", self.key).to_be_bytes()
    }

    /// Stands on the user's side for an imported row.
    #[must_use]
    pub fn mark(&self, row: &[u8]) -> u64 {
        xxh3_64_with_seed(row, self.seeds[Side::User as usize])
    }

    /// Stands for an id and its content, on one side.
    #[must_use]
    pub fn key_of(&self, id: &str, content: u128, side: Side) -> IdKey {
        let hash = xxh3_128(id.as_bytes());
        let mut both = [0; 32];
        both[..16].copy_from_slice(&hash.to_le_bytes());
        both[16..].copy_from_slice(&content.to_le_bytes());
        let content = xxh3_64_with_seed(&both, self.seeds[side as usize]).max(1);
        IdKey { id: self.id(hash, side), content }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_is_what_its_bytes_say() {
        let key = IdHasher::of_cluster(5).key_of("line-1", 7, Side::Item);
        assert_eq!(IdKey::from_bytes(&key.to_bytes()), Some(key));
        for bytes in [&[1; 15][..], &[1; 17], &[], &[0; 16], &[1, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(IdKey::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn sides_clusters_ids_and_contents_share_no_number() {
        let mut numbers = BTreeSet::new();
        let mut keys = 0;
        for cluster in [0, 1, u64::MAX] {
            let hasher = IdHasher::of_cluster(cluster);
            assert_eq!(IdHasher::new(hasher.key()), hasher);
            for side in Side::ALL {
                for id in ["a", "b", ""] {
                    let of_hash = hasher.id(xxh3_128(id.as_bytes()), side);
                    numbers.insert(of_hash);
                    for text in [b"x", b"y"] {
                        let key = hasher.key_of(id, hasher.content(text), side);
                        assert_eq!(key.id, of_hash, "an id stands for itself with any content");
                        numbers.insert(key.content);
                        keys += 1;
                    }
                }
            }
        }
        assert_eq!(numbers.len(), keys + keys / 2);
    }
}
