//! Locations, suppliers, price rules of categories and rules for recommendations. They stand in
//! every shard, so that one shard is asked, which may be any whose worker is live.

use mercer_common::{
    ids::Checker,
    rpc::Deadline,
    slot::{Kind, ShardId},
};
use mercer_proto::{
    internal::{
        GetShardLocationRequest, GetShardSupplierRequest, ListDirectoryRequest,
        ListDirectoryResponse, list_directory_request::Part,
    },
    v1::{
        GetLocationRequest, GetSupplierRequest, ListLocationsRequest, ListLocationsResponse,
        ListPriceRulesRequest, ListPriceRulesResponse, ListRulesRequest, ListRulesResponse,
        ListSuppliersRequest, ListSuppliersResponse, Location, Supplier,
    },
};

use super::{
    Queries,
    error::QueryError,
    fanout::{any, reserve},
    page::{self, Listing, Page, Place},
    token::Required,
};

/// A listing goes through one shard.
const ONE: ShardId = 1;

impl Queries {
    pub(crate) async fn get_location(
        &self,
        request: GetLocationRequest,
        deadline: Deadline,
    ) -> Result<Location, QueryError> {
        let mut checker = Checker::default();
        checker.known_location(|| "location_id".into(), &request.location_id);
        checker.finish()?;
        let shard = self.shard_near(&request.location_id)?;
        let position = Some(self.required(&request.tokens)?.at(shard));
        let location_id = request.location_id;
        let message = GetShardLocationRequest { shard: position, location_id };
        self.fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_location(request).await
            })
            .await
    }

    pub(crate) async fn get_supplier(
        &self,
        request: GetSupplierRequest,
        deadline: Deadline,
    ) -> Result<Supplier, QueryError> {
        let mut checker = Checker::default();
        checker.known_id(|| "supplier_id".into(), &request.supplier_id);
        checker.finish()?;
        let shard = self.shard_near(&request.supplier_id)?;
        let position = Some(self.required(&request.tokens)?.at(shard));
        let supplier_id = request.supplier_id;
        let message = GetShardSupplierRequest { shard: position, supplier_id };
        self.fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_supplier(request).await
            })
            .await
    }

    pub(crate) async fn list_locations(
        &self,
        request: ListLocationsRequest,
        deadline: Deadline,
    ) -> Result<ListLocationsResponse, QueryError> {
        let size = page::size(request.page_size)?;
        let listing = Listing::Locations;
        let layout = self.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.required(&request.tokens)?;
        let mut page = Page::<Location>::new(size, place, ONE);
        while let Some((_, after_id, limit)) = page.next() {
            let listed = self.list(Part::Locations, &required, after_id, limit, deadline).await?;
            page.add(listed.locations, listed.more, |location| &location.location_id);
        }
        let next_page_token = page.next_page_token(listing, 0);
        Ok(ListLocationsResponse { locations: page.entries, next_page_token })
    }

    pub(crate) async fn list_suppliers(
        &self,
        request: ListSuppliersRequest,
        deadline: Deadline,
    ) -> Result<ListSuppliersResponse, QueryError> {
        let size = page::size(request.page_size)?;
        let listing = Listing::Suppliers;
        let layout = self.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.required(&request.tokens)?;
        let mut page = Page::<Supplier>::new(size, place, ONE);
        while let Some((_, after_id, limit)) = page.next() {
            let listed = self.list(Part::Suppliers, &required, after_id, limit, deadline).await?;
            page.add(listed.suppliers, listed.more, |supplier| &supplier.supplier_id);
        }
        let next_page_token = page.next_page_token(listing, 0);
        Ok(ListSuppliersResponse { suppliers: page.entries, next_page_token })
    }

    pub(crate) async fn list_price_rules(
        &self,
        request: ListPriceRulesRequest,
        deadline: Deadline,
    ) -> Result<ListPriceRulesResponse, QueryError> {
        let required = self.required(&request.tokens)?;
        let listed = self.list(Part::PriceRules, &required, String::new(), 0, deadline).await?;
        Ok(ListPriceRulesResponse { rules: listed.price_rules })
    }

    pub(crate) async fn list_rules(
        &self,
        request: ListRulesRequest,
        deadline: Deadline,
    ) -> Result<ListRulesResponse, QueryError> {
        let required = self.required(&request.tokens)?;
        let listed = self.list(Part::RecommendRules, &required, String::new(), 0, deadline).await?;
        Ok(ListRulesResponse { rules: listed.recommend_rules })
    }

    /// A shard to ask about one record, so that the work is spread.
    fn shard_near(&self, id: &str) -> Result<ShardId, QueryError> {
        let preferred = self.identity.layout().shard_of(Kind::Item, id);
        Ok(any(&self.fanout.routes()?, preferred))
    }

    async fn list(
        &self,
        part: Part,
        required: &Required,
        after_id: String,
        limit: u32,
        deadline: Deadline,
    ) -> Result<ListDirectoryResponse, QueryError> {
        let shard = any(&self.fanout.routes()?, 0);
        let position = Some(required.at(shard));
        let message = ListDirectoryRequest { shard: position, part: part.into(), after_id, limit };
        self.fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.list_directory(request).await
            })
            .await
    }
}
