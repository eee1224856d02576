//! Users whose histories are alike.

use std::time::Instant;

use mercer_algorithms::recommend::users::SimilarUser;
use mercer_common::limits;
use mercer_proto::{
    internal::{SimilarShardUsersRequest, SimilarShardUsersResponse},
    v1,
};

use super::{
    Recommender,
    profile::History,
    searches::neighbours_of,
    sources::{self, Source},
};
use crate::{
    serve::{ServeError, position},
    version::VersionError,
};

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
