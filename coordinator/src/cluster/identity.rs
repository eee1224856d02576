//! What a cluster is for ever: its log, its shards, its currency, its time zone.

use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_common::{
    config::ClusterConfig,
    event::RecordContext,
    log::Ancestor,
    metadata::{Metadata, MetadataError},
    slot::ShardLayout,
};
use mercer_proto::internal::{ClusterIdentity, LogAncestor};
use thiserror::Error;
use uuid::Uuid;

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
        /// Which setting.
        key: &'static str,
        /// As configured.
        configured: String,
        /// As stored.
        stored: String,
    },
    /// Log and metadata belong to different clusters.
    #[error(
        "the metadata belongs to log {stored:016x}, but the log is {found:016x}; restore log and metadata folders of the same cluster"
    )]
    ForeignLog {
        /// As stored.
        stored: u64,
        /// As found in the log.
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
        let ancestor =
            |&Ancestor { incarnation, through }: &_| LogAncestor { incarnation, through };
        self.cluster.ancestors = ancestors.iter().map(ancestor).collect();
        self
    }

    /// Creates the identity of a new cluster, or checks that the configuration continues it.
    pub(crate) async fn establish(
        metadata: &dyn Metadata,
        config: &ClusterConfig,
        incarnation: u64,
    ) -> Result<Self, IdentityError> {
        let record = match metadata.get(KEY).await? {
            Some(entry) => decode::<IdentityRecord>(&entry)?,
            None => {
                let record = IdentityRecord {
                    cluster: Some(ClusterIdentity {
                        incarnation,
                        shard_count: u32::from(config.shards),
                        currency: config.currency.clone(),
                        time_zone: config.time_zone.clone(),
                        ancestors: Vec::new(),
                    }),
                    visit_key: Uuid::new_v4().as_u64_pair().0,
                };
                put(metadata, KEY, None, &record).await?;
                record
            }
        };
        let cluster = record.cluster.unwrap_or_default();
        if cluster.incarnation != incarnation {
            let stored = cluster.incarnation;
            return Err(IdentityError::ForeignLog { stored, found: incarnation });
        }
        let settings = [
            ("cluster.shards", config.shards.to_string(), cluster.shard_count.to_string()),
            ("cluster.currency", config.currency.clone(), cluster.currency.clone()),
            ("cluster.time_zone", config.time_zone.clone(), cluster.time_zone.clone()),
        ];
        for (key, configured, stored) in settings {
            if configured != stored {
                return Err(IdentityError::Contradiction { key, configured, stored });
            }
        }
        let time_zone = TimeZone::get(&cluster.time_zone).map_err(|error| {
            MetadataError::Store(format!("`{KEY}` names an unknown time zone: {error}"))
        })?;
        let context = Arc::new(RecordContext {
            layout: ShardLayout::new(config.shards),
            currency: cluster.currency.clone(),
            time_zone,
            visit_key: record.visit_key,
        });
        Ok(Self { cluster, context })
    }
}
