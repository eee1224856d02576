//! What a job publishes: what it trained, and what it carries over from the version that serves.

use mercer_proto::internal::{
    AlgorithmArtifacts, ArtifactRef, JobRecord, KindResults, Phase, TaskInput, VersionManifest,
};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

use super::kinds::INVENTORY;

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
    let identified = VersionManifest {
        version: record.version.clone(),
        job_id: record.job_id.clone(),
        create_time_ms: now_ms,
        ..VersionManifest::default()
    };
    let trains_neighbours = record.spec.as_ref().is_some_and(|spec| !spec.algorithms.is_empty());
    let mut manifest = match current {
        _ if trains_neighbours => neighbours(record, identified)?,
        Some(current) => carried_neighbours(current, identified),
        None => identified,
    };
    if manifest.item_table.is_none() {
        // Nothing but results: the figures are those of this job.
        let counts = record.counts.unwrap_or_default();
        (manifest.as_of, manifest.items) = (counts.as_of, counts.items);
    }
    manifest.kinds = kinds(record, current)?;
    Ok(manifest)
}

/// Fills in the neighbours that the job trained.
fn neighbours(
    record: &JobRecord,
    manifest: VersionManifest,
) -> Result<VersionManifest, MissingOutput> {
    let spec = record.spec.clone().unwrap_or_default();
    let algorithms = spec.algorithms.iter().map(|algorithm| {
        let postings = of_shards(record, Phase::Postings, algorithm)?;
        Ok(AlgorithmArtifacts { algorithm: algorithm.clone(), postings })
    });
    let counts = record.counts.unwrap_or_default();
    Ok(VersionManifest {
        as_of: counts.as_of,
        users: counts.users,
        items: counts.items,
        interactions: counts.interactions,
        item_table: Some(one(record, Phase::Dictionary, "")?),
        algorithms: algorithms.collect::<Result<_, MissingOutput>>()?,
        spec_hash: format!("{:032x}", xxh3_128(&spec.encode_to_vec())),
        spec: Some(spec),
        ..manifest
    })
}

/// Fills in the neighbours of another version.
fn carried_neighbours(current: &VersionManifest, manifest: VersionManifest) -> VersionManifest {
    VersionManifest {
        version: manifest.version,
        job_id: manifest.job_id,
        create_time_ms: manifest.create_time_ms,
        ..current.clone()
    }
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
        Ok(KindResults {
            kind: kind.clone(),
            job_id: record.job_id.clone(),
            as_of: counts.as_of,
            items: counts.items,
            results: of_shards(record, phase, kind)?,
            pool: if of_policies { None } else { Some(one(record, Phase::Pool, kind)?) },
            spec: record.spec.clone(),
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
    let is_it = |output: &&TaskInput| {
        output.phase() == phase && output.shard == shard && output.algorithm == algorithm
    };
    let found = record.outputs.iter().find(is_it).and_then(|output| output.artifact.clone());
    let name = super::phase::name(phase);
    found.ok_or_else(|| MissingOutput(format!("{name} of `{algorithm}`, shard {shard},")))
}

#[cfg(test)]
mod tests;
