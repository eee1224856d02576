//! The results of a version by item: `demand`, `elasticity` and `inventory`.

use std::sync::Arc;

use mercer_common::{artifact::ArtifactStore, manifest::part, slot::ShardId};
use mercer_proto::internal::{
    DemandProfiles, DemandResult, ElasticityPriors, ElasticityResult, InventoryResult,
    VersionManifest,
};
use prost::Message;

use super::VersionError;
use crate::{
    artifact::{DEMAND, ELASTICITY, INVENTORY, read_message},
    store::{Results, ResultsError, ResultsStore},
};

/// The results of all kinds that were trained.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    demand: Option<(Arc<Results>, DemandProfiles)>,
    elasticity: Option<(Arc<Results>, ElasticityPriors)>,
    inventory: Option<Arc<Results>>,
}

impl Kinds {
    /// Opens those of a manifest, and loads what `shards` have.
    pub(super) fn open(
        artifacts: &ArtifactStore,
        store: &ResultsStore,
        manifest: &VersionManifest,
        shards: &[ShardId],
    ) -> Result<Self, VersionError> {
        let mut kinds = Self::default();
        let incomplete = |detail| VersionError::incomplete(manifest, detail);
        for results in &manifest.kinds {
            let kind = results.kind.as_str();
            let files = part::files(&results.parts, part::RESULTS);
            let mut held = Vec::with_capacity(shards.len());
            for &shard in shards {
                let artifact = files.get(usize::from(shard));
                let artifact =
                    artifact.ok_or_else(|| incomplete(format!("no {kind} of shard {shard}")))?;
                held.push((shard, artifact));
            }
            let pool = || {
                let pool = part::file(&results.parts, part::POOL);
                pool.ok_or_else(|| incomplete(format!("no pool of {kind}")))
            };
            match kind {
                DEMAND => {
                    let profiles = read_message(artifacts, pool()?)?;
                    let opened = store.load(artifacts, &results.job_id, kind, &held)?;
                    kinds.demand = Some((opened, profiles));
                }
                ELASTICITY => {
                    let priors = read_message(artifacts, pool()?)?;
                    let opened = store.load(artifacts, &results.job_id, kind, &held)?;
                    kinds.elasticity = Some((opened, priors));
                }
                INVENTORY => {
                    let opened = store.load(artifacts, &results.job_id, kind, &held)?;
                    kinds.inventory = Some(opened);
                }
                _ => return Err(incomplete(format!("`{kind}` is no kind of results"))),
            }
        }
        Ok(kinds)
    }

    pub(super) fn holds(&self, shards: &[ShardId]) -> bool {
        let demand = self.demand.as_ref().map(|(results, _)| results);
        let elasticity = self.elasticity.as_ref().map(|(results, _)| results);
        [demand, elasticity, self.inventory.as_ref()]
            .into_iter()
            .flatten()
            .all(|results| results.holds(shards))
    }

    /// The demand of an item, if the training knew it, with the profiles of categories; `None`
    /// when `demand` was never trained.
    pub(crate) fn demand(
        &self,
        item: &str,
    ) -> Result<Option<(Option<DemandResult>, &DemandProfiles)>, ResultsError> {
        of_item(self.demand.as_ref(), item)
    }

    /// The elasticity of an item, if the training knew it, with the priors of groups; `None` when
    /// `elasticity` was never trained.
    pub(crate) fn elasticity(
        &self,
        item: &str,
    ) -> Result<Option<(Option<ElasticityResult>, &ElasticityPriors)>, ResultsError> {
        of_item(self.elasticity.as_ref(), item)
    }

    /// The policies of the items of some slots that follow `after`, by (slot, id); `None` when
    /// `inventory` was never trained.
    pub(crate) fn policies_after(
        &self,
        slots: std::ops::Range<u16>,
        after: &str,
    ) -> Option<impl Iterator<Item = Result<InventoryResult, ResultsError>>> {
        Some(self.inventory.as_ref()?.after(slots, after))
    }
}

/// An item's result with what belongs to all items.
fn of_item<'a, M: Message + Default, P>(
    opened: Option<&'a (Arc<Results>, P)>,
    item: &str,
) -> Result<Option<(Option<M>, &'a P)>, ResultsError> {
    let Some((results, pool)) = opened else { return Ok(None) };
    Ok(Some((results.get(item)?, pool)))
}

/// What [`ResultsStore::retain`] keeps for a manifest.
pub(super) fn names(manifest: &VersionManifest) -> impl Iterator<Item = (&str, &str)> {
    manifest.kinds.iter().map(|results| (results.job_id.as_str(), results.kind.as_str()))
}
