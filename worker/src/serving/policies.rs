//! The policies that the training of `inventory` left, page by page.

use std::time::Instant;

use mercer_common::limits;
use mercer_proto::{
    internal::{ListShardPoliciesRequest, ListShardPoliciesResponse},
    v1::PolicyResponse,
};
use prost::Message as _;

use super::{ServeError, Serving};
use crate::{
    decision::DecideError,
    version::{INVENTORY, VersionError},
};

/// Bytes from which a page ends.
const PAGE_BYTES: usize = 4 << 20;

impl Serving {
    /// A page of a shard's policies by (slot, id) of the item, then location; all locations of an
    /// item stand on the same page.
    ///
    /// # Errors
    /// [`DecideError::NotTrained`] when the version has no policies.
    pub(crate) async fn list_policies(
        &self,
        request: ListShardPoliciesRequest,
        deadline: Instant,
    ) -> Result<ListShardPoliciesResponse, ServeError> {
        let version = self.versions.named(&request.version)?;
        let version = version.ok_or(DecideError::NotTrained { kind: INVENTORY })?;
        let shard = self.shard_at(request.shard, deadline).await?;
        let slots = shard.layout().slots(shard.id());
        let list = move || {
            let results = version.results_of(shard.id())?.policies_after(slots, &request.after_id);
            let mut results = results.ok_or(DecideError::NotTrained { kind: INVENTORY })?;
            let limit = request.limit.clamp(1, limits::PAGE) as usize;
            let wanted = |policy: &PolicyResponse| {
                let ordered = policy.policy.as_ref().is_some_and(|it| it.order_quantity > 0.0);
                ordered || !request.orders_only
            };
            let mut page = ListShardPoliciesResponse::default();
            let mut bytes = 0;
            for looked_at in 1..=limit {
                let Some(result) = results.next() else {
                    page.next_after_id.clear();
                    return Ok(page);
                };
                let result = result.map_err(VersionError::from)?;
                for mut policy in result.policies.into_iter().filter(wanted) {
                    policy.version.clone_from(&request.version);
                    bytes += policy.encoded_len();
                    page.policies.push(policy);
                }
                page.next_after_id = result.item_id;
                if looked_at == limit || bytes >= PAGE_BYTES {
                    break;
                }
            }
            // An empty id tells that none is left.
            if results.next().is_none() {
                page.next_after_id.clear();
            }
            Ok(page)
        };
        self.compute.serve(list).await?
    }
}
