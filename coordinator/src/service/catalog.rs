//! `mercer.v1.CatalogService`.

use std::sync::Arc;

use mercer_common::rpc::status::Describe as _;
use mercer_proto::v1::{
    AdjustStockRequest, DeleteItemRequest, DeleteLocationRequest, DeleteStockRequest,
    DeleteSupplierRequest, DeleteSupplyRequest, DeleteUserRequest, GetItemRequest, GetItemResponse,
    GetLocationRequest, GetSupplierRequest, GetUserRequest, GetUserResponse, ListItemsRequest,
    ListItemsResponse, ListLocationsRequest, ListLocationsResponse, ListPriceRulesRequest,
    ListPriceRulesResponse, ListRulesRequest, ListRulesResponse, ListSuppliersRequest,
    ListSuppliersResponse, ListUsersRequest, ListUsersResponse, Location, MutationResponse,
    SetCompetitorPricesRequest, SetPriceRulesRequest, SetRulesRequest, SetStockRequest,
    SetSupplyRequest, Supplier, UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest,
    UpsertUsersRequest, catalog_service_server::CatalogService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{domain::catalog::Catalog, ingest::Ingest};

pub(super) struct CatalogHandler {
    pub(super) ingest: Arc<Ingest>,
    pub(super) catalog: Arc<Catalog>,
}

#[tonic::async_trait]
impl CatalogService for CatalogHandler {
    async fn upsert_items(
        &self,
        request: Request<UpsertItemsRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.upsert_items(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_item(
        &self,
        request: Request<DeleteItemRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_item(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_item(
        &self,
        request: Request<GetItemRequest>,
    ) -> Result<Response<GetItemResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.get_item(request, deadline).await?))
    }

    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_items(request, deadline).await?))
    }

    async fn upsert_users(
        &self,
        request: Request<UpsertUsersRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.upsert_users(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_user(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_user(
        &self,
        request: Request<GetUserRequest>,
    ) -> Result<Response<GetUserResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.get_user(request, deadline).await?))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_users(request, deadline).await?))
    }

    async fn set_stock(
        &self,
        request: Request<SetStockRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.set_stock(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn adjust_stock(
        &self,
        request: Request<AdjustStockRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.adjust_stock(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_stock(
        &self,
        request: Request<DeleteStockRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_stock(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn upsert_locations(
        &self,
        request: Request<UpsertLocationsRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.upsert_locations(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_location(
        &self,
        request: Request<DeleteLocationRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_location(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_location(
        &self,
        request: Request<GetLocationRequest>,
    ) -> Result<Response<Location>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.get_location(request, deadline).await?))
    }

    async fn list_locations(
        &self,
        request: Request<ListLocationsRequest>,
    ) -> Result<Response<ListLocationsResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_locations(request, deadline).await?))
    }

    async fn upsert_suppliers(
        &self,
        request: Request<UpsertSuppliersRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.upsert_suppliers(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_supplier(
        &self,
        request: Request<DeleteSupplierRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_supplier(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_supplier(
        &self,
        request: Request<GetSupplierRequest>,
    ) -> Result<Response<Supplier>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.get_supplier(request, deadline).await?))
    }

    async fn list_suppliers(
        &self,
        request: Request<ListSuppliersRequest>,
    ) -> Result<Response<ListSuppliersResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_suppliers(request, deadline).await?))
    }

    async fn set_supply(
        &self,
        request: Request<SetSupplyRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.set_supply(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn delete_supply(
        &self,
        request: Request<DeleteSupplyRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.delete_supply(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn set_competitor_prices(
        &self,
        request: Request<SetCompetitorPricesRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.set_competitor_prices(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn set_price_rules(
        &self,
        request: Request<SetPriceRulesRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.set_price_rules(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn list_price_rules(
        &self,
        request: Request<ListPriceRulesRequest>,
    ) -> Result<Response<ListPriceRulesResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_price_rules(request, deadline).await?))
    }

    async fn set_rules(
        &self,
        request: Request<SetRulesRequest>,
    ) -> Result<Response<MutationResponse>, Status> {
        let (request, _) = admit(request)?;
        let answer = self.ingest.set_rules(request).await;
        answer.map(Response::new).map_err(|error| error.to_status())
    }

    async fn list_rules(
        &self,
        request: Request<ListRulesRequest>,
    ) -> Result<Response<ListRulesResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.catalog.list_rules(request, deadline).await?))
    }
}
