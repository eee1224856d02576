//! Starts and stops a coordinator.

#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mercer_algorithms::forecast::Method;
use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    clock::SharedClock,
    config::{Config, ConfigError},
    log::{EventLog, embedded::EmbeddedLog},
    metadata::{Metadata, MetadataError, MetadataOpenError},
    process::Process,
    secret::{ClusterSecret, SecretError},
    shutdown::{Phase, Tasks},
    space::Floor,
};
use thiserror::Error;

use crate::{
    ask::{Decisions, Engine, Fanout, algorithm},
    backup::{Backups, Locks},
    cluster::{
        identity::{Identity, IdentityError},
        membership::Membership,
        versions::Versions,
        workers::Workers,
    },
    data_folder::{self, FolderError},
    defaults::decision_defaults,
    domain::{
        catalog::Catalog,
        experiment::{Experiments, Reports},
        inventory::Policies,
        recommend::Recommender,
    },
    health,
    imports::{Imports, ImportsError},
    ingest::{ApplyVersionError, ApplyVersions, Ingest, Room},
    jobs::{JobDefaults, JobSpace, JobStore, Runner},
    overview::Overview,
    server::{ListenError, Servers},
    service::{self, Parts},
};

/// Why a coordinator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on, or must not be.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Log or metadata cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The metadata cannot be read.
    #[error("coordinator.data_dir: {0}")]
    Metadata(#[from] MetadataError),
    /// The configuration contradicts what the cluster was created with.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The registers of imports cannot be used.
    #[error(transparent)]
    Imports(#[from] ImportsError),
    /// The artifact folder cannot be used.
    #[error("artifacts.url: {0}")]
    Artifacts(#[from] ArtifactError),
    /// What records mean is not known, or cannot be noted.
    #[error(transparent)]
    ApplyVersion(#[from] ApplyVersionError),
    /// A value is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cluster's secret cannot be used or made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The process is out of threads.
    #[error("the data folder {} could not be opened: {error}", folder.display())]
    Interrupted {
        /// Path of the folder.
        folder: PathBuf,
        /// How its thread ended.
        #[source]
        error: tokio::task::JoinError,
    },
}

/// How long a start that was refused waits for its servers to end.
const REFUSED: Duration = Duration::from_secs(2);

/// Starts coordinators.
#[derive(Debug)]
pub enum Coordinator {}

impl Coordinator {
    /// Listens, opens log and metadata under `coordinator.data_dir`, and serves.
    ///
    /// # Errors
    /// Names the configuration key at fault.
    pub async fn start(
        config: Config,
        clock: SharedClock,
    ) -> Result<CoordinatorHandle, StartError> {
        let tasks = Tasks::new();
        let opened = async {
            let secret = secret(&config)?;
            let servers = Servers::start(&config, secret, &tasks).await?;
            let (log, metadata) = open(&config, &servers, &tasks).await?;
            let embedded = Some(Arc::clone(&log));
            start(config, clock, servers, log, embedded, metadata, tasks.clone()).await
        };
        all_or_nothing(opened.await, &tasks).await
    }

    /// Listens, and serves over a log and metadata of any kind, which stay open when it has stopped.
    ///
    /// # Errors
    /// Names the configuration key at fault.
    pub async fn serve(
        config: Config,
        clock: SharedClock,
        log: Arc<dyn EventLog>,
        metadata: Arc<dyn Metadata>,
    ) -> Result<CoordinatorHandle, StartError> {
        let tasks = Tasks::new();
        let servers = Servers::start(&config, secret(&config)?, &tasks).await?;
        let started = start(config, clock, servers, log, None, metadata, tasks.clone()).await;
        all_or_nothing(started, &tasks).await
    }
}

/// A running coordinator. Dropping it asks it to stop without waiting.
#[derive(Debug)]
pub struct CoordinatorHandle {
    public_address: SocketAddr,
    internal_address: SocketAddr,
    secret: ClusterSecret,
    tasks: Tasks,
}

impl CoordinatorHandle {
    /// Where the public API listens.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public_address
    }

    /// Where workers find the coordinator.
    #[must_use]
    pub fn internal_address(&self) -> SocketAddr {
        self.internal_address
    }

    /// What workers prove to it that they belong to the cluster.
    #[must_use]
    pub fn secret(&self) -> &ClusterSecret {
        &self.secret
    }

    /// Finishes queries and acknowledgements, stops, and returns the names of tasks that did not
    /// stop within `limit`. A running job goes on when a coordinator starts again.
    pub async fn shutdown(self, limit: Duration) -> Vec<String> {
        self.tasks.shut_down(limit).await
    }
}

/// Ends the servers of a start that was refused: their addresses are free when the caller hears of it.
async fn all_or_nothing(
    started: Result<CoordinatorHandle, StartError>,
    tasks: &Tasks,
) -> Result<CoordinatorHandle, StartError> {
    if started.is_err() {
        tasks.shut_down(REFUSED).await;
    }
    started
}

/// The secret by which the cluster's processes know each other.
fn secret(config: &Config) -> Result<ClusterSecret, SecretError> {
    ClusterSecret::established(&config.cluster, &config.coordinator.data_dir)
}

/// Opens what is in the folder.
async fn open(
    config: &Config,
    servers: &Servers,
    tasks: &Tasks,
) -> Result<(Arc<EmbeddedLog>, Arc<dyn Metadata>), StartError> {
    let folder = config.coordinator.data_dir.clone();
    let open = {
        let (config, stop) = (config.clone(), tasks.stopping(Phase::Frontend));
        let opening = Arc::clone(&servers.opening);
        move || data_folder::open_telling(&config, stop, &opening)
    };
    let (log, metadata) = tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| StartError::Interrupted { folder, error })??;
    metadata.settle().await.map_err(MetadataOpenError::from).map_err(FolderError::from)?;
    Ok((log, Arc::new(metadata)))
}

/// Wires the parts and serves; log and metadata may be of any kind, and are backed up when they are
/// `embedded`.
pub(crate) async fn start(
    config: Config,
    clock: SharedClock,
    servers: Servers,
    log: Arc<dyn EventLog>,
    embedded: Option<Arc<EmbeddedLog>>,
    metadata: Arc<dyn Metadata>,
    tasks: Tasks,
) -> Result<CoordinatorHandle, StartError> {
    check_default_algorithm(&config)?;
    check_methods(&config)?;
    let artifacts = ArtifactStore::open(&config.artifacts.folder()?)?;
    let identity = Identity::establish(&*metadata, &config.cluster, log.identity()).await?;
    let identity = identity.descending_from(&log.identity().ancestors);
    let workers = Arc::new(Workers::new(servers.secret.clone()));
    let membership = Membership::load(
        Arc::clone(&metadata),
        Arc::clone(&log),
        Arc::clone(&clock),
        Arc::clone(&workers),
        identity.layout(),
        config.cluster.workers,
        config.coordinator.worker_timeout_seconds,
    )
    .await?;
    let membership = Arc::new(membership);
    let versions = Arc::new(Versions::load(Arc::clone(&metadata)).await?);
    let experiments =
        Experiments::load(Arc::clone(&metadata), Arc::clone(&clock), Arc::clone(&versions)).await?;
    let files = artifacts.jobs()?;
    let jobs = JobStore::load(Arc::clone(&metadata), Arc::clone(&clock), &files).await?;
    let jobs = Arc::new(jobs);

    let fanout = Fanout::new(Arc::clone(&membership), Arc::clone(&workers), Arc::clone(&log));
    let ingest = Arc::new(Ingest::new(
        Arc::clone(&log),
        Arc::clone(&clock),
        Arc::clone(&identity.context),
        Room::new(fanout.clone(), log.end() == 0),
        &config.admission,
    ));
    let locks = Locks::default();
    let floors = floors(&config, artifacts.folder());
    let set_aside = data_folder::set_aside(&config.coordinator.data_dir, artifacts.folder());
    let backups = embedded.map(|log| {
        let (metadata, artifacts) = (Arc::clone(&metadata), artifacts.clone());
        let (locks, floors, clock) = (locks.clone(), floors.clone(), Arc::clone(&clock));
        Arc::new(Backups::new(&config, log, metadata, artifacts, locks, floors, clock))
    });
    let imports = Imports::load(
        Arc::clone(&metadata),
        &config.coordinator.data_dir,
        Floor::new(
            "coordinator.free_bytes_floor",
            &config.coordinator.data_dir,
            config.coordinator.free_bytes_floor,
        ),
        locks.imports,
        Arc::clone(&ingest),
        Arc::clone(&clock),
    )
    .await?;
    let apply_versions = ApplyVersions::load(
        metadata,
        Arc::clone(&log),
        Arc::clone(&ingest),
        Arc::clone(&membership),
    )
    .await?;
    let runner = Runner {
        jobs: Arc::clone(&jobs),
        log: Arc::clone(&log),
        layout: identity.layout(),
        membership: Arc::clone(&membership),
        workers: Arc::clone(&workers),
        versions: Arc::clone(&versions),
        artifacts,
        removing: locks.artifacts,
        task_attempts: config.training.task_attempts,
        keep_versions: config.training.keep_versions,
        stopping: tasks.stopping(Phase::Frontend),
    };
    let id_hasher = identity.context.id_hasher();
    let process = Arc::new(Process::new(Arc::clone(&clock), floors.clone(), set_aside));
    let engine = Engine {
        fanout,
        versions: Arc::clone(&versions),
        identity: identity.clone(),
        log: Arc::clone(&log),
    };
    let defaults = decision_defaults(&config);
    let default_algorithm = config.recommend.default_algorithm.clone();
    let experiments = Arc::new(experiments);
    let parts = Parts {
        catalog: Arc::new(Catalog { engine: engine.clone() }),
        recommender: Arc::new(Recommender {
            engine: engine.clone(),
            clock,
            default_algorithm: default_algorithm.clone(),
            experiments: Arc::clone(&experiments),
            ingest: Arc::clone(&ingest),
        }),
        decisions: Arc::new(Decisions { engine: engine.clone(), defaults: defaults.clone() }),
        policies: Arc::new(Policies { engine: engine.clone(), defaults }),
        reports: Arc::new(Reports {
            engine: engine.clone(),
            experiments: Arc::clone(&experiments),
        }),
        overview: Arc::new(Overview {
            engine,
            membership: Arc::clone(&membership),
            ingest: Arc::clone(&ingest),
            process,
            default_algorithm,
        }),
        ingest,
        experiments,
        identity,
        log: Arc::clone(&log),
        versions,
        membership: Arc::clone(&membership),
        jobs,
        backups,
        job_defaults: JobDefaults::new(&config, id_hasher),
        job_space: Arc::new(JobSpace::new(floors, Arc::clone(&membership))),
        batch_streams: config.admission.batch_streams,
        imports: Arc::new(imports),
        tasks: tasks.clone(),
    };

    // Nothing was written before the folder was found to be in order.
    keep(servers.secret.clone()).await?;
    let Servers { public_address, internal_address, .. } = servers;
    let secret = servers.secret.clone();
    servers.take_over(service::with_reflection(service::public(&parts)), service::internal(&parts));
    let stopping = tasks.stopping(Phase::Frontend);
    tasks.spawn(
        Phase::Frontend,
        "health",
        health::report(servers.health, membership, log, stopping),
    );
    let stopping = tasks.stopping(Phase::Frontend);
    tasks.spawn(Phase::Frontend, "cluster secret", secret.clone().follow(stopping));
    tasks.spawn(Phase::Frontend, "job runner", runner.run());
    let stopping = tasks.stopping(Phase::Frontend);
    tasks.spawn(Phase::Frontend, "apply version", apply_versions.run(stopping));
    tracing::info!(%public_address, %internal_address, "coordinator serves");
    Ok(CoordinatorHandle { public_address, internal_address, secret, tasks })
}

/// Writes the secret, where it is a new one, before anybody is told of it.
async fn keep(secret: ClusterSecret) -> Result<(), StartError> {
    let path = secret.file().map(Path::to_owned);
    let kept = tokio::task::spawn_blocking(move || secret.keep()).await;
    let folder = path.unwrap_or_default();
    Ok(kept.map_err(|error| StartError::Interrupted { folder, error })??)
}

/// Where the coordinator, and all that train, need space.
fn floors(config: &Config, artifacts: &Path) -> Vec<Floor> {
    let coordinator = &config.coordinator;
    let floor = |folder: &Path| {
        Floor::new("coordinator.free_bytes_floor", folder, coordinator.free_bytes_floor)
    };
    vec![floor(&coordinator.data_dir), floor(artifacts)]
}

fn check_default_algorithm(config: &Config) -> Result<(), ConfigError> {
    let name = &config.recommend.default_algorithm;
    if name == algorithm::AUTO {
        return Ok(());
    }
    algorithm::resolve(name, algorithm::POPULAR).map(|_| ()).map_err(|invalid| {
        ConfigError::Invalid { key: "recommend.default_algorithm", reason: invalid.to_string() }
    })
}

fn check_methods(config: &Config) -> Result<(), ConfigError> {
    for name in &config.demand.methods {
        if Method::parse(name).is_none() {
            let known = Method::ALL.map(Method::name).join(", ");
            let reason = format!("`{name:.64}` is no method of forecasting; there are {known}");
            return Err(ConfigError::Invalid { key: "demand.methods", reason });
        }
    }
    Ok(())
}
