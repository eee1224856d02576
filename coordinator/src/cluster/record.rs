//! What the coordinator keeps in metadata, besides the messages of `mercer.internal.v1`.
//! Fields are never renumbered: old metadata must load for ever.

use bytes::Bytes;
use mercer_common::metadata::{Entry, Metadata, MetadataError, Revision};
use mercer_proto::internal::ClusterIdentity;
use prost::Message;

/// `cluster/identity`: fixed when the cluster is created.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct IdentityRecord {
    #[prost(message, optional, tag = "1")]
    pub(crate) cluster: Option<ClusterIdentity>,
    /// Keys the hashes that stand for users and baskets on the item's side.
    #[prost(fixed64, tag = "2")]
    pub(crate) visit_key: u64,
}

/// `cluster/generation`: the latest that was given out.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GenerationRecord {
    #[prost(uint64, tag = "1")]
    pub(crate) generation: u64,
}

/// `workers/{id}`: the last registration of a worker.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WorkerRecord {
    #[prost(string, tag = "1")]
    pub(crate) address: String,
    #[prost(string, tag = "2")]
    pub(crate) instance: String,
    #[prost(uint64, tag = "3")]
    pub(crate) generation: u64,
}

/// `placement`: the worker of every shard.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlacementRecord {
    #[prost(string, repeated, tag = "1")]
    pub(crate) owners: Vec<String>,
}

/// `current`: the version that serves.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CurrentRecord {
    #[prost(string, tag = "1")]
    pub(crate) version: String,
}

/// `requests/key-{key}`: the job that a request started, by its id and content; `requests/{hash}` in
/// metadata of before, by its id alone.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestRecord {
    #[prost(string, tag = "1")]
    pub(crate) job_id: String,
}

/// `job-numbers`: the highest number that a job had in metadata that was lost.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NumbersRecord {
    #[prost(uint64, tag = "1")]
    pub(crate) last: u64,
}

/// `cluster/apply-version`: what records mean, and where the log says so.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ApplyVersionRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) position: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) epoch: Vec<u8>,
}

/// Reads a stored message.
pub(crate) fn decode<M: Message + Default>(entry: &Entry) -> Result<M, MetadataError> {
    decode_value(&entry.key, &entry.value)
}

/// The message that stands at `key`.
pub(crate) fn decode_value<M: Message + Default>(
    key: &str,
    value: &[u8],
) -> Result<M, MetadataError> {
    M::decode(value)
        .map_err(|error| MetadataError::Store(format!("`{key}` cannot be read: {error}")))
}

/// Stores a message if the key is at `expected`.
pub(crate) async fn put<M: Message>(
    metadata: &dyn Metadata,
    key: &str,
    expected: Option<Revision>,
    message: &M,
) -> Result<Revision, MetadataError> {
    metadata.compare_and_set(key, expected, Some(Bytes::from(message.encode_to_vec()))).await
}
