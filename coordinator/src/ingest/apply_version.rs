//! Raises what records mean: says so in the log, once every worker knows it.
//!
//! Until that is durable, ingest writes what the version before means. Which one is in force is
//! noted in metadata with the position of the record; without the note it is said again, which
//! changes nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mercer_common::{
    event::APPLY_VERSION,
    log::{Epoch, EventLog, LogError, Mark},
    metadata::{Metadata, MetadataError, Revision},
};
use mercer_proto::internal::{Section, UseApplyVersion};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::Ingest;
use crate::cluster::{
    membership::Membership,
    record::{ApplyVersionRecord, decode, put},
};

pub(crate) const KEY: &str = "cluster/apply-version";
/// How often to look whether all workers have joined.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long to leave a log alone that did not take the record.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a version is not in force.
#[derive(Debug, Error)]
pub enum ApplyVersionError {
    /// A later release has written the log.
    #[error(
        "records of this log mean what apply version {version} says, and this release knows \
         {APPLY_VERSION}; start the release that wrote the log, or a later one"
    )]
    Newer {
        /// Version that metadata notes.
        version: u32,
    },
    /// The note cannot be read or written.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The log did not take the record.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Raises the version of one cluster.
pub(crate) struct ApplyVersions {
    metadata: Arc<dyn Metadata>,
    log: Arc<dyn EventLog>,
    ingest: Arc<Ingest>,
    membership: Arc<Membership>,
    revision: Option<Revision>,
}

impl ApplyVersions {
    /// Goes on with the version that the log is at. A log without any record is raised at once: no
    /// worker has read anything, and one that is too old will be told so when it joins.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        log: Arc<dyn EventLog>,
        ingest: Arc<Ingest>,
        membership: Arc<Membership>,
    ) -> Result<Self, ApplyVersionError> {
        let mut versions = Self { metadata, log, ingest, membership, revision: None };
        if let Some(entry) = versions.metadata.get(KEY).await? {
            let record: ApplyVersionRecord = decode(&entry)?;
            versions.revision = Some(entry.revision);
            versions.resume(&record)?;
        }
        if versions.log.end() == 0
            && let Err(error) = versions.raise(&versions.membership.known()).await
        {
            tracing::warn!(%error, "records mean what the version before says, for now");
        }
        Ok(versions)
    }

    fn resume(&self, record: &ApplyVersionRecord) -> Result<(), ApplyVersionError> {
        let version = record.version;
        let epoch = Epoch::from_bytes(&record.epoch).unwrap_or_default();
        if !self.log.accepts(Mark { epoch, position: record.position }) {
            // The log is a copy of before.
            return Ok(());
        }
        if version > APPLY_VERSION {
            return Err(ApplyVersionError::Newer { version });
        }
        self.membership.versions().require(version, &BTreeSet::new());
        self.ingest.use_apply_version(version);
        Ok(())
    }

    /// Raises the version as soon as all workers have joined and know it.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        let mut delay = Duration::ZERO;
        let mut waits = false;
        while self.ingest.apply_version() < APPLY_VERSION {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
            delay = LOOK_EVERY;
            let Some(joined) = self.membership.joined() else { continue };
            if let Err(error) = self.raise(&joined).await {
                tracing::warn!(%error, "records mean what the version before says, for now");
                delay = PAUSE;
            } else if self.ingest.apply_version() < APPLY_VERSION && !waits {
                tracing::info!("records keep their meaning until every worker is upgraded");
                waits = true;
            }
        }
    }

    /// Says in every shard that records mean the newest version, if all of `workers` know it.
    async fn raise(&mut self, workers: &BTreeSet<String>) -> Result<(), ApplyVersionError> {
        if !self.membership.versions().require(APPLY_VERSION, workers) {
            return Ok(());
        }
        let id_key = self.ingest.hasher.key();
        let section = Section {
            use_apply_version: Some(UseApplyVersion { version: APPLY_VERSION, id_key }),
            ..Section::default()
        };
        let shards = self.ingest.shards();
        let sections = self.ingest.stamp().encode_for_all(shards, section);
        let appended = self.log.append(sections).await?;
        self.ingest.use_apply_version(APPLY_VERSION);
        tracing::info!(version = APPLY_VERSION, "records have a new meaning from here on");
        let position = appended.sequences.last().copied().unwrap_or_default();
        let epoch = self.log.epoch_at(position).to_bytes();
        let record = ApplyVersionRecord { version: APPLY_VERSION, position, epoch };
        let noted = put(&*self.metadata, KEY, self.revision, &record).await?;
        self.revision = Some(noted);
        Ok(())
    }
}
