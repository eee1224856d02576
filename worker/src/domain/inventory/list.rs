//! The policies of all items, page by page: as the training of `inventory` left them, or decided anew
//! where stock, terms or status have changed since, so that a list says what the question about one
//! item says.

use std::time::Instant;

use mercer_common::limits;
use mercer_proto::{
    internal::{ListShardPoliciesRequest, ListShardPoliciesResponse},
    v1::{PolicyRequest, PolicyResponse},
};
use prost::Message as _;

use super::policy::{is_current, policy};
use crate::{
    artifact::INVENTORY,
    domain::facts::{Defaults, Demand, Elasticity, Facts},
    serve::{NotTrained, ServeError, Serving},
    shard::{ItemState, Shard, ShardState},
    version::{Kinds, VersionError},
};

/// Bytes from which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// A page of a shard's policies by (slot, id) of the item, then location; all locations of an
/// item stand on the same page.
///
/// # Errors
/// [`NotTrained`] when the version has no policies.
pub(crate) async fn list_policies(
    serving: &Serving,
    request: ListShardPoliciesRequest,
    deadline: Instant,
) -> Result<ListShardPoliciesResponse, ServeError> {
    let version = serving.versions().named(&request.version)?;
    let version = version.ok_or(NotTrained { kind: INVENTORY })?;
    let shard = serving.shard_at(request.shard, deadline).await?;
    let currency = serving.cluster()?.currency.clone();
    let defaults = request.defaults.as_ref().map(Defaults::decode).transpose()?;
    serving
        .compute()
        .serve(move || {
            let kinds = version.results_of(shard.id())?;
            let present =
                defaults.map(|defaults| Present { shard: &shard, kinds, defaults, currency });
            page(&request, kinds, &shard, present.as_ref())
        })
        .await?
}

fn page(
    request: &ListShardPoliciesRequest,
    kinds: &Kinds,
    shard: &Shard,
    present: Option<&Present<'_>>,
) -> Result<ListShardPoliciesResponse, ServeError> {
    let slots = shard.layout().slots(shard.id());
    let results = kinds.policies_after(slots, &request.after_id);
    let mut results = results.ok_or(NotTrained { kind: INVENTORY })?;
    let limit = request.limit.clamp(1, limits::PAGE) as usize;
    let mut page = ListShardPoliciesResponse::default();
    let mut bytes = 0;
    for looked_at in 1..=limit {
        let Some(result) = results.next() else {
            page.next_after_id.clear();
            return Ok(page);
        };
        let result = result.map_err(VersionError::from)?;
        let mut policies = result.policies;
        if let Some(present) = present {
            policies = present.policies(&result.item_id, policies)?;
        }
        for mut policy in policies {
            let has_order = policy.policy.as_ref().is_some_and(|it| it.order_quantity > 0.0);
            if request.orders_only && !has_order {
                continue;
            }
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
}

/// What policies are decided with now.
struct Present<'a> {
    shard: &'a Shard,
    kinds: &'a Kinds,
    defaults: Defaults,
    currency: String,
}

impl Present<'_> {
    /// What is known of an item without any results.
    fn facts<'a>(&'a self, state: &'a ShardState, item: &'a ItemState) -> Facts<'a> {
        Facts {
            item,
            directory: state.directory(),
            defaults: &self.defaults,
            currency: &self.currency,
            version: "",
            demand: None,
            elasticity: None,
        }
    }

    /// The policies of an item, those decided anew that no longer stand on what the item has. What
    /// the training said of the choice of its location stays.
    fn policies(
        &self,
        item: &str,
        trained: Vec<PolicyResponse>,
    ) -> Result<Vec<PolicyResponse>, VersionError> {
        {
            let state = self.shard.read();
            let Some(known) = state.item(item) else { return Ok(trained) };
            let facts = self.facts(&state, known);
            if trained.iter().all(|one| is_current(&facts, one)) {
                return Ok(trained);
            }
        }
        // Few items change between two trainings: only theirs are read.
        let demand = self.kinds.demand(item)?.map(Demand::decode);
        let elasticity = self.kinds.elasticity(item)?.map(Elasticity::decode);
        let state = self.shard.read();
        let Some(known) = state.item(item) else { return Ok(trained) };
        let facts = Facts { demand, elasticity, ..self.facts(&state, known) };
        let mut policies = Vec::with_capacity(trained.len());
        for trained in trained {
            policies.push(present(&facts, trained));
        }
        Ok(policies)
    }
}

/// A policy, decided anew unless it stands on what the item has, or cannot be decided.
fn present(facts: &Facts<'_>, trained: PolicyResponse) -> PolicyResponse {
    if is_current(facts, &trained) {
        return trained;
    }
    let request = PolicyRequest {
        item_id: facts.item.id().to_owned(),
        location_id: trained.location_id.clone(),
        ..PolicyRequest::default()
    };
    let Ok(mut decided) = policy(facts, &request) else { return trained };
    let of_place = trained.notes.into_iter().filter(|note| note.field == "location_id");
    decided.notes.splice(0..0, of_place);
    decided
}
