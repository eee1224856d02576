//! `mercer.v1.RecommendService`.

use std::sync::Arc;

use mercer_proto::v1::{
    PopularRequest, PopularResponse, RecommendRequest, RecommendResponse, SimilarItemsRequest,
    recommend_service_server::RecommendService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::query::Queries;

pub(super) struct RecommendHandler {
    pub(super) queries: Arc<Queries>,
}

#[tonic::async_trait]
impl RecommendService for RecommendHandler {
    async fn recommend(
        &self,
        request: Request<RecommendRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.recommend(request, deadline).await?))
    }

    async fn similar_items(
        &self,
        request: Request<SimilarItemsRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.similar_items(request, deadline).await?))
    }

    async fn popular(
        &self,
        request: Request<PopularRequest>,
    ) -> Result<Response<PopularResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.popular(request, deadline).await?))
    }
}
