//! Workers that answer as a test tells them to.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use mercer_common::rpc::{connect, generation::check_generation, status::Describe as _};
use mercer_proto::{
    internal::{
        self, ArtifactRef, HeartbeatRequest, PartialRecommendResponse, Phase, RegisterRequest,
        RunTaskResponse, ShardPosition, TaskCounts,
        membership_service_client::MembershipServiceClient,
        shard_service_server::{ShardService, ShardServiceServer},
        training_service_server::{TrainingService, TrainingServiceServer},
    },
    v1::{self, Item, PopularItem, Recommendation, Source, User},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What a worker does.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) generation: u64,
    pub(crate) shards: Vec<u32>,
    /// What it answers next, by method.
    pub(crate) failures: BTreeMap<&'static str, VecDeque<Status>>,
    /// Every call: method, and what it was about.
    pub(crate) calls: Vec<(&'static str, String)>,
    pub(crate) open_versions: BTreeSet<String>,
    /// Items with their shard and score.
    pub(crate) items: Vec<(u32, String, f64)>,
    pub(crate) users: Vec<(u32, String)>,
    pub(crate) known: bool,
    /// A phase that does not end.
    pub(crate) stuck: Option<Phase>,
    /// Items per cut.
    pub(crate) cut_items: u64,
    /// Nothing is answered any more.
    pub(crate) dead: bool,
    /// Recommend calls never return.
    pub(crate) hang: bool,
    /// Shards that do not answer although the worker does.
    pub(crate) recovering: BTreeSet<u32>,
}

impl Script {
    /// Makes the next call of `method` fail.
    pub(crate) fn fail(&mut self, method: &'static str, status: Status) {
        self.failures.entry(method).or_default().push_back(status);
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        self.calls.iter().filter(|(name, _)| *name == method).count()
    }
}

/// A worker in this process.
pub(crate) struct FakeWorker {
    pub(crate) id: String,
    pub(crate) script: Arc<Mutex<Script>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for FakeWorker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // Connections that were accepted outlive the server's task.
        self.script.lock().dead = true;
    }
}

#[derive(Clone)]
struct Handler {
    script: Arc<Mutex<Script>>,
}

impl FakeWorker {
    /// Serves, registers and sends heartbeats until it is dropped.
    pub(crate) async fn start(id: &str, coordinator: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let script =
            Arc::new(Mutex::new(Script { known: true, cut_items: 1, ..Script::default() }));
        let handler = Handler { script: Arc::clone(&script) };
        let server = tonic::transport::Server::builder()
            .add_service(ShardServiceServer::new(handler.clone()))
            .add_service(TrainingServiceServer::new(handler))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { server.await.expect("serves") });
        let member = tokio::spawn(belong(id.to_owned(), address, coordinator, Arc::clone(&script)));
        Self { id: id.to_owned(), script, tasks: vec![serving, member] }
    }
}

/// Registers whenever it must, and sends heartbeats.
async fn belong(
    worker_id: String,
    address: String,
    coordinator: SocketAddr,
    script: Arc<Mutex<Script>>,
) {
    let channel = connect(&format!("http://{coordinator}")).expect("a URL");
    let mut client = MembershipServiceClient::new(channel);
    let instance = uuid::Uuid::new_v4().to_string();
    loop {
        let generation = script.lock().generation;
        let heartbeat =
            HeartbeatRequest { worker_id: worker_id.clone(), generation, resident_bytes: 1 };
        if client.heartbeat(heartbeat).await.is_err() {
            let request = RegisterRequest {
                worker_id: worker_id.clone(),
                address: address.clone(),
                instance: instance.clone(),
            };
            if let Ok(response) = client.register(request).await {
                let response = response.into_inner();
                if response.ready {
                    let mut script = script.lock();
                    script.generation = response.generation;
                    script.shards = response.shards;
                    script.open_versions.extend(response.versions.into_iter().map(|v| v.version));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Handler {
    /// Notes the call, checks its generation, and fails if it was told to.
    fn enter<T>(
        &self,
        method: &'static str,
        request: Request<T>,
        about: impl Fn(&T) -> String,
    ) -> Result<T, Status> {
        let mut script = self.script.lock();
        if script.dead {
            return Err(Status::unavailable("the process is gone"));
        }
        check_generation(request.metadata(), script.generation)
            .map_err(|stale| stale.to_status())?;
        let request = request.into_inner();
        script.calls.push((method, about(&request)));
        match script.failures.get_mut(method).and_then(VecDeque::pop_front) {
            Some(status) => Err(status),
            None => Ok(request),
        }
    }

    fn open(&self, version: &str) -> Result<(), Status> {
        if version.is_empty() || self.script.lock().open_versions.contains(version) {
            return Ok(());
        }
        Err(gone())
    }

    fn answering(&self, shards: Vec<ShardPosition>) -> Vec<ShardPosition> {
        let script = self.script.lock();
        shards.into_iter().filter(|one| !script.recovering.contains(&one.shard)).collect()
    }
}

/// VERSION_GONE, as workers say it.
pub(crate) fn gone() -> Status {
    internal_error(tonic::Code::FailedPrecondition, "VERSION_GONE")
}

/// A status with one of the internal reasons.
pub(crate) fn internal_error(code: tonic::Code, reason: &'static str) -> Status {
    use mercer_common::rpc::status::{Describe, Description};
    #[derive(Debug)]
    struct Internal(tonic::Code, &'static str);
    impl std::fmt::Display for Internal {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.1)
        }
    }
    impl std::error::Error for Internal {}
    impl Describe for Internal {
        fn describe(&self) -> Description {
            Description::new(self.0, self.1)
        }
    }
    Internal(code, reason).to_status()
}

#[tonic::async_trait]
impl ShardService for Handler {
    async fn get_profile(
        &self,
        request: Request<internal::GetProfileRequest>,
    ) -> Result<Response<internal::GetProfileResponse>, Status> {
        let request = self.enter("get_profile", request, |r| r.version.clone())?;
        self.open(&request.version)?;
        Ok(Response::new(internal::GetProfileResponse {
            known: self.script.lock().known,
            position: request.shard,
            unknown_session_items: request.session_items,
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
        let answered = self.answering(request.shards);
        let script = self.script.lock();
        let items = script
            .items
            .iter()
            .filter(|(shard, ..)| answered.iter().any(|position| position.shard == *shard))
            .map(|(_, item_id, score)| Recommendation {
                item_id: item_id.clone(),
                score: *score,
                source: Source::Algorithm.into(),
                ..Default::default()
            })
            .collect();
        Ok(Response::new(PartialRecommendResponse { items, answered }))
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
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "test"
                )]
                popularity: *score as u64,
                ..Default::default()
            })
            .collect();
        Ok(Response::new(internal::PartialPopularResponse { items, answered }))
    }

    async fn get_item(
        &self,
        request: Request<internal::GetShardItemRequest>,
    ) -> Result<Response<v1::GetItemResponse>, Status> {
        let request = self.enter("get_item", request, |r| r.item_id.clone())?;
        let item = Item { item_id: request.item_id, ..Default::default() };
        Ok(Response::new(v1::GetItemResponse { item: Some(item), ..Default::default() }))
    }

    async fn get_user(
        &self,
        request: Request<internal::GetShardUserRequest>,
    ) -> Result<Response<v1::GetUserResponse>, Status> {
        let request = self.enter("get_user", request, |r| r.user_id.clone())?;
        let user = User { user_id: request.user_id, ..Default::default() };
        Ok(Response::new(v1::GetUserResponse { user: Some(user), ..Default::default() }))
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
        Ok(Response::new(internal::DescribeShardsResponse { shards, resident_bytes: 1 }))
    }
}

#[tonic::async_trait]
impl TrainingService for Handler {
    async fn run_task(
        &self,
        request: Request<internal::RunTaskRequest>,
    ) -> Result<Response<RunTaskResponse>, Status> {
        let about = |request: &internal::RunTaskRequest| {
            let task = request.task.clone().unwrap_or_default();
            format!("{}/{}/{}", task.phase().as_str_name(), task.shard, task.algorithm)
        };
        let request = self.enter("run_task", request, about)?;
        let task = request.task.expect("a task");
        if self.script.lock().stuck == Some(task.phase()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(Response::new(RunTaskResponse { progress: 0.5, ..Default::default() }));
        }
        let counts =
            TaskCounts { users: 1, items: self.script.lock().cut_items, interactions: 1, as_of: 1 };
        let path = format!(
            "jobs/{}/{}/{}-{:02}-0000000000000000",
            task.job_id,
            task.phase().as_str_name(),
            task.algorithm,
            task.shard
        );
        Ok(Response::new(RunTaskResponse {
            done: true,
            progress: 1.0,
            output: Some(ArtifactRef { path, bytes: 1 }),
            counts: Some(counts),
        }))
    }

    async fn cancel_tasks(
        &self,
        request: Request<internal::CancelTasksRequest>,
    ) -> Result<Response<internal::CancelTasksResponse>, Status> {
        self.enter("cancel_tasks", request, |r| r.job_id.clone())?;
        Ok(Response::new(internal::CancelTasksResponse {}))
    }

    async fn prepare_version(
        &self,
        request: Request<internal::PrepareVersionRequest>,
    ) -> Result<Response<internal::PrepareVersionResponse>, Status> {
        let name = |request: &internal::PrepareVersionRequest| {
            request.manifest.as_ref().map(|manifest| manifest.version.clone()).unwrap_or_default()
        };
        let request = self.enter("prepare_version", request, name)?;
        if self.script.lock().stuck == Some(Phase::Publish) {
            return Err(Status::unavailable("not yet"));
        }
        self.script.lock().open_versions.insert(name(&request));
        Ok(Response::new(internal::PrepareVersionResponse {}))
    }

    async fn retire_version(
        &self,
        request: Request<internal::RetireVersionRequest>,
    ) -> Result<Response<internal::RetireVersionResponse>, Status> {
        let request = self.enter("retire_version", request, |r| r.version.clone())?;
        self.script.lock().open_versions.remove(&request.version);
        Ok(Response::new(internal::RetireVersionResponse {}))
    }
}
