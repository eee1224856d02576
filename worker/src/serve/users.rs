//! Which users there are.

use std::{sync::Arc, time::Instant};

use mercer_common::slot::Subject;
use mercer_proto::internal::{KnownUsersRequest, KnownUsersResponse};

use super::{ServeError, Serving, position};
use crate::shard::Shard;

impl Serving {
    /// Those of some users that exist in the asked shards.
    pub(crate) async fn known_users(
        &self,
        request: KnownUsersRequest,
        deadline: Instant,
    ) -> Result<KnownUsersResponse, ServeError> {
        let shards = self.shards_at(&request.shards, deadline).await?;
        Ok(self.compute.serve(move || find(&shards, request.user_ids)).await?)
    }
}

/// Those of some users that exist in these shards.
fn find(shards: &[Arc<Shard>], ids: Vec<String>) -> KnownUsersResponse {
    let mut response = KnownUsersResponse::default();
    let mut is_known = vec![false; ids.len()];
    for shard in shards {
        let state = shard.read();
        let layout = shard.layout();
        for (is_known, id) in is_known.iter_mut().zip(&ids) {
            let is_here = layout.shard_of(Subject::User, id) == shard.id();
            *is_known |= is_here && state.user(id).is_some();
        }
        response.answered.push(position(&state));
    }
    let known = ids.into_iter().zip(is_known);
    response.user_ids = known.filter(|(_, known)| *known).map(|(id, _)| id).collect();
    response
}
