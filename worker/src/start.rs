//! Starts and stops a worker.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    clock::SystemClock,
    config::{Config, ConfigError},
    format_file::{FormatError, FormatFile},
    process::Process,
    rpc::{ServerStack, UrlError, connect_peer, serve},
    secret::{ClusterSecret, SecretError},
    shutdown::{Phase, Tasks},
    space::Floor,
};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch};
use tower::Layer as _;

use crate::{
    compute::Compute,
    domain::{self, recommend::Recommender},
    generation::Generation,
    membership::{Member, Name},
    serve::Serving,
    service,
    shard::{
        Shards,
        follow::{
            LaneContext,
            fetch::{Fetcher, LogReader},
        },
        snapshot,
    },
    store::{Store, StoreError},
    supervisor::Supervisor,
    task::TaskRunner,
    version::{OpenVersions, care},
};

/// Why a worker did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("worker.listen: cannot listen on {address}: {error}")]
    Listen {
        /// As configured.
        address: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The address is reachable from other machines, and nothing is encrypted.
    #[error(
        "worker.listen: {address} is not a loopback address and nothing is encrypted; set \
         worker.insecure_plaintext (or --insecure-plaintext) to allow it"
    )]
    Plaintext {
        /// As bound.
        address: SocketAddr,
    },
    /// The cluster's secret is missing or cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// `worker.coordinator` is not a URL.
    #[error("worker.coordinator: {0}")]
    Coordinator(#[source] UrlError),
    /// Another release wrote the folder.
    #[error("worker.data_dir: {0}")]
    Format(#[from] FormatError),
    /// The worker's own database cannot be used.
    #[error("worker.data_dir: {0}")]
    Store(#[from] StoreError),
    /// A snapshot was written by a later release.
    #[error("worker.data_dir: {0}")]
    Snapshot(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The artifact folder cannot be used.
    #[error("artifacts.url: {0}")]
    Artifacts(#[from] ArtifactError),
    /// A value is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The compute threads cannot be started.
    #[error("worker.threads: {0}")]
    Threads(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What serves, for health checks, once the worker has its shards.
const ANSWERS: &str = "mercer.internal.v1.ShardService";

/// Starts workers.
#[derive(Debug)]
pub enum Worker {}

impl Worker {
    /// Listens, and joins the cluster in the background: see [`WorkerHandle::ready`].
    ///
    /// # Errors
    /// Names the configuration key at fault.
    pub async fn start(config: Config) -> Result<WorkerHandle, StartError> {
        let secret = ClusterSecret::configured(&config.cluster)?;
        let worker = Self::join(config, secret.clone()).await?;
        let stopping = worker.tasks.stopping(Phase::Frontend);
        worker.tasks.spawn(Phase::Frontend, "cluster secret", secret.follow(stopping));
        Ok(worker)
    }

    /// As [`Self::start`], with the secret of a coordinator in this process, whatever is configured.
    ///
    /// # Errors
    /// Names the configuration key at fault.
    pub async fn join(config: Config, secret: ClusterSecret) -> Result<WorkerHandle, StartError> {
        let artifacts = ArtifactStore::open(&config.artifacts.folder()?)?;
        let floor = |folder| Floor::new(snapshot::FLOOR, folder, config.worker.free_bytes_floor);
        let floors = [floor(&config.worker.data_dir), floor(artifacts.folder())];
        let artifacts = artifacts
            .with_resident_bytes(config.artifacts.resident_bytes)
            .with_floor(floors[1].clone());
        let format = FormatFile::check(&config.worker.data_dir)?;
        snapshot::check_formats(&config.worker.data_dir)
            .map_err(|error| StartError::Snapshot(error.into()))?;
        let store = Store::open(&config.worker.data_dir)?;
        format.write()?;
        let compute = Compute::shared(config.worker.threads)
            .map_err(|error| StartError::Threads(error.into()))?;
        let (listener, address) = listen(&config).await?;
        let coordinator =
            || connect_peer(&config.worker.coordinator, &secret).map_err(StartError::Coordinator);
        let advertise = match config.worker.advertise.as_str() {
            "" => format!("http://{address}"),
            advertise => advertise.to_owned(),
        };

        let process = Process::new(
            Arc::new(SystemClock),
            floors.into(),
            set_aside_folders(&config.worker.data_dir),
        );
        let worker_id: Arc<str> = config.worker.id.as_str().into();
        let name = Name::new(Arc::clone(&worker_id));
        let generation = Arc::new(Generation::default());
        let shards = Arc::new(Shards::default());
        let versions = Arc::new(OpenVersions::new(artifacts.clone(), &config.worker.data_dir));
        let serving = Arc::new(Serving::new(
            Arc::clone(&shards),
            Arc::clone(&versions),
            Arc::clone(&compute),
        ));
        let recommender = Recommender::new(Arc::clone(&serving), config.serving.scan_bytes);
        let runner = Arc::new(TaskRunner::new(
            artifacts.clone(),
            Arc::clone(&compute),
            Arc::clone(&shards),
            domain::stages(),
        ));
        let (ready, is_ready) = watch::channel(false);
        let log = LogReader {
            channel: coordinator()?,
            worker_id: Arc::clone(&worker_id),
            generation: Arc::clone(&generation),
        };
        let supervisor = Supervisor {
            worker_id: Arc::clone(&worker_id),
            // Heartbeats must get through while sections are fetched.
            member: Member::new(
                coordinator()?,
                name.clone(),
                advertise,
                Arc::clone(&generation),
                Arc::clone(&shards),
                process,
            ),
            generation: Arc::clone(&generation),
            shards: Arc::clone(&shards),
            serving: Arc::clone(&serving),
            versions: Arc::clone(&versions),
            _store: store,
            fetcher: Fetcher {
                lanes: LaneContext::new(compute, artifacts, Arc::new(log.clone())),
                log,
            },
            ready,
            config: config.worker,
        };

        let cared = Arc::clone(&versions);
        let (health, health_service) = tonic_health::server::health_reporter();
        let answers = service::shard_service(serving, recommender, Arc::clone(&generation), name);
        let trains = service::training_service(runner, versions, Arc::clone(&shards), generation);
        let routes = service::routes(health_service, answers, trains);
        let tasks = Tasks::new();
        let stopping = tasks.stopping(Phase::Frontend);
        let stack = ServerStack::internal(&config.admission, &secret);
        let serving = serve(listener, stack.transport(), stack.layer(routes), stopping);
        tasks.spawn(Phase::Frontend, "worker server", serving);
        let stopping = tasks.stopping(Phase::Frontend);
        tasks.spawn(Phase::Frontend, "worker health", {
            let mut is_ready = is_ready.clone();
            async move {
                use tonic_health::ServingStatus::{NotServing, Serving};
                // That it lives, however long it reads the log and whatever becomes of the coordinator.
                health.set_service_status("", Serving).await;
                health.set_service_status(ANSWERS, NotServing).await;
                tokio::select! {
                    () = stopping.cancelled() => return,
                    ready = is_ready.wait_for(|&ready| ready) => if ready.is_err() { return },
                }
                health.set_service_status(ANSWERS, Serving).await;
                stopping.cancelled().await;
                for service in ["", ANSWERS] {
                    health.set_service_status(service, NotServing).await;
                }
            }
        });
        let stopping = tasks.stopping(Phase::Backend);
        let bytes_per_second = config.artifacts.scrub_bytes_per_second;
        tasks.spawn(Phase::Backend, "versions", care(cared, bytes_per_second, stopping));
        let stopping = tasks.stopping(Phase::Backend);
        tasks.spawn(Phase::Backend, "worker", supervisor.run(stopping));
        Ok(WorkerHandle { address, ready: is_ready, shards, tasks })
    }
}

/// A running worker. Dropping it asks it to stop without waiting.
#[derive(Debug)]
pub struct WorkerHandle {
    address: SocketAddr,
    ready: watch::Receiver<bool>,
    shards: Arc<Shards>,
    tasks: Tasks,
}

impl WorkerHandle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The shards that it holds at present.
    #[must_use]
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Waits until it has registered, and all its shards have caught up with the log.
    pub async fn ready(&self) {
        // The sender lives as long as the worker.
        let _ = self.ready.clone().wait_for(|&ready| ready).await;
    }

    /// Finishes queries, stops following the log, snapshots what is new, and returns the names
    /// of tasks that did not stop within `limit`.
    pub async fn shutdown(self, limit: Duration) -> Vec<String> {
        self.tasks.shut_down(limit).await
    }
}

/// Where a worker sets things aside.
fn set_aside_folders(data_dir: &Path) -> Vec<PathBuf> {
    let within = ["shards", "results"].map(|name| data_dir.join(name));
    [data_dir.to_owned()].into_iter().chain(within).collect()
}

async fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address: config.worker.listen.clone(), error };
    let listener = TcpListener::bind(&config.worker.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    if !address.ip().is_loopback() && !config.worker.insecure_plaintext {
        return Err(StartError::Plaintext { address });
    }
    Ok((listener, address))
}
