//! What a segment holds, so that readers find their way: told while it is written, stored in its
//! seal, or found by going through its frames where the seal is missing.
//!
//! ```text
//! seal     number of epochs (u32), each with the first position in it (u64, u128); 1 and a note of
//!          metadata, or 0 (u8; then u64, u128); number of blocks (u32), each with its offset (u64),
//!          last position before it (u64), checksum of the frame before it (u64) and shards (u64)
//! control  1 (u8) and a note of metadata (u64, u128), or 0: nothing but a sign that writing works
//! ```
//!
//! Numbers are little endian. A block is a run of frames of about 64 KiB, the unit of reading.

use bytes::{Buf as _, BufMut as _};

use super::{
    MetadataNote,
    frame::{FrameKind, Header},
};
use crate::log::{Epoch, Sequence};

/// Bytes after which a block takes no further frame.
const BLOCK: u64 = 64 << 10;

/// A run of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) offset: u64,
    /// The last position before it.
    pub(super) after: Sequence,
    /// Checksum of the frame before it.
    pub(super) previous: u64,
    /// Shards of its frames together, a bit each as in their headers.
    pub(super) shards: u64,
}

/// What a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Blocks by position; together they are the whole segment.
    pub(super) blocks: Vec<Block>,
    /// Epochs, each with its first position in the segment.
    pub(super) epochs: Vec<(Sequence, Epoch)>,
    /// Last note of the metadata's state in the segment.
    pub(super) noted: Option<MetadataNote>,
}

impl Summary {
    /// Adds the frame at `offset`, which follows all others.
    pub(super) fn add(&mut self, offset: u64, header: &Header, payload: &[u8]) {
        match self.blocks.last_mut() {
            Some(block) if offset - block.offset < BLOCK => block.shards |= header.shards,
            Some(_) | None => self.blocks.push(Block {
                offset,
                after: header.after,
                previous: header.previous,
                shards: header.shards,
            }),
        }
        match header.kind {
            FrameKind::Commit
                if self.epochs.last().is_none_or(|(_, last)| *last != header.epoch) =>
            {
                self.epochs.push((header.first, header.epoch));
            }
            FrameKind::Control => self.noted = decode_control(payload).or(self.noted),
            FrameKind::Commit | FrameKind::Seal | FrameKind::Close => {}
        }
    }

    /// Index of the block that holds `position`, which the segment reaches.
    pub(super) fn block_of(&self, position: Sequence) -> usize {
        self.blocks.partition_point(|block| block.after < position).saturating_sub(1)
    }

    /// The payload of a seal.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = |length: usize| u32::try_from(length).expect("a segment is bounded");
        bytes.put_u32_le(count(self.epochs.len()));
        for (first, epoch) in &self.epochs {
            bytes.put_u64_le(*first);
            bytes.put_u128_le(epoch.0);
        }
        put_note(&mut bytes, self.noted);
        bytes.put_u32_le(count(self.blocks.len()));
        for block in &self.blocks {
            bytes.put_u64_le(block.offset);
            bytes.put_u64_le(block.after);
            bytes.put_u64_le(block.previous);
            bytes.put_u64_le(block.shards);
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut summary = Self::default();
        for _ in 0..bytes.try_get_u32_le().ok()? {
            let first = bytes.try_get_u64_le().ok()?;
            summary.epochs.push((first, Epoch(bytes.try_get_u128_le().ok()?)));
        }
        summary.noted = get_note(&mut bytes)?;
        for _ in 0..bytes.try_get_u32_le().ok()? {
            summary.blocks.push(Block {
                offset: bytes.try_get_u64_le().ok()?,
                after: bytes.try_get_u64_le().ok()?,
                previous: bytes.try_get_u64_le().ok()?,
                shards: bytes.try_get_u64_le().ok()?,
            });
        }
        bytes.is_empty().then_some(summary)
    }
}

/// The payload of a control frame.
pub(super) fn encode_control(note: Option<MetadataNote>) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_note(&mut bytes, note);
    bytes
}

/// The note in the payload of a control frame.
pub(super) fn decode_control(mut payload: &[u8]) -> Option<MetadataNote> {
    get_note(&mut payload)?
}

/// A note as it is stored, or that there is none.
pub(super) fn put_note(bytes: &mut Vec<u8>, note: Option<MetadataNote>) {
    let Some(MetadataNote { changes, digest }) = note else { return bytes.put_u8(0) };
    bytes.put_u8(1);
    bytes.put_u64_le(changes);
    bytes.put_u128_le(digest);
}

/// What [`put_note`] gave; `None` when the bytes hold no such thing.
pub(super) fn get_note(bytes: &mut &[u8]) -> Option<Option<MetadataNote>> {
    match bytes.try_get_u8().ok()? {
        0 => Some(None),
        1 => {
            let changes = bytes.try_get_u64_le().ok()?;
            Some(Some(MetadataNote { changes, digest: bytes.try_get_u128_le().ok()? }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_load_for_ever() {
        let summary = Summary {
            blocks: vec![
                Block { offset: 4_096, after: 9, previous: 1, shards: 0b101 },
                Block { offset: 70_000, after: 19, previous: 2, shards: 0b11 },
            ],
            epochs: vec![(10, Epoch(7)), (15, Epoch(8))],
            noted: Some(MetadataNote { changes: 3, digest: 4 }),
        };
        let golden = include_bytes!("../../../tests/golden/log_seal.bin");
        assert_eq!(summary.encode(), golden);
        assert_eq!(Summary::decode(golden), Some(summary.clone()));
        for length in 0..golden.len() {
            assert_eq!(Summary::decode(&golden[..length]), None);
        }
        assert_eq!([10, 19, 20, 30].map(|position| summary.block_of(position)), [0, 0, 1, 1]);
        assert_eq!(decode_control(&encode_control(summary.noted)), summary.noted);
        assert_eq!(decode_control(&encode_control(None)), None);
    }
}
