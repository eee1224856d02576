//! The algorithms by name, and everything that their training depends on.

use std::fmt;

use crate::recommend::{
    factors::FactorSpec,
    linear::{SlimSpec, SparseEaseSpec},
    profile::ProfileSpec,
    repurchase::RepurchaseSpec,
    similarity::{Similarity, SimilarityOptions},
    transitions::{BasketSpec, TransitionSpec},
    trends::{Trend, TrendSpec},
    users::UserSimilarity,
};

/// A way to recommend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Neighbourhoods of the user's items.
    Similar(Similarity),
    /// Items that follow the user's.
    Transitions,
    /// Items that are in one basket with the user's.
    BoughtTogether,
    /// Items of users like this one.
    Users(UserSimilarity),
    /// Items that are described like the user's.
    Content,
    /// Factors of implicit feedback, by alternating least squares.
    Ials,
    /// Factors of ratings.
    Als,
    /// Sparse non-negative regression of items on items.
    Slim,
    /// Ridge regression of items on items: exact, or local for large catalogues.
    Ease,
    /// Items by distinct (user, day), the same list for everybody.
    Popular,
    /// Items by time, the same list for everybody.
    Trend(Trend),
    /// Items that the user buys again.
    Repurchase,
    /// A learned mix of the others.
    Hybrid,
}

impl Algorithm {
    /// All of them, in the order of tables.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let similar = Similarity::ALL.into_iter().map(Self::Similar);
        let users = UserSimilarity::ALL.into_iter().map(Self::Users);
        let models = [Self::Content, Self::Ials, Self::Als, Self::Slim, Self::Ease, Self::Popular];
        let trends = Trend::ALL.into_iter().map(Self::Trend);
        similar
            .chain([Self::Transitions, Self::BoughtTogether])
            .chain(users)
            .chain(models)
            .chain(trends)
            .chain([Self::Repurchase, Self::Hybrid])
            .collect()
    }

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Similar(similarity) => similarity.name(),
            Self::Transitions => "item-transitions",
            Self::BoughtTogether => "bought-together",
            Self::Users(similarity) => similarity.name(),
            Self::Content => "content",
            Self::Ials => "ials",
            Self::Als => "als",
            Self::Slim => "slim",
            Self::Ease => "ease",
            Self::Popular => "popular",
            Self::Trend(trend) => trend.name(),
            Self::Repurchase => "repurchase",
            Self::Hybrid => "hybrid",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Settings of each algorithm's training.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Rules by which histories become weights.
    pub profile: ProfileSpec,
    /// Neighbours kept per item.
    pub neighbours: usize,
    /// How the similarity algorithms of items are computed.
    pub similarity: SimilarityOptions,
    /// How item-transitions is trained.
    pub transitions: TransitionSpec,
    /// How bought-together is trained.
    pub baskets: BasketSpec,
    /// How ials and, but for `explicit`, als are trained.
    pub factors: FactorSpec,
    /// How ease is trained.
    pub ease: SparseEaseSpec,
    /// Number of items up to which ease is exact.
    pub exact_items: usize,
    /// How slim is trained.
    pub slim: SlimSpec,
    /// Users that user-cosine and user-pearson predict from.
    pub user_neighbours: usize,
    /// How fresh, trending and new are computed.
    pub trends: TrendSpec,
    /// How repurchase is trained.
    pub repurchase: RepurchaseSpec,
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self {
            profile: ProfileSpec::default(),
            neighbours: 100,
            similarity: SimilarityOptions::default(),
            transitions: TransitionSpec::default(),
            baskets: BasketSpec::default(),
            factors: FactorSpec {
                dimensions: 64,
                iterations: 15,
                unobserved_weight: 0.05,
                regularization: 0.005,
                frequency_exponent: 0.0,
                steps: 3,
                seed: 0,
                explicit: false,
            },
            ease: SparseEaseSpec { regularization: 100.0, neighbourhood: 200 },
            exact_items: 15_000,
            slim: SlimSpec { l1: 0.5, l2: 50.0, neighbourhood: 200 },
            user_neighbours: 100,
            trends: TrendSpec::default(),
            repurchase: RepurchaseSpec::default(),
        }
    }
}
