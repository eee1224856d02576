//! The names under which algorithms are asked for.

use mercer_common::rpc::status::InvalidRequest;

use crate::jobs;

/// Needs no training: what sells most.
pub(crate) const POPULAR: &str = "popular";

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
    use super::*;

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
