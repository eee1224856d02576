//! How training is configured, as jobs keep it.

use mercer_common::config::{
    ContentConfig, FactorsConfig, LearnConfig, LinearConfig, RepurchaseConfig, SimilarityConfig,
    TransitionsConfig, TrendsConfig,
};
use mercer_proto::internal::{
    ContentSpec, FactorSpec, LearnSpec, LinearSpec, RepurchaseSpec, SimilaritySpec, TransitionSpec,
    TrendSpec,
};

pub(super) fn similarity(config: &SimilarityConfig) -> SimilaritySpec {
    SimilaritySpec {
        shrinkage: config.shrinkage,
        alpha: config.alpha,
        beta: config.beta,
        asymmetry: config.asymmetry,
        bm25_k1: config.bm25_k1,
        bm25_b: config.bm25_b,
        user_neighbours: config.user_neighbours,
    }
}

pub(super) fn factors(config: &FactorsConfig) -> FactorSpec {
    FactorSpec {
        dimensions: config.dimensions,
        iterations: config.iterations,
        unobserved_weight: config.unobserved_weight,
        regularization: config.regularization,
        frequency_exponent: config.frequency_exponent,
        steps: config.steps,
        seed: config.seed,
        neighbours: config.neighbours,
    }
}

pub(super) fn linear(config: &LinearConfig) -> LinearSpec {
    LinearSpec {
        ease_regularization: config.ease_regularization,
        exact_items: config.exact_items,
        neighbourhood: config.neighbourhood,
        slim_l1: config.slim_l1,
        slim_l2: config.slim_l2,
    }
}

pub(super) fn transitions(config: &TransitionsConfig) -> TransitionSpec {
    TransitionSpec { decay: config.decay, max_gap: config.max_gap, min_support: config.min_support }
}

pub(super) fn content(config: &ContentConfig) -> ContentSpec {
    ContentSpec {
        min_items: config.min_items,
        max_share: config.max_share,
        attribute_weight: config.attribute_weight,
        embedding_weight: config.embedding_weight,
    }
}

pub(super) fn trends(config: &TrendsConfig) -> TrendSpec {
    TrendSpec {
        fresh_half_life_days: config.fresh_half_life_days,
        trend_window_days: config.window_days,
        new_days: config.new_days,
    }
}

pub(super) fn repurchase(config: &RepurchaseConfig) -> RepurchaseSpec {
    RepurchaseSpec {
        half_life_days: config.half_life_days,
        horizon_days: config.horizon_days,
        due_exponent: config.due_exponent,
    }
}

pub(super) fn learn(config: &LearnConfig) -> LearnSpec {
    LearnSpec {
        sources: config.sources.clone(),
        users: config.users,
        events: config.events,
        length: config.length,
        holdout_days: config.holdout_days,
        repeats: config.repeats,
        seed: config.seed,
    }
}

#[cfg(test)]
mod tests {
    use mercer_algorithms::recommend::{
        hybrid::ModelSpec,
        similarity::SimilarityOptions,
        transitions::{BasketSpec, TransitionSpec},
        trends::TrendSpec,
    };
    use mercer_common::config::RecommendConfig;

    use super::*;
    use crate::jobs::kinds::is_source;

    /// What is tried offline with the defaults is what a cluster trains with its defaults.
    #[test]
    fn defaults_are_those_of_the_algorithms() {
        let config = RecommendConfig::default();
        let found = similarity(&config.similarity);
        let expected = SimilarityOptions::default();
        assert_eq!((found.shrinkage, found.alpha), (expected.shrinkage, expected.alpha));
        assert_eq!((found.beta, found.asymmetry), (expected.beta, expected.asymmetry));
        assert_eq!((found.bm25_k1, found.bm25_b), (expected.bm25_k1, expected.bm25_b));
        let found = transitions(&config.transitions);
        let expected = TransitionSpec::default();
        assert_eq!((found.decay, found.max_gap as usize), (expected.decay, expected.max_gap));
        assert_eq!(found.min_support, BasketSpec::default().min_support);
        let found = trends(&config.trends);
        let expected = TrendSpec::default();
        assert_eq!(found.fresh_half_life_days, expected.fresh_half_life_days);
        assert_eq!(found.trend_window_days, expected.window_days);
        assert_eq!(found.new_days, expected.new_days);
        let expected = ModelSpec::default();
        let found = repurchase(&config.repurchase);
        assert_eq!(found.half_life_days, expected.repurchase.half_life_days);
        assert_eq!(found.horizon_days, expected.repurchase.horizon_days);
        assert_eq!(found.due_exponent, expected.repurchase.due_exponent);
        let found = factors(&config.factors);
        let numbers = (found.dimensions as usize, found.iterations, found.steps, found.seed);
        let wanted = &expected.factors;
        assert_eq!(numbers, (wanted.dimensions, wanted.iterations, wanted.steps, wanted.seed));
        assert_eq!(found.unobserved_weight, expected.factors.unobserved_weight);
        assert_eq!(found.regularization, expected.factors.regularization);
        assert_eq!(found.frequency_exponent, expected.factors.frequency_exponent);
        let found = linear(&config.linear);
        assert_eq!(found.ease_regularization, expected.ease.regularization);
        assert_eq!(found.exact_items as usize, expected.exact_items);
        assert_eq!(found.neighbourhood as usize, expected.ease.neighbourhood);
        assert_eq!(found.neighbourhood as usize, expected.slim.neighbourhood);
        assert_eq!((found.slim_l1, found.slim_l2), (expected.slim.l1, expected.slim.l2));
        assert_eq!(config.similarity.user_neighbours as usize, expected.user_neighbours);
        assert_eq!(config.top_k as usize, expected.neighbours);
        assert_eq!(config.history_cap as usize, expected.profile.history_cap);
        assert!(config.learn.sources.iter().all(|name| is_source(name)));
    }
}
