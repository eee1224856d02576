//! Locations, suppliers and price rules as the catalogue API shows them. They stand in every
//! shard, so any one of them can answer.

use std::{sync::Arc, time::Instant};

use mercer_common::rpc::status::InvalidRequest;
use mercer_proto::{
    internal::{
        GetShardLocationRequest, GetShardSupplierRequest, ListDirectoryRequest,
        ListDirectoryResponse, list_directory_request::Part,
    },
    v1::{CategoryPath, Location, ScopedPriceRule, Supplier, scoped_price_rule::Scope},
};

use super::{ServeError, Serving, page};
use crate::shard::{self, Directory, PriceRule};

impl Serving {
    /// A location.
    ///
    /// # Errors
    /// [`ServeError::UnknownLocation`] when it is not catalogued.
    pub(crate) async fn get_location(
        &self,
        request: GetShardLocationRequest,
        deadline: Instant,
    ) -> Result<Location, ServeError> {
        let shard = self.shard_at(request.shard, deadline).await?;
        let found = self.compute.serve(move || {
            let state = shard.read();
            let location = state.directory().location(&request.location_id).cloned();
            location.ok_or(ServeError::UnknownLocation { id: request.location_id })
        });
        found.await?
    }

    /// A supplier.
    ///
    /// # Errors
    /// [`ServeError::UnknownSupplier`] when there is none of this id.
    pub(crate) async fn get_supplier(
        &self,
        request: GetShardSupplierRequest,
        deadline: Instant,
    ) -> Result<Supplier, ServeError> {
        let shard = self.shard_at(request.shard, deadline).await?;
        let found = self.compute.serve(move || {
            let state = shard.read();
            let supplier = state.directory().supplier(&request.supplier_id);
            let supplier = supplier.map(shard::Supplier::encode);
            supplier.ok_or(ServeError::UnknownSupplier { id: request.supplier_id })
        });
        found.await?
    }

    /// A page of locations, suppliers or rules for recommendations by id, or of price rules by
    /// category path.
    ///
    /// # Errors
    /// `Invalid` when the request does not say which.
    pub(crate) async fn list_directory(
        &self,
        request: ListDirectoryRequest,
        deadline: Instant,
    ) -> Result<ListDirectoryResponse, ServeError> {
        let shard = self.shard_at(request.shard, deadline).await?;
        if request.part() == Part::Unspecified {
            return Err(InvalidRequest::field("part", "is required").into());
        }
        Ok(self.compute.serve(move || list(shard.read().directory(), &request)).await?)
    }
}

fn list(directory: &Directory, request: &ListDirectoryRequest) -> ListDirectoryResponse {
    let mut answer = ListDirectoryResponse::default();
    let (after, limit) = (request.after_id.as_str(), request.limit);
    // No id is empty, so an empty one stands before all of them.
    match request.part() {
        Part::Unspecified => {}
        Part::Locations => {
            (answer.locations, answer.more) =
                page::fill(directory.locations_after(after).cloned(), limit);
        }
        Part::Suppliers => {
            (answer.suppliers, answer.more) =
                page::fill(directory.suppliers_after(after).map(shard::Supplier::encode), limit);
        }
        Part::PriceRules => {
            let after = request.after_category.as_ref();
            let after: Option<Vec<Arc<str>>> =
                after.map(|path| path.levels.iter().map(|level| Arc::from(&**level)).collect());
            let rules = directory.price_rules_after(after.as_deref()).map(show_price_rule);
            (answer.price_rules, answer.more) = page::fill(rules, limit);
        }
        Part::RecommendRules => {
            (answer.recommend_rules, answer.more) =
                page::fill(directory.recommend_rules_after(after).cloned(), limit);
        }
    }
    answer
}

fn show_price_rule((path, rule): (&[Arc<str>], &PriceRule)) -> ScopedPriceRule {
    let levels: Vec<String> = path.iter().map(ToString::to_string).collect();
    let scope = match levels.is_empty() {
        true => Scope::Everything(true),
        false => Scope::Category(CategoryPath { levels }),
    };
    ScopedPriceRule { scope: Some(scope), rule: Some(rule.encode()) }
}
