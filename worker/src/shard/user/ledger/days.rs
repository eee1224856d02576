//! The days on which a user bought anything, as far back as they are told apart.

use mercer_common::{limits, time::Day};

const WORDS: usize = limits::PURCHASE_DAYS as usize / 64;

/// Days of purchase among the 4,096 that end with the newest: a day has the bit of its number modulo 4,096.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PurchaseDays {
    newest: Option<Day>,
    bits: [u64; WORDS],
}

impl Default for PurchaseDays {
    fn default() -> Self {
        Self { newest: None, bits: [0; WORDS] }
    }
}

impl PurchaseDays {
    /// Adds a day. One that is too old is left out, now or later.
    pub(super) fn insert(&mut self, day: Day) {
        let newest = self.newest.unwrap_or(day);
        if day > newest {
            let passed = (day.0 - newest.0).min(limits::PURCHASE_DAYS);
            for back in 0..passed {
                let (word, bit) = place(Day(day.0 - back));
                self.bits[word] &= !bit;
            }
        } else if newest.0 - day.0 >= limits::PURCHASE_DAYS {
            return;
        }
        self.newest = Some(newest.max(day));
        let (word, bit) = place(day);
        self.bits[word] |= bit;
    }

    /// The last day, if there is any.
    pub(super) fn newest(&self) -> Option<Day> {
        self.newest
    }

    pub(super) fn count(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum()
    }

    /// As files hold it: the words, little endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.bits.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The inverse of [`Self::to_bytes`]; `None` where the newest day and the bits contradict.
    pub(super) fn from_bytes(newest: Option<Day>, bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut days = Self { newest, ..Self::default() };
        if words.len() != WORDS || !rest.is_empty() {
            return None;
        }
        for (word, bytes) in days.bits.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        let is_consistent = match newest.map(place) {
            Some((word, bit)) => days.bits[word] & bit != 0,
            None => days.count() == 0,
        };
        is_consistent.then_some(days)
    }
}

/// Word and bit of a day.
fn place(day: Day) -> (usize, u64) {
    let bit = day.0 % limits::PURCHASE_DAYS;
    (usize::from(bit / 64), 1 << (bit % 64))
}
