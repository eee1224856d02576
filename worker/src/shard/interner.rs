//! Item ids as 32-bit handles, so that an entry of a history takes 4 bytes instead of a string.
//!
//! Handles are never stored and never freed: a restart numbers ids anew from the snapshot.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use mercer_common::slot::{Subject, slot};

/// Stands for an item id within one shard's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemHandle(pub(crate) u32);

/// The item ids that users of a shard refer to; some 15 bytes each beside the id itself.
#[derive(Debug, Default)]
pub struct Interner {
    text: String,
    entries: Vec<Entry>,
    handles: HashTable<u32>,
    hasher: RandomState,
}

/// An id: all that a comparison needs lies together.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    length: u16,
    slot: u16,
}

impl Interner {
    /// The handle of `id`, a new one if there is none.
    ///
    /// # Errors
    /// When 2^32 ids, or 4 GiB of them, are interned.
    pub(crate) fn intern(&mut self, id: &str) -> Result<ItemHandle, InternerFull> {
        let hash = self.hasher.hash_one(id);
        if let Some(handle) = self.find(hash, id) {
            return Ok(handle);
        }
        let full = |_| InternerFull;
        let handle = u32::try_from(self.entries.len()).map_err(full)?;
        self.entries.push(Entry {
            start: u32::try_from(self.text.len()).map_err(full)?,
            length: u16::try_from(id.len()).map_err(full)?,
            slot: slot(Subject::Item, id),
        });
        self.text.push_str(id);
        let Self { text, entries, handles, hasher } = self;
        handles
            .insert_unique(hash, handle, |&other| hasher.hash_one(resolve(text, entries, other)));
        Ok(ItemHandle(handle))
    }

    /// The handles of distinct `ids` by (slot, id).
    pub(crate) fn intern_set<T: AsRef<str>>(
        &mut self,
        ids: &[T],
    ) -> Result<Box<[ItemHandle]>, InternerFull> {
        let handles: Result<Vec<_>, _> = ids.iter().map(|id| self.intern(id.as_ref())).collect();
        let mut handles = handles?;
        handles.sort_unstable_by(|&left, &right| self.compare(left, right));
        handles.dedup();
        Ok(handles.into())
    }

    /// The handle of `id` if the shard has met it.
    #[must_use]
    pub fn handle(&self, id: &str) -> Option<ItemHandle> {
        self.find(self.hasher.hash_one(id), id)
    }

    /// The id behind a handle of this shard.
    #[must_use]
    pub fn id(&self, handle: ItemHandle) -> &str {
        resolve(&self.text, &self.entries, handle.0)
    }

    /// The item slot of the id behind a handle of this shard.
    #[must_use]
    pub fn slot(&self, handle: ItemHandle) -> u16 {
        self.entries[handle.0 as usize].slot
    }

    /// Number of ids; handles are below it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no id is interned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The order of items everywhere: by slot, then by id.
    pub(crate) fn compare(&self, left: ItemHandle, right: ItemHandle) -> std::cmp::Ordering {
        self.slot(left).cmp(&self.slot(right)).then_with(|| self.id(left).cmp(self.id(right)))
    }

    fn find(&self, hash: u64, id: &str) -> Option<ItemHandle> {
        let found =
            self.handles.find(hash, |&handle| resolve(&self.text, &self.entries, handle) == id);
        found.map(|&handle| ItemHandle(handle))
    }
}

fn resolve<'a>(text: &'a str, entries: &[Entry], handle: u32) -> &'a str {
    let Entry { start, length, .. } = entries[handle as usize];
    &text[start as usize..start as usize + usize::from(length)]
}

/// No handle, or no room for the id, is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternerFull;
