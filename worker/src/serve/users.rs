//! Which users there are.

use std::time::Instant;

use mercer_common::slot::Subject;
use mercer_proto::internal::{KnownUsersRequest, KnownUsersResponse};

use super::{ServeError, Serving, position};

impl Serving {
    /// Those of some users that exist in the asked shards.
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
                    let is_here = layout.shard_of(Subject::User, id) == shard.id();
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
