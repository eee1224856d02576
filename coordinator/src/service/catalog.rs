//! `mercer.v1.CatalogService`.

use std::sync::Arc;

use mercer_common::rpc::status::Describe as _;
use mercer_proto::v1::{
    AdjustStockRequest, DeleteItemRequest, DeleteUserRequest, GetItemRequest, GetItemResponse,
    GetUserRequest, GetUserResponse, ListItemsRequest, ListItemsResponse, ListUsersRequest,
    ListUsersResponse, MutationResponse, SetStockRequest, UpsertItemsRequest, UpsertUsersRequest,
    catalog_service_server::CatalogService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{ingest::Ingest, query::Queries};

pub(super) struct CatalogHandler {
    pub(super) ingest: Arc<Ingest>,
    pub(super) queries: Arc<Queries>,
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

    async fn get_item(
        &self,
        request: Request<GetItemRequest>,
    ) -> Result<Response<GetItemResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.get_item(request, deadline).await?))
    }

    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.list_items(request, deadline).await?))
    }

    async fn get_user(
        &self,
        request: Request<GetUserRequest>,
    ) -> Result<Response<GetUserResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.get_user(request, deadline).await?))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.list_users(request, deadline).await?))
    }
}
