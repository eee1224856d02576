//! The terms of an item: words of its text, and what its attributes say.

use thiserror::Error;

/// Marks the terms of attributes among all terms.
const ATTRIBUTE: u64 = 1 << 63;

/// What the catalogue says of an item, borrowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItemText<'a> {
    /// Title in any language that separates words.
    pub title: &'a str,
    /// Description in any language that separates words.
    pub description: &'a str,
    /// Categories from the broadest to the narrowest.
    pub category_path: &'a [&'a str],
    /// Brand; empty when there is none.
    pub brand: &'a str,
    /// Names and values of attributes.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// Why arrays are not terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TermsError {
    /// `offsets` is empty, does not start with 0, falls, or does not end at the number of terms.
    #[error("offsets do not cover the terms at item {item}")]
    Offsets {
        /// The first item that is wrong.
        item: usize,
    },
    /// There are not as many counts as terms.
    #[error("{counts} counts for {terms} terms")]
    Length {
        /// Entries of `terms`.
        terms: usize,
        /// Entries of `counts`.
        counts: usize,
    },
    /// An item's terms do not ascend strictly, or one occurs 0 times.
    #[error("terms of item {item} do not ascend, or do not occur")]
    Terms {
        /// The item.
        item: usize,
    },
}

/// Terms of items with how often they occur, borrowed from a mapped file or owned.
///
/// A term is a hash of 64 bits; that two of a million terms share one has a chance of 1 in 10^7.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    offsets: &'a [u64],
    terms: &'a [u64],
    counts: &'a [u32],
}

impl<'a> Terms<'a> {
    /// Checks and wraps: `offsets` has one entry more than there are items; terms ascend strictly
    /// within an item.
    ///
    /// # Errors
    /// Says which array is wrong, and where.
    pub fn new(
        offsets: &'a [u64],
        terms: &'a [u64],
        counts: &'a [u32],
    ) -> Result<Self, TermsError> {
        if [offsets.first().copied(), offsets.last().copied()]
            != [Some(0), Some(terms.len() as u64)]
        {
            return Err(TermsError::Offsets { item: 0 });
        }
        if let Some(item) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(TermsError::Offsets { item });
        }
        if terms.len() != counts.len() {
            return Err(TermsError::Length { terms: terms.len(), counts: counts.len() });
        }
        let all = Self { offsets, terms, counts };
        for item in 0..all.items() {
            let (terms, counts) = all.of(item);
            if terms.windows(2).any(|pair| pair[0] >= pair[1]) || counts.contains(&0) {
                return Err(TermsError::Terms { item });
            }
        }
        Ok(all)
    }

    /// Number of items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Terms of an item, ascending, with how often they occur.
    ///
    /// # Panics
    /// When there is no such item.
    #[must_use]
    pub fn of(&self, item: usize) -> (&'a [u64], &'a [u32]) {
        let range = self.offsets[item] as usize..self.offsets[item + 1] as usize;
        (&self.terms[range.clone()], &self.counts[range])
    }
}

/// Owned terms, built one item after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsBuf {
    /// Ends of the items' terms, behind a 0: one entry more than there are items.
    pub offsets: Vec<u64>,
    /// Terms of all items.
    pub terms: Vec<u64>,
    /// Parallel to `terms`.
    pub counts: Vec<u32>,
}

impl Default for TermsBuf {
    fn default() -> Self {
        Self { offsets: vec![0], terms: Vec::new(), counts: Vec::new() }
    }
}

impl TermsBuf {
    /// Appends an item.
    ///
    /// Words are runs of letters and digits, in lower case. Every level of the category path with
    /// those above it, the brand, and each pair of an attribute's name and value are terms of their
    /// own, in lower case, that no word equals.
    pub fn push(&mut self, item: &ItemText<'_>) {
        let mut terms = Vec::new();
        for text in [item.title, item.description] {
            words(text, |word| terms.push(hash(START, word) & !ATTRIBUTE));
        }
        let mut attribute = |term: u64| terms.push(term | ATTRIBUTE);
        let mut path = hash(START, "category");
        for level in item.category_path {
            path = hash(path, &normal(level));
            attribute(path);
        }
        if !item.brand.trim().is_empty() {
            attribute(hash(hash(START, "brand"), &normal(item.brand)));
        }
        for (name, value) in item.attributes {
            attribute(hash(hash(hash(START, "attribute"), &normal(name)), &normal(value)));
        }
        terms.sort_unstable();
        for run in terms.chunk_by(|left, right| left == right) {
            self.terms.push(run[0]);
            self.counts.push(run.len() as u32);
        }
        self.offsets.push(self.terms.len() as u64);
    }

    /// Borrows.
    ///
    /// # Errors
    /// As [`Terms::new`].
    pub fn view(&self) -> Result<Terms<'_>, TermsError> {
        Terms::new(&self.offsets, &self.terms, &self.counts)
    }
}

/// Whether a term is one of an attribute, category or brand.
pub(super) fn is_attribute(term: u64) -> bool {
    term & ATTRIBUTE != 0
}

/// Hands out the runs of letters and digits in lower case.
fn words(text: &str, mut take: impl FnMut(&str)) {
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        if !word.is_empty() {
            take(&word.to_lowercase());
        }
    }
}

fn normal(label: &str) -> String {
    label.trim().to_lowercase()
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a of a text and its end, from where another text left off.
fn hash(start: u64, text: &str) -> u64 {
    // No text holds the byte 0xff.
    text.bytes()
        .chain([0xff])
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
