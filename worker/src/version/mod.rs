//! The trained versions that this worker can answer from.
//!
//! A version is opened before it is published and stays open until it is retired: the models of
//! every job that it serves from, mapped, immutable and verified, so that two versions cost
//! address space and not memory; and of every kind the results of the shards that this worker
//! holds, in sled. Versions that refer to the same job share both. Everything here that opens
//! blocks on the disk.

mod columns;
mod factors;
#[cfg(test)]
mod file_tests;
mod item_table;
mod item_table_writer;
mod kinds;
mod message;
mod models;
mod norms;
mod postings;
mod records;
mod repurchase;
mod scores;
mod sequences;
#[cfg(test)]
mod tests;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    rpc::status::{Code, Describe, Description},
    slot::ShardId,
};
use mercer_proto::internal::{ModelSet, VersionManifest};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;

pub(crate) use columns::{ItemUsers, UserRows, write_item_users, write_user_rows};
pub(crate) use factors::{
    FactorPart, FactorSide, FactorSideParts, write_factor_part, write_factor_side,
};
pub(crate) use item_table::ItemTable;
pub(crate) use item_table_writer::ItemTableWriter;
pub(crate) use kinds::{DEMAND, INVENTORY, Kinds};
pub(crate) use message::{read_message, write_message};
pub(crate) use models::{OpenModel, OpenSet, profile_spec};
pub(crate) use norms::write_norms;
pub(crate) use postings::write_postings;
pub(crate) use records::{Records, RecordsWriter};
pub(crate) use repurchase::{RepurchaseModel, write_repurchase};
pub(crate) use scores::{ItemScores, write_scores};
pub(crate) use sequences::{UserSequences, write_sequences};
pub(crate) use users::OpenUsers;

use crate::store::{ResultsError, ResultsStore};

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
    /// Results by item cannot be loaded.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

impl VersionError {
    fn incomplete(manifest: &VersionManifest, detail: String) -> Self {
        Self::Manifest { version: manifest.version.clone(), detail }
    }
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
            Self::Results(error) => error.describe(),
        }
    }
}

/// A version that can be answered from.
#[derive(Debug)]
pub(crate) struct OpenVersion {
    manifest: VersionManifest,
    /// Parallel to the manifest's sets.
    sets: Vec<Arc<OpenSet>>,
    kinds: Kinds,
}

impl OpenVersion {
    /// Opens what `shared`, which other versions have open, does not give.
    fn open(
        store: &ArtifactStore,
        results: &ResultsStore,
        manifest: VersionManifest,
        shards: &[ShardId],
        shared: impl Fn(&ModelSet) -> Option<Arc<OpenSet>>,
    ) -> Result<Self, VersionError> {
        if manifest.model_sets.is_empty() && manifest.kinds.is_empty() {
            return Err(VersionError::incomplete(&manifest, "no results".into()));
        }
        let sets = manifest.model_sets.iter().map(|set| match shared(set) {
            Some(open) => Ok(open),
            None => OpenSet::open(store, &manifest.version, set, shards).map(Arc::new),
        });
        let sets = sets.collect::<Result<_, VersionError>>()?;
        let kinds = Kinds::open(store, results, &manifest, shards)?;
        Ok(Self { manifest, sets, kinds })
    }

    /// As the cluster calls it.
    pub(crate) fn name(&self) -> &str {
        &self.manifest.version
    }

    /// The models that an algorithm is served from: of the sets that have it, the newest.
    ///
    /// # Errors
    /// [`VersionError::NoAlgorithm`].
    pub(crate) fn models(&self, algorithm: &str) -> Result<&Arc<OpenSet>, VersionError> {
        let found = self.sets.iter().find(|set| set.model(algorithm).is_some());
        found.ok_or_else(|| VersionError::NoAlgorithm {
            version: self.manifest.version.clone(),
            algorithm: algorithm.to_owned(),
        })
    }

    /// The models that were trained last; `None` when there are none.
    pub(crate) fn newest_models(&self) -> Option<&Arc<OpenSet>> {
        self.sets.first()
    }

    /// Results by item of a shard.
    ///
    /// # Errors
    /// [`VersionError::Gone`] when the shard came to this worker after the version was opened.
    pub(crate) fn results_of(&self, shard: ShardId) -> Result<&Kinds, VersionError> {
        if self.kinds.holds(&[shard]) {
            return Ok(&self.kinds);
        }
        Err(VersionError::Gone { version: self.manifest.version.clone() })
    }

    fn holds(&self, shards: &[ShardId]) -> bool {
        self.sets.iter().all(|set| set.holds(shards)) && self.kinds.holds(shards)
    }
}

/// A version, or why it could not be opened.
type Opened = Result<Arc<OpenVersion>, Arc<VersionError>>;

/// All versions that this worker can answer from.
#[derive(Debug)]
pub(crate) struct OpenVersions {
    store: ArtifactStore,
    results: ResultsStore,
    /// Held while versions are opened or closed, so that no results are removed that are just
    /// being loaded.
    changing: Mutex<()>,
    opened: RwLock<BTreeMap<String, Opened>>,
}

impl OpenVersions {
    /// No version yet; artifacts are in `store`, and results are kept in `data_dir`.
    pub(crate) fn new(store: ArtifactStore, data_dir: &Path) -> Self {
        let results = ResultsStore::new(data_dir);
        Self { store, results, changing: Mutex::default(), opened: RwLock::default() }
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
        let _changing = self.changing.lock();
        self.open(manifest, shards)
    }

    fn open(&self, manifest: VersionManifest, shards: &[ShardId]) -> Result<(), VersionError> {
        let name = manifest.version.clone();
        let known = self.opened.read().get(&name).cloned();
        if let Some(Ok(open)) = known
            && open.manifest == manifest
            && open.holds(shards)
        {
            return Ok(());
        }
        let shared = |set: &ModelSet| self.shared(set, shards);
        let opened = OpenVersion::open(&self.store, &self.results, manifest, shards, shared)?;
        let opened = Arc::new(opened);
        let items = opened.newest_models().map_or(0, |models| models.items().rows());
        let kinds = opened.manifest.kinds.len();
        tracing::info!(version = name, items, kinds, "version opened");
        self.opened.write().insert(name, Ok(opened));
        Ok(())
    }

    /// A set that a version has open for these shards.
    fn shared(&self, wanted: &ModelSet, shards: &[ShardId]) -> Option<Arc<OpenSet>> {
        let opened = self.opened.read();
        let sets = opened.values().flatten().flat_map(|one| {
            let OpenVersion { manifest, sets, .. } = &**one;
            manifest.model_sets.iter().zip(sets)
        });
        let mut usable = sets.filter(|(set, open)| *set == wanted && open.holds(shards));
        usable.next().map(|(_, open)| Arc::clone(open))
    }

    /// Opens these versions, as at a start, and retires all others, with the results that no
    /// version needs. One that cannot be opened does not keep the rest closed; queries that name
    /// it are told why.
    ///
    /// # Errors
    /// As [`Self::prepare`], of the first version that cannot be opened.
    pub(crate) fn replace(
        &self,
        manifests: Vec<VersionManifest>,
        shards: &[ShardId],
    ) -> Result<(), Arc<VersionError>> {
        let _changing = self.changing.lock();
        let names: Vec<String> =
            manifests.iter().map(|manifest| manifest.version.clone()).collect();
        self.opened.write().retain(|name, _| names.contains(name));
        let needed = manifests.iter().flat_map(kinds::names);
        let needed: BTreeSet<(String, String)> =
            needed.map(|(job, kind)| (job.to_owned(), kind.to_owned())).collect();
        let mut outcome = Ok(());
        for (name, manifest) in names.into_iter().zip(manifests) {
            if let Err(error) = self.open(manifest, shards) {
                let error = Arc::new(error);
                self.opened.write().insert(name, Err(Arc::clone(&error)));
                outcome = outcome.and(Err(error));
            }
        }
        self.results.retain(&needed);
        outcome
    }

    /// Closes a version as soon as the answers under way are done, and removes the results that
    /// no other needs; one that is not open is no error.
    pub(crate) fn retire(&self, version: &str) {
        let _changing = self.changing.lock();
        let mut opened = self.opened.write();
        let Some(retired) = opened.remove(version) else { return };
        let open = opened.values().flatten().flat_map(|open| kinds::names(&open.manifest));
        let needed: BTreeSet<_> =
            open.map(|(job, kind)| (job.to_owned(), kind.to_owned())).collect();
        drop(opened);
        self.results.retain(&needed);
        drop(retired);
        tracing::info!(version, "version retired");
    }

    /// The models that a version serves an algorithm from; `None` for the empty name.
    ///
    /// # Errors
    /// As [`Self::named`] and [`OpenVersion::models`].
    pub(crate) fn models(
        &self,
        version: &str,
        algorithm: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        let Some(version) = self.named(version)? else { return Ok(None) };
        version.models(algorithm).cloned().map(Some)
    }

    /// The newest models of a version; `None` for the empty name and for a version without any.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub(crate) fn newest_models(
        &self,
        version: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        Ok(self.named(version)?.and_then(|version| version.newest_models().cloned()))
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
