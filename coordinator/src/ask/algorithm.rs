//! The names under which algorithms are asked for.

use mercer_common::{manifest, rpc::status::InvalidRequest};
use mercer_proto::internal::VersionManifest;

use crate::jobs;

/// Needs no training: what sells most.
pub(crate) const POPULAR: &str = "popular";

/// As a default: the best that was trained.
pub(crate) const AUTO: &str = "auto";
/// What is best where it was trained, in this order.
const BEST: [&str; 3] = ["hybrid", "ease", "p3"];

/// What answers where nothing is asked for: `default`, or for [`AUTO`] the best that `serving` has,
/// what sells most before the first training.
pub(crate) fn by_default(default: &str, serving: Option<&VersionManifest>) -> String {
    if default != AUTO {
        return default.to_owned();
    }
    let trained = serving.map(manifest::algorithms).unwrap_or_default();
    let best = BEST.into_iter().find(|name| trained.contains(name));
    best.or_else(|| trained.first().copied()).unwrap_or(POPULAR).to_owned()
}

/// The algorithm of a query, `default` when it names none.
pub(crate) fn resolve(name: &str, default: &str) -> Result<String, InvalidRequest> {
    let name = if name.is_empty() { default } else { name };
    let mut names = jobs::algorithms().chain([POPULAR]);
    if names.any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = jobs::algorithms().chain([POPULAR]).collect();
    let problem = format!("`{name:.64}` is not an algorithm; there are {}", names.join(", "));
    Err(InvalidRequest::field("algorithm", problem))
}

#[cfg(test)]
mod tests {
    use mercer_proto::internal::{Model, ModelSet};

    use super::*;

    #[test]
    fn the_best_that_was_trained_answers_by_default() {
        let of = |names: &[&str]| {
            let mut models = Vec::new();
            for name in names {
                models.push(Model { algorithm: name.to_string(), ..Model::default() });
            }
            let model_sets = vec![ModelSet { models, ..ModelSet::default() }];
            let manifest = VersionManifest { model_sets, ..VersionManifest::default() };
            by_default(AUTO, Some(&manifest))
        };
        assert_eq!(of(&["hybrid", "item-bm25", "p3"]), "hybrid");
        assert_eq!(of(&["item-bm25", "p3"]), "p3");
        assert_eq!(of(&["item-bm25", "slim"]), "item-bm25");
        assert_eq!(of(&[]), POPULAR);
        assert_eq!(by_default(AUTO, None), POPULAR);
        assert_eq!(by_default("slim", None), "slim");
    }

    #[test]
    fn an_unknown_algorithm_is_answered_with_the_names() {
        assert_eq!(resolve("", "p3").as_deref(), Ok("p3"));
        assert_eq!(resolve("popular", "p3").as_deref(), Ok("popular"));
        assert_eq!(resolve("hybrid", "p3").as_deref(), Ok("hybrid"));
        let error = resolve("slime", "p3").expect_err("unknown");
        assert_eq!(error.violations[0].field, "algorithm");
        for name in ["item-cosine", "p3", "slim", "popular"] {
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
