//! What can be trained, by the names that callers use.

use mercer_common::{
    pipeline::{MERCER, Product, Published},
    rpc::status::InvalidRequest,
};

/// Name of the mix of other algorithms.
const HYBRID: &str = "hybrid";
/// Name of the kind that forecasts.
pub(crate) const DEMAND: &str = "demand";
/// How demand answers to the price.
pub(crate) const ELASTICITY: &str = "elasticity";
/// Policies of the whole catalogue.
pub(crate) const INVENTORY: &str = "inventory";
/// What needs no order of events and no learning: [`SIMILARITIES`].
const SIMILARITY: &str = "similarity";
const SIMILARITIES: [&str; 2] = ["item-cosine", "p3"];
/// The hybrid with its sources.
const RECOMMEND: &str = "recommend";
/// [`RECOMMEND`] and all results by item.
const ALL: &str = "all";

/// What a job trains; both sorted, each name once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trained {
    /// Algorithms that recommend.
    pub(super) algorithms: Vec<String>,
    /// Results by item.
    pub(super) kinds: Vec<String>,
}

impl Trained {
    /// What training of the `kinds` that a caller names gives; `sources` are those of the hybrid,
    /// which are trained with it.
    pub(super) fn parse(kinds: &[String], sources: &[String]) -> Result<Self, InvalidRequest> {
        if kinds.is_empty() {
            return Err(InvalidRequest::field("kinds", "must not be empty"));
        }
        let mut trained = Self::default();
        for (index, kind) in kinds.iter().enumerate() {
            let names: &[&str] = match kind.as_str() {
                SIMILARITY => &SIMILARITIES,
                RECOMMEND => &[HYBRID],
                ALL => &[HYBRID, DEMAND, ELASTICITY, INVENTORY],
                name => &[name],
            };
            for name in names {
                let product = MERCER.product(name).ok_or_else(|| unknown(index, kind))?;
                trained.add(product);
                // Whatever a product reads of others is made by the same job.
                let needed = product.needs.iter().filter_map(|needed| MERCER.product(needed));
                needed.for_each(|needed| trained.add(needed));
            }
        }
        if trained.algorithms.iter().any(|name| name == HYBRID) {
            if let Some(name) = sources.iter().find(|name| !is_source(name)) {
                let problem = format!("`{name:.64}` in recommend.learn.sources is no source");
                return Err(InvalidRequest::field("kinds", problem));
            }
            trained.algorithms.extend_from_slice(sources);
        }
        for names in [&mut trained.algorithms, &mut trained.kinds] {
            names.sort_unstable();
            names.dedup();
        }
        Ok(trained)
    }

    fn add(&mut self, product: &Product) {
        let names = if is_algorithm(product) { &mut self.algorithms } else { &mut self.kinds };
        names.push(product.name.to_owned());
    }
}

/// All algorithms that can be trained.
pub(crate) fn algorithms() -> impl Iterator<Item = &'static str> {
    MERCER.products().filter(|product| is_algorithm(product)).map(|product| product.name)
}

fn is_algorithm(product: &Product) -> bool {
    matches!(product.publishes, Published::Model(_))
}

/// Whether an algorithm can be a source of the hybrid.
pub(super) fn is_source(name: &str) -> bool {
    name != HYBRID && MERCER.product(name).is_some_and(is_algorithm)
}

fn unknown(index: usize, kind: &str) -> InvalidRequest {
    let names: Vec<&str> =
        algorithms().chain([SIMILARITY, RECOMMEND, DEMAND, ELASTICITY, INVENTORY, ALL]).collect();
    let problem = format!("`{kind:.64}` cannot be trained; there are {}", names.join(", "));
    InvalidRequest::field(format!("kinds[{index}]"), problem)
}

#[cfg(test)]
mod tests {
    use mercer_algorithms::recommend::{similarity::Similarity, trends::Trend};

    use super::*;

    #[test]
    fn names_are_those_of_the_algorithms() {
        let names: Vec<&str> = algorithms().collect();
        assert!(Similarity::ALL.iter().all(|similarity| names.contains(&similarity.name())));
        assert!(Trend::ALL.iter().all(|trend| names.contains(&trend.name())));
        assert!(!names.contains(&DEMAND) && !names.contains(&"popular"));
        assert!(is_source("p3") && !is_source(HYBRID) && !is_source(DEMAND));
    }

    #[test]
    fn kinds_expand_to_sorted_names() {
        let sources = ["p3", "ials"].map(String::from);
        let of = |kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            Trained::parse(&kinds, &sources)
                .map(|trained| (trained.algorithms.join(" "), trained.kinds.join(" ")))
                .map_err(|error| error.violations[0].field.clone())
        };
        let trains = |algorithms: &str, kinds: &str| Ok((algorithms.into(), kinds.into()));
        assert_eq!(of(&["similarity"]), trains("item-cosine p3", ""));
        assert_eq!(of(&["p3", "item-cosine", "p3"]), trains("item-cosine p3", ""));
        assert_eq!(of(&["slim"]), trains("slim", ""));
        assert_eq!(of(&["recommend"]), trains("hybrid ials p3", ""));
        assert_eq!(of(&["hybrid", "fresh"]), trains("fresh hybrid ials p3", ""));
        assert_eq!(of(&["elasticity", "demand"]), trains("", "demand elasticity"));
        assert_eq!(of(&["inventory"]), trains("", "demand inventory"));
        assert_eq!(of(&["inventory", "p3"]), trains("p3", "demand inventory"));
        assert_eq!(of(&["all"]), trains("hybrid ials p3", "demand elasticity inventory"));
        assert_eq!(of(&[]), Err("kinds".to_owned()));
        assert_eq!(of(&["p3", "popular"]), Err("kinds[1]".to_owned()));
    }

    #[test]
    fn what_cannot_be_trained_is_answered_with_what_can() {
        let error = Trained::parse(&["popular".to_owned()], &[]).expect_err("unknown").to_string();
        for name in ["p3", "slim", "hybrid", "similarity", "recommend", "demand", "all"] {
            assert!(error.contains(name), "{error}");
        }
    }
}
