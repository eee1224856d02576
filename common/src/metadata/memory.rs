//! Metadata in memory, for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Entry, Metadata, MetadataError, Revision};

/// A store that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    /// Keys that were removed keep their revisions.
    entries: Mutex<BTreeMap<String, (Option<Bytes>, Revision)>>,
}

fn entry((key, (value, revision)): (&String, &(Option<Bytes>, Revision))) -> Option<Entry> {
    Some(Entry { key: key.clone(), value: value.clone()?, revision: *revision })
}

#[async_trait]
impl Metadata for MemoryMetadata {
    async fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        Ok(self.entries.lock().get_key_value(key).and_then(entry))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
        let entries = self.entries.lock();
        let with_prefix = entries.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(with_prefix.filter_map(entry).collect())
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Revision>,
        value: Option<Bytes>,
    ) -> Result<Revision, MetadataError> {
        let mut entries = self.entries.lock();
        let known = entries.get(key);
        let found = known.and_then(|(value, revision)| value.as_ref().map(|_| *revision));
        if found != expected {
            return Err(MetadataError::Conflict { key: key.to_owned(), expected, found });
        }
        let revision = known.map_or(0, |(_, revision)| *revision) + 1;
        entries.insert(key.to_owned(), (value, revision));
        Ok(revision)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metadata::conformance;

    #[tokio::test]
    async fn conforms() {
        conformance::run(Arc::new(MemoryMetadata::default())).await;
    }
}
