//! Families of algorithms: those of one are trained by the same phases.

/// What training an algorithm consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Neighbours of items, from who has which.
    Similarity,
    /// Neighbours of items, from the order of events.
    Order,
    /// Neighbours of items, by regression on who has which.
    Linear,
    /// Neighbours of items, from what the catalogue says of them.
    Content,
    /// Vectors of items, whose nearest are their neighbours.
    Factors,
    /// Users with their items, compared when asked.
    Users,
    /// What is the same for all users, by item.
    Scores,
    /// A mix of what its job trains.
    Hybrid,
}

/// Name of the mix of other algorithms.
pub(super) const HYBRID: &str = "hybrid";

const FAMILIES: [(Family, &[&str]); 8] = [
    (
        Family::Similarity,
        &[
            "item-adjusted-cosine",
            "item-asymmetric-cosine",
            "item-bm25",
            "item-cosine",
            "item-jaccard",
            "item-llr",
            "item-pearson",
            "item-tfidf",
            "p3",
            "rp3beta",
        ],
    ),
    (Family::Order, &["item-transitions", "bought-together"]),
    (Family::Linear, &["ease", "slim"]),
    (Family::Content, &["content"]),
    (Family::Factors, &["ials", "als"]),
    (Family::Users, &["user-cosine", "user-pearson"]),
    (Family::Scores, &["fresh", "trending", "new", "repurchase"]),
    (Family::Hybrid, &[HYBRID]),
];

impl Family {
    /// The family of an algorithm that can be trained.
    pub(super) fn of(algorithm: &str) -> Option<Self> {
        let found = FAMILIES.iter().find(|(_, names)| names.contains(&algorithm));
        found.map(|(family, _)| *family)
    }

    /// Who has which item is read, by label.
    pub(super) fn reads_users(self) -> bool {
        matches!(self, Self::Similarity | Self::Linear | Self::Factors | Self::Users)
    }

    /// Events in their order are read.
    pub(super) fn reads_sequences(self) -> bool {
        matches!(self, Self::Order | Self::Scores | Self::Hybrid)
    }

    /// What the catalogue says of items is read: texts, or prices and stock.
    pub(super) fn reads_content(self) -> bool {
        matches!(self, Self::Content | Self::Hybrid)
    }

    /// Who has which item is read by item.
    pub(super) fn reads_columns(self) -> bool {
        matches!(self, Self::Factors | Self::Users)
    }

    /// There are rows of sources with their neighbours, or of users with their items.
    pub(super) fn has_rows(self) -> bool {
        !matches!(self, Self::Scores | Self::Hybrid)
    }

    /// Items have neighbours, which serving reads by the neighbour's shard.
    pub(super) fn has_postings(self) -> bool {
        self.has_rows() && self != Self::Users
    }

    /// The neighbours' weights are scores; those of factors choose candidates only.
    pub(super) fn has_norms(self) -> bool {
        self.has_postings() && self != Self::Factors
    }
}

/// All algorithms that can be trained.
pub(crate) fn algorithms() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|(_, names)| names.iter().copied())
}

#[cfg(test)]
mod tests {
    use mercer_algorithms::recommend::{similarity::Similarity, trends::Trend};

    use super::*;

    #[test]
    fn names_are_those_of_the_algorithms() {
        for similarity in Similarity::ALL {
            assert_eq!(Family::of(similarity.name()), Some(Family::Similarity));
        }
        for trend in Trend::ALL {
            assert_eq!(Family::of(trend.name()), Some(Family::Scores));
        }
        let mut names: Vec<&str> = algorithms().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(Family::of("popular"), None);
    }
}
