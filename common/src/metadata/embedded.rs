//! Metadata of one machine, in a sled database: one key, one insert.
//!
//! ```text
//! value  format (u8), revision (u64, little endian), 1 and the content, or 0 when removed
//! ```
//!
//! A removed key keeps its revision, so that a key that comes back is not mistaken for the one
//! that was there before. Changes are made and synced one at a time, and nobody reads a value
//! that is not durable yet.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use tokio::task::spawn_blocking;

use super::{Entry, Metadata, MetadataError, Revision};
use crate::embedded::{Database, VALUE};

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 8 + 1;
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
    value: Option<Bytes>,
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
        Ok(Self { store: Arc::new(RwLock::new(Store { db, failure: None })) })
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
            let stored = store.read().read(&key)?;
            Ok(stored.and_then(|stored| stored.into_entry(key)))
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
            let key = String::from_utf8_lossy(&key).into_owned();
            let stored = self.decode(&key, &bytes)?;
            entries.extend(stored.into_entry(key));
        }
        Ok(entries)
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
        let found = stored.as_ref().filter(|stored| stored.value.is_some());
        let found = found.map(|stored| stored.revision);
        if found != expected {
            return Err(MetadataError::Conflict { key: key.to_owned(), expected, found });
        }
        let revision = stored.map_or(0, |stored| stored.revision) + 1;
        let encoded = encode(revision, value);
        if encoded.len() > VALUE {
            let detail = format!("`{key}`: {} bytes exceed the limit of {VALUE}", encoded.len());
            return Err(MetadataError::Store(detail));
        }
        self.write(key, previous.as_deref(), encoded).map_err(|detail| {
            tracing::error!(key, detail, "the metadata store has stopped: start again");
            self.failure = Some(detail.clone());
            MetadataError::Store(detail)
        })?;
        Ok(revision)
    }

    fn write(&self, key: &str, previous: Option<&[u8]>, value: Vec<u8>) -> Result<(), String> {
        let swapped = self.db.compare_and_swap(key, previous, Some(value));
        match swapped.map_err(|error| error.to_string())? {
            Ok(()) => self.db.sync().map_err(|error| error.to_string()),
            Err(_) => Err(format!("`{key}` was changed by somebody else at the same time")),
        }
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<Stored, MetadataError> {
        decode(bytes).ok_or_else(|| {
            let folder = self.db.folder().display();
            MetadataError::Store(format!(
                "`{key}` in {folder} cannot be read; restore the folder from a backup"
            ))
        })
    }

    fn failed(&self, error: &sled::Error) -> MetadataError {
        MetadataError::Store(format!("{}: {error}", self.db.folder().display()))
    }
}

impl Stored {
    fn into_entry(self, key: String) -> Option<Entry> {
        let Self { revision, value } = self;
        value.map(|value| Entry { key, value, revision })
    }
}

fn encode(revision: Revision, value: Option<&Bytes>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.map_or(0, Bytes::len));
    bytes.push(FORMAT);
    bytes.extend(revision.to_le_bytes());
    bytes.push(u8::from(value.is_some()));
    bytes.extend(value.into_iter().flatten());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Stored> {
    let (header, content) = bytes.split_at_checked(HEADER)?;
    let revision = Revision::from_le_bytes(header[1..9].try_into().ok()?);
    let value = match (header[0], header[9]) {
        (FORMAT, 0) => None,
        (FORMAT, 1) => Some(Bytes::copy_from_slice(content)),
        _ => return None,
    };
    Some(Stored { revision, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::conformance;

    #[tokio::test(flavor = "multi_thread")]
    async fn conforms() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let metadata = EmbeddedMetadata::open(folder.path()).expect("opens");
        conformance::run(Arc::new(metadata)).await;
    }

    #[tokio::test]
    async fn survives_a_restart_and_refuses_a_second_owner() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let metadata = EmbeddedMetadata::open(folder.path()).expect("opens");
        let value = Bytes::from(vec![7; VALUE - HEADER]);
        // Enough large values to fill several nodes.
        for number in 0..40 {
            let key = format!("k/{number:02}");
            metadata.compare_and_set(&key, None, Some(value.clone())).await.expect("set");
        }
        metadata.compare_and_set("k/00", Some(1), None).await.expect("removed");
        let second = EmbeddedMetadata::open(folder.path()).expect_err("in use");
        assert!(second.to_string().contains("in use by another process"), "{second}");
        drop(metadata);

        let metadata = EmbeddedMetadata::open(folder.path()).expect("opens again");
        assert_eq!(metadata.get("k/00").await.expect("read"), None);
        let entries = metadata.list("k/").await.expect("listed");
        assert_eq!(entries.len(), 39);
        assert!(entries.iter().all(|entry| entry.value == value && entry.revision == 1));
        assert_eq!(metadata.compare_and_set("k/00", None, Some(value)).await.expect("set"), 3);
        let blobs = std::fs::read_dir(folder.path().join("blobs")).expect("listed");
        assert_eq!(blobs.count(), 0, "values must stay in the file that is synced");

        let large = Some(Bytes::from(vec![0; VALUE]));
        let error = metadata.compare_and_set("large", None, large).await.expect_err("too large");
        assert!(error.to_string().contains("`large`"), "{error}");
    }

    #[test]
    fn the_format_does_not_change() {
        assert_eq!(
            encode(258, Some(&Bytes::from_static(b"ab"))),
            [1, 2, 1, 0, 0, 0, 0, 0, 0, 1, b'a', b'b']
        );
        assert_eq!(encode(1, None), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(decode(&[2, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
        assert!(decode(&[1]).is_none());
    }
}
