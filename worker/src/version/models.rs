//! What one job trained for recommendations, open: the item table, and by algorithm what it is
//! scored with.

use std::collections::BTreeMap;

use mercer_algorithms::recommend::{
    hybrid::Algorithm, postings::Postings, profile::ProfileSpec, repurchase::RepurchaseSpec,
};
use mercer_common::{artifact::ArtifactStore, manifest::part, slot::ShardId};
use mercer_proto::internal::{Learned, Model, ModelSet, TrainingSpec};

use super::{OpenUsers, VersionError};
use crate::artifact::{
    FactorSide, ItemScores, ItemTable, Norms, RepurchaseModel, ShardPostings, read_message,
};

/// Whose `scores` are no number for every item.
const REPURCHASE: &str = "repurchase";

/// How a job turned events into weights; serving builds profiles by the same rules.
pub(crate) fn profile_spec(spec: &TrainingSpec) -> ProfileSpec {
    ProfileSpec {
        event_weights: spec.event_weights.clone(),
        half_life_days: spec.half_life_days,
        weighted: spec.weighted,
        history_cap: spec.history_cap as usize,
        log_quantity: spec.log_quantity,
    }
}

/// How repeat purchases are scored; jobs of before it was said went by the defaults.
pub(crate) fn repurchase_spec(spec: &TrainingSpec) -> RepurchaseSpec {
    match spec.repurchase {
        Some(said) => RepurchaseSpec {
            half_life_days: said.half_life_days,
            horizon_days: said.horizon_days,
            due_exponent: said.due_exponent,
        },
        None => RepurchaseSpec::default(),
    }
}

/// The models of one job; all of them refer to its item table.
#[derive(Debug)]
pub(crate) struct OpenSet {
    shards: Vec<ShardId>,
    spec: TrainingSpec,
    profile: ProfileSpec,
    repurchase: RepurchaseSpec,
    items: ItemTable,
    models: BTreeMap<String, OpenModel>,
}

impl OpenSet {
    /// Opens the models of a set, as far as `shards` go; `version` is named in errors.
    pub(super) fn open(
        store: &ArtifactStore,
        version: &str,
        set: &ModelSet,
        shards: &[ShardId],
    ) -> Result<Self, VersionError> {
        let incomplete =
            |detail: String| VersionError::Manifest { version: version.to_owned(), detail };
        let spec = set.spec.clone().ok_or_else(|| incomplete("no spec".into()))?;
        let table = set.item_table.as_ref();
        let table = table.ok_or_else(|| incomplete("no item table".into()))?;
        let items = ItemTable::open(store, table)?;
        if u32::from(items.shards()) != spec.shard_count {
            let detail = format!("its item table is not of {} shards", spec.shard_count);
            return Err(incomplete(detail));
        }
        let mut models = BTreeMap::new();
        for model in &set.models {
            let opened = OpenModel::open(store, version, model, &items, shards)?;
            models.insert(model.algorithm.clone(), opened);
        }
        let (profile, repurchase) = (profile_spec(&spec), repurchase_spec(&spec));
        Ok(Self { shards: shards.to_vec(), spec, profile, repurchase, items, models })
    }

    /// Which rows items have.
    pub(crate) fn items(&self) -> &ItemTable {
        &self.items
    }

    /// How the job was configured.
    pub(crate) fn spec(&self) -> &TrainingSpec {
        &self.spec
    }

    /// How events become weights.
    pub(crate) fn profile_spec(&self) -> &ProfileSpec {
        &self.profile
    }

    pub(crate) fn repurchase_spec(&self) -> &RepurchaseSpec {
        &self.repurchase
    }

    /// What the job trained under this name.
    pub(crate) fn model(&self, algorithm: &str) -> Option<&OpenModel> {
        self.models.get(algorithm)
    }

    pub(super) fn holds(&self, shards: &[ShardId]) -> bool {
        shards.iter().all(|shard| self.shards.contains(shard))
    }
}

/// What an algorithm is scored with; which parts there are depends on the algorithm.
#[derive(Debug)]
pub(crate) struct OpenModel {
    postings: BTreeMap<ShardId, ShardPostings>,
    norms: Option<Norms>,
    factors: Option<FactorSide>,
    scores: Option<ItemScores>,
    repurchase: Option<RepurchaseModel>,
    users: Option<OpenUsers>,
    learned: Option<Learned>,
}

impl OpenModel {
    fn open(
        store: &ArtifactStore,
        version: &str,
        model: &Model,
        items: &ItemTable,
        shards: &[ShardId],
    ) -> Result<Self, VersionError> {
        let sources = items.rows() as usize;
        let files = part::files(&model.parts, part::POSTINGS);
        let mut postings = BTreeMap::new();
        for &shard in shards.iter().filter(|_| !files.is_empty()) {
            let artifact = files.get(usize::from(shard));
            let artifact = artifact.ok_or_else(|| VersionError::Manifest {
                version: version.to_owned(),
                detail: format!("no {} of shard {shard}", model.algorithm),
            })?;
            let count = items.shard_rows(shard).len();
            let opened = ShardPostings::open(store, artifact, shard, count, sources)?;
            postings.insert(shard, opened);
        }
        let norms = part::file(&model.parts, part::NORMS);
        let norms = norms.map(|artifact| Norms::open(store, artifact, sources)).transpose()?;
        let factors = part::file(&model.parts, part::SIDE);
        let factors = factors.map(|side| FactorSide::open(store, side, sources)).transpose()?;
        let is_repurchase = model.algorithm == REPURCHASE;
        let file = part::file(&model.parts, part::SCORES);
        let scores = file.filter(|_| !is_repurchase);
        let scores = scores.map(|scores| ItemScores::open(store, scores, sources)).transpose()?;
        let repurchase = file.filter(|_| is_repurchase);
        let repurchase =
            repurchase.map(|model| RepurchaseModel::open(store, model, sources)).transpose()?;
        let users = match part::files(&model.parts, part::COLUMNS) {
            [] => None,
            _ => Some(OpenUsers::open(store, version, model, items)?),
        };
        let learned = part::file(&model.parts, part::LEARNED);
        let mut learned: Option<Learned> =
            learned.map(|artifact| read_message(store, artifact)).transpose()?;
        // All models of a job name the same file.
        if let Some(learned) = &mut learned
            && model.algorithm != Algorithm::Hybrid.name()
        {
            learned.mix = None;
        }
        Ok(Self { postings, norms, factors, scores, repurchase, users, learned })
    }

    /// The candidates of a shard by source row; `None` for algorithms without neighbours, and for
    /// shards that this worker did not hold when the version was opened.
    pub(crate) fn postings(&self, shard: ShardId) -> Option<Postings<'_>> {
        self.postings.get(&shard).map(ShardPostings::view)
    }

    /// Lengths of the kept neighbours' weights, by source row; of neighbourhoods only.
    pub(crate) fn norms(&self) -> Option<&[f32]> {
        self.norms.as_ref().map(Norms::view)
    }

    /// The factors of all items.
    pub(crate) fn factors(&self) -> Option<&FactorSide> {
        self.factors.as_ref()
    }

    /// A number for every item.
    pub(crate) fn scores(&self) -> Option<&ItemScores> {
        self.scores.as_ref()
    }

    /// What repurchases follow.
    pub(crate) fn repurchase(&self) -> Option<&RepurchaseModel> {
        self.repurchase.as_ref()
    }

    /// Who has what; of methods that compare users only.
    pub(crate) fn users(&self) -> Option<&OpenUsers> {
        self.users.as_ref()
    }

    /// What was learned on held-out events: the half-lives of profiles and, of the hybrid, the
    /// mix.
    pub(crate) fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }
}
