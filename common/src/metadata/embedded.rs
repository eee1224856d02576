//! Metadata of one machine, in a sled database: one key, one insert.
//!
//! ```text
//! value  format (u8), revision (u64, little endian), then 0 when removed, 1 and the content, or
//!        2 and the number of the content's parts (u32, little endian)
//! part   under a zero byte, the key, a zero byte, and revision and number (u64, u32, big endian)
//! ```
//!
//! A removed key keeps its revision, so that a key that comes back is not mistaken for the one
//! that was there before. Changes are made and synced one at a time, and nobody reads a value
//! that is not durable yet: the parts of a large one are durable before it names them.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use tokio::task::spawn_blocking;

use super::{Entry, Metadata, MetadataError, Revision};
use crate::embedded::{Database, VALUE};

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 8 + 1;
/// Parts of a value, at most.
const PARTS: usize = 64;
/// What keys of parts start with, and no other.
const PART: u8 = 0;
const CACHE_BYTES: u64 = 16 << 20;

/// Metadata in a folder of this machine.
#[derive(Debug)]
pub struct EmbeddedMetadata {
    store: Arc<RwLock<Store>>,
}

#[derive(Debug)]
struct Store {
    db: Database,
    /// Why nothing may be written any more.
    failure: Option<String>,
}

/// What is stored under a key.
struct Stored {
    revision: Revision,
    content: Content,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Removed,
    Whole(Bytes),
    Parts(u32),
}

impl EmbeddedMetadata {
    /// Opens the metadata in `folder`, or creates it. Blocks on the disk.
    ///
    /// # Errors
    /// [`MetadataError::Store`], which names the folder and what to do.
    pub fn open(folder: &Path) -> Result<Self, MetadataError> {
        let failed = |detail: String| {
            let folder = folder.display();
            MetadataError::Store(format!(
                "cannot open {folder}: {detail}; stop the other process, restore the folder from a backup, or name another data folder"
            ))
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let db = Database::open(folder, CACHE_BYTES).map_err(|error| failed(error.to_string()))?;
        db.sync_creation().map_err(|error| failed(error.to_string()))?;
        let store = Store { db, failure: None };
        store.remove_strays().map_err(|error| failed(error.to_string()))?;
        Ok(Self { store: Arc::new(RwLock::new(store)) })
    }

    /// Runs `work` off the runtime's threads; once begun it is completed even if nobody waits.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RwLock<Store>) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let store = Arc::clone(&self.store);
        let done = spawn_blocking(move || work(&store)).await;
        done.map_err(|error| MetadataError::Store(error.to_string()))?
    }
}

#[async_trait]
impl Metadata for EmbeddedMetadata {
    async fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        let key = key.to_owned();
        self.blocking(move |store| {
            let store = store.read();
            let stored = store.read(&key)?;
            stored.map_or(Ok(None), |stored| store.entry(key, stored))
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
        let prefix = prefix.to_owned();
        self.blocking(move |store| store.read().list(&prefix)).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Revision>,
        value: Option<Bytes>,
    ) -> Result<Revision, MetadataError> {
        let key = key.to_owned();
        self.blocking(move |store| store.write().compare_and_set(&key, expected, value.as_ref()))
            .await
    }
}

impl Store {
    fn read(&self, key: &str) -> Result<Option<Stored>, MetadataError> {
        let found = self.db.get(key).map_err(|error| self.failed(&error))?;
        found.map(|bytes| self.decode(key, &bytes)).transpose()
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
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
        let Stored { revision, content } = stored;
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
    fn remove_strays(&self) -> Result<(), MetadataError> {
        for item in self.db.scan_prefix([PART]) {
            let (part, _) = item.map_err(|error| self.failed(&error))?;
            let named = match part_of(&part) {
                Some((key, revision, number)) => self.read(key)?.is_some_and(|stored| {
                    let has_it = matches!(stored.content, Content::Parts(count) if number < count);
                    has_it && stored.revision == revision
                }),
                None => false,
            };
            if !named {
                self.db.remove(part).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    fn compare_and_set(
        &mut self,
        key: &str,
        expected: Option<Revision>,
        value: Option<&Bytes>,
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
        let parts: Vec<&[u8]> = match value {
            Some(value) if value.len() > VALUE - HEADER => value.chunks(VALUE).collect(),
            _ => Vec::new(),
        };
        if parts.len() > PARTS {
            let bytes = value.map_or(0, Bytes::len);
            let detail = format!("`{key}`: {bytes} bytes exceed the limit of {}", PARTS * VALUE);
            return Err(MetadataError::Store(detail));
        }
        let content = match value {
            None => Content::Removed,
            Some(value) if parts.is_empty() => Content::Whole(value.clone()),
            Some(_) => Content::Parts(u32::try_from(parts.len()).expect("at most 64")),
        };
        let encoded = encode(&Stored { revision, content });
        let written = self.write_parts(key, revision, &parts);
        let written = written.and_then(|()| self.write(key, previous.as_deref(), encoded));
        written.map_err(|detail| {
            tracing::error!(key, detail, "the metadata store has stopped: start again");
            self.failure = Some(detail.clone());
            MetadataError::Store(detail)
        })?;
        if let Some(Stored { revision, content: Content::Parts(count) }) = stored {
            for number in 0..count {
                // What stays behind is removed at the next start.
                let _ = self.db.remove(part_key(key, revision, number));
            }
        }
        Ok(revision)
    }

    fn write_parts(&self, key: &str, revision: Revision, parts: &[&[u8]]) -> Result<(), String> {
        for (number, part) in (0..).zip(parts) {
            let written = self.db.insert(part_key(key, revision, number), *part);
            written.map_err(|error| error.to_string())?;
        }
        if parts.is_empty() { Ok(()) } else { self.db.sync().map_err(|error| error.to_string()) }
    }

    fn write(&self, key: &str, previous: Option<&[u8]>, value: Vec<u8>) -> Result<(), String> {
        let swapped = self.db.compare_and_swap(key, previous, Some(value));
        match swapped.map_err(|error| error.to_string())? {
            Ok(()) => self.db.sync().map_err(|error| error.to_string()),
            Err(_) => Err(format!("`{key}` was changed by somebody else at the same time")),
        }
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<Stored, MetadataError> {
        decode(bytes).ok_or_else(|| self.unreadable(key))
    }

    fn unreadable(&self, key: &str) -> MetadataError {
        let folder = self.db.folder().display();
        MetadataError::Store(format!(
            "`{key}` in {folder} cannot be read; restore the folder from a backup"
        ))
    }

    fn failed(&self, error: &sled::Error) -> MetadataError {
        MetadataError::Store(format!("{}: {error}", self.db.folder().display()))
    }
}

/// Where a part of a value is.
fn part_key(key: &str, revision: Revision, number: u32) -> Vec<u8> {
    let mut part = vec![PART];
    part.extend(key.as_bytes());
    part.push(PART);
    part.extend(revision.to_be_bytes());
    part.extend(number.to_be_bytes());
    part
}

/// Inverse of [`part_key`].
fn part_of(part: &[u8]) -> Option<(&str, Revision, u32)> {
    let (key, place) = part.split_at_checked(part.len().checked_sub(8 + 4)?)?;
    let key = key.strip_prefix(&[PART])?.strip_suffix(&[PART])?;
    let (revision, number) = place.split_at(8);
    Some((
        std::str::from_utf8(key).ok()?,
        Revision::from_be_bytes(revision.try_into().ok()?),
        u32::from_be_bytes(number.try_into().ok()?),
    ))
}

fn encode(stored: &Stored) -> Vec<u8> {
    let (kind, content): (u8, &[u8]) = match &stored.content {
        Content::Removed => (0, &[]),
        Content::Whole(value) => (1, value),
        Content::Parts(count) => (2, &count.to_le_bytes()),
    };
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.push(FORMAT);
    bytes.extend(stored.revision.to_le_bytes());
    bytes.push(kind);
    bytes.extend(content);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Stored> {
    let (header, content) = bytes.split_at_checked(HEADER)?;
    let revision = Revision::from_le_bytes(header[1..9].try_into().ok()?);
    let content = match (header[0], header[9]) {
        (FORMAT, 0) => Content::Removed,
        (FORMAT, 1) => Content::Whole(Bytes::copy_from_slice(content)),
        (FORMAT, 2) => Content::Parts(u32::from_le_bytes(content.try_into().ok()?)),
        _ => return None,
    };
    Some(Stored { revision, content })
}

#[cfg(test)]
mod tests;
