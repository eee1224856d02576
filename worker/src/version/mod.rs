//! The trained versions that this worker can answer from.
//!
//! A version is opened before it is published and stays open until it is retired: the models of
//! every job that it serves from, mapped, immutable and verified, so that two versions cost
//! address space and not memory; and of every kind the results of the shards that this worker
//! holds, in sled. Versions that refer to the same job share both. Everything here that opens
//! blocks on the disk.
//!
//! A version of which a file is missing or damaged, be it found when it is opened or later, is
//! damaged: it is gone for whoever asks, as if it had been retired, and opened again when its
//! files verify. The worker keeps its shards and its other versions meanwhile.

mod care;
mod columns;
#[cfg(test)]
mod damage_tests;
mod error;
mod factors;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod index_tests;
mod item_table;
mod item_table_writer;
mod kinds;
mod message;
mod models;
mod norms;
mod opened;
mod postings;
mod records;
mod repurchase;
mod scores;
mod sequences;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use mercer_common::{artifact::ArtifactStore, manifest, slot::ShardId};
use mercer_proto::internal::{ModelSet, VersionManifest};

pub(crate) use care::care;
pub(crate) use columns::{ItemUsers, UserRows, write_item_users, write_user_rows};
pub(crate) use error::VersionError;
pub(crate) use factors::{
    FactorPart, FactorSide, FactorSideParts, write_factor_part, write_factor_side,
};
pub(crate) use item_table::ItemTable;
pub(crate) use item_table_writer::ItemTableWriter;
pub(crate) use kinds::{DEMAND, INVENTORY, KINDS, Kinds};
pub(crate) use message::{read_message, write_message};
pub(crate) use models::{OpenModel, OpenSet, profile_spec, repurchase_spec};
pub(crate) use norms::write_norms;
pub(crate) use opened::OpenVersions;
pub(crate) use postings::write_postings;
pub(crate) use records::{Records, RecordsWriter};
pub(crate) use repurchase::{RepurchaseModel, write_repurchase};
pub(crate) use scores::{ItemScores, write_scores};
pub(crate) use sequences::{UserSequences, write_sequences};
pub(crate) use users::OpenUsers;

use crate::store::ResultsStore;

/// A version that can be answered from.
#[derive(Debug)]
pub(crate) struct OpenVersion {
    manifest: VersionManifest,
    shards: Vec<ShardId>,
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
        Ok(Self { manifest, shards: shards.to_vec(), sets, kinds })
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

    /// Whether its manifest names the file of this path.
    fn names(&self, path: &str) -> bool {
        manifest::files(&self.manifest).any(|file| file.path == path)
    }

    fn holds(&self, shards: &[ShardId]) -> bool {
        self.sets.iter().all(|set| set.holds(shards)) && self.kinds.holds(shards)
    }
}
