//! `mercer.v1.RecommendService`.

use std::sync::Arc;

use mercer_common::shutdown::Tasks;
use mercer_proto::v1::{
    BatchRecommendResponse, CompleteRequest, PopularRequest, PopularResponse, RecommendRequest,
    RecommendResponse, SimilarItemsRequest, SimilarUsersRequest, SimilarUsersResponse,
    recommend_service_server::RecommendService,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    DEADLINE, admit,
    batch::{Answers, Batches},
    recommend_stream,
};
use crate::domain::recommend::Recommender;

pub(super) struct RecommendHandler {
    pub(super) recommender: Arc<Recommender>,
    pub(super) batches: Batches,
    pub(super) tasks: Tasks,
}

#[tonic::async_trait]
impl RecommendService for RecommendHandler {
    type BatchRecommendStream = Answers<BatchRecommendResponse>;

    async fn recommend(
        &self,
        request: Request<RecommendRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.recommender.recommend(request, deadline).await?))
    }

    async fn batch_recommend(
        &self,
        request: Request<Streaming<RecommendRequest>>,
    ) -> Result<Response<Answers<BatchRecommendResponse>>, Status> {
        let place = self.batches.admit(request.extensions())?;
        let (requests, deadline) = admit(request)?;
        let patience = deadline.remaining().min(DEADLINE);
        let answers =
            recommend_stream::open(&self.recommender, requests, place, patience, &self.tasks);
        Ok(Response::new(answers))
    }

    async fn similar_items(
        &self,
        request: Request<SimilarItemsRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.recommender.similar_items(request, deadline).await?))
    }

    async fn similar_users(
        &self,
        request: Request<SimilarUsersRequest>,
    ) -> Result<Response<SimilarUsersResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.recommender.similar_users(request, deadline).await?))
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.recommender.complete(request, deadline).await?))
    }

    async fn popular(
        &self,
        request: Request<PopularRequest>,
    ) -> Result<Response<PopularResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.recommender.popular(request, deadline).await?))
    }
}
