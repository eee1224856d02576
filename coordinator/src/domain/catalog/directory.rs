//! Locations, suppliers, price rules of categories and rules for recommendations. They stand in
//! every shard, so that one shard is asked, which may be any whose worker is live.

use mercer_common::{
    ids::Checker,
    rpc::Deadline,
    slot::{ShardId, Subject},
};
use mercer_proto::{
    internal::{
        GetShardLocationRequest, GetShardSupplierRequest, ListDirectoryRequest,
        ListDirectoryResponse, list_directory_request::Part,
    },
    v1::{
        CategoryPath, GetLocationRequest, GetSupplierRequest, ListLocationsRequest,
        ListLocationsResponse, ListPriceRulesRequest, ListPriceRulesResponse, ListRulesRequest,
        ListRulesResponse, ListSuppliersRequest, ListSuppliersResponse, Location, RecommendRule,
        Supplier, scoped_price_rule::Scope,
    },
};

use super::Catalog;
use crate::{
    ask::{AskError, Listing, Page, Place, Required, any, reserve},
    validate::page_size,
};

/// A listing goes through one shard.
const ONE: ShardId = 1;

impl Catalog {
    pub(crate) async fn get_location(
        &self,
        request: GetLocationRequest,
        deadline: Deadline,
    ) -> Result<Location, AskError> {
        let mut checker = Checker::default();
        checker.known_location(|| "location_id".into(), &request.location_id);
        checker.finish()?;
        let shard = self.shard_near(&request.location_id)?;
        let position = Some(self.engine.required(&request.tokens)?.at(shard));
        let location_id = request.location_id;
        let message = GetShardLocationRequest { shard: position, location_id };
        self.engine
            .fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_location(request).await
            })
            .await
    }

    pub(crate) async fn get_supplier(
        &self,
        request: GetSupplierRequest,
        deadline: Deadline,
    ) -> Result<Supplier, AskError> {
        let mut checker = Checker::default();
        checker.known_id(|| "supplier_id".into(), &request.supplier_id);
        checker.finish()?;
        let shard = self.shard_near(&request.supplier_id)?;
        let position = Some(self.engine.required(&request.tokens)?.at(shard));
        let supplier_id = request.supplier_id;
        let message = GetShardSupplierRequest { shard: position, supplier_id };
        self.engine
            .fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.get_supplier(request).await
            })
            .await
    }

    pub(crate) async fn list_locations(
        &self,
        request: ListLocationsRequest,
        deadline: Deadline,
    ) -> Result<ListLocationsResponse, AskError> {
        let size = page_size(request.page_size)?;
        let listing = Listing::Locations;
        let layout = self.engine.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.engine.required(&request.tokens)?;
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
    ) -> Result<ListSuppliersResponse, AskError> {
        let size = page_size(request.page_size)?;
        let listing = Listing::Suppliers;
        let layout = self.engine.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.engine.required(&request.tokens)?;
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
    ) -> Result<ListPriceRulesResponse, AskError> {
        let size = page_size(request.page_size)?;
        let listing = Listing::PriceRules;
        let layout = self.engine.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.engine.required(&request.tokens)?;
        let shard = any(&self.engine.fanout.routes()?, 0);
        let message = ListDirectoryRequest {
            shard: Some(required.at(shard)),
            part: Part::PriceRules.into(),
            limit: size,
            after_category: place.has_begun.then_some(CategoryPath { levels: place.after_levels }),
            ..ListDirectoryRequest::default()
        };
        let listed = self.ask_directory(shard, message, deadline).await?;
        let last = listed.price_rules.last().filter(|_| listed.more);
        let next = last.map(|last| {
            let mut next = Place::new(listing, 0, 0, String::new());
            next.has_begun = true;
            if let Some(Scope::Category(category)) = &last.scope {
                next.after_levels.clone_from(&category.levels);
            }
            next
        });
        Ok(ListPriceRulesResponse {
            next_page_token: next.map(|next| next.encode()).unwrap_or_default(),
            rules: listed.price_rules,
        })
    }

    pub(crate) async fn list_rules(
        &self,
        request: ListRulesRequest,
        deadline: Deadline,
    ) -> Result<ListRulesResponse, AskError> {
        let size = page_size(request.page_size)?;
        let listing = Listing::RecommendRules;
        let layout = self.engine.identity.layout();
        let place = Place::decode_token(&request.page_token, listing, 0, layout)?;
        let required = self.engine.required(&request.tokens)?;
        let mut page = Page::<RecommendRule>::new(size, place, ONE);
        while let Some((_, after_id, limit)) = page.next() {
            let part = Part::RecommendRules;
            let listed = self.list(part, &required, after_id, limit, deadline).await?;
            page.add(listed.recommend_rules, listed.more, |rule| &rule.rule_id);
        }
        let next_page_token = page.next_page_token(listing, 0);
        Ok(ListRulesResponse { rules: page.entries, next_page_token })
    }

    /// A shard to ask about one record, so that the work is spread.
    fn shard_near(&self, id: &str) -> Result<ShardId, AskError> {
        let preferred = self.engine.identity.layout().shard_of(Subject::Item, id);
        Ok(any(&self.engine.fanout.routes()?, preferred))
    }

    async fn list(
        &self,
        part: Part,
        required: &Required,
        after_id: String,
        limit: u32,
        deadline: Deadline,
    ) -> Result<ListDirectoryResponse, AskError> {
        let shard = any(&self.engine.fanout.routes()?, 0);
        let message = ListDirectoryRequest {
            shard: Some(required.at(shard)),
            part: part.into(),
            after_id,
            limit,
            ..ListDirectoryRequest::default()
        };
        self.ask_directory(shard, message, deadline).await
    }

    async fn ask_directory(
        &self,
        shard: ShardId,
        message: ListDirectoryRequest,
        deadline: Deadline,
    ) -> Result<ListDirectoryResponse, AskError> {
        self.engine
            .fanout
            .ask_shard(shard, reserve(deadline), message, |mut client, request| async move {
                client.list_directory(request).await
            })
            .await
    }
}
