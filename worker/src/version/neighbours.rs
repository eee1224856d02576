//! The neighbours of a version: its item table and the postings of its algorithms.

use std::collections::BTreeMap;

use mercer_algorithms::recommend::{postings::Postings, profile::ProfileSpec};
use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use mercer_proto::internal::{TrainingSpec, VersionManifest};

use super::{ItemTable, VersionError, postings::ShardPostings};

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

/// What recommendations of a version are computed from.
#[derive(Debug)]
pub(crate) struct Neighbours {
    version: String,
    profile: ProfileSpec,
    items: ItemTable,
    /// By algorithm, then shard.
    postings: BTreeMap<String, BTreeMap<ShardId, ShardPostings>>,
}

impl Neighbours {
    /// Opens those of a manifest with an item table.
    pub(super) fn open(
        store: &ArtifactStore,
        manifest: &VersionManifest,
        table: &ArtifactRef,
        shards: &[ShardId],
    ) -> Result<Self, VersionError> {
        let incomplete = |detail| VersionError::incomplete(manifest, detail);
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
        let version = manifest.version.clone();
        Ok(Self { version, profile: profile_spec(spec), items, postings })
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
                version: self.version.clone(),
                algorithm: algorithm.to_owned(),
            }
        })
    }

    pub(super) fn holds(&self, shards: &[ShardId]) -> bool {
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
