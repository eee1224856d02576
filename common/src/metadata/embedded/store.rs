//! The entries in sled: one key a change, one insert a key.
//!
//! A removed key keeps its revision, so that a key that comes back is not mistaken for the one
//! that was there before. Changes are made and synced one at a time, and nobody reads a value
//! that is not durable yet: the parts of a large one are durable before it names them. A change
//! and the state after it are one insert, so that a crash leaves both or neither.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use bytes::Bytes;

use super::record::{
    Content, HEADER, PART, Stored, decode, encode, newer_format, part_key, part_of,
};
use crate::{
    embedded::{self, Database, DatabaseError, VALUE},
    log::Mark,
    metadata::{Entry, MetadataError, Revision, State, state::digest, tie::Found},
    space,
};

/// Parts of a value, at most.
pub(super) const PARTS: usize = 64;
const CACHE_BYTES: u64 = 16 << 20;

/// Why a store is not opened.
#[derive(Debug)]
pub(super) enum Unopened {
    Database(DatabaseError),
    /// A newer release wrote what stands at `key`.
    Newer {
        key: String,
        format: u8,
    },
}

impl From<DatabaseError> for Unopened {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<String> for Unopened {
    fn from(detail: String) -> Self {
        Self::Database(DatabaseError::Damaged(detail))
    }
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Database,
    pub(super) state: State,
    /// Why nothing may be written any more.
    failure: Option<String>,
}

impl Store {
    /// Opens the store in `folder`, or creates it, and reads all of it. Blocks on the disk, and
    /// writes: sled recovers when it opens.
    ///
    /// # Errors
    /// [`DatabaseError::Damaged`] also when what was read is not what was stored.
    pub(super) fn open(folder: &Path) -> Result<(Self, Found), Unopened> {
        let mut store = Self {
            db: Database::open(folder, CACHE_BYTES)?,
            state: State::default(),
            failure: None,
        };
        // sled panics on some kinds of damage.
        let survey = catch_unwind(AssertUnwindSafe(|| store.survey()));
        let found = survey
            .unwrap_or_else(|_| Err(Unopened::from("the database cannot be read".to_owned())));
        match found {
            Ok(found) => {
                if let Found::Stated(state) = found {
                    store.state = state;
                }
                Ok((store, found))
            }
            Err(error) => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(store)));
                Err(error)
            }
        }
    }

    /// Reads everything and compares it with what the last change says.
    fn survey(&self) -> Result<Found, Unopened> {
        let (mut newest, mut sum): (Option<State>, u128) = (None, 0);
        let (mut stated, mut unstated) = (0_u64, 0_u64);
        for item in self.db.iter() {
            let (key, bytes) = item.map_err(|error| error.to_string())?;
            if key.first() == Some(&PART) {
                continue;
            }
            let key = std::str::from_utf8(&key).map_err(|_| "a key is no text".to_owned())?;
            if let Some(format) = newer_format(&bytes) {
                return Err(Unopened::Newer { key: key.to_owned(), format });
            }
            let stored = decode(&bytes).ok_or_else(|| format!("`{key}` cannot be read"))?;
            let (revision, state) = (stored.revision, stored.state);
            let entry = self.entry(key.to_owned(), stored).map_err(|error| error.to_string())?;
            let value = entry.as_ref().map(|entry| entry.value.as_ref());
            sum = sum.wrapping_add(digest(key, revision, value));
            match state {
                Some(state) => {
                    stated += 1;
                    if newest.is_none_or(|newest| newest.changes < state.changes) {
                        newest = Some(state);
                    }
                }
                None => unstated += 1,
            }
        }
        match newest {
            None if unstated == 0 => Ok(Found::Nothing),
            None => Ok(Found::Unstated),
            Some(_) if unstated > 0 => {
                Err(format!("{unstated} of {} entries have no state", stated + unstated).into())
            }
            Some(state) if state.digest != sum => Err(format!(
                "its {stated} entries are not those that it held after change {}",
                state.changes
            )
            .into()),
            Some(state) => Ok(Found::Stated(state)),
        }
    }

    /// Gives a store of before, which was read, its first state.
    pub(super) fn give_state(&mut self, mark: Mark) -> Result<(), String> {
        let entries = self.all().map_err(|error| error.to_string())?;
        self.remove_parts(|_| true).map_err(|error| error.to_string())?;
        self.write_all(&entries, State::default(), mark)
    }

    /// Stores all of these as one change after `before`: none of them is there yet, or those that
    /// are have no parts.
    pub(super) fn write_all(
        &mut self,
        entries: &BTreeMap<String, (Revision, Option<Bytes>)>,
        before: State,
        mark: Mark,
    ) -> Result<(), String> {
        let digests =
            entries.iter().map(|(key, (revision, value))| digest(key, *revision, value.as_deref()));
        let state = before.next(digests.fold(0, u128::wrapping_add), mark);
        for (key, (revision, value)) in entries {
            let (content, parts) = split(key, value.as_ref()).map_err(|error| error.to_string())?;
            self.write_parts(key, *revision, &parts)?;
            let value = encode(*revision, &state, &content);
            self.db.insert(key, value).map_err(|error| self.in_words(&error))?;
        }
        self.sync()?;
        self.state = state;
        Ok(())
    }

    /// All entries, also those that were removed.
    fn all(&self) -> Result<BTreeMap<String, (Revision, Option<Bytes>)>, MetadataError> {
        let mut entries = BTreeMap::new();
        for item in self.db.iter() {
            let (key, bytes) = item.map_err(|error| self.failed(&error))?;
            if key.first() != Some(&PART) {
                let key = String::from_utf8_lossy(&key).into_owned();
                let stored = self.decode(&key, &bytes)?;
                let revision = stored.revision;
                let entry = self.entry(key.clone(), stored)?;
                entries.insert(key, (revision, entry.map(|entry| entry.value)));
            }
        }
        Ok(entries)
    }

    pub(super) fn read(&self, key: &str) -> Result<Option<Stored>, MetadataError> {
        let found = self.db.get(key).map_err(|error| self.failed(&error))?;
        found.map(|bytes| self.decode(key, &bytes)).transpose()
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        let stored = self.read(key)?;
        stored.map_or(Ok(None), |stored| self.entry(key.to_owned(), stored))
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
        let mut entries = Vec::new();
        for item in self.db.scan_prefix(prefix) {
            let (key, bytes) = item.map_err(|error| self.failed(&error))?;
            if key.first() != Some(&PART) {
                let key = String::from_utf8_lossy(&key).into_owned();
                let stored = self.decode(&key, &bytes)?;
                entries.extend(self.entry(key, stored)?);
            }
        }
        Ok(entries)
    }

    /// The value of a key with all of its parts; `None` when it was removed.
    fn entry(&self, key: String, stored: Stored) -> Result<Option<Entry>, MetadataError> {
        let Stored { revision, content, .. } = stored;
        let value = match content {
            Content::Removed => return Ok(None),
            Content::Whole(value) => value,
            Content::Parts(count) => {
                let mut value = Vec::new();
                for number in 0..count {
                    let part = self.db.get(part_key(&key, revision, number));
                    let part = part.map_err(|error| self.failed(&error))?;
                    value.extend_from_slice(&part.ok_or_else(|| self.unreadable(&key))?);
                }
                value.into()
            }
        };
        Ok(Some(Entry { key, value, revision }))
    }

    /// Removes parts that no value names: those of a change that was cut short.
    pub(super) fn remove_strays(&self) -> Result<(), MetadataError> {
        self.remove_parts(|part| {
            let Some((key, revision, number)) = part_of(part) else { return true };
            let named = self.read(key).ok().flatten().is_some_and(|stored| {
                let has_it = matches!(stored.content, Content::Parts(count) if number < count);
                has_it && stored.revision == revision
            });
            !named
        })
    }

    fn remove_parts(&self, is_stray: impl Fn(&[u8]) -> bool) -> Result<(), MetadataError> {
        for item in self.db.scan_prefix([PART]) {
            let (part, _) = item.map_err(|error| self.failed(&error))?;
            if is_stray(&part) {
                self.db.remove(part).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    pub(super) fn compare_and_set(
        &mut self,
        key: &str,
        expected: Option<Revision>,
        value: Option<&Bytes>,
        mark: Mark,
    ) -> Result<Revision, MetadataError> {
        if let Some(failure) = &self.failure {
            let detail = format!("stopped after a failed write: {failure}; start again");
            return Err(MetadataError::Store(detail));
        }
        let previous = self.db.get(key).map_err(|error| self.failed(&error))?;
        let stored = previous.as_deref().map(|bytes| self.decode(key, bytes)).transpose()?;
        let found = stored.as_ref().filter(|stored| stored.content != Content::Removed);
        let found = found.map(|stored| stored.revision);
        if found != expected {
            return Err(MetadataError::Conflict { key: key.to_owned(), expected, found });
        }
        let revision = stored.as_ref().map_or(0, |stored| stored.revision) + 1;
        let (content, parts) = split(key, value)?;
        let mut sum = self.state.digest;
        if let Some(stored) = &stored {
            let entry = self.get(key)?;
            let value = entry.as_ref().map(|entry| entry.value.as_ref());
            sum = sum.wrapping_sub(digest(key, stored.revision, value));
        }
        sum = sum.wrapping_add(digest(key, revision, value.map(Bytes::as_ref)));
        let state = self.state.next(sum, mark);
        let encoded = encode(revision, &state, &content);
        let written = self.write_parts(key, revision, &parts);
        let written = written.and_then(|()| self.write(key, previous.as_deref(), encoded));
        written.map_err(|detail| {
            tracing::error!(key, detail, "the metadata store has stopped: start again");
            self.failure = Some(detail.clone());
            MetadataError::Store(detail)
        })?;
        self.state = state;
        if let Some(Stored { revision, content: Content::Parts(count), .. }) = stored {
            for number in 0..count {
                // What stays behind is removed at the next start.
                let _ = self.db.remove(part_key(key, revision, number));
            }
        }
        Ok(revision)
    }

    pub(super) fn write_parts(
        &self,
        key: &str,
        revision: Revision,
        parts: &[&[u8]],
    ) -> Result<(), String> {
        for (number, part) in (0..).zip(parts) {
            let written = self.db.insert(part_key(key, revision, number), *part);
            written.map_err(|error| self.in_words(&error))?;
        }
        if parts.is_empty() { Ok(()) } else { self.sync() }
    }

    fn write(&self, key: &str, previous: Option<&[u8]>, value: Vec<u8>) -> Result<(), String> {
        let swapped = self.db.compare_and_swap(key, previous, Some(value));
        match swapped.map_err(|error| self.in_words(&error))? {
            Ok(()) => self.sync(),
            Err(_) => Err(format!("`{key}` was changed by somebody else at the same time")),
        }
    }

    fn sync(&self) -> Result<(), String> {
        self.db.sync().map_err(|error| space::in_words(&error, self.db.folder()))
    }

    /// Why nothing is changed any more.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<Stored, MetadataError> {
        decode(bytes).ok_or_else(|| self.unreadable(key))
    }

    fn unreadable(&self, key: &str) -> MetadataError {
        MetadataError::Store(format!("`{key}` in {} cannot be read", self.db.folder().display()))
    }

    fn failed(&self, error: &sled::Error) -> MetadataError {
        MetadataError::Store(self.in_words(error))
    }

    fn in_words(&self, error: &sled::Error) -> String {
        embedded::in_words(error, self.db.folder())
    }
}

/// How a value is stored: whole, or in parts.
fn split<'a>(
    key: &str,
    value: Option<&'a Bytes>,
) -> Result<(Content, Vec<&'a [u8]>), MetadataError> {
    let Some(value) = value else { return Ok((Content::Removed, Vec::new())) };
    if value.len() <= VALUE - HEADER {
        return Ok((Content::Whole(value.clone()), Vec::new()));
    }
    let parts: Vec<&[u8]> = value.chunks(VALUE).collect();
    if parts.len() > PARTS {
        let detail =
            format!("`{key}`: {} bytes exceed the limit of {}", value.len(), PARTS * VALUE);
        return Err(MetadataError::Store(detail));
    }
    Ok((Content::Parts(u32::try_from(parts.len()).expect("at most 64")), parts))
}
