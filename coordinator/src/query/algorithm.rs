//! The names under which algorithms are asked for and trained.

use mercer_algorithms::recommend::similarity::Similarity;
use mercer_common::rpc::status::InvalidRequest;

/// Needs no training: what sells most.
pub(crate) const POPULAR: &str = "popular";
/// A training kind: every similarity.
const SIMILARITY: &str = "similarity";

/// The algorithm of a query, `default` when it names none.
pub(crate) fn resolve(name: &str, default: &str) -> Result<String, InvalidRequest> {
    let name = if name.is_empty() { default } else { name };
    if name == POPULAR || Similarity::parse(name).is_some() {
        return Ok(name.to_owned());
    }
    let known = names(POPULAR);
    let problem = format!("`{name:.64}` is not an algorithm; there are {known}");
    Err(InvalidRequest::field("algorithm", problem))
}

/// The algorithms that training of `kinds` gives, sorted, each once.
pub(crate) fn of_kinds(kinds: &[String]) -> Result<Vec<String>, InvalidRequest> {
    if kinds.is_empty() {
        return Err(InvalidRequest::field("kinds", "must not be empty"));
    }
    let mut algorithms = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        if kind == SIMILARITY {
            algorithms.extend(Similarity::ALL);
        } else if let Some(similarity) = Similarity::parse(kind) {
            algorithms.push(similarity);
        } else {
            let known = names(SIMILARITY);
            let problem = format!("`{kind:.64}` cannot be trained; there are {known}");
            return Err(InvalidRequest::field(format!("kinds[{index}]"), problem));
        }
    }
    let mut algorithms: Vec<String> =
        algorithms.into_iter().map(|similarity| similarity.name().to_owned()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    Ok(algorithms)
}

fn names(last: &str) -> String {
    let similarities = Similarity::ALL.map(Similarity::name).join(", ");
    format!("{similarities}, {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_expand_to_sorted_algorithms() {
        let of = |kinds: &[&str]| {
            of_kinds(&kinds.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map_err(|error| error.violations[0].field.clone())
        };
        let both = Ok(vec!["item-cosine".to_owned(), "p3".to_owned()]);
        assert_eq!(of(&["similarity"]), both);
        assert_eq!(of(&["p3", "item-cosine", "p3"]), both);
        assert_eq!(of(&["p3"]), Ok(vec!["p3".to_owned()]));
        assert_eq!(of(&[]), Err("kinds".to_owned()));
        assert_eq!(of(&["p3", "popular"]), Err("kinds[1]".to_owned()));
    }

    #[test]
    fn an_unknown_algorithm_is_answered_with_the_names() {
        assert_eq!(resolve("", "p3").as_deref(), Ok("p3"));
        assert_eq!(resolve("popular", "p3").as_deref(), Ok("popular"));
        let error = resolve("slim", "p3").expect_err("unknown");
        assert_eq!(error.violations[0].field, "algorithm");
        assert!(error.to_string().contains("item-cosine, p3, popular"), "{error}");
    }
}
