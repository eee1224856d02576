//! Workers that answer as a test tells them to.

mod decision;
mod shards;
mod training;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    event::APPLY_VERSION,
    rpc::{connect_peer, generation::check_generation, set_applied, status::Describe as _},
    secret::ClusterSecret,
};
use mercer_proto::{
    internal::{
        CheckRoomResponse, GetProfileRequest, HeartbeatRequest, PartialRecommendRequest, PastEvent,
        Phase, RegisterRequest, ShardMark, ShardPosition, StoredTally,
        membership_service_client::MembershipServiceClient,
        shard_service_server::ShardServiceServer, training_service_server::TrainingServiceServer,
    },
    v1::{ProcessDescription, Reason},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::CoordinatorHandle;

pub(crate) use training::STUCK_STEP;

/// What a worker does.
#[derive(Default)]
pub(crate) struct Script {
    /// Instance of the process.
    pub(crate) instance: String,
    pub(crate) generation: u64,
    pub(crate) shards: Vec<u32>,
    /// What it says that it knows of records.
    pub(crate) apply_version: u32,
    /// What it answers next, by method.
    pub(crate) failures: BTreeMap<&'static str, VecDeque<Status>>,
    /// Every call: method, and what it was about.
    pub(crate) calls: Vec<(&'static str, String)>,
    pub(crate) open_versions: BTreeSet<String>,
    /// Versions of which a file is damaged.
    pub(crate) damaged: BTreeSet<String>,
    /// Markers that tasks of cuts named.
    pub(crate) markers: BTreeSet<u64>,
    /// Items with their shard and score.
    pub(crate) items: Vec<(u32, String, f64)>,
    pub(crate) users: Vec<(u32, String)>,
    /// Users that were trained and exist no more.
    pub(crate) deleted: BTreeSet<String>,
    /// Tallies of all its shards together.
    pub(crate) tallies: Vec<StoredTally>,
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
    /// Heartbeats are not sent any more.
    pub(crate) silent: bool,
    /// Where it says that its shards stand.
    pub(crate) marks: Vec<ShardMark>,
    /// What it says of its process.
    pub(crate) process: Option<ProcessDescription>,
    /// How far it says that it has applied the log.
    pub(crate) applied: u64,
    /// Reasons of every result.
    pub(crate) reasons: Vec<Reason>,
    /// What it says that every user did.
    pub(crate) past: Vec<PastEvent>,
    /// What it says of what every shard keeps.
    pub(crate) room: CheckRoomResponse,
    /// What it was asked for profiles and recommendations.
    pub(crate) profiles: Vec<GetProfileRequest>,
    pub(crate) recommended: Vec<PartialRecommendRequest>,
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
    pub(crate) async fn start(id: &str, coordinator: &CoordinatorHandle) -> Self {
        Self::of_release(id, coordinator, APPLY_VERSION).await
    }

    /// One that knows this version of records.
    pub(crate) async fn of_release(
        id: &str,
        coordinator: &CoordinatorHandle,
        apply_version: u32,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let instance = uuid::Uuid::new_v4().to_string();
        let script =
            Script { instance, known: true, cut_items: 1, apply_version, ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let handler = Handler { script: Arc::clone(&script) };
        let server = tonic::transport::Server::builder()
            .add_service(ShardServiceServer::new(handler.clone()))
            .add_service(TrainingServiceServer::new(handler))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { server.await.expect("serves") });
        let member = tokio::spawn(belong(
            id.to_owned(),
            address,
            coordinator.internal_address(),
            coordinator.secret().clone(),
            Arc::clone(&script),
        ));
        Self { id: id.to_owned(), script, tasks: vec![serving, member] }
    }
}

/// Registers whenever it must, and sends heartbeats.
async fn belong(
    worker_id: String,
    address: String,
    coordinator: SocketAddr,
    secret: ClusterSecret,
    script: Arc<Mutex<Script>>,
) {
    let url = format!("http://{coordinator}");
    let channel = connect_peer(&url, &secret).expect("a URL");
    let mut client = MembershipServiceClient::new(channel);
    let instance = script.lock().instance.clone();
    loop {
        let (generation, shards, silent, process) = {
            let script = script.lock();
            (script.generation, script.marks.clone(), script.silent, script.process.clone())
        };
        if silent {
            return;
        }
        let heartbeat = HeartbeatRequest {
            worker_id: worker_id.clone(),
            generation,
            resident_bytes: 1,
            shards,
            apply_version: script.lock().apply_version,
            process,
        };
        if client.heartbeat(heartbeat).await.is_err() {
            let request = RegisterRequest {
                worker_id: worker_id.clone(),
                address: address.clone(),
                instance: instance.clone(),
                apply_version: script.lock().apply_version,
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

    /// An answer as workers send it.
    fn answer<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        set_applied(response.metadata_mut(), self.script.lock().applied);
        response
    }

    fn open(&self, version: &str) -> Result<(), Status> {
        if self.script.lock().damaged.contains(version) {
            return Err(damaged(version));
        }
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

/// VERSION_GONE of a version with a damaged file, as workers say it.
fn damaged(version: &str) -> Status {
    use mercer_common::rpc::status::{Describe, Description};
    #[derive(Debug, thiserror::Error)]
    #[error("version `{0}` is damaged here: a file is cut")]
    struct Damaged(String);
    impl Describe for Damaged {
        fn describe(&self) -> Description {
            Description::new(tonic::Code::FailedPrecondition, "VERSION_GONE")
                .with("version", &self.0)
                .with("damage", "a file is cut")
        }
    }
    Damaged(version.to_owned()).to_status()
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
