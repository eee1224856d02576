//! What a job publishes: what it trained, and what it carries over from the version that serves.

use std::collections::BTreeSet;

use mercer_common::manifest::part;
use mercer_proto::internal::{
    ArtifactRef, JobRecord, KindResults, Model, ModelSet, Part, Phase, VersionManifest,
};

use super::{family::Family, kinds::INVENTORY};

/// An output that the job's record should have and does not.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is missing in the job")]
pub(super) struct MissingOutput(String);

/// The manifest of a job whose tasks are done; `current` is the version that serves.
pub(super) fn compose(
    record: &JobRecord,
    current: Option<&VersionManifest>,
    now_ms: i64,
) -> Result<VersionManifest, MissingOutput> {
    let carried = current.map_or(&[][..], |current| &current.model_sets);
    Ok(VersionManifest {
        version: record.version.clone(),
        job_id: record.job_id.clone(),
        create_time_ms: now_ms,
        model_sets: still_serving(trained_models(record)?, carried),
        kinds: kinds(record, current)?,
    })
}

/// The new set, if there is one, and of the older ones, which are the newest first, those that
/// still serve an algorithm. They stay whole: a hybrid reads the other models of its set.
fn still_serving(new: Option<ModelSet>, older: &[ModelSet]) -> Vec<ModelSet> {
    let mut served = BTreeSet::new();
    let sets = new.into_iter().chain(older.iter().cloned());
    sets.filter(|set| {
        let before = served.len();
        served.extend(set.models.iter().map(|model| model.algorithm.clone()));
        served.len() > before
    })
    .collect()
}

/// What the job trained for recommendations, if anything.
fn trained_models(record: &JobRecord) -> Result<Option<ModelSet>, MissingOutput> {
    let spec = record.spec.clone().unwrap_or_default();
    if spec.algorithms.is_empty() {
        return Ok(None);
    }
    let models = spec.algorithms.iter().map(|algorithm| model(record, algorithm));
    let counts = record.counts.unwrap_or_default();
    Ok(Some(ModelSet {
        job_id: record.job_id.clone(),
        as_of: counts.as_of,
        users: counts.users,
        items: counts.items,
        interactions: counts.interactions,
        item_table: Some(one(record, Phase::Dictionary, "")?),
        models: models.collect::<Result<_, MissingOutput>>()?,
        spec: Some(spec),
    }))
}

/// The files of an algorithm that the job trained.
fn model(record: &JobRecord, algorithm: &str) -> Result<Model, MissingOutput> {
    let of_shards = |name, phase, of| Ok(part::new(name, of_shards(record, phase, of)?));
    let shared = |name, phase, of| Ok(part::new(name, vec![one(record, phase, of)?]));
    let mut parts: Vec<Part> = Vec::new();
    let family = Family::of(algorithm);
    if family.is_some_and(Family::has_postings) {
        parts.push(of_shards(part::POSTINGS, Phase::Postings, algorithm)?);
    }
    if family.is_some_and(Family::has_norms) {
        parts.push(shared(part::NORMS, Phase::Norms, algorithm)?);
    }
    match family {
        Some(Family::Factors) => parts.push(shared(part::SIDE, Phase::Side, algorithm)?),
        Some(Family::Scores) => parts.push(shared(part::SCORES, Phase::Scores, algorithm)?),
        Some(Family::Users) => {
            parts.push(of_shards(part::COLUMNS, Phase::Columns, "")?);
            parts.push(of_shards(part::ROWS, Phase::Rows, algorithm)?);
        }
        _ => {}
    }
    // Half-lives of any algorithm, and the mix, are learned together.
    parts.extend(shared(part::LEARNED, Phase::Learn, "").ok());
    Ok(Model { algorithm: algorithm.to_owned(), parts, ..Model::default() })
}

/// The results that the job trained and, of other kinds, those of the current version; by kind.
fn kinds(
    record: &JobRecord,
    current: Option<&VersionManifest>,
) -> Result<Vec<KindResults>, MissingOutput> {
    let trained = record.spec.as_ref().map_or(&[][..], |spec| &spec.kinds);
    let counts = record.counts.unwrap_or_default();
    let results = trained.iter().map(|kind| {
        let of_policies = kind == INVENTORY;
        let phase = if of_policies { Phase::Policies } else { Phase::Results };
        let mut parts = vec![part::new(part::RESULTS, of_shards(record, phase, kind)?)];
        if !of_policies {
            parts.push(part::new(part::POOL, vec![one(record, Phase::Pool, kind)?]));
        }
        Ok(KindResults {
            kind: kind.clone(),
            job_id: record.job_id.clone(),
            as_of: counts.as_of,
            items: counts.items,
            spec: record.spec.clone(),
            parts,
            ..KindResults::default()
        })
    });
    let mut kinds = results.collect::<Result<Vec<_>, MissingOutput>>()?;
    let carried = current.into_iter().flat_map(|current| &current.kinds);
    kinds.extend(carried.filter(|one| !trained.contains(&one.kind)).cloned());
    kinds.sort_by(|left, right| left.kind.cmp(&right.kind));
    Ok(kinds)
}

/// The outputs of all shards, in shard order.
fn of_shards(
    record: &JobRecord,
    phase: Phase,
    algorithm: &str,
) -> Result<Vec<ArtifactRef>, MissingOutput> {
    let shards = record.spec.as_ref().map_or(0, |spec| spec.shard_count);
    (0..shards).map(|shard| output(record, phase, shard, algorithm)).collect()
}

fn one(record: &JobRecord, phase: Phase, algorithm: &str) -> Result<ArtifactRef, MissingOutput> {
    output(record, phase, 0, algorithm)
}

fn output(
    record: &JobRecord,
    phase: Phase,
    shard: u32,
    algorithm: &str,
) -> Result<ArtifactRef, MissingOutput> {
    let found = record.outputs.iter().find(|output| {
        output.phase() == phase && output.shard == shard && output.algorithm == algorithm
    });
    found.and_then(|output| output.artifact.clone()).ok_or_else(|| {
        let name = super::phase::name(phase);
        MissingOutput(format!("{name} of `{algorithm}`, shard {shard},"))
    })
}

#[cfg(test)]
mod tests;
