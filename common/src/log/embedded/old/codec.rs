//! The bytes of a commit in a log of before: several values of a sled database under consecutive
//! keys.
//!
//! ```text
//! key     first position (u64), part (u16), number of parts (u16), big endian: 12 bytes
//! commit  the values of all parts, at most 64 KiB each, concatenated:
//!         format (u8), 3 zero bytes, number of sections (u32), bytes when decompressed (u32),
//!         xxh3-64 of those 12 bytes and the payload (u64), payload
//! payload zstd: per section its shard (u16) and bytes (u32); then the contents of all sections
//! ```
//!
//! Numbers in the commit are little endian.

use bytes::{Buf as _, Bytes};
use xxhash_rust::xxh3::Xxh3;
#[cfg(test)]
use zstd::bulk::Compressor;

use crate::log::{
    APPEND_BYTES, Sequence,
    commit::{Commit, ENTRY},
};

/// Bytes of a value.
#[cfg(test)]
const PART: usize = 64 << 10;
const FORMAT: u8 = 1;
const CHECKED: usize = 12;
const HEADER: usize = CHECKED + 8;
#[cfg(test)]
const LEVEL: i32 = 1;
/// Bytes of a commit before compression: a group that is not full yet, and one append.
const COMMIT_BYTES: usize = 2 * APPEND_BYTES;
pub(super) const KEY: usize = 12;

/// Where a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Position of the commit's first section.
    pub(super) first: Sequence,
    /// Number of the part, from 0.
    pub(super) part: u16,
    /// Parts of the commit.
    pub(super) parts: u16,
}

impl Key {
    #[cfg(test)]
    pub(super) fn encode(self) -> [u8; KEY] {
        let mut key = [0; KEY];
        key[..8].copy_from_slice(&self.first.to_be_bytes());
        key[8..10].copy_from_slice(&self.part.to_be_bytes());
        key[10..].copy_from_slice(&self.parts.to_be_bytes());
        key
    }

    pub(super) fn decode(mut key: &[u8]) -> Result<Self, &'static str> {
        if key.len() != KEY {
            return Err("a key has not 12 bytes");
        }
        Ok(Self { first: key.get_u64(), part: key.get_u16(), parts: key.get_u16() })
    }
}

/// The bytes of a commit.
#[cfg(test)]
pub(super) fn encode(
    compressor: &mut Compressor<'_>,
    commit: &Commit,
) -> Result<Vec<u8>, &'static str> {
    let sections = commit.sections();
    let mut raw = Vec::with_capacity(crate::log::commit::raw_bytes(sections));
    for (shard, section) in sections {
        let bytes = u32::try_from(section.len()).map_err(|_| "a section is too large")?;
        raw.extend(shard.to_le_bytes());
        raw.extend(bytes.to_le_bytes());
    }
    for (_, section) in sections {
        raw.extend_from_slice(section);
    }
    let count = u32::try_from(sections.len()).map_err(|_| "too many sections")?;
    let raw_bytes = u32::try_from(raw.len()).map_err(|_| "the sections are too large")?;
    let payload = compressor.compress(&raw).map_err(|_| "zstd failed")?;

    let mut encoded = Vec::with_capacity(HEADER + payload.len());
    encoded.extend([FORMAT, 0, 0, 0]);
    encoded.extend(count.to_le_bytes());
    encoded.extend(raw_bytes.to_le_bytes());
    let hash = checksum(&encoded, &payload);
    encoded.extend(hash.to_le_bytes());
    encoded.extend(payload);
    Ok(encoded)
}

/// Compresses commits.
#[cfg(test)]
pub(super) fn compressor() -> std::io::Result<Compressor<'static>> {
    Compressor::new(LEVEL)
}

/// The parts of an encoded commit, in order.
#[cfg(test)]
pub(super) fn parts(
    first: Sequence,
    encoded: &[u8],
) -> Result<impl Iterator<Item = ([u8; KEY], &[u8])>, &'static str> {
    let parts = u16::try_from(encoded.len().div_ceil(PART)).map_err(|_| "too many parts")?;
    let keys = (0..parts).map(move |part| Key { first, part, parts }.encode());
    Ok(keys.zip(encoded.chunks(PART)))
}

/// Reads a commit from the bytes of all its parts.
pub(super) fn decode(first: Sequence, encoded: &[u8]) -> Result<Commit, &'static str> {
    let (header, payload) = encoded.split_at_checked(HEADER).ok_or("a commit is cut short")?;
    let (mut fields, mut stored) = header.split_at(CHECKED);
    if stored.get_u64_le() != checksum(fields, payload) {
        return Err("the checksum of a commit does not match");
    }
    if fields.get_u8() != FORMAT {
        return Err("a commit has a format that this version of Mercer does not read");
    }
    fields.advance(3);
    let count = fields.get_u32_le() as usize;
    let raw_bytes = fields.get_u32_le() as usize;
    if count == 0 || raw_bytes > COMMIT_BYTES || count * ENTRY > raw_bytes {
        return Err("a commit has an impossible size");
    }
    let raw = zstd::bulk::decompress(payload, raw_bytes).map_err(|_| "a commit is not zstd")?;
    if raw.len() != raw_bytes {
        return Err("a commit has another size than it says");
    }
    let (mut table, mut contents) = raw.split_at(count * ENTRY);
    let mut sections = Vec::with_capacity(count);
    for _ in 0..count {
        let shard = table.get_u16_le();
        let bytes = table.get_u32_le() as usize;
        let (section, rest) = contents.split_at_checked(bytes).ok_or("a section is cut short")?;
        contents = rest;
        // A copy, so that one section that somebody keeps does not keep all others.
        sections.push((shard, Bytes::copy_from_slice(section)));
    }
    if !contents.is_empty() {
        return Err("a commit holds more than its sections");
    }
    Ok(Commit::new(first, sections))
}

/// The hash over everything but itself.
fn checksum(fields: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(fields);
    hasher.update(payload);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::ShardId;

    const GOLDEN: &[u8] = include_bytes!("../../../../tests/golden/log_commit.bin");

    fn sections() -> Vec<(ShardId, Bytes)> {
        vec![
            (3, Bytes::from_static(b"three")),
            (0, Bytes::new()),
            (3, Bytes::from(b"again and ".repeat(20))),
        ]
    }

    fn encoded(first: Sequence) -> Vec<u8> {
        let mut compressor = compressor().expect("zstd");
        encode(&mut compressor, &Commit::new(first, sections())).expect("encoded")
    }

    #[test]
    fn stored_commits_load_for_ever() {
        let commit = decode(7, GOLDEN).expect("decodes");
        assert_eq!((commit.first(), commit.last()), (7, 9));
        assert_eq!(commit.sections(), sections());
        // zstd may compress otherwise one day, but the header stays.
        assert_eq!(encoded(7)[..CHECKED], GOLDEN[..CHECKED]);
        let key = Key { first: 0x0102_0304_0506_0708, part: 9, parts: 0x0a0b };
        assert_eq!(key.encode(), [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 10, 11]);
        assert_eq!(Key::decode(&key.encode()), Ok(key));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = encoded(1);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            decode(1, &bad).expect_err("damaged");
        }
        for length in 0..good.len() {
            decode(1, &good[..length]).expect_err("cut short");
        }
    }

    #[test]
    fn parts_are_small_and_complete() {
        let encoded = vec![7; 2 * PART + 1];
        let parts: Vec<_> = parts(5, &encoded).expect("split").collect();
        let keys: Vec<Key> =
            parts.iter().map(|(key, _)| Key::decode(key).expect("a key")).collect();
        assert_eq!(keys, [0, 1, 2].map(|part| Key { first: 5, part, parts: 3 }));
        assert!(parts.iter().all(|(_, part)| part.len() <= PART));
        assert_eq!(parts.iter().map(|(_, part)| *part).collect::<Vec<_>>().concat(), encoded);
    }
}
