//! The bytes under a key.
//!
//! ```text
//! value  format (u8), revision (u64), kind (u8), from format 2 on the state after the change:
//!        changes (u64), digest before and after (u128 each), epoch (u128) and position (u64) of
//!        the log; then nothing when removed (kind 0), the content (1), or the number of the
//!        content's parts (2; u32)
//! part   under a zero byte, the key, a zero byte, and revision and number (u64, u32, big endian)
//! ```
//!
//! Numbers are little endian but where the order of keys needs them otherwise. Format 1 is that of
//! stores which had no state.

use bytes::Bytes;

use crate::{
    log::{Epoch, Mark},
    metadata::{Revision, State},
};

const FORMAT: u8 = 2;
/// Format without a state.
const BEFORE: u8 = 1;
const HEADER_BEFORE: usize = 1 + 8 + 1;
/// Bytes of a value before its content.
pub(super) const HEADER: usize = HEADER_BEFORE + STATE;
const STATE: usize = 8 + 3 * 16 + 8;
/// What keys of parts start with, and no other.
pub(super) const PART: u8 = 0;

/// What is stored under a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) revision: Revision,
    /// State after the change; `None` in format 1.
    pub(super) state: Option<State>,
    pub(super) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Removed,
    Whole(Bytes),
    Parts(u32),
}

/// Encodes a change in the present format.
pub(super) fn encode(revision: Revision, state: &State, content: &Content) -> Vec<u8> {
    let (kind, content): (u8, &[u8]) = match content {
        Content::Removed => (0, &[]),
        Content::Whole(value) => (1, value),
        Content::Parts(count) => (2, &count.to_le_bytes()),
    };
    let State { changes, before, digest, mark } = state;
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.push(FORMAT);
    bytes.extend(revision.to_le_bytes());
    bytes.push(kind);
    bytes.extend(changes.to_le_bytes());
    bytes.extend(before.to_le_bytes());
    bytes.extend(digest.to_le_bytes());
    bytes.extend(mark.epoch.0.to_le_bytes());
    bytes.extend(mark.position.to_le_bytes());
    bytes.extend(content);
    bytes
}

/// The format of bytes that a newer release wrote.
pub(super) fn newer_format(bytes: &[u8]) -> Option<u8> {
    bytes.first().copied().filter(|format| *format > FORMAT)
}

/// Inverse of [`encode`], also of format 1.
pub(super) fn decode(bytes: &[u8]) -> Option<Stored> {
    let mut bytes = bytes;
    let [format] = *take(&mut bytes)?;
    let revision = Revision::from_le_bytes(*take(&mut bytes)?);
    let [kind] = *take(&mut bytes)?;
    let state = match format {
        BEFORE => None,
        FORMAT => Some(State {
            changes: u64::from_le_bytes(*take(&mut bytes)?),
            before: u128::from_le_bytes(*take(&mut bytes)?),
            digest: u128::from_le_bytes(*take(&mut bytes)?),
            mark: Mark {
                epoch: Epoch(u128::from_le_bytes(*take(&mut bytes)?)),
                position: u64::from_le_bytes(*take(&mut bytes)?),
            },
        }),
        _ => return None,
    };
    let content = match kind {
        0 if bytes.is_empty() => Content::Removed,
        1 => Content::Whole(Bytes::copy_from_slice(bytes)),
        2 => Content::Parts(u32::from_le_bytes(bytes.try_into().ok()?)),
        _ => return None,
    };
    Some(Stored { revision, state, content })
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

/// Where a part of a value is.
pub(super) fn part_key(key: &str, revision: Revision, number: u32) -> Vec<u8> {
    let mut part = vec![PART];
    part.extend(key.as_bytes());
    part.push(PART);
    part.extend(revision.to_be_bytes());
    part.extend(number.to_be_bytes());
    part
}

/// Inverse of [`part_key`].
pub(super) fn part_of(part: &[u8]) -> Option<(&str, Revision, u32)> {
    let (key, place) = part.split_at_checked(part.len().checked_sub(8 + 4)?)?;
    let key = key.strip_prefix(&[PART])?.strip_suffix(&[PART])?;
    let (revision, number) = place.split_at(8);
    Some((
        std::str::from_utf8(key).ok()?,
        Revision::from_be_bytes(revision.try_into().ok()?),
        u32::from_be_bytes(number.try_into().ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_does_not_change() {
        let state =
            State { changes: 5, before: 6, digest: 7, mark: Mark { epoch: Epoch(8), position: 9 } };
        let whole = Content::Whole(Bytes::from_static(b"ab"));
        let number = |number: u8, bytes: usize| [vec![number], vec![0; bytes - 1]].concat();
        let stated = [number(5, 8), number(6, 16), number(7, 16), number(8, 16), number(9, 8)];
        let golden = [&[2, 2, 1, 0, 0, 0, 0, 0, 0, 1], &stated.concat()[..], b"ab"].concat();
        assert_eq!(encode(258, &state, &whole), golden);
        assert_eq!(golden.len(), HEADER + 2);
        let stored = Stored { revision: 258, state: Some(state), content: whole };
        assert_eq!(decode(&golden), Some(stored));
        for content in [Content::Removed, Content::Parts(3)] {
            let bytes = encode(1, &state, &content);
            assert_eq!(decode(&bytes).expect("decodes").content, content);
            assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        }
        let part = part_key("k", 2, 3);
        assert_eq!(part, [0, b'k', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
        assert_eq!(part_of(&part), Some(("k", 2, 3)));
        assert!(part_of(&part[..12]).is_none());
    }

    #[test]
    fn values_without_a_state_are_read_for_ever() {
        let golden = [1, 2, 1, 0, 0, 0, 0, 0, 0, 1, b'a', b'b'];
        let content = Content::Whole(Bytes::from_static(b"ab"));
        assert_eq!(decode(&golden), Some(Stored { revision: 258, state: None, content }));
        let removed = decode(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]).expect("decodes");
        assert_eq!(removed.content, Content::Removed);
        let parts = decode(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0]).expect("decodes");
        assert_eq!(parts.content, Content::Parts(3));
        assert!(decode(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
        assert!(decode(&[1]).is_none());
    }
}
