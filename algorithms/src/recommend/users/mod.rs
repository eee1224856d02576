//! Users who are alike, and what they have.
//!
//! Nothing is trained: a query walks the columns of its items (an inverted index), so that a user's
//! newest event counts at once. Similarities have the *full* norms of both users below, not those of
//! what they have in common:
//!
//! - `user-cosine`: the cosine of the two rows.
//! - `user-pearson`, on a matrix of values: the cosine of the two rows after each user's mean has been
//!   taken from the values that they have (a value equal to the mean stays, as 0). So do
//!   scikit-learn's `cosine_similarity` on the user-centred matrix and LensKit's `UserKNN` for
//!   ratings.
//! - `user-pearson`, on a matrix of ones: Pearson's correlation of the two rows with their zeros (the
//!   phi coefficient), since there is nothing to centre among ones.

mod index;
mod scores;
mod search;
#[cfg(test)]
mod tests;

use std::fmt;

pub use index::{UserIndex, UserIndexError, UserMoments};
pub use search::{SimilarUser, UserSearch};

/// Entries of columns that a search reads, at most: some 10 ms.
pub const BUDGET: usize = 500_000;
/// Items that similar users bring, at most.
pub const ITEMS: usize = 1_000;

/// How near two users are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserSimilarity {
    /// Cosine of the users' rows.
    Cosine,
    /// Cosine of the centred rows.
    Pearson,
}

impl UserSimilarity {
    /// All of them, by name.
    pub const ALL: [Self; 2] = [Self::Cosine, Self::Pearson];

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "user-cosine",
            Self::Pearson => "user-pearson",
        }
    }

    /// The similarity of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|similarity| similarity.name() == name)
    }
}

impl fmt::Display for UserSimilarity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
