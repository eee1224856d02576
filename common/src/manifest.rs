//! What a version's manifest says: which of its model sets answers for an algorithm, and which
//! files it stands on. Coordinator and workers must agree on both.

use mercer_proto::internal::{ArtifactRef, KindResults, Model, ModelSet, VersionManifest};

/// The set that serves an algorithm, and the algorithm's model in it: of the sets that have it,
/// the newest.
#[must_use]
pub fn serving<'a>(
    manifest: &'a VersionManifest,
    algorithm: &str,
) -> Option<(&'a ModelSet, &'a Model)> {
    manifest.model_sets.iter().find_map(|set| Some((set, model(set, algorithm)?)))
}

/// The model that a set has of an algorithm.
#[must_use]
pub fn model<'a>(set: &'a ModelSet, algorithm: &str) -> Option<&'a Model> {
    set.models.iter().find(|model| model.algorithm == algorithm)
}

/// All algorithms that a version serves, sorted.
#[must_use]
pub fn algorithms(manifest: &VersionManifest) -> Vec<&str> {
    let models = manifest.model_sets.iter().flat_map(|set| &set.models);
    let mut names: Vec<&str> = models.map(|model| model.algorithm.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Every file that a version stands on, which may be of several jobs.
///
/// All fields are named here and below, so that one that is added is thought of: a file that this
/// leaves out is removed while it serves.
pub fn files(manifest: &VersionManifest) -> impl Iterator<Item = &ArtifactRef> {
    let VersionManifest { version: _, job_id: _, create_time_ms: _, model_sets, kinds } = manifest;
    model_sets.iter().flat_map(files_of_set).chain(kinds.iter().flat_map(files_of_kind))
}

fn files_of_set(set: &ModelSet) -> impl Iterator<Item = &ArtifactRef> {
    let ModelSet {
        job_id: _,
        as_of: _,
        users: _,
        items: _,
        interactions: _,
        spec: _,
        item_table,
        models,
    } = set;
    item_table.iter().chain(models.iter().flat_map(files_of_model))
}

fn files_of_model(model: &Model) -> impl Iterator<Item = &ArtifactRef> {
    let Model { algorithm: _, postings, norms, side, scores, columns, rows, learned } = model;
    let single = [norms, side, scores, learned].into_iter().flatten();
    single.chain(postings).chain(columns).chain(rows)
}

fn files_of_kind(kind: &KindResults) -> impl Iterator<Item = &ArtifactRef> {
    let KindResults { kind: _, job_id: _, as_of: _, items: _, results, pool, spec: _ } = kind;
    results.iter().chain(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No field is left to its default here, so that one that is added is thought of.
    #[test]
    fn every_file_of_every_field_is_named() {
        let file = |name: &str| ArtifactRef { path: format!("jobs/job/{name}/00"), bytes: 1 };
        let spec = Some(mercer_proto::internal::TrainingSpec::default());
        let model = Model {
            algorithm: "p3".into(),
            postings: vec![file("postings"), file("postings-2")],
            norms: Some(file("norms")),
            side: Some(file("side")),
            scores: Some(file("scores")),
            columns: vec![file("columns")],
            rows: vec![file("rows")],
            learned: Some(file("learned")),
        };
        let set = ModelSet {
            job_id: "job".into(),
            as_of: 1,
            users: 1,
            items: 1,
            interactions: 1,
            spec: spec.clone(),
            item_table: Some(file("dictionary")),
            models: vec![model],
        };
        let kind = KindResults {
            kind: "demand".into(),
            job_id: "job".into(),
            as_of: 1,
            items: 1,
            results: vec![file("results"), file("results-2")],
            pool: Some(file("pool")),
            spec,
        };
        let manifest = VersionManifest {
            version: "v1".into(),
            job_id: "job".into(),
            create_time_ms: 1,
            model_sets: vec![set],
            kinds: vec![kind],
        };
        let mut named: Vec<&str> = files(&manifest).map(|file| file.path.as_str()).collect();
        named.sort_unstable();
        // As often as a file is named in the manifest's own words.
        let text = format!("{manifest:?}");
        assert_eq!(named.len(), text.matches("jobs/job/").count(), "{text}");
        named.dedup();
        assert_eq!(named.len(), 12);
    }

    #[test]
    fn the_newest_set_that_has_an_algorithm_serves_it() {
        let set = |job: &str, algorithms: &[&str]| ModelSet {
            job_id: job.into(),
            models: algorithms
                .iter()
                .map(|name| Model { algorithm: (*name).into(), ..Model::default() })
                .collect(),
            ..ModelSet::default()
        };
        let model_sets = vec![set("new", &["p3"]), set("old", &["hybrid", "p3", "ials"])];
        let manifest = VersionManifest { model_sets, ..VersionManifest::default() };
        let job = |algorithm| serving(&manifest, algorithm).map(|(set, _)| set.job_id.as_str());
        assert_eq!((job("p3"), job("ials")), (Some("new"), Some("old")));
        assert_eq!(job("slim"), None);
        assert_eq!(algorithms(&manifest), ["hybrid", "ials", "p3"]);
    }
}
