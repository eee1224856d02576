//! Cluster metadata: small values under string keys, changed by compare-and-set only.

#[cfg(test)]
mod conformance;
mod embedded;
mod error;
pub mod memory;
mod state;
mod tie;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

pub use embedded::{EmbeddedMetadata, MetadataCopy, NewMetadata};
pub use error::MetadataOpenError;
pub use state::State;
pub use tie::TiedLog;

/// Revision of a key; grows with every change of it, its removal included. The first is 1.
pub type Revision = u64;

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Key of the entry.
    pub key: String,
    /// Content of the entry.
    pub value: Bytes,
    /// What a change must name.
    pub revision: Revision,
}

/// Why metadata could not do what was asked.
#[derive(Clone, Debug, Error)]
pub enum MetadataError {
    /// Somebody else changed the key first.
    #[error("`{key}` is at revision {found:?}, not {expected:?}")]
    Conflict {
        /// Key of the entry.
        key: String,
        /// Revision that the caller named; `None` means that the entry must not exist.
        expected: Option<Revision>,
        /// Revision that is stored.
        found: Option<Revision>,
    },
    /// The store failed.
    #[error("metadata store: {0}")]
    Store(String),
}

/// A store of metadata.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// The value of `key`.
    async fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError>;

    /// All values whose key starts with `prefix`, by key.
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError>;

    /// Stores `value` durably if the key is at `expected` (`None`: does not exist), or removes
    /// the key when `value` is `None`; returns the new revision.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Revision>,
        value: Option<Bytes>,
    ) -> Result<Revision, MetadataError>;

    /// Why nothing can be changed at present, for people; `None` when it can.
    fn stopped(&self) -> Option<String> {
        None
    }
}
