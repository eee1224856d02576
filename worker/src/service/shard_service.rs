//! `mercer.internal.v1.ShardService`: queries.

use std::sync::Arc;

use mercer_common::rpc::{set_applied, status::Describe as _};
use mercer_proto::{
    internal::{
        CheckRoomRequest, CheckRoomResponse, DecideRequest, DecideResponse, DescribeShardsRequest,
        DescribeShardsResponse, GetProfileRequest, GetProfileResponse, GetShardItemRequest,
        GetShardItemResponse, GetShardLocationRequest, GetShardSupplierRequest,
        GetShardUserRequest, GetShardUserResponse, IdentifyRequest, IdentifyResponse,
        KnownUsersRequest, KnownUsersResponse, ListDirectoryRequest, ListDirectoryResponse,
        ListShardItemsResponse, ListShardPoliciesRequest, ListShardPoliciesResponse,
        ListShardRequest, ListShardUsersResponse, PartialPopularRequest, PartialPopularResponse,
        PartialRecommendRequest, PartialRecommendResponse, SimilarShardUsersRequest,
        SimilarShardUsersResponse, TallyExperimentRequest, TallyExperimentResponse, TitlesRequest,
        TitlesResponse, shard_service_server::ShardService,
    },
    v1::{Location, Supplier},
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::{
    domain::{decide, inventory::list_policies, recommend::Recommender},
    generation::Generation,
    membership::Name,
    serve::{ServeError, Serving},
};

/// Answers queries.
#[derive(Debug)]
pub(crate) struct ShardHandler {
    serving: Arc<Serving>,
    recommender: Recommender,
    generation: Arc<Generation>,
    name: Name,
}

impl ShardHandler {
    pub(super) fn new(
        serving: Arc<Serving>,
        recommender: Recommender,
        generation: Arc<Generation>,
        name: Name,
    ) -> Self {
        Self { serving, recommender, generation, name }
    }

    /// The answer, with how far this worker had applied the log when it was complete.
    fn reply<T>(&self, result: Result<T, ServeError>) -> Result<Response<T>, Status> {
        let applied = self.serving.applied();
        match result {
            Ok(message) => {
                let mut response = Response::new(message);
                set_applied(response.metadata_mut(), applied);
                Ok(response)
            }
            Err(error) => {
                let mut status = error.to_status();
                set_applied(status.metadata_mut(), applied);
                Err(status)
            }
        }
    }
}

#[tonic::async_trait]
impl ShardService for ShardHandler {
    async fn identify(
        &self,
        _: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyResponse>, Status> {
        let Name { worker_id, instance } = &self.name;
        let (worker_id, instance) = (worker_id.to_string(), instance.to_string());
        Ok(Response::new(IdentifyResponse { worker_id, instance }))
    }

    async fn get_profile(
        &self,
        request: Request<GetProfileRequest>,
    ) -> Result<Response<GetProfileResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.recommender.get_profile(request, deadline).await)
    }

    async fn recommend(
        &self,
        request: Request<PartialRecommendRequest>,
    ) -> Result<Response<PartialRecommendResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.recommender.recommend(request, deadline).await)
    }

    async fn popular(
        &self,
        request: Request<PartialPopularRequest>,
    ) -> Result<Response<PartialPopularResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.recommender.popular(request, deadline).await)
    }

    async fn similar_users(
        &self,
        request: Request<SimilarShardUsersRequest>,
    ) -> Result<Response<SimilarShardUsersResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.recommender.similar_users(request, deadline).await)
    }

    async fn known_users(
        &self,
        request: Request<KnownUsersRequest>,
    ) -> Result<Response<KnownUsersResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.known_users(request, deadline).await)
    }

    async fn titles(
        &self,
        request: Request<TitlesRequest>,
    ) -> Result<Response<TitlesResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.titles(request, deadline).await)
    }

    async fn tally_experiment(
        &self,
        request: Request<TallyExperimentRequest>,
    ) -> Result<Response<TallyExperimentResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.tally_experiment(request, deadline).await)
    }

    async fn get_item(
        &self,
        request: Request<GetShardItemRequest>,
    ) -> Result<Response<GetShardItemResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.get_item(request, deadline).await)
    }

    async fn get_user(
        &self,
        request: Request<GetShardUserRequest>,
    ) -> Result<Response<GetShardUserResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.get_user(request, deadline).await)
    }

    async fn list_items(
        &self,
        request: Request<ListShardRequest>,
    ) -> Result<Response<ListShardItemsResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.list_items(request, deadline).await)
    }

    async fn list_users(
        &self,
        request: Request<ListShardRequest>,
    ) -> Result<Response<ListShardUsersResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.list_users(request, deadline).await)
    }

    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(decide(&self.serving, request, deadline).await)
    }

    async fn list_policies(
        &self,
        request: Request<ListShardPoliciesRequest>,
    ) -> Result<Response<ListShardPoliciesResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(list_policies(&self.serving, request, deadline).await)
    }

    async fn get_location(
        &self,
        request: Request<GetShardLocationRequest>,
    ) -> Result<Response<Location>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.get_location(request, deadline).await)
    }

    async fn get_supplier(
        &self,
        request: Request<GetShardSupplierRequest>,
    ) -> Result<Response<Supplier>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.get_supplier(request, deadline).await)
    }

    async fn list_directory(
        &self,
        request: Request<ListDirectoryRequest>,
    ) -> Result<Response<ListDirectoryResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.list_directory(request, deadline).await)
    }

    async fn check_room(
        &self,
        request: Request<CheckRoomRequest>,
    ) -> Result<Response<CheckRoomResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.check_room(request, deadline).await)
    }

    async fn describe_shards(
        &self,
        request: Request<DescribeShardsRequest>,
    ) -> Result<Response<DescribeShardsResponse>, Status> {
        let (request, deadline) = admit(request, &self.generation)?;
        self.reply(self.serving.describe(&request.shards, deadline).await)
    }
}
