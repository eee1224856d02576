//! Titles of items, for explanations that name items of other shards.

use std::{sync::Arc, time::Instant};

use mercer_common::slot::Subject;
use mercer_proto::internal::{TitlesRequest, TitlesResponse};

use super::{ServeError, Serving};
use crate::shard::Shard;

impl Serving {
    /// Titles of those of some items that lie in the asked shards.
    ///
    /// # Errors
    /// When a shard is not there or not far enough.
    pub(crate) async fn titles(
        &self,
        request: TitlesRequest,
        deadline: Instant,
    ) -> Result<TitlesResponse, ServeError> {
        let shards = self.shards_at(&request.shards, deadline).await?;
        Ok(self.compute.serve(move || find(&shards, &request.item_ids)).await?)
    }
}

/// Titles of those of some items that lie in these shards and have one.
fn find(shards: &[Arc<Shard>], ids: &[String]) -> TitlesResponse {
    let mut response = TitlesResponse::default();
    for shard in shards {
        let state = shard.read();
        let layout = shard.layout();
        for id in ids {
            if layout.shard_of(Subject::Item, id) != shard.id() {
                continue;
            }
            let title = state.item(id).map(|item| item.title());
            if let Some(title) = title.filter(|title| !title.is_empty()) {
                response.titles.insert(id.clone(), title.to_owned());
            }
        }
    }
    response
}
