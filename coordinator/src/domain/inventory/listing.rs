//! The policies of the whole catalogue, page by page from one version.

use mercer_common::{limits, rpc::Deadline, slot::ShardId};
use mercer_proto::{
    internal::{DecisionDefaults, ListShardPoliciesRequest, ListShardPoliciesResponse},
    v1::{ListPoliciesRequest, ListPoliciesResponse, PolicyResponse},
};
use prost::Message as _;

use crate::{
    ask::{AskError, Course, Engine, Listing, PAGE_BYTES, Place, Restart, reserve},
    jobs::kinds::INVENTORY,
    validate::page_size,
};

/// Questions to shards that a page may take.
const ASKS: ShardId = 64;

/// Lists policies.
pub(crate) struct Policies {
    pub(crate) engine: Engine,
    /// What workers fall back to.
    pub(crate) defaults: DecisionDefaults,
}

impl Policies {
    /// Lists what the training of `inventory` left, with the stock and terms that items have now. The first page picks the version, the others
    /// name it: a listing never mixes two.
    pub(crate) async fn list(
        &self,
        request: ListPoliciesRequest,
        deadline: Deadline,
    ) -> Result<ListPoliciesResponse, AskError> {
        let layout = self.engine.identity.layout();
        let size = page_size(request.page_size)? as usize;
        let filter = i32::from(request.orders_only);
        let listing = Listing::Policies;
        let place = Place::decode_token(&request.page_token, listing, filter, layout)?;
        if !request.page_token.is_empty() {
            let expired = AskError::ListingExpired { version: place.version.clone() };
            if self.engine.versions.find(&place.version).is_none() {
                return Err(expired);
            }
            let page = self.page(place, size, request.orders_only, deadline).await;
            // A listing that goes on from another version would mix two.
            return page.map_err(|error| match error {
                AskError::Damaged { .. } => expired,
                error => error,
            });
        }
        let mut course = Course::default();
        loop {
            let choice = self.engine.version_with(&[INVENTORY], &course)?;
            let mut place = place.clone();
            choice.version().clone_into(&mut place.version);
            match self.page(place, size, request.orders_only, deadline).await {
                Err(AskError::Damaged { reason }) => {
                    let why = Restart::Damaged(reason);
                    course.begin_again(&self.engine.versions, choice.version(), why)?;
                }
                page => {
                    let fallback_reason = choice.fallback_reason();
                    return Ok(ListPoliciesResponse { fallback_reason, ..page? });
                }
            }
        }
    }

    /// A page of the version that `place` names.
    async fn page(
        &self,
        place: Place,
        size: usize,
        orders_only: bool,
        deadline: Deadline,
    ) -> Result<ListPoliciesResponse, AskError> {
        let shards = self.engine.identity.layout().shards();
        let required = self.engine.required(&[])?;
        let mut page = Page { size, policies: Vec::new(), bytes: 0, place };
        // Where few items have an order a page may be short: the next one goes on from here.
        for _ in 0..ASKS.max(shards) {
            let Some(shard) = page.next_shard(shards) else { break };
            let message = ListShardPoliciesRequest {
                shard: Some(required.at(shard)),
                version: page.place.version.clone(),
                after_id: page.place.after_id.clone(),
                // Few items have an order: as many are looked at as a worker does at once.
                limit: if orders_only { limits::PAGE } else { page.room() },
                orders_only,
                defaults: Some(self.defaults.clone()),
            };
            let listed = self
                .engine
                .fanout
                .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                    client.list_policies(request).await
                })
                .await?;
            if page.add(listed) {
                break;
            }
        }
        let version = page.place.version.clone();
        let more = page.place.shard < u32::from(shards);
        let next_page_token = if more { page.place.encode() } else { String::new() };
        let fallback_reason = String::new();
        Ok(ListPoliciesResponse {
            policies: page.policies,
            next_page_token,
            version,
            fallback_reason,
        })
    }
}

/// A page being filled, shard by shard.
struct Page {
    size: usize,
    policies: Vec<PolicyResponse>,
    bytes: usize,
    /// Where the next page begins.
    place: Place,
}

impl Page {
    fn room(&self) -> u32 {
        u32::try_from(self.size - self.policies.len()).unwrap_or(u32::MAX)
    }

    fn next_shard(&self, shards: ShardId) -> Option<ShardId> {
        let shard = ShardId::try_from(self.place.shard).ok().filter(|shard| *shard < shards)?;
        (self.room() > 0 && self.bytes < PAGE_BYTES).then_some(shard)
    }

    /// Adds what fits; true when something did not. The page may end within the locations of an
    /// item: the next one skips those that were shown.
    fn add(&mut self, listed: ListShardPoliciesResponse) -> bool {
        let mut shown = std::mem::take(&mut self.place.shown);
        let mut item = String::new();
        let mut of_item = 0;
        for policy in listed.policies {
            if policy.item_id != item {
                let before = std::mem::replace(&mut item, policy.item_id.clone());
                if !before.is_empty() {
                    self.place.after_id = before;
                    shown = 0;
                }
                of_item = 0;
            }
            of_item += 1;
            if of_item <= shown {
                continue;
            }
            let bytes = policy.encoded_len();
            let too_large = self.bytes > 0 && self.bytes + bytes > PAGE_BYTES;
            if self.policies.len() == self.size || too_large {
                self.place.shown = of_item - 1;
                return true;
            }
            self.bytes += bytes;
            self.policies.push(policy);
        }
        if listed.next_after_id.is_empty() {
            self.place.shard += 1;
        }
        self.place.after_id = listed.next_after_id;
        false
    }
}

#[cfg(test)]
mod tests;
