//! Recommendation: what is trained, and how.

use serde::{Deserialize, Serialize};

/// Settings of recommendation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendConfig {
    /// Algorithm of requests that name none; `auto`: the hybrid where it was trained, else the best
    /// there is.
    pub default_algorithm: String,
    /// Latest distinct items of a user that count.
    pub history_cap: u32,
    /// Neighbours kept per item.
    pub top_k: u32,
    /// Half-life of an event's weight in days; 0 means no decay.
    pub half_life_days: f64,
    /// `binary`: a user-item value is 1 where its weight is positive; `weighted`: its weight.
    pub matrix: Matrix,
    /// Multiply purchases and returns by ln(1 + quantity).
    pub log_quantity: bool,
    /// Weight of an event by type.
    pub weights: EventWeights,
    /// item-cosine and the like, p3, rp3beta, and methods that compare users.
    pub similarity: SimilarityConfig,
    /// Settings of ials and als.
    pub factors: FactorsConfig,
    /// Settings of ease and slim.
    pub linear: LinearConfig,
    /// Settings of item-transitions and bought-together.
    pub transitions: TransitionsConfig,
    /// Settings of content.
    pub content: ContentConfig,
    /// Settings of fresh, trending and new.
    pub trends: TrendsConfig,
    /// Settings of repurchase.
    pub repurchase: RepurchaseConfig,
    /// hybrid, and half-lives of profiles.
    pub learn: LearnConfig,
}

/// What a cell of the user-item matrix holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// 1 where the sum of weights is positive.
    #[default]
    Binary,
    /// The sum of weights where it is positive.
    Weighted,
}

/// Weight of an event by type.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the event types")]
pub struct EventWeights {
    pub view: f32,
    pub click: f32,
    pub favourite: f32,
    pub add_to_cart: f32,
    pub purchase: f32,
    pub r#return: f32,
    /// Factor of a rating's value.
    pub rating: f32,
}

impl Default for EventWeights {
    fn default() -> Self {
        Self {
            view: 1.0,
            click: 1.0,
            favourite: 3.0,
            add_to_cart: 3.0,
            purchase: 5.0,
            r#return: -5.0,
            rating: 1.0,
        }
    }
}

impl EventWeights {
    /// Indexed by the number of `mercer.v1.EventType`.
    #[must_use]
    pub fn by_type(&self) -> [f32; 8] {
        [
            0.0,
            self.view,
            self.click,
            self.favourite,
            self.add_to_cart,
            self.purchase,
            self.r#return,
            self.rating,
        ]
    }
}

impl Default for RecommendConfig {
    fn default() -> Self {
        Self {
            default_algorithm: "auto".into(),
            history_cap: 500,
            top_k: 100,
            half_life_days: 0.0,
            matrix: Matrix::Binary,
            log_quantity: false,
            weights: EventWeights::default(),
            similarity: SimilarityConfig::default(),
            factors: FactorsConfig::default(),
            linear: LinearConfig::default(),
            transitions: TransitionsConfig::default(),
            content: ContentConfig::default(),
            trends: TrendsConfig::default(),
            repurchase: RepurchaseConfig::default(),
            learn: LearnConfig::default(),
        }
    }
}

/// How alike two items, or two users, are.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimilarityConfig {
    /// Multiplies a similarity by n / (n + shrinkage), n the number of common users; 0 for none.
    pub shrinkage: f64,
    /// Exponent of the transition probabilities of p3 and rp3beta.
    pub alpha: f64,
    /// Exponent of the target's degree in rp3beta.
    pub beta: f64,
    /// Exponent of the source's degree in the asymmetric cosine, 0 to 1.
    pub asymmetry: f64,
    /// How soon a value saturates in BM25.
    pub bm25_k1: f64,
    /// How much the length of an item counts in BM25, 0 to 1.
    pub bm25_b: f64,
    /// Neighbours that methods which compare users predict from.
    pub user_neighbours: u32,
}

impl Default for SimilarityConfig {
    fn default() -> Self {
        Self {
            shrinkage: 0.0,
            alpha: 1.0,
            beta: 0.4,
            asymmetry: 0.3,
            bm25_k1: 1.2,
            bm25_b: 0.75,
            user_neighbours: 100,
        }
    }
}

/// Matrix factorization by alternating least squares.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactorsConfig {
    /// Numbers of a vector, 1 to 512.
    pub dimensions: u32,
    /// Times that users and then items are solved.
    pub iterations: u32,
    /// Weight of a cell without interaction beside one with an interaction.
    pub unobserved_weight: f64,
    /// Weight of the squared length of vectors.
    pub regularization: f64,
    /// Exponent of the frequency that scales the regularization.
    pub frequency_exponent: f64,
    /// Conjugate-gradient steps of a half-step.
    pub steps: u32,
    /// Seed of the first vectors.
    pub seed: u64,
    /// Items whose vectors are nearest, kept per item as candidates.
    pub neighbours: u32,
}

impl Default for FactorsConfig {
    fn default() -> Self {
        Self {
            dimensions: 64,
            iterations: 15,
            unobserved_weight: 0.05,
            regularization: 0.005,
            frequency_exponent: 0.0,
            steps: 3,
            seed: 0,
            neighbours: 100,
        }
    }
}

/// Sparse linear models.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearConfig {
    /// Weight of the squared weights of ease.
    pub ease_regularization: f64,
    /// Up to this many items ease is exact, by one dense inverse; beyond, local and approximate.
    pub exact_items: u32,
    /// Items of a local problem.
    pub neighbourhood: u32,
    /// Weight of the absolute weights of slim.
    pub slim_l1: f64,
    /// Weight of the squared weights of slim.
    pub slim_l2: f64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self {
            ease_regularization: 100.0,
            exact_items: 15_000,
            neighbourhood: 200,
            slim_l1: 0.5,
            slim_l2: 50.0,
        }
    }
}

/// What follows what, and what is bought together.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransitionsConfig {
    /// What each further visit in between leaves of a transition's weight, 0 to 1.
    pub decay: f64,
    /// Visits in between beyond which nothing counts.
    pub max_gap: u32,
    /// Baskets that hold both, at least, for bought-together.
    pub min_support: u32,
}

impl Default for TransitionsConfig {
    fn default() -> Self {
        Self { decay: 0.8, max_gap: 10, min_support: 3 }
    }
}

/// Texts, attributes and embeddings of items.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentConfig {
    /// Terms of fewer items than this say nothing.
    pub min_items: u32,
    /// Terms of more than this share of the items say nothing.
    pub max_share: f64,
    /// What a common attribute, category level or brand weighs beside a common word.
    pub attribute_weight: f64,
    /// What embeddings weigh beside texts, 0 to 1, for items that have one.
    pub embedding_weight: f64,
}

impl Default for ContentConfig {
    fn default() -> Self {
        Self { min_items: 2, max_share: 0.2, attribute_weight: 2.0, embedding_weight: 0.5 }
    }
}

/// Settings of what is liked lately.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendsConfig {
    /// Half-life of `fresh`.
    pub fresh_half_life_days: f64,
    /// Length of the recent window of `trending`, compared with the four before it.
    pub window_days: f64,
    /// Age up to which items are `new`.
    pub new_days: f64,
}

impl Default for TrendsConfig {
    fn default() -> Self {
        Self { fresh_half_life_days: 14.0, window_days: 7.0, new_days: 30.0 }
    }
}

/// How repeat purchases are scored.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepurchaseConfig {
    /// Days after which a purchase counts half in the rate; 0: never.
    pub half_life_days: f64,
    /// The coming days that due-ness speaks of.
    pub horizon_days: f64,
    /// Exponent of due-ness beside the rate; 0 leaves the rate alone.
    pub due_exponent: f64,
}

impl Default for RepurchaseConfig {
    fn default() -> Self {
        Self { half_life_days: 90.0, horizon_days: 14.0, due_exponent: 0.5 }
    }
}

/// How half-lives and the hybrid's weights are learned: on the latest part of the events.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnConfig {
    /// The hybrid's sources.
    pub sources: Vec<String>,
    /// Users that are learned from, at most.
    pub users: u32,
    /// Events that sources of the validation are trained from, at most.
    pub events: u64,
    /// Length of the lists whose NDCG is raised.
    pub length: u32,
    /// Days held out of every user at the same time; 0 holds out each user's last item.
    pub holdout_days: f64,
    /// Held-out items that the user has bought before count too: repeat purchases are the task.
    pub repeats: bool,
    /// Draws the users that are learned from.
    pub seed: u64,
}

impl Default for LearnConfig {
    fn default() -> Self {
        Self {
            sources: ["p3", "item-transitions", "ials", "repurchase", "fresh"]
                .map(String::from)
                .to_vec(),
            users: 10_000,
            events: 5_000_000,
            length: 20,
            holdout_days: 0.0,
            repeats: false,
            seed: 0,
        }
    }
}
