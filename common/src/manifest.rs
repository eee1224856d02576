//! Which of a version's model sets answers for an algorithm: the rule that coordinator and workers
//! must agree on.

use mercer_proto::internal::{Model, ModelSet, VersionManifest};

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

#[cfg(test)]
mod tests {
    use super::*;

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
