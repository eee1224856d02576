//! What a store of metadata holds, in a few numbers: its witness.
//!
//! Each change stores, with the value that it changes, how many changes there were and a digest of
//! everything after it. Whoever opens the store reads all of it and computes the digest anew: what
//! the newest change says is either true, or something is missing, damaged or too old.

use xxhash_rust::xxh3::Xxh3;

use super::Revision;
use crate::log::{Mark, embedded::MetadataNote};

/// What a store holds after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Changes so far.
    pub changes: u64,
    /// The digest before the change.
    pub before: u128,
    /// The digest of everything that is stored: the sum of the digests of all entries, whatever the
    /// order of the changes.
    pub digest: u128,
    /// Where the log ended when the change was made.
    pub mark: Mark,
}

impl State {
    /// After one more change, which left `digest`.
    #[must_use]
    pub fn next(&self, digest: u128, mark: Mark) -> Self {
        Self { changes: self.changes + 1, before: self.digest, digest, mark }
    }

    /// As the log notes it.
    #[must_use]
    pub fn note(&self) -> MetadataNote {
        MetadataNote { changes: self.changes, digest: self.digest }
    }
}

/// The digest of one entry; a removed one has no value.
#[must_use]
pub(super) fn digest(key: &str, revision: Revision, value: Option<&[u8]>) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key.as_bytes());
    hasher.update(&revision.to_le_bytes());
    hasher.update(&[u8::from(value.is_some())]);
    hasher.update(value.unwrap_or_default());
    hasher.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_change() {
        let of = [digest("k", 1, Some(b"v")), digest("k", 1, None), digest("k", 2, Some(b""))];
        let golden = [
            53_600_277_531_073_475_283_377_610_902_491_907_845,
            104_434_639_221_767_818_994_390_435_041_506_440_724,
            303_819_757_153_184_425_566_059_936_553_420_551_990,
        ];
        assert_eq!(of, golden);
    }
}
