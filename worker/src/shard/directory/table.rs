//! Records of one kind, bounded in number and in bytes.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

use mercer_common::limits::Bound;
use mercer_proto::v1::RecommendRule;
use prost::Message as _;
use thiserror::Error;

/// What a table holds.
pub(crate) trait Record {
    /// Bytes when it is encoded.
    fn encoded_bytes(&self) -> usize;
}

impl Record for RecommendRule {
    fn encoded_bytes(&self) -> usize {
        self.encoded_len()
    }
}

/// A table takes no more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("at most {} {} of {} bytes in sum are kept", .0.records, .0.of, .0.bytes)]
pub(crate) struct Full(pub(crate) Bound);

/// Records by key. A copy shares them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table<K, R> {
    records: BTreeMap<K, Arc<R>>,
    bytes: usize,
}

impl<K, R> Default for Table<K, R> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), bytes: 0 }
    }
}

impl<K: Ord, R: Record> Table<K, R> {
    /// Puts a record in place of the one with its key, or takes that out; gives what stood there.
    ///
    /// # Errors
    /// When the table would grow beyond `bound`; it is then as before. One that was larger before
    /// there was a bound does not grow.
    pub(super) fn replace(
        &mut self,
        key: K,
        record: Option<R>,
        bound: Option<&Bound>,
    ) -> Result<Option<Arc<R>>, Full> {
        let before = self.records.get(&key).map(|record| record.encoded_bytes());
        let others = self.bytes - before.unwrap_or_default();
        let Some(record) = record else {
            self.bytes = others;
            return Ok(self.records.remove(&key));
        };
        let bytes = others + record.encoded_bytes();
        if let Some(bound) = bound {
            let too_many = before.is_none() && self.records.len() >= bound.records;
            if too_many || (bytes > bound.bytes && bytes > self.bytes) {
                return Err(Full(*bound));
            }
        }
        self.bytes = bytes;
        Ok(self.records.insert(key, Arc::new(record)))
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&R>
    where
        K: Borrow<Q>,
    {
        self.records.get(key).map(Arc::as_ref)
    }

    /// Number of records, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.records.len(), self.bytes)
    }

    /// Records by key.
    pub(crate) fn values(&self) -> impl Iterator<Item = &R> {
        self.records.values().map(Arc::as_ref)
    }

    /// Records that follow `key`; all of them without one.
    pub(super) fn after<Q: Ord + ?Sized>(&self, key: Option<&Q>) -> impl Iterator<Item = &R>
    where
        K: Borrow<Q>,
    {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = key.map_or(Unbounded, Excluded);
        self.records.range::<Q, _>((from, Unbounded)).map(|(_, record)| record.as_ref())
    }
}
