//! Users whose histories are alike.

use std::time::Instant;

use mercer_algorithms::recommend::{
    score::Profile,
    users::{self, SimilarUser, UserIndex, UserSearch, UserSimilarity},
};
use mercer_common::limits;
use mercer_proto::{
    internal::{SimilarShardUsersRequest, SimilarShardUsersResponse},
    v1,
};
use parking_lot::Mutex;

use super::{
    Recommender,
    profile::History,
    sources::{self, Source},
};
use crate::{
    serve::{ServeError, position},
    version::VersionError,
};

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

impl Recommender {
    /// The trained users whose histories are most like the live one of a user.
    ///
    /// # Errors
    /// When the version was not trained with the algorithm.
    pub(crate) async fn similar_users(
        &self,
        request: SimilarShardUsersRequest,
        deadline: Instant,
    ) -> Result<SimilarShardUsersResponse, ServeError> {
        let shard = self.serving.shard_at(request.shard, deadline).await?;
        let set = self.models(&request.version, &request.algorithm)?;
        let missing = VersionError::NoAlgorithm {
            version: request.version,
            algorithm: request.algorithm.clone(),
        };
        let Some(set) = set else { return Err(missing.into()) };
        let searches = std::sync::Arc::clone(&self.searches);
        let find = move || {
            let Some(Source::Users(similarity, users)) = sources::of(&set, &request.algorithm)
            else {
                return Err(missing.into());
            };
            let state = shard.read();
            let user = state.user(&request.user_id);
            let mut response = SimilarShardUsersResponse {
                known: user.is_some(),
                position: Some(position(&state)),
                ..Default::default()
            };
            let history = History::new(user, &[], &state, &set);
            drop(state);
            let entries = history.entries.iter();
            let (rows, weights): (Vec<u32>, Vec<f32>) =
                entries.map(|entry| (entry.item, entry.weight)).unzip();
            let own = users.find(shard.id(), &request.user_id);
            let n = request.n.clamp(1, 2 * limits::RESULTS) as usize;
            let mut search = searches.take();
            let similar = users.read(|index| {
                neighbours_of(&mut search, index, similarity, &rows, &weights, own, n)
            });
            searches.put(search);
            let show = |one: SimilarUser| v1::SimilarUser {
                user_id: users.id(one.user).to_owned(),
                similarity: one.similarity,
                common_items: one.common,
            };
            response.users = similar.into_iter().map(show).collect();
            Ok(response)
        };
        self.serving.compute().serve(find).await?
    }
}
