//! Searches for users whose histories are like a profile.

use mercer_algorithms::recommend::{
    score::Profile,
    users::{self, SimilarUser, UserIndex, UserSearch, UserSimilarity},
};
use parking_lot::Mutex;

/// Buffers of searches that are over, for the next ones: at most one a thread is in use.
#[derive(Debug, Default)]
pub(super) struct Searches(Mutex<Vec<UserSearch>>);

impl Searches {
    pub(super) fn take(&self) -> UserSearch {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(super) fn put(&self, search: UserSearch) {
        self.0.lock().push(search);
    }
}

/// The `k` users most similar to a profile, never the user themselves.
pub(super) fn neighbours_of(
    search: &mut UserSearch,
    index: &UserIndex<'_>,
    similarity: UserSimilarity,
    rows: &[u32],
    weights: &[f32],
    own: Option<u32>,
    k: usize,
) -> Vec<SimilarUser> {
    search.similar_users(index, similarity, Profile { rows, weights }, own, k, users::BUDGET)
}
