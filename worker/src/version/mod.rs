//! The trained versions that this worker can answer from.
//!
//! A version is opened before it is published and stays open until it is retired: its item table
//! and, of every algorithm, the postings of the shards that this worker holds. All of it is
//! mapped, immutable and verified, so two versions cost address space and not memory. Everything
//! here that opens blocks on the disk.

mod item_table;
mod item_table_writer;
mod message;
mod postings;
mod records;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use mercer_algorithms::recommend::{postings::Postings, profile::ProfileSpec};
use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    rpc::status::{Code, Describe, Description},
    slot::ShardId,
};
use mercer_proto::internal::{TrainingSpec, VersionManifest};
use parking_lot::RwLock;
use thiserror::Error;

pub(crate) use item_table::ItemTable;
pub(crate) use item_table_writer::ItemTableWriter;
pub(crate) use message::{read_message, write_message};
use postings::ShardPostings;
pub(crate) use postings::write_postings;
pub(crate) use records::{Records, RecordsWriter};

/// Why a version cannot be opened or used.
#[derive(Debug, Error)]
pub(crate) enum VersionError {
    /// This worker has not opened it, or has closed it again.
    #[error("version `{version}` is not open here")]
    Gone {
        /// Which one.
        version: String,
    },
    /// It should be open, but opening it failed.
    #[error("version `{version}` cannot be opened: {cause}")]
    Unusable {
        /// Which one.
        version: String,
        /// Why not.
        #[source]
        cause: Arc<VersionError>,
    },
    /// The version was not trained with this algorithm.
    #[error("version `{version}` has no algorithm `{algorithm}`")]
    NoAlgorithm {
        /// Which one.
        version: String,
        /// As asked.
        algorithm: String,
    },
    /// The manifest lacks something that a version must have.
    #[error("the manifest of version `{version}` is incomplete: {detail}")]
    Manifest {
        /// Which one.
        version: String,
        /// What is missing.
        detail: String,
    },
    /// One of its files is missing, damaged or inconsistent.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

impl Describe for VersionError {
    fn describe(&self) -> Description {
        match self {
            Self::Gone { version } => {
                Description::new(Code::FailedPrecondition, "VERSION_GONE").with("version", version)
            }
            Self::Unusable { cause, .. } => cause.describe(),
            Self::NoAlgorithm { algorithm, .. } => {
                Description::new(Code::FailedPrecondition, "ALGORITHM_NOT_TRAINED")
                    .with("algorithm", algorithm)
            }
            Self::Manifest { .. } => Description::new(Code::Internal, "MANIFEST_INCOMPLETE"),
            Self::Artifact(error) => error.describe(),
        }
    }
}

/// How a version turned events into weights; serving builds profiles by the same rules.
pub(crate) fn profile_spec(spec: &TrainingSpec) -> ProfileSpec {
    ProfileSpec {
        event_weights: spec.event_weights.clone(),
        half_life_days: spec.half_life_days,
        weighted: spec.weighted,
        history_cap: spec.history_cap as usize,
        log_quantity: spec.log_quantity,
    }
}

/// A version that can be answered from.
#[derive(Debug)]
pub(crate) struct OpenVersion {
    manifest: VersionManifest,
    profile: ProfileSpec,
    items: ItemTable,
    /// By algorithm, then shard.
    postings: BTreeMap<String, BTreeMap<ShardId, ShardPostings>>,
}

impl OpenVersion {
    fn open(
        store: &ArtifactStore,
        manifest: VersionManifest,
        shards: &[ShardId],
    ) -> Result<Self, VersionError> {
        let incomplete =
            |detail: String| VersionError::Manifest { version: manifest.version.clone(), detail };
        let table = manifest.item_table.as_ref();
        let table = table.ok_or_else(|| incomplete("no item table".into()))?;
        let spec = manifest.spec.as_ref().ok_or_else(|| incomplete("no spec".into()))?;
        let items = ItemTable::open(store, table)?;
        if u32::from(items.shards()) != spec.shard_count {
            return Err(incomplete(format!(
                "its item table is not of {} shards",
                spec.shard_count
            )));
        }
        let mut postings = BTreeMap::new();
        for algorithm in &manifest.algorithms {
            let name = &algorithm.algorithm;
            let mut held = BTreeMap::new();
            for &shard in shards {
                let artifact = algorithm.postings.get(usize::from(shard));
                let artifact =
                    artifact.ok_or_else(|| incomplete(format!("no {name} of shard {shard}")))?;
                let count = items.shard_rows(shard).len();
                let sources = items.rows() as usize;
                let opened = ShardPostings::open(store, artifact, shard, count, sources)?;
                held.insert(shard, opened);
            }
            postings.insert(name.clone(), held);
        }
        let profile = profile_spec(spec);
        Ok(Self { manifest, profile, items, postings })
    }

    /// Which rows items have.
    pub(crate) fn items(&self) -> &ItemTable {
        &self.items
    }

    /// How events become weights.
    pub(crate) fn profile_spec(&self) -> &ProfileSpec {
        &self.profile
    }

    /// The postings of an algorithm, by shard.
    pub(crate) fn algorithm(&self, algorithm: &str) -> Result<AlgorithmPostings<'_>, VersionError> {
        self.postings.get(algorithm).map(AlgorithmPostings).ok_or_else(|| {
            VersionError::NoAlgorithm {
                version: self.manifest.version.clone(),
                algorithm: algorithm.to_owned(),
            }
        })
    }

    fn holds(&self, shards: &[ShardId]) -> bool {
        self.postings.values().all(|held| shards.iter().all(|shard| held.contains_key(shard)))
    }
}

/// The postings of one algorithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlgorithmPostings<'a>(&'a BTreeMap<ShardId, ShardPostings>);

impl<'a> AlgorithmPostings<'a> {
    /// Those of a shard that this worker held when the version was opened.
    pub(crate) fn shard(self, shard: ShardId) -> Option<Postings<'a>> {
        self.0.get(&shard).map(ShardPostings::view)
    }
}

/// A version, or why it could not be opened.
type Opened = Result<Arc<OpenVersion>, Arc<VersionError>>;

/// All versions that this worker can answer from.
#[derive(Debug)]
pub(crate) struct OpenVersions {
    store: ArtifactStore,
    opened: RwLock<BTreeMap<String, Opened>>,
}

impl OpenVersions {
    /// No version yet; artifacts are in `store`.
    pub(crate) fn new(store: ArtifactStore) -> Self {
        Self { store, opened: RwLock::default() }
    }

    /// Opens a version for `shards`, the ones that this worker holds. Opening it again is free.
    ///
    /// # Errors
    /// [`VersionError::Manifest`] and [`VersionError::Artifact`]; nothing has changed then.
    pub(crate) fn prepare(
        &self,
        manifest: VersionManifest,
        shards: &[ShardId],
    ) -> Result<(), VersionError> {
        let name = manifest.version.clone();
        let known = self.opened.read().get(&name).cloned();
        if let Some(Ok(open)) = known
            && open.manifest == manifest
            && open.holds(shards)
        {
            return Ok(());
        }
        let opened = Arc::new(OpenVersion::open(&self.store, manifest, shards)?);
        tracing::info!(version = name, items = opened.items.rows(), "version opened");
        self.opened.write().insert(name, Ok(opened));
        Ok(())
    }

    /// Opens these versions, as at a start, and retires all others. One that cannot be opened
    /// does not keep the rest closed; queries that name it are told why.
    ///
    /// # Errors
    /// As [`Self::prepare`], of the first version that cannot be opened.
    pub(crate) fn replace(
        &self,
        manifests: Vec<VersionManifest>,
        shards: &[ShardId],
    ) -> Result<(), Arc<VersionError>> {
        let names: Vec<String> =
            manifests.iter().map(|manifest| manifest.version.clone()).collect();
        self.opened.write().retain(|name, _| names.contains(name));
        let mut outcome = Ok(());
        for (name, manifest) in names.into_iter().zip(manifests) {
            if let Err(error) = self.prepare(manifest, shards) {
                let error = Arc::new(error);
                self.opened.write().insert(name, Err(Arc::clone(&error)));
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Closes a version as soon as the answers under way are done; one that is not open is no
    /// error.
    pub(crate) fn retire(&self, version: &str) {
        if self.opened.write().remove(version).is_some() {
            tracing::info!(version, "version retired");
        }
    }

    /// The version of this name; `None` for the empty name, which is before the first training.
    ///
    /// # Errors
    /// [`VersionError::Gone`] and [`VersionError::Unusable`].
    pub(crate) fn named(&self, version: &str) -> Result<Option<Arc<OpenVersion>>, VersionError> {
        if version.is_empty() {
            return Ok(None);
        }
        let version = version.to_owned();
        match self.opened.read().get(&version).cloned() {
            Some(Ok(open)) => Ok(Some(open)),
            Some(Err(cause)) => Err(VersionError::Unusable { version, cause }),
            None => Err(VersionError::Gone { version }),
        }
    }
}
