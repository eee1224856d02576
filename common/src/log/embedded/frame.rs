//! The bytes of a frame: what is written and synced at once.
//!
//! ```text
//! header   magic (8), format (u8), kind (u8), 2 zero bytes, stored bytes of the payload (u32),
//!          its bytes when decompressed (u32), number of sections (u32), last position before it
//!          (u64), first position (u64), the shards of its sections (u64, a bit each), log time in ms
//!          (i64), epoch (u128), checksum of the frame before (u64), xxh3-64 of the payload (u64),
//!          checksum (u64): xxh3-64 of all that precedes, under the segment's seed
//! payload  of a commit, zstd: per section its shard (u16) and bytes (u32); then their contents
//! ```
//!
//! Numbers are little endian. The header has a checksum of its own, so that a damaged length is not
//! taken for the end; each frame names the one before, so that frames of different copies of a log
//! cannot be mixed. The seed keeps what callers send from looking like a frame.

use bytes::{Buf as _, Bytes};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
use zstd::bulk::{Compressor, Decompressor};

use super::unread::Unread;
use crate::{
    log::{
        APPEND_BYTES, Epoch, Sequence,
        commit::{Commit, ENTRY, raw_bytes},
    },
    slot::ShardId,
};

pub(super) const MAGIC: [u8; 8] = *b"MERCERFR";
const FORMAT: u8 = 1;
const CHECKED: usize = 88;
pub(super) const HEADER: usize = CHECKED + 8;
const LEVEL: i32 = 1;
/// Bytes of a payload before compression: a group that is not full yet, and one append.
const RAW_BYTES: usize = 2 * APPEND_BYTES;
/// Bytes of a stored payload: what does not compress grows a little.
pub(super) const PAYLOAD_BYTES: usize = RAW_BYTES + RAW_BYTES / 64;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Sections at consecutive positions.
    Commit = 1,
    /// A fact about the log, see [`super::control`]; it takes no position.
    Control = 2,
    /// The index of a segment, its last frame.
    Seal = 3,
    /// The log was closed in order: everything before was synced.
    Close = 4,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: FrameKind,
    pub(super) payload_bytes: u32,
    pub(super) raw_bytes: u32,
    pub(super) sections: u32,
    /// The last position of the frames before.
    pub(super) after: Sequence,
    /// Position of the first section; `after + 1` in frames without sections.
    pub(super) first: Sequence,
    /// Bit i: it has a section of shard i.
    pub(super) shards: u64,
    pub(super) log_time_ms: i64,
    pub(super) epoch: Epoch,
    /// Checksum of the frame before it, or of the segment's header.
    pub(super) previous: u64,
    pub(super) payload_hash: u64,
}

impl Header {
    /// The header of a frame without sections.
    pub(super) fn plain(kind: FrameKind, payload: &[u8], after: Sequence) -> Self {
        let bytes = u32::try_from(payload.len()).expect("payloads are bounded");
        Self {
            kind,
            payload_bytes: bytes,
            raw_bytes: bytes,
            sections: 0,
            after,
            first: after + 1,
            shards: 0,
            log_time_ms: 0,
            epoch: Epoch::NONE,
            previous: 0,
            payload_hash: xxh3_64(payload),
        }
    }

    /// The last position through this frame.
    pub(super) fn last(&self) -> Sequence {
        if self.sections == 0 { self.after } else { self.first + u64::from(self.sections) - 1 }
    }

    /// Bytes of the whole frame.
    pub(super) fn bytes(&self) -> u64 {
        HEADER as u64 + u64::from(self.payload_bytes)
    }

    /// Its bytes; the last 8 are its checksum.
    pub(super) fn encode(&self, seed: u64) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend([FORMAT, self.kind as u8, 0, 0]);
        bytes.extend(self.payload_bytes.to_le_bytes());
        bytes.extend(self.raw_bytes.to_le_bytes());
        bytes.extend(self.sections.to_le_bytes());
        bytes.extend(self.after.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.shards.to_le_bytes());
        bytes.extend(self.log_time_ms.to_le_bytes());
        bytes.extend(self.epoch.0.to_le_bytes());
        bytes.extend(self.previous.to_le_bytes());
        bytes.extend(self.payload_hash.to_le_bytes());
        bytes.extend(xxh3_64_with_seed(&bytes, seed).to_le_bytes());
        bytes.try_into().expect("the fields fill the header")
    }

    /// Reads a header, and its checksum.
    pub(super) fn decode(bytes: &[u8; HEADER], seed: u64) -> Result<(Self, u64), Unread> {
        let (fields, mut stored) = bytes.split_at(CHECKED);
        let checksum = stored.get_u64_le();
        if fields[..8] != MAGIC {
            return Err("no frame begins here".into());
        }
        if checksum != xxh3_64_with_seed(fields, seed) {
            return Err("the checksum of a frame's header does not match".into());
        }
        let mut fields = &fields[8..];
        if fields.get_u8() != FORMAT {
            return Err(Unread::Newer(
                "a frame has a format that this version of Mercer does not read",
            ));
        }
        let kind = match fields.get_u8() {
            1 => FrameKind::Commit,
            2 => FrameKind::Control,
            3 => FrameKind::Seal,
            4 => FrameKind::Close,
            _ => {
                let detail = "a frame is of a kind that this version of Mercer does not know";
                return Err(Unread::Newer(detail));
            }
        };
        fields.advance(2);
        let header = Self {
            kind,
            payload_bytes: fields.get_u32_le(),
            raw_bytes: fields.get_u32_le(),
            sections: fields.get_u32_le(),
            after: fields.get_u64_le(),
            first: fields.get_u64_le(),
            shards: fields.get_u64_le(),
            log_time_ms: fields.get_i64_le(),
            epoch: Epoch(fields.get_u128_le()),
            previous: fields.get_u64_le(),
            payload_hash: fields.get_u64_le(),
        };
        let fits = header.payload_bytes as usize <= PAYLOAD_BYTES
            && header.raw_bytes as usize <= PAYLOAD_BYTES
            && header.sections as usize * ENTRY <= header.raw_bytes as usize
            && header.first > header.after
            && header.first.checked_add(u64::from(header.sections)).is_some()
            && (header.kind == FrameKind::Commit) == (header.sections > 0);
        if !fits {
            return Err("a frame has an impossible size".into());
        }
        Ok((header, checksum))
    }

    /// Whether `payload` is what was written.
    pub(super) fn check(&self, payload: &[u8]) -> Result<(), &'static str> {
        if xxh3_64(payload) == self.payload_hash {
            Ok(())
        } else {
            Err("the checksum of a frame's payload does not match")
        }
    }
}

/// The checksum in an encoded header.
pub(super) fn checksum(header: &[u8; HEADER]) -> u64 {
    let mut stored = &header[CHECKED..];
    stored.get_u64_le()
}

/// Compresses commits; reused, as its tables are large.
pub(super) fn compressor() -> std::io::Result<Compressor<'static>> {
    Compressor::new(LEVEL)
}

/// The header and payload of a commit; the caller completes time, epoch and predecessor.
pub(super) fn encode_commit(
    compressor: &mut Compressor<'_>,
    after: Sequence,
    commit: &Commit,
) -> Result<(Header, Vec<u8>), &'static str> {
    let sections = commit.sections();
    let mut raw = Vec::with_capacity(raw_bytes(sections));
    for (shard, section) in sections {
        let bytes = u32::try_from(section.len()).map_err(|_| "a section is too large")?;
        raw.extend(shard.to_le_bytes());
        raw.extend(bytes.to_le_bytes());
    }
    for (_, section) in sections {
        raw.extend_from_slice(section);
    }
    let payload = compressor.compress(&raw).map_err(|_| "zstd failed")?;
    let too_large = |_| "the sections are too large";
    let header = Header {
        raw_bytes: u32::try_from(raw.len()).map_err(too_large)?,
        sections: u32::try_from(sections.len()).map_err(too_large)?,
        first: commit.first(),
        shards: shards_of(commit),
        ..Header::plain(FrameKind::Commit, &payload, after)
    };
    Ok((header, payload))
}

/// A bit for each shard that has a section. Shards beyond 63 share the bits of others, so that a
/// set bit means that there may be one.
pub(super) fn shard_bit(shard: ShardId) -> u64 {
    1 << (shard % 64)
}

fn shards_of(commit: &Commit) -> u64 {
    commit.sections().iter().fold(0, |shards, (shard, _)| shards | shard_bit(*shard))
}

/// The commit of a frame whose payload was checked. Its sections share one allocation; the
/// decompressor is reused, as its tables are large.
pub(super) fn decode_commit(
    decompressor: &mut Decompressor<'_>,
    header: &Header,
    payload: &[u8],
) -> Result<Commit, &'static str> {
    let count = header.sections as usize;
    let raw = decompressor.decompress(payload, header.raw_bytes as usize);
    let raw = Bytes::from(raw.map_err(|_| "a commit is not zstd")?);
    if raw.len() != header.raw_bytes as usize || count == 0 || count * ENTRY > raw.len() {
        return Err("a commit has another size than it says");
    }
    let mut table = &raw[..count * ENTRY];
    let mut begin = count * ENTRY;
    let mut sections: Vec<(ShardId, Bytes)> = Vec::with_capacity(count);
    for _ in 0..count {
        let shard = table.get_u16_le();
        let end = begin + table.get_u32_le() as usize;
        if end > raw.len() {
            return Err("a section is cut short");
        }
        sections.push((shard, raw.slice(begin..end)));
        begin = end;
    }
    if begin != raw.len() {
        return Err("a commit holds more than its sections");
    }
    let commit = Commit::new(header.first, sections);
    Ok(if header.after + 1 < header.first { commit.after_gap(header.after) } else { commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/log_frame.bin");
    const SEED: u64 = 0x0123_4567_89ab_cdef;

    fn sections() -> Vec<(ShardId, Bytes)> {
        vec![
            (3, Bytes::from_static(b"three")),
            (0, Bytes::new()),
            (3, Bytes::from(b"again and ".repeat(20))),
        ]
    }

    fn encoded() -> Vec<u8> {
        let mut compressor = compressor().expect("zstd");
        let commit = Commit::new(7, sections());
        let (header, payload) = encode_commit(&mut compressor, 5, &commit).expect("encoded");
        let header =
            Header { log_time_ms: 1_800_000_000_123, epoch: Epoch(9), previous: 11, ..header };
        [header.encode(SEED).as_slice(), &payload].concat()
    }

    fn decode(frame: &[u8]) -> Result<Commit, &'static str> {
        let (header, payload) = frame.split_first_chunk().ok_or("cut short")?;
        let (header, _) = Header::decode(header, SEED).map_err(Unread::detail)?;
        if payload.len() != header.payload_bytes as usize {
            return Err("cut short");
        }
        header.check(payload)?;
        decode_commit(&mut Decompressor::new().expect("zstd"), &header, payload)
    }

    #[test]
    fn stored_frames_load_for_ever() {
        let commit = decode(GOLDEN).expect("decodes");
        assert_eq!((commit.after(), commit.first(), commit.last()), (5, 7, 9));
        assert_eq!(commit.sections(), sections());
        let (header, _) =
            Header::decode(GOLDEN[..HEADER].try_into().expect("a header"), SEED).expect("ok");
        assert_eq!((header.epoch, header.previous), (Epoch(9), 11));
        assert_eq!(header.log_time_ms, 1_800_000_000_123);
        // zstd may compress otherwise one day, but what precedes its lengths stays.
        assert_eq!(encoded()[..12], GOLDEN[..12]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = encoded();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            decode(&bad).expect_err("damaged");
        }
        for length in 0..good.len() {
            decode(&good[..length]).expect_err("cut short");
        }
    }
}
