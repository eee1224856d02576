//! Which log a folder holds, in the file `identity`.
//!
//! ```text
//! format 2  magic (8), format (u32), incarnation (u64), number of shards (u16), the two visit keys
//!           of the items' and the users' side (u64, u64), currency and time zone each with its
//!           length before it (u16), number of ancestors (u16), each with the position that they
//!           share (u64, u64), crc32 of all that precedes
//! format 1  magic (8), format (u32), incarnation (u64), crc32: a log of before, see [`super::old`]
//! ```
//!
//! Numbers are little endian. A version of Mercer that does not know a format refuses the file, and
//! with it the log.

use bytes::{Buf as _, BufMut as _};

use super::unread::Unread;
use crate::log::{Ancestor, Founding, LogIdentity};

pub(super) const FILE: &str = "identity";
/// The file, as messages name it.
pub(super) const PLACE: &str = "`identity`";
const MAGIC: &[u8; 8] = b"MERCERLG";
const BEFORE: u32 = 1;
const FORMAT: u32 = 2;
const CRC: usize = 4;

/// What an identity file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// The log of segment files.
    Present(LogIdentity),
    /// A log of before, of this incarnation.
    Before(u64),
}

/// The bytes of the file.
pub(super) fn encode(identity: &LogIdentity) -> Vec<u8> {
    let LogIdentity { incarnation, founding, ancestors } = identity;
    let mut bytes = Vec::new();
    bytes.put_slice(MAGIC);
    bytes.put_u32_le(FORMAT);
    bytes.put_u64_le(*incarnation);
    bytes.put_u16_le(founding.shards);
    bytes.put_u64_le(founding.item_visit_key);
    bytes.put_u64_le(founding.user_visit_key);
    for text in [&founding.currency, &founding.time_zone] {
        bytes.put_u16_le(u16::try_from(text.len()).unwrap_or(u16::MAX));
        bytes.put_slice(text.as_bytes());
    }
    bytes.put_u16_le(u16::try_from(ancestors.len()).unwrap_or(u16::MAX));
    for ancestor in ancestors {
        bytes.put_u64_le(ancestor.incarnation);
        bytes.put_u64_le(ancestor.through);
    }
    bytes.put_u32_le(crc32fast::hash(&bytes));
    bytes
}

/// What the file says, or what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Stored, Unread> {
    const DAMAGED: Unread = Unread::Damaged("it is damaged");
    let checked = bytes.len().checked_sub(CRC).map(|length| bytes.split_at(length));
    let (fields, mut crc) = checked.ok_or(DAMAGED)?;
    if crc.get_u32_le() != crc32fast::hash(fields) {
        return Err(DAMAGED);
    }
    let mut fields = fields.strip_prefix(MAGIC).ok_or(DAMAGED)?;
    match fields.try_get_u32_le() {
        Ok(FORMAT) => present(fields).map(Stored::Present).ok_or(DAMAGED),
        Ok(BEFORE) if fields.len() == 8 => Ok(Stored::Before(fields.get_u64_le())),
        Ok(BEFORE) | Err(_) => Err(DAMAGED),
        Ok(_) => Err(Unread::Newer("its format is not known here")),
    }
}

fn present(mut fields: &[u8]) -> Option<LogIdentity> {
    let incarnation = fields.try_get_u64_le().ok()?;
    let shards = fields.try_get_u16_le().ok()?;
    let item_visit_key = fields.try_get_u64_le().ok()?;
    let user_visit_key = fields.try_get_u64_le().ok()?;
    let mut text = || {
        let length = usize::from(fields.try_get_u16_le().ok()?);
        let (text, rest) = fields.split_at_checked(length)?;
        fields = rest;
        String::from_utf8(text.to_vec()).ok()
    };
    let (currency, time_zone) = (text()?, text()?);
    let founding = Founding { shards, currency, time_zone, item_visit_key, user_visit_key };
    let count = fields.try_get_u16_le().ok()?;
    let mut ancestors = Vec::new();
    for _ in 0..count {
        let incarnation = fields.try_get_u64_le().ok()?;
        let through = fields.try_get_u64_le().ok()?;
        ancestors.push(Ancestor { incarnation, through });
    }
    fields.is_empty().then_some(LogIdentity { incarnation, founding, ancestors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> LogIdentity {
        LogIdentity {
            incarnation: 0x0123_4567_89ab_cdef,
            founding: Founding {
                shards: 16,
                currency: "USD".into(),
                time_zone: "America/New_York".into(),
                item_visit_key: 7,
                user_visit_key: 8,
            },
            ancestors: vec![Ancestor { incarnation: 9, through: 10 }],
        }
    }

    #[test]
    fn stored_identities_load_for_ever() {
        let golden = include_bytes!("../../../tests/golden/log_identity.bin");
        assert_eq!(decode(golden), Ok(Stored::Present(identity())));
        assert_eq!(encode(&identity()), golden);
        let before = [
            b"MERCERLG".as_slice(),
            &[1, 0, 0, 0],
            &[0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01],
            &[0x0e, 0xdb, 0xee, 0x03],
        ]
        .concat();
        assert_eq!(decode(&before), Ok(Stored::Before(0x0123_4567_89ab_cdef)));
    }

    #[test]
    fn damage_is_found() {
        let good = encode(&identity());
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
