//! How much of a file system stays free.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// More than this is not kept free unless it is asked for.
const AUTO_BYTES: u64 = 1 << 30;
/// Nor more than this part.
const AUTO_PART: u64 = 20;
const AUTO: &str = "auto";

/// Bytes of a file system that stay free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreeBytesFloor {
    /// 1 GiB, or a twentieth of a file system of less than 20 GiB.
    #[default]
    Auto,
    /// So many; 0 for none.
    Bytes(u64),
}

impl FreeBytesFloor {
    /// How many that are of a file system of `total_bytes`.
    #[must_use]
    pub fn bytes_of(self, total_bytes: u64) -> u64 {
        match self {
            Self::Auto => AUTO_BYTES.min(total_bytes / AUTO_PART),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Serialize for FreeBytesFloor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Bytes(bytes) => serializer.serialize_u64(*bytes),
        }
    }
}

impl<'de> Deserialize<'de> for FreeBytesFloor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = FreeBytesFloor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or \"auto\"")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<FreeBytesFloor, E> {
        Ok(FreeBytesFloor::Bytes(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<FreeBytesFloor, E> {
        match u64::try_from(bytes) {
            Ok(bytes) => Ok(FreeBytesFloor::Bytes(bytes)),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(bytes), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FreeBytesFloor, E> {
        match text {
            AUTO => Ok(FreeBytesFloor::Auto),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suits_the_size_of_the_file_system() {
        assert_eq!(FreeBytesFloor::Auto.bytes_of(1 << 40), 1 << 30);
        assert_eq!(FreeBytesFloor::Auto.bytes_of(2_000), 100);
        assert_eq!(FreeBytesFloor::Bytes(7).bytes_of(2_000), 7);
    }
}
