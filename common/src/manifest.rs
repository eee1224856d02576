//! What a version's manifest says: which of its model sets answers for an algorithm, and which
//! files it stands on. Coordinator and workers must agree on both.

use mercer_proto::internal::{ArtifactRef, Model, ModelSet, Part, VersionManifest};

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

/// Every file that a version stands on, which may be of several jobs: a file that this leaves out is
/// removed while it serves. The manifest is one that [`with_parts`] gave.
pub fn files(manifest: &VersionManifest) -> impl Iterator<Item = &ArtifactRef> {
    let tables = manifest.model_sets.iter().flat_map(|set| &set.item_table);
    let models = manifest.model_sets.iter().flat_map(|set| &set.models);
    let parts = models.flat_map(|model| &model.parts);
    let parts = parts.chain(manifest.kinds.iter().flat_map(|kind| &kind.parts));
    tables.chain(parts.flat_map(|part| &part.files))
}

/// The names of parts.
pub mod part {
    use mercer_proto::internal::{ArtifactRef, Part};

    /// Neighbours of items by the neighbour's shard.
    pub const POSTINGS: &str = "postings";
    /// Lengths of the kept neighbours' weights.
    pub const NORMS: &str = "norms";
    /// Factors of all items.
    pub const SIDE: &str = "side";
    /// A number for every item, or what repurchases follow.
    pub const SCORES: &str = "scores";
    /// Users by item.
    pub const COLUMNS: &str = "columns";
    /// Users with their items and ids.
    pub const ROWS: &str = "rows";
    /// What was learned on held-out events.
    pub const LEARNED: &str = "learned";
    /// Records by item, one file per shard.
    pub const RESULTS: &str = "results";
    /// What groups of items share.
    pub const POOL: &str = "pool";

    /// The part of this name and these files, in shard order.
    #[must_use]
    pub fn new(name: &str, files: Vec<ArtifactRef>) -> Part {
        Part { name: name.to_owned(), files }
    }

    /// The files of a part, in shard order; none where there is no such part.
    #[must_use]
    pub fn files<'a>(parts: &'a [Part], name: &str) -> &'a [ArtifactRef] {
        parts.iter().find(|part| part.name == name).map(|part| &part.files[..]).unwrap_or_default()
    }

    /// The first file of a part, which is the only one where shards share it.
    #[must_use]
    pub fn file<'a>(parts: &'a [Part], name: &str) -> Option<&'a ArtifactRef> {
        files(parts, name).first()
    }
}

/// The manifest with every file in a part that has a name, as manifests have been written since there are
/// parts: those of before had a field for each.
#[must_use]
pub fn with_parts(mut manifest: VersionManifest) -> VersionManifest {
    for model in manifest.model_sets.iter_mut().flat_map(|set| &mut set.models) {
        let fields = [
            (part::POSTINGS, std::mem::take(&mut model.postings)),
            (part::NORMS, model.norms.take().into_iter().collect()),
            (part::SIDE, model.side.take().into_iter().collect()),
            (part::SCORES, model.scores.take().into_iter().collect()),
            (part::COLUMNS, std::mem::take(&mut model.columns)),
            (part::ROWS, std::mem::take(&mut model.rows)),
            (part::LEARNED, model.learned.take().into_iter().collect()),
        ];
        add(&mut model.parts, fields);
    }
    for kind in &mut manifest.kinds {
        let fields = [
            (part::RESULTS, std::mem::take(&mut kind.results)),
            (part::POOL, kind.pool.take().into_iter().collect()),
        ];
        add(&mut kind.parts, fields);
    }
    manifest
}

fn add<const N: usize>(parts: &mut Vec<Part>, fields: [(&str, Vec<ArtifactRef>); N]) {
    for (name, files) in fields {
        if !files.is_empty() {
            parts.push(part::new(name, files));
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::internal::KindResults;

    use super::*;

    fn file(name: &str) -> ArtifactRef {
        ArtifactRef { path: format!("jobs/job/{name}/00"), bytes: 1 }
    }

    /// A manifest of before parts had names. No field but those is left to its default here, so that one
    /// that is added is thought of.
    fn of_before() -> VersionManifest {
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
            parts: Vec::new(),
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
            parts: Vec::new(),
        };
        VersionManifest {
            version: "v1".into(),
            job_id: "job".into(),
            create_time_ms: 1,
            model_sets: vec![set],
            kinds: vec![kind],
        }
    }

    #[test]
    fn every_file_of_a_manifest_of_before_is_in_a_part() {
        let manifest = with_parts(of_before());
        let mut named: Vec<&str> = files(&manifest).map(|file| file.path.as_str()).collect();
        named.sort_unstable();
        // As often as a file is named in the manifest's own words.
        let text = format!("{:?}", of_before());
        assert_eq!(named.len(), text.matches("jobs/job/").count(), "{text}");
        named.dedup();
        assert_eq!(named.len(), 12);
        let parts = &manifest.model_sets[0].models[0].parts;
        assert_eq!(part::files(parts, part::POSTINGS), [file("postings"), file("postings-2")]);
        assert_eq!(part::file(parts, part::LEARNED), Some(&file("learned")));
        let results = part::files(&manifest.kinds[0].parts, part::RESULTS);
        assert_eq!(results, [file("results"), file("results-2")]);
        assert_eq!(part::file(&manifest.kinds[0].parts, part::NORMS), None);
        assert_eq!(with_parts(manifest.clone()), manifest, "once is enough");
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
