//! The names under which algorithms are asked for.

use mercer_algorithms::recommend::similarity::Similarity;
use mercer_common::rpc::status::InvalidRequest;

/// Needs no training: what sells most.
pub(crate) const POPULAR: &str = "popular";

/// The algorithm of a query, `default` when it names none.
pub(crate) fn resolve(name: &str, default: &str) -> Result<String, InvalidRequest> {
    let name = if name.is_empty() { default } else { name };
    if name == POPULAR || Similarity::parse(name).is_some() {
        return Ok(name.to_owned());
    }
    let similarities = Similarity::ALL.map(Similarity::name).join(", ");
    let problem = format!("`{name:.64}` is not an algorithm; there are {similarities}, {POPULAR}");
    Err(InvalidRequest::field("algorithm", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_algorithm_is_answered_with_the_names() {
        assert_eq!(resolve("", "p3").as_deref(), Ok("p3"));
        assert_eq!(resolve("popular", "p3").as_deref(), Ok("popular"));
        let error = resolve("slim", "p3").expect_err("unknown");
        assert_eq!(error.violations[0].field, "algorithm");
        assert!(error.to_string().contains("item-cosine, p3, popular"), "{error}");
    }
}
