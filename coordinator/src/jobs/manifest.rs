//! What a job publishes: what it trained, and what it carries over from the version that serves.

use std::collections::BTreeSet;

use mercer_common::{
    manifest::part,
    pipeline::{Graph, GraphError, Output},
};
use mercer_proto::internal::{
    ArtifactRef, JobRecord, KindResults, Model, ModelSet, Part, TrainingSpec, VersionManifest,
};

use super::phase;

/// Why a job cannot be published.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ComposeError {
    /// An output that the job's record should have and does not.
    #[error("{0} is missing in the job")]
    Missing(String),
    /// What the job trained is not known here.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// The manifest of a job whose tasks are done; `current` is the version that serves.
pub(super) fn compose(
    record: &JobRecord,
    current: Option<&VersionManifest>,
    now_ms: i64,
) -> Result<VersionManifest, ComposeError> {
    let spec = record.spec.clone().unwrap_or_default();
    let graph = phase::graph(&spec)?;
    let carried = current.map_or(&[][..], |current| &current.model_sets);
    Ok(VersionManifest {
        version: record.version.clone(),
        job_id: record.job_id.clone(),
        create_time_ms: now_ms,
        model_sets: still_serving(trained_models(record, &spec, &graph)?, carried),
        kinds: kinds(record, &spec, &graph, current)?,
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
fn trained_models(
    record: &JobRecord,
    spec: &TrainingSpec,
    graph: &Graph<'_>,
) -> Result<Option<ModelSet>, ComposeError> {
    if spec.algorithms.is_empty() {
        return Ok(None);
    }
    let mut models = Vec::new();
    for algorithm in &spec.algorithms {
        let parts = parts(record, graph, algorithm)?;
        models.push(Model { algorithm: algorithm.clone(), parts, ..Model::default() });
    }
    let item_table = match graph.find("dictionary", "", 0, 0) {
        Some(table) => Some(file(record, &table)?),
        None => None,
    };
    let counts = record.counts.unwrap_or_default();
    Ok(Some(ModelSet {
        job_id: record.job_id.clone(),
        as_of: counts.as_of,
        users: counts.users,
        items: counts.items,
        interactions: counts.interactions,
        item_table,
        models,
        spec: Some(spec.clone()),
    }))
}

/// The results that the job trained and, of other kinds, those of the current version; by kind.
fn kinds(
    record: &JobRecord,
    spec: &TrainingSpec,
    graph: &Graph<'_>,
    current: Option<&VersionManifest>,
) -> Result<Vec<KindResults>, ComposeError> {
    let counts = record.counts.unwrap_or_default();
    let mut kinds = Vec::new();
    for kind in &spec.kinds {
        kinds.push(KindResults {
            kind: kind.clone(),
            job_id: record.job_id.clone(),
            as_of: counts.as_of,
            items: counts.items,
            spec: Some(spec.clone()),
            parts: parts(record, graph, kind)?,
            ..KindResults::default()
        });
    }
    let carried = current.into_iter().flat_map(|current| &current.kinds);
    kinds.extend(carried.filter(|one| !spec.kinds.contains(&one.kind)).cloned());
    kinds.sort_by(|left, right| left.kind.cmp(&right.kind));
    Ok(kinds)
}

/// What is published of a product that the job trained.
fn parts(record: &JobRecord, graph: &Graph<'_>, product: &str) -> Result<Vec<Part>, ComposeError> {
    let mut parts = Vec::new();
    for (name, outputs) in graph.published(product) {
        let mut files = Vec::with_capacity(outputs.len());
        for output in &outputs {
            files.push(file(record, output)?);
        }
        parts.push(part::new(name, files));
    }
    Ok(parts)
}

fn file(record: &JobRecord, output: &Output) -> Result<ArtifactRef, ComposeError> {
    let found = record.outputs.iter().find(|one| phase::is_output(one, output));
    found.and_then(|one| one.artifact.clone()).ok_or_else(|| {
        let Output { phase, name, shard, .. } = output;
        ComposeError::Missing(format!("{phase} of `{name}`, shard {shard},"))
    })
}

#[cfg(test)]
mod tests;
