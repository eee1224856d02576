//! A segment file: a header, then frames.
//!
//! ```text
//! header   4 KiB: magic (8), format (u32), 4 zero bytes, incarnation (u64), seed of its frames
//!          (u64), last position before it (u64), epoch at its creation (u128), checksum of the
//!          last frame before it (u64), log time in ms (i64), the last note of metadata before it as
//!          in a control frame (25), zeros, xxh3-64 of all that precedes
//! frames   see [`super::frame`]; zeros may follow the last one, as space is allocated ahead
//! trailer  of a sealed segment, 16 bytes: offset of the seal (u64), magic (8)
//! ```
//!
//! The first frame names the header's checksum as that of the frame before it, and the header that
//! of the segment before: the seal's own name of its predecessor stands for all that the segment
//! holds.

use std::{io, path::PathBuf, sync::Arc};

use bytes::{Buf as _, BufMut as _, Bytes};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    MetadataNote,
    disk::DiskFile,
    frame::{HEADER, Header, MAGIC as FRAME_MAGIC},
    summary::{get_note, put_note},
    unread::Unread,
};
use crate::log::{Epoch, Sequence};

pub(super) const EXTENSION: &str = "log";
pub(super) const SEGMENT_HEADER: usize = 4 << 10;
pub(super) const TRAILER: usize = 16;
const MAGIC: [u8; 8] = *b"MERCERSG";
const END_MAGIC: [u8; 8] = *b"GSRECREM";
const FORMAT: u32 = 1;
const CHECKED: usize = SEGMENT_HEADER - 8;
/// Where the note begins.
const NOTE: usize = 16 + 3 * 8 + 16 + 2 * 8;
/// Bytes read at once while frames are looked through.
const READ: usize = 1 << 20;

/// The name of the segment that begins at `first`.
pub(super) fn file_name(first: Sequence) -> String {
    format!("{first:020}.{EXTENSION}")
}

/// The first position of the segment of this name; `None` for any other file.
pub(super) fn first_of(name: &str) -> Option<Sequence> {
    let first = name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()?;
    (file_name(first) == name).then_some(first)
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) incarnation: u64,
    /// Of the checksums of its frames' headers; random.
    pub(super) seed: u64,
    /// The last position before the segment.
    pub(super) after: Sequence,
    pub(super) epoch: Epoch,
    pub(super) previous: u64,
    pub(super) log_time_ms: i64,
    /// So that it outlives the segments before.
    pub(super) noted: Option<MetadataNote>,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u32_le(0);
        bytes.put_u64_le(self.incarnation);
        bytes.put_u64_le(self.seed);
        bytes.put_u64_le(self.after);
        bytes.put_u128_le(self.epoch.0);
        bytes.put_u64_le(self.previous);
        bytes.put_i64_le(self.log_time_ms);
        put_note(&mut bytes, self.noted);
        bytes.resize(CHECKED, 0);
        bytes.put_u64_le(xxh3_64(&bytes));
        bytes
    }

    /// Reads a header, and its checksum.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u64), Unread> {
        let cut = "the header of the segment is cut short";
        let (header, _) = bytes.split_at_checked(SEGMENT_HEADER).ok_or(cut)?;
        let (fields, mut stored) = header.split_at(CHECKED);
        let checksum = stored.get_u64_le();
        if checksum != xxh3_64(fields) {
            return Err("the checksum of the segment's header does not match".into());
        }
        if fields[..8] != MAGIC {
            return Err("it does not begin like a segment".into());
        }
        if fields[8..12] != FORMAT.to_le_bytes() {
            return Err(Unread::Newer("its format is not known here"));
        }
        let header = Self::fields(fields).ok_or("the segment's header makes no sense")?;
        Ok((header, checksum))
    }

    /// What a damaged header says all the same: its seed may be whole, and finds the frames.
    pub(super) fn unchecked(bytes: &[u8]) -> Self {
        let mut padded = bytes.to_vec();
        padded.resize(SEGMENT_HEADER, 0);
        Self::fields(&padded).unwrap_or_else(|| {
            padded[NOTE..].fill(0);
            Self::fields(&padded).expect("without a note every header can be read")
        })
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let mut fields = &bytes[16..];
        Some(Self {
            incarnation: fields.get_u64_le(),
            seed: fields.get_u64_le(),
            after: fields.get_u64_le(),
            epoch: Epoch(fields.get_u128_le()),
            previous: fields.get_u64_le(),
            log_time_ms: fields.get_i64_le(),
            noted: get_note(&mut fields)?,
        })
    }
}

/// The end of a sealed segment.
pub(super) fn trailer(seal: u64) -> [u8; TRAILER] {
    let mut bytes = [0; TRAILER];
    bytes[..8].copy_from_slice(&seal.to_le_bytes());
    bytes[8..].copy_from_slice(&END_MAGIC);
    bytes
}

/// Where the seal is, if the file ends like a sealed segment.
pub(super) fn seal_offset(file: &dyn DiskFile) -> io::Result<Option<u64>> {
    let length = file.length()?;
    let mut bytes = [0; TRAILER];
    let Some(offset) = length.checked_sub(TRAILER as u64) else { return Ok(None) };
    if file.read_at(&mut bytes, offset)? < TRAILER || bytes[8..] != END_MAGIC {
        return Ok(None);
    }
    let mut stored = &bytes[..8];
    let seal = stored.get_u64_le();
    let lies_within = seal >= SEGMENT_HEADER as u64 && seal < offset;
    Ok(lies_within.then_some(seal))
}

/// A segment file whose header was read.
#[derive(Clone, Debug)]
pub(super) struct SegmentFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) header: SegmentHeader,
    /// Checksum of the header.
    pub(super) checksum: u64,
}

/// A frame of a file.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) header: Header,
    pub(super) checksum: u64,
    pub(super) payload: Bytes,
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next {
    Frame(Frame),
    /// Nothing was written from this offset on.
    End(u64),
    /// What was written at this offset is no frame that follows the one before.
    Bad {
        offset: u64,
        why: Unread,
    },
}

/// Goes through the frames of a file, each checked to follow the one before.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    seed: u64,
    length: u64,
    offset: u64,
    after: Sequence,
    previous: u64,
    buffer: Bytes,
    /// Where the buffer begins in the file.
    buffer_at: u64,
}

impl Scan {
    /// From the first frame on.
    pub(super) fn new(segment: &SegmentFile) -> io::Result<Self> {
        let SegmentHeader { after, .. } = segment.header;
        Self::from(segment, SEGMENT_HEADER as u64, after, segment.checksum)
    }

    /// From the frame at `offset` on, which follows position `after` and checksum `previous`.
    pub(super) fn from(
        segment: &SegmentFile,
        offset: u64,
        after: Sequence,
        previous: u64,
    ) -> io::Result<Self> {
        Ok(Self {
            file: Arc::clone(&segment.file),
            seed: segment.header.seed,
            length: segment.file.length()?,
            offset,
            after,
            previous,
            buffer: Bytes::new(),
            buffer_at: offset,
        })
    }

    /// The frames from `offset` to `end`, of which the first follows `after` and `previous`.
    pub(super) fn within(
        segment: &SegmentFile,
        offset: u64,
        end: u64,
        after: Sequence,
        previous: u64,
    ) -> io::Result<Self> {
        let mut scan = Self::from(segment, offset, after, previous)?;
        scan.length = scan.length.min(end);
        Ok(scan)
    }

    /// The frame at `offset`, whatever stands before it.
    pub(super) fn anywhere(segment: &SegmentFile, offset: u64) -> io::Result<Option<Frame>> {
        let mut scan = Self::from(segment, offset, 0, 0)?;
        if !scan.go_to(offset)? {
            return Ok(None);
        }
        Ok(match scan.next()? {
            Next::Frame(frame) => Some(frame),
            Next::End(_) | Next::Bad { .. } => None,
        })
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let offset = self.offset;
        let bad = |why: Unread| Ok(Next::Bad { offset, why });
        let head = self.read(offset, HEADER)?;
        let Some(head) = head.first_chunk::<HEADER>() else {
            return match self.is_blank(offset)? {
                true => Ok(Next::End(offset)),
                false => bad("a frame is cut short".into()),
            };
        };
        let (header, checksum) = match Header::decode(head, self.seed) {
            Ok(decoded) => decoded,
            Err(_) if self.is_blank(offset)? => return Ok(Next::End(offset)),
            Err(why) => return bad(why),
        };
        if header.previous != self.previous || header.after != self.after {
            return bad("a frame does not follow the one before".into());
        }
        let payload = self.read(offset + HEADER as u64, header.payload_bytes as usize)?;
        if payload.len() < header.payload_bytes as usize {
            return bad("a frame is cut short".into());
        }
        if let Err(detail) = header.check(&payload) {
            return bad(detail.into());
        }
        self.offset += header.bytes();
        self.after = header.last();
        self.previous = checksum;
        Ok(Next::Frame(Frame { offset, header, checksum, payload }))
    }

    /// The offset of the first valid frame after `offset`, wherever it belongs.
    pub(super) fn frame_after(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let mut from = offset + 1;
        while from + HEADER as u64 <= self.length {
            let window = self.read(from, READ)?;
            if window.len() < HEADER {
                return Ok(None);
            }
            for place in 0..=window.len() - HEADER {
                let Some(head) = window[place..].first_chunk::<HEADER>() else { break };
                if head[..8] == FRAME_MAGIC && is_frame(head, self.seed) {
                    return Ok(Some(from + place as u64));
                }
            }
            from += (window.len() - HEADER + 1) as u64;
        }
        Ok(None)
    }

    /// Goes on at the frame at `offset`, whatever precedes it; whether it is whole.
    pub(super) fn go_to(&mut self, offset: u64) -> io::Result<bool> {
        let head = self.read(offset, HEADER)?;
        let decoded = head.first_chunk().map(|head| Header::decode(head, self.seed));
        let Some(Ok((header, _))) = decoded else { return Ok(false) };
        let place = (offset, header.after, header.previous);
        (self.offset, self.after, self.previous) = place;
        let whole = matches!(self.next()?, Next::Frame(_));
        (self.offset, self.after, self.previous) = place;
        Ok(whole)
    }

    /// Whether nothing but zeros follows.
    fn is_blank(&mut self, offset: u64) -> io::Result<bool> {
        let mut from = offset;
        while from < self.length {
            let window = self.read(from, READ)?;
            if window.is_empty() {
                break;
            }
            if window.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            from += window.len() as u64;
        }
        Ok(true)
    }

    /// Up to `length` bytes at `offset`, fewer at the end of the file.
    fn read(&mut self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = (offset + length as u64).min(self.length);
        let buffered = self.buffer_at..=self.buffer_at + self.buffer.len() as u64;
        if end <= offset {
            return Ok(Bytes::new());
        }
        if !buffered.contains(&offset) || !buffered.contains(&end) {
            let wanted =
                length.max(READ).min(usize::try_from(self.length - offset).unwrap_or(READ));
            let mut bytes = vec![0; wanted];
            let read = self.file.read_at(&mut bytes, offset)?;
            bytes.truncate(read);
            self.buffer = bytes.into();
            self.buffer_at = offset;
        }
        let begin = usize::try_from(offset - self.buffer_at).unwrap_or(usize::MAX);
        let stop =
            usize::try_from(end - self.buffer_at).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(if begin < stop { self.buffer.slice(begin..stop) } else { Bytes::new() })
    }
}

/// Whether this is the header of a frame, be it one of a newer release.
fn is_frame(head: &[u8; HEADER], seed: u64) -> bool {
    matches!(Header::decode(head, seed), Ok(_) | Err(Unread::Newer(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_headers_load_for_ever() {
        let header = SegmentHeader {
            incarnation: 1,
            seed: 2,
            after: 3,
            epoch: Epoch(4),
            previous: 5,
            log_time_ms: -6,
            noted: Some(MetadataNote { changes: 7, digest: 8 }),
        };
        let bytes = header.encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER);
        let golden = include_bytes!("../../../tests/golden/log_segment_header.bin");
        assert_eq!(SegmentHeader::decode(&bytes).map(|(decoded, _)| decoded), Ok(header));
        assert_eq!(bytes[..golden.len()], *golden);
        for bit in (0..100).chain(SEGMENT_HEADER * 8 - 100..SEGMENT_HEADER * 8) {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            SegmentHeader::decode(&bad).expect_err("damaged");
        }
    }

    #[test]
    fn names_are_those_of_positions_only() {
        assert_eq!(file_name(17), "00000000000000000017.log");
        assert_eq!(first_of("00000000000000000017.log"), Some(17));
        for other in ["17.log", "00000000000000000017.new", "00000000000000000017", ".log", "x.log"]
        {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
