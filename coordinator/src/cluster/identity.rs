//! What a cluster is for ever: its log, its shards, its currency, its time zone. The log holds it,
//! metadata repeats it, and the configuration must agree.

use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use mercer_common::{
    config::ClusterConfig,
    event::RecordContext,
    log::{Ancestor, Founding, LogIdentity, embedded::LogFolder},
    metadata::{Metadata, MetadataCopy, MetadataError},
    slot::ShardLayout,
};
use mercer_proto::internal::{ClusterIdentity, LogAncestor};
use prost::Message as _;
use thiserror::Error;

use super::record::{IdentityRecord, decode, put};

const KEY: &str = "cluster/identity";

/// Why a coordinator does not continue a cluster.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The configuration names something else than the cluster was created with.
    #[error(
        "{key} is {configured} in the configuration, but this cluster was created with {stored}; it is fixed at creation: restore the setting or name another data folder"
    )]
    Contradiction {
        /// Name of the setting.
        key: &'static str,
        /// Value in the configuration.
        configured: String,
        /// Value that is stored.
        stored: String,
    },
    /// Log and metadata belong to different clusters.
    #[error(
        "the metadata belongs to log {stored:016x}, but the log is {found:016x}; restore log and metadata folders of the same cluster"
    )]
    ForeignLog {
        /// Incarnation that is stored.
        stored: u64,
        /// Incarnation of the log that was found.
        found: u64,
    },
    /// Log and metadata of one cluster do not agree.
    #[error(
        "{what} is {stored} in the metadata, but {found} in the log; restore log and metadata folders of the same cluster"
    )]
    Disagreement {
        /// Name of what they disagree on.
        what: &'static str,
        /// Value in the metadata.
        stored: String,
        /// Value in the log.
        found: String,
    },
    /// There is metadata, and no log.
    #[error(
        "the metadata belongs to log {stored:016x}, and there is no log; restore the log folder from a backup, or name another data folder"
    )]
    MissingLog {
        /// Incarnation that is stored.
        stored: u64,
    },
    /// There is a log that does not say how it was founded, and no metadata that does.
    #[error(
        "log {found:016x} was written before logs held the cluster's shards, currency, zone and keys, and the metadata that holds them is missing; restore the metadata folder from a backup"
    )]
    Unfounded {
        /// Incarnation of the log that was found.
        found: u64,
    },
    /// The metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// The cluster as it was created.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cluster: ClusterIdentity,
    pub(crate) context: Arc<RecordContext>,
}

impl Identity {
    pub(crate) fn layout(&self) -> ShardLayout {
        self.context.layout
    }

    /// The identity with the logs that this cluster's log was restored from: the log alone knows.
    pub(crate) fn descending_from(mut self, ancestors: &[Ancestor]) -> Self {
        self.cluster.ancestors = ancestors
            .iter()
            .map(|&Ancestor { incarnation, through }| LogAncestor { incarnation, through })
            .collect();
        self
    }

    /// The identity of the cluster of a log, which metadata holds too.
    ///
    /// # Errors
    /// When the configuration or metadata says something else.
    pub(crate) async fn establish(
        metadata: &dyn Metadata,
        config: &ClusterConfig,
        log: &LogIdentity,
    ) -> Result<Self, IdentityError> {
        let founding = &log.founding;
        agree_on_settings(founding, config)?;
        let entry = metadata.get(KEY).await?;
        let record = entry.as_ref().map(decode::<IdentityRecord>).transpose()?;
        if let Some(record) = &record {
            agree_on_founding(record, log)?;
        }
        let expected = record_of(log);
        // A restored log is another one, and metadata that belongs to it goes with it.
        if record.as_ref() != Some(&expected) {
            put(metadata, KEY, entry.map(|entry| entry.revision), &expected).await?;
        }
        let time_zone = TimeZone::get(&founding.time_zone).map_err(|error| {
            MetadataError::Store(format!("the log names an unknown time zone: {error}"))
        })?;
        let context = Arc::new(RecordContext {
            layout: ShardLayout::new(founding.shards),
            currency: founding.currency.clone(),
            time_zone,
            visit_key: founding.item_visit_key,
            user_visit_key: founding.user_visit_key,
        });
        Ok(Self { cluster: expected.cluster.unwrap_or_default(), context })
    }
}

/// What the log is opened with: what it was founded with, else what metadata of before says of it,
/// else what the configuration wants of a new cluster. Nothing was written yet, and nothing is when
/// this refuses.
pub(crate) fn founding(
    log: LogFolder,
    metadata: &MetadataCopy,
    config: &ClusterConfig,
) -> Result<Founding, IdentityError> {
    let entry = metadata.get(KEY)?;
    let record = entry.as_ref().map(decode::<IdentityRecord>).transpose()?;
    let founding = match (log, record) {
        (LogFolder::Founded(log), record) => {
            if let Some(record) = &record {
                agree_on_founding(record, &log)?;
            }
            log.founding
        }
        (LogFolder::Unfounded { incarnation }, Some(record)) => {
            let founding = founding_of(&record)?;
            let ancestors = Vec::new();
            agree_on_founding(
                &record,
                &LogIdentity { incarnation, founding: founding.clone(), ancestors },
            )?;
            founding
        }
        (LogFolder::Unfounded { incarnation }, None) => {
            return Err(IdentityError::Unfounded { found: incarnation });
        }
        (LogFolder::Absent, Some(record)) => {
            let stored = record.cluster.unwrap_or_default().incarnation;
            return Err(IdentityError::MissingLog { stored });
        }
        (LogFolder::Absent, None) => {
            Founding::new(config.shards, &config.currency, &config.time_zone)
        }
    };
    agree_on_settings(&founding, config)?;
    Ok(founding)
}

/// What metadata holds of the identity of its cluster, by key.
pub(crate) fn entry_of(log: &LogIdentity) -> (String, Bytes) {
    (KEY.to_owned(), record_of(log).encode_to_vec().into())
}

fn record_of(log: &LogIdentity) -> IdentityRecord {
    let Founding { shards, currency, time_zone, item_visit_key, .. } = &log.founding;
    IdentityRecord {
        cluster: Some(ClusterIdentity {
            incarnation: log.incarnation,
            shard_count: u32::from(*shards),
            currency: currency.clone(),
            time_zone: time_zone.clone(),
            ancestors: Vec::new(),
        }),
        visit_key: *item_visit_key,
    }
}

/// What a cluster of before was founded with. The key of the user's side is new: it had none.
fn founding_of(record: &IdentityRecord) -> Result<Founding, IdentityError> {
    let cluster = record.cluster.clone().unwrap_or_default();
    let shards = u16::try_from(cluster.shard_count).map_err(|_| {
        MetadataError::Store(format!("`{KEY}` names {} shards", cluster.shard_count))
    })?;
    let drawn = Founding::new(shards, &cluster.currency, &cluster.time_zone);
    Ok(Founding { item_visit_key: record.visit_key, ..drawn })
}

fn agree_on_settings(founding: &Founding, config: &ClusterConfig) -> Result<(), IdentityError> {
    let settings = [
        ("cluster.shards", config.shards.to_string(), founding.shards.to_string()),
        ("cluster.currency", config.currency.clone(), founding.currency.clone()),
        ("cluster.time_zone", config.time_zone.clone(), founding.time_zone.clone()),
    ];
    for (key, configured, stored) in settings {
        if configured != stored {
            return Err(IdentityError::Contradiction { key, configured, stored });
        }
    }
    Ok(())
}

/// Metadata is of this log, or of one that it was restored from.
fn agree_on_founding(record: &IdentityRecord, log: &LogIdentity) -> Result<(), IdentityError> {
    let stored = record.cluster.clone().unwrap_or_default();
    let found = record_of(log);
    let cluster = found.cluster.unwrap_or_default();
    let is_ancestor = log.ancestors.iter().any(|one| one.incarnation == stored.incarnation);
    if stored.incarnation != log.incarnation && !is_ancestor {
        let (stored, found) = (stored.incarnation, log.incarnation);
        return Err(IdentityError::ForeignLog { stored, found });
    }
    let facts = [
        ("the number of shards", stored.shard_count.to_string(), cluster.shard_count.to_string()),
        ("the currency", stored.currency, cluster.currency),
        ("the time zone", stored.time_zone, cluster.time_zone),
        (
            "the key of visits",
            format!("{:016x}", record.visit_key),
            format!("{:016x}", found.visit_key),
        ),
    ];
    for (what, stored, found) in facts {
        if stored != found {
            return Err(IdentityError::Disagreement { what, stored, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
