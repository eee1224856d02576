//! Times as Mercer stores them: whole seconds since 1990-01-01T00:00:00Z, in 32 bits.

use jiff::Timestamp;

/// 1990-01-01T00:00:00Z in seconds since 1970.
const EPOCH: i64 = 631_152_000;

/// Seconds since 1990-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub u32);

impl EventTime {
    /// The whole second of `seconds` since 1970, or `None` outside 1990 to 2126.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        u32::try_from(seconds.checked_sub(EPOCH)?).ok().map(Self)
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        EPOCH + i64::from(self.0)
    }

    /// The same instant.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.unix_seconds()).expect("within jiff's range")
    }
}
