//! Users whose histories are alike.

use std::time::Instant;

use mercer_common::slot::Kind;
use mercer_proto::internal::{
    KnownUsersRequest, KnownUsersResponse, SimilarShardUsersRequest, SimilarShardUsersResponse,
};

use super::{ServeError, Serving, position};
use crate::version::VersionError;

impl Serving {
    /// The trained users whose histories are most like the live one of a user.
    ///
    /// # Errors
    /// When the version was not trained with the algorithm.
    pub(crate) async fn similar_users(
        &self,
        request: SimilarShardUsersRequest,
        deadline: Instant,
    ) -> Result<SimilarShardUsersResponse, ServeError> {
        self.shard_at(request.shard, deadline).await?;
        let SimilarShardUsersRequest { version, algorithm, .. } = request;
        Err(VersionError::NoAlgorithm { version, algorithm }.into())
    }

    /// Which of some users exist in the asked shards.
    pub(crate) async fn known_users(
        &self,
        request: KnownUsersRequest,
        deadline: Instant,
    ) -> Result<KnownUsersResponse, ServeError> {
        let shards = self.shards_at(&request.shards, deadline).await?;
        let find = move || {
            let mut response = KnownUsersResponse::default();
            let mut is_known = vec![false; request.user_ids.len()];
            for shard in &shards {
                let state = shard.read();
                let layout = shard.layout();
                for (is_known, id) in is_known.iter_mut().zip(&request.user_ids) {
                    let is_here = layout.shard_of(Kind::User, id) == shard.id();
                    *is_known |= is_here && state.user(id).is_some();
                }
                response.answered.push(position(&state));
            }
            let known = request.user_ids.into_iter().zip(is_known);
            response.user_ids = known.filter(|(_, known)| *known).map(|(id, _)| id).collect();
            response
        };
        Ok(self.compute.serve(find).await?)
    }
}
