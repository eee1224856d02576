//! What a fake worker answers about its shards.

use mercer_proto::{
    internal::{self, PartialRecommendResponse, shard_service_server::ShardService},
    v1::{self, Item, PopularItem, Recommendation, Source, User},
};
use tonic::{Request, Response, Status};

use super::{Handler, decision};

#[tonic::async_trait]
impl ShardService for Handler {
    async fn identify(
        &self,
        _: Request<internal::IdentifyRequest>,
    ) -> Result<Response<internal::IdentifyResponse>, Status> {
        if self.script.lock().hang {
            std::future::pending::<()>().await;
        }
        let script = self.script.lock();
        if script.dead {
            return Err(Status::unavailable("the process is gone"));
        }
        let instance = script.instance.clone();
        Ok(Response::new(internal::IdentifyResponse { instance, ..Default::default() }))
    }

    async fn get_profile(
        &self,
        request: Request<internal::GetProfileRequest>,
    ) -> Result<Response<internal::GetProfileResponse>, Status> {
        let request = self.enter("get_profile", request, |r| r.version.clone())?;
        self.open(&request.version)?;
        let mut script = self.script.lock();
        script.profiles.push(request.clone());
        Ok(Response::new(internal::GetProfileResponse {
            known: script.known,
            position: request.shard,
            unknown_session_items: request.session_items,
            past: if request.explain { script.past.clone() } else { Vec::new() },
            ..Default::default()
        }))
    }

    async fn recommend(
        &self,
        request: Request<internal::PartialRecommendRequest>,
    ) -> Result<Response<PartialRecommendResponse>, Status> {
        let request = self.enter("recommend", request, |r| r.version.clone())?;
        if self.script.lock().hang {
            std::future::pending::<()>().await;
        }
        self.open(&request.version)?;
        self.script.lock().recommended.push(request.clone());
        let answered = self.answering(request.shards);
        let script = self.script.lock();
        let mut items = Vec::new();
        let mut facts = Vec::new();
        for (shard, item_id, score) in &script.items {
            if !answered.iter().any(|position| position.shard == *shard) {
                continue;
            }
            items.push(Recommendation {
                item_id: item_id.clone(),
                score: *score,
                source: Source::Algorithm.into(),
                reasons: script.reasons.clone(),
                ..Default::default()
            });
            if request.rerank_facts {
                // The lower the score, the more there is on hand.
                let stock = Some(-score);
                facts.push(internal::RerankFacts { stock, ..Default::default() });
            }
        }
        let full_scan = true;
        Ok(Response::new(PartialRecommendResponse { items, answered, facts, full_scan }))
    }

    async fn popular(
        &self,
        request: Request<internal::PartialPopularRequest>,
    ) -> Result<Response<internal::PartialPopularResponse>, Status> {
        let request = self.enter("popular", request, |_| String::new())?;
        let answered = self.answering(request.shards);
        let script = self.script.lock();
        let items = script
            .items
            .iter()
            .map(|(_, item_id, score)| PopularItem {
                item_id: item_id.clone(),
                popularity: *score as u64,
                ..Default::default()
            })
            .collect();
        drop(script);
        Ok(self.answer(internal::PartialPopularResponse { items, answered }))
    }

    async fn similar_users(
        &self,
        request: Request<internal::SimilarShardUsersRequest>,
    ) -> Result<Response<internal::SimilarShardUsersResponse>, Status> {
        let request = self.enter("similar_users", request, |r| r.user_id.clone())?;
        self.open(&request.version)?;
        let script = self.script.lock();
        let others = script.users.iter().filter(|(_, user_id)| *user_id != request.user_id);
        let mut users = Vec::new();
        for (_, user_id) in others.take(request.n as usize) {
            users.push(v1::SimilarUser {
                user_id: user_id.clone(),
                similarity: 0.5,
                common_items: 1,
            });
        }
        let (known, position) = (script.known, request.shard);
        Ok(Response::new(internal::SimilarShardUsersResponse { known, users, position }))
    }

    async fn known_users(
        &self,
        request: Request<internal::KnownUsersRequest>,
    ) -> Result<Response<internal::KnownUsersResponse>, Status> {
        let request = self.enter("known_users", request, |_| String::new())?;
        let answered = self.answering(request.shards);
        let script = self.script.lock();
        let mut user_ids = request.user_ids;
        user_ids.retain(|id| {
            !script.deleted.contains(id) && script.users.iter().any(|(_, known)| known == id)
        });
        Ok(Response::new(internal::KnownUsersResponse { user_ids, answered }))
    }

    async fn titles(
        &self,
        request: Request<internal::TitlesRequest>,
    ) -> Result<Response<internal::TitlesResponse>, Status> {
        let request = self.enter("titles", request, |r| r.item_ids.join(" "))?;
        let titled = request.item_ids.into_iter().map(|id| (id.clone(), format!("Title of {id}")));
        Ok(Response::new(internal::TitlesResponse { titles: titled.collect() }))
    }

    async fn tally_experiment(
        &self,
        request: Request<internal::TallyExperimentRequest>,
    ) -> Result<Response<internal::TallyExperimentResponse>, Status> {
        let request = self.enter("tally_experiment", request, |r| r.experiment_id.clone())?;
        let answered = self.answering(request.shards);
        let script = self.script.lock();
        let mut tallies = script.tallies.clone();
        tallies.retain(|tally| tally.experiment_id == request.experiment_id);
        Ok(Response::new(internal::TallyExperimentResponse { tallies, answered }))
    }

    async fn get_item(
        &self,
        request: Request<internal::GetShardItemRequest>,
    ) -> Result<Response<internal::GetShardItemResponse>, Status> {
        let request = self.enter("get_item", request, |r| r.item_id.clone())?;
        let item = Item { item_id: request.item_id, ..Default::default() };
        let item = v1::GetItemResponse { item: Some(item), ..Default::default() };
        let position = request.shard;
        let answer = internal::GetShardItemResponse { item: Some(item), position };
        Ok(self.answer(answer))
    }

    async fn get_user(
        &self,
        request: Request<internal::GetShardUserRequest>,
    ) -> Result<Response<internal::GetShardUserResponse>, Status> {
        let request = self.enter("get_user", request, |r| r.user_id.clone())?;
        let user = User { user_id: request.user_id, ..Default::default() };
        let user = v1::GetUserResponse { user: Some(user), ..Default::default() };
        let position = request.shard;
        Ok(self.answer(internal::GetShardUserResponse { user: Some(user), position }))
    }

    async fn list_items(
        &self,
        request: Request<internal::ListShardRequest>,
    ) -> Result<Response<internal::ListShardItemsResponse>, Status> {
        let request = self.enter("list_items", request, |r| r.after_id.clone())?;
        let shard = request.shard.expect("a shard").shard;
        let script = self.script.lock();
        let mut after: Vec<&String> = script
            .items
            .iter()
            .filter(|(one, id, _)| *one == shard && *id > request.after_id)
            .map(|(_, id, _)| id)
            .collect();
        after.sort();
        let more = after.len() > request.limit as usize;
        let items = after
            .into_iter()
            .take(request.limit as usize)
            .map(|item_id| Item { item_id: item_id.clone(), ..Default::default() })
            .collect();
        Ok(Response::new(internal::ListShardItemsResponse { items, more }))
    }

    async fn list_users(
        &self,
        request: Request<internal::ListShardRequest>,
    ) -> Result<Response<internal::ListShardUsersResponse>, Status> {
        let request = self.enter("list_users", request, |r| r.after_id.clone())?;
        let shard = request.shard.expect("a shard").shard;
        let script = self.script.lock();
        let users = script
            .users
            .iter()
            .filter(|(one, _)| *one == shard)
            .map(|(_, user_id)| User { user_id: user_id.clone(), ..Default::default() })
            .collect();
        Ok(Response::new(internal::ListShardUsersResponse { users, more: false }))
    }

    async fn describe_shards(
        &self,
        request: Request<internal::DescribeShardsRequest>,
    ) -> Result<Response<internal::DescribeShardsResponse>, Status> {
        let request = self.enter("describe_shards", request, |_| String::new())?;
        let shards = request
            .shards
            .into_iter()
            .map(|position| v1::ShardDescription {
                shard: position.shard,
                state: v1::ShardState::Serving.into(),
                ..Default::default()
            })
            .collect();
        let damaged = self.script.lock().damaged.clone().into_iter();
        let versions = damaged.map(|version| internal::WorkerVersionProblem {
            problem: Some(v1::VersionProblem {
                gone: true,
                reason: format!("a file of {version} is cut"),
                ..Default::default()
            }),
            version,
        });
        let versions = versions.collect();
        let resident_bytes = 1;
        Ok(Response::new(internal::DescribeShardsResponse { shards, resident_bytes, versions }))
    }

    async fn decide(
        &self,
        request: Request<internal::DecideRequest>,
    ) -> Result<Response<internal::DecideResponse>, Status> {
        let request = self.enter("decide", request, |r| r.questions.len().to_string())?;
        if self.script.lock().hang {
            std::future::pending::<()>().await;
        }
        self.open(&request.version)?;
        let questions = request.questions.into_iter();
        let answers = questions.map(|one| decision::answer(&request.version, one)).collect();
        Ok(Response::new(internal::DecideResponse { answers }))
    }

    async fn list_policies(
        &self,
        request: Request<internal::ListShardPoliciesRequest>,
    ) -> Result<Response<internal::ListShardPoliciesResponse>, Status> {
        let request = self.enter("list_policies", request, |r| r.after_id.clone())?;
        self.open(&request.version)?;
        Ok(Response::new(decision::policies(&self.script.lock().items, &request)))
    }

    async fn get_location(
        &self,
        request: Request<internal::GetShardLocationRequest>,
    ) -> Result<Response<v1::Location>, Status> {
        let request = self.enter("get_location", request, |r| r.location_id.clone())?;
        let location_id = request.location_id;
        Ok(Response::new(v1::Location { location_id, ..Default::default() }))
    }

    async fn get_supplier(
        &self,
        request: Request<internal::GetShardSupplierRequest>,
    ) -> Result<Response<v1::Supplier>, Status> {
        let request = self.enter("get_supplier", request, |r| r.supplier_id.clone())?;
        let supplier_id = request.supplier_id;
        Ok(Response::new(v1::Supplier { supplier_id, ..Default::default() }))
    }

    async fn list_directory(
        &self,
        request: Request<internal::ListDirectoryRequest>,
    ) -> Result<Response<internal::ListDirectoryResponse>, Status> {
        let request = self.enter("list_directory", request, |r| r.after_id.clone())?;
        Ok(Response::new(decision::directory(&request)))
    }

    async fn check_room(
        &self,
        request: Request<internal::CheckRoomRequest>,
    ) -> Result<Response<internal::CheckRoomResponse>, Status> {
        self.enter("check_room", request, |r| {
            r.shard.map(|shard| shard.sequence.to_string()).unwrap_or_default()
        })?;
        Ok(Response::new(self.script.lock().room.clone()))
    }
}
