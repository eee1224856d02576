//! The channels that the rows of a ledger name.

use std::sync::Arc;

/// Channels by index, ordered by name. Index 0 is the channel without a name, by which most users pay all
/// that they do: it is there without being held.
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Arc<str>>);

impl Channels {
    /// Without any name.
    pub(super) const NONE: Self = Self(Vec::new());

    /// One more than the highest index.
    pub(super) fn count(&self) -> usize {
        self.0.len() + 1
    }

    pub(super) fn name(&self, index: usize) -> &str {
        match index.checked_sub(1) {
            None => "",
            Some(named) => &self.0[named],
        }
    }

    /// All but the first, in the order of names.
    pub(super) fn named(&self) -> &[Arc<str>] {
        &self.0
    }

    /// The index of a name, or where it would be inserted.
    pub(super) fn find(&self, name: &str) -> Result<usize, usize> {
        if name.is_empty() {
            return Ok(0);
        }
        match self.0.binary_search_by(|other| (**other).cmp(name)) {
            Ok(named) => Ok(named + 1),
            Err(named) => Err(named + 1),
        }
    }

    /// Inserts a name where [`Self::find`] says.
    pub(super) fn insert(&mut self, index: usize, name: Arc<str>) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 4).max(1));
        }
        self.0.insert(index - 1, name);
    }

    /// Forgets a name. The channel without one stays.
    pub(super) fn remove(&mut self, index: usize) {
        self.0.remove(index - 1);
    }
}

impl FromIterator<Arc<str>> for Channels {
    /// Takes names that are sorted, and none of which is empty.
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
