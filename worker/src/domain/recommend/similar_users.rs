//! Users whose histories are alike.

use std::{sync::Arc, time::Instant};

use mercer_common::limits;
use mercer_proto::{
    internal::{SimilarShardUsersRequest, SimilarShardUsersResponse},
    v1::SimilarUser,
};

use super::{
    Recommender,
    profile::History,
    searches::{Searches, neighbours_of},
    sources::{self, Source},
};
use crate::{
    serve::{ServeError, position},
    shard::Shard,
    version::{OpenSet, VersionError},
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
        let searches = Arc::clone(&self.searches);
        let compute = self.serving.compute();
        compute.serve(move || find(request, &shard, set.as_deref(), &searches)).await?
    }
}

fn find(
    request: SimilarShardUsersRequest,
    shard: &Shard,
    set: Option<&OpenSet>,
    searches: &Searches,
) -> Result<SimilarShardUsersResponse, ServeError> {
    let source = set.and_then(|set| Some((set, sources::of(set, &request.algorithm)?)));
    let Some((set, Source::Users(similarity, users))) = source else {
        let SimilarShardUsersRequest { version, algorithm, .. } = request;
        return Err(VersionError::NoAlgorithm { version, algorithm }.into());
    };
    let state = shard.read();
    let user = state.user(&request.user_id);
    let mut response = SimilarShardUsersResponse {
        known: user.is_some(),
        position: Some(position(&state)),
        ..Default::default()
    };
    let history = History::new(user, &[], &state, set);
    drop(state);
    let entries = history.entries.iter();
    let (rows, weights): (Vec<u32>, Vec<f32>) =
        entries.map(|entry| (entry.item, entry.weight)).unzip();
    let own = users.find(shard.id(), &request.user_id);
    let n = request.n.clamp(1, 2 * limits::RESULTS) as usize;
    let mut search = searches.take();
    let similar =
        users.read(|index| neighbours_of(&mut search, index, similarity, &rows, &weights, own, n));
    searches.put(search);
    for one in similar {
        response.users.push(SimilarUser {
            user_id: users.id(one.user).to_owned(),
            similarity: one.similarity,
            common_items: one.common,
        });
    }
    Ok(response)
}
