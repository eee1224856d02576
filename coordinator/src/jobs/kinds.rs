//! What can be trained, by the names that callers use.

use mercer_algorithms::recommend::similarity::Similarity;
use mercer_common::rpc::status::InvalidRequest;

/// Forecasts.
pub(crate) const DEMAND: &str = "demand";
/// How demand answers to the price.
pub(crate) const ELASTICITY: &str = "elasticity";
/// Policies of the whole catalogue.
pub(crate) const INVENTORY: &str = "inventory";
/// Every similarity.
const SIMILARITY: &str = "similarity";
/// Everything.
const ALL: &str = "all";

/// What a job trains; both sorted, each name once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trained {
    /// Neighbours of items.
    pub(super) algorithms: Vec<String>,
    /// Results by item.
    pub(super) kinds: Vec<String>,
}

impl Trained {
    /// What training of the `kinds` that a caller names gives.
    pub(super) fn parse(kinds: &[String]) -> Result<Self, InvalidRequest> {
        if kinds.is_empty() {
            return Err(InvalidRequest::field("kinds", "must not be empty"));
        }
        let mut trained = Self::default();
        for (index, kind) in kinds.iter().enumerate() {
            let (similarities, results): (&[Similarity], &[&str]) = match kind.as_str() {
                SIMILARITY => (&Similarity::ALL, &[]),
                DEMAND => (&[], &[DEMAND]),
                ELASTICITY => (&[], &[ELASTICITY]),
                // Policies are made from forecasts of the same job.
                INVENTORY => (&[], &[DEMAND, INVENTORY]),
                ALL => (&Similarity::ALL, &[DEMAND, ELASTICITY, INVENTORY]),
                _ => match Similarity::parse(kind) {
                    Some(similarity) => (&[similarity], &[]),
                    None => return Err(unknown(index, kind)),
                },
            };
            trained.algorithms.extend(similarities.iter().map(|one| one.name().to_owned()));
            trained.kinds.extend(results.iter().map(ToString::to_string));
        }
        for names in [&mut trained.algorithms, &mut trained.kinds] {
            names.sort_unstable();
            names.dedup();
        }
        Ok(trained)
    }
}

fn unknown(index: usize, kind: &str) -> InvalidRequest {
    let similarities = Similarity::ALL.map(Similarity::name).join(", ");
    let problem = format!(
        "`{kind:.64}` cannot be trained; there are {similarities}, {SIMILARITY}, {DEMAND}, \
         {ELASTICITY}, {INVENTORY}, {ALL}"
    );
    InvalidRequest::field(format!("kinds[{index}]"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_expand_to_sorted_names() {
        let of = |kinds: &[&str]| {
            Trained::parse(&kinds.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map(|trained| (trained.algorithms.join(" "), trained.kinds.join(" ")))
                .map_err(|error| error.violations[0].field.clone())
        };
        let trains = |algorithms: &str, kinds: &str| Ok((algorithms.into(), kinds.into()));
        assert_eq!(of(&["similarity"]), trains("item-cosine p3", ""));
        assert_eq!(of(&["p3", "item-cosine", "p3"]), trains("item-cosine p3", ""));
        assert_eq!(of(&["p3"]), trains("p3", ""));
        assert_eq!(of(&["elasticity", "demand"]), trains("", "demand elasticity"));
        assert_eq!(of(&["inventory"]), trains("", "demand inventory"));
        assert_eq!(of(&["inventory", "p3"]), trains("p3", "demand inventory"));
        assert_eq!(of(&["all"]), trains("item-cosine p3", "demand elasticity inventory"));
        assert_eq!(of(&[]), Err("kinds".to_owned()));
        assert_eq!(of(&["p3", "popular"]), Err("kinds[1]".to_owned()));
    }

    #[test]
    fn what_cannot_be_trained_is_answered_with_what_can() {
        let error = Trained::parse(&["slim".to_owned()]).expect_err("unknown").to_string();
        for name in ["p3", "similarity", "demand", "elasticity", "inventory", "all"] {
            assert!(error.contains(name), "{error}");
        }
    }
}
