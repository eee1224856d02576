//! Locations, suppliers and price rules as the catalogue API shows them. They stand in every
//! shard, so any one of them can answer.

use std::time::Instant;

use mercer_common::{limits, rpc::status::InvalidRequest};
use mercer_proto::{
    internal::{
        GetShardLocationRequest, GetShardSupplierRequest, ListDirectoryRequest,
        ListDirectoryResponse, list_directory_request::Part,
    },
    v1::{CategoryPath, Location, ScopedPriceRule, Supplier, scoped_price_rule::Scope},
};

use super::{ServeError, Serving};
use crate::shard::Directory;

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
        let find = move || {
            shard
                .read()
                .directory()
                .location(&request.location_id)
                .cloned()
                .ok_or(ServeError::UnknownLocation { id: request.location_id })
        };
        self.compute.serve(find).await?
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
        let find = move || {
            shard
                .read()
                .directory()
                .supplier(&request.supplier_id)
                .cloned()
                .ok_or(ServeError::UnknownSupplier { id: request.supplier_id })
        };
        self.compute.serve(find).await?
    }

    /// A page of locations or suppliers by id, or all rules by category path.
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
    let mut page = ListDirectoryResponse::default();
    let limit = request.limit.min(limits::PAGE) as usize;
    // No id is empty, so an empty one stands before all of them.
    match request.part() {
        Part::Unspecified => {}
        Part::Locations => {
            let mut locations = directory.locations_after(&request.after_id);
            page.locations = locations.by_ref().take(limit).cloned().collect();
            page.more = locations.next().is_some();
        }
        Part::Suppliers => {
            let mut suppliers = directory.suppliers_after(&request.after_id);
            page.suppliers = suppliers.by_ref().take(limit).cloned().collect();
            page.more = suppliers.next().is_some();
        }
        Part::PriceRules => {
            let show = |(path, rule): (&[std::sync::Arc<str>], &_)| {
                let levels: Vec<String> = path.iter().map(ToString::to_string).collect();
                let scope = match levels.is_empty() {
                    true => Scope::Everything(true),
                    false => Scope::Category(CategoryPath { levels }),
                };
                ScopedPriceRule { scope: Some(scope), rule: Some(Clone::clone(rule)) }
            };
            page.price_rules = directory.all_price_rules().map(show).collect();
        }
        Part::RecommendRules => {
            page.recommend_rules = directory.recommend_rules().values().cloned().collect();
        }
    }
    page
}
