//! Configuration: defaults, then a TOML file, then `MERCER_SECTION__KEY`, then flags.

mod check;
mod decisions;
mod floor;
mod recommend;

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use decisions::{DemandConfig, DemandForm, InventoryConfig, PriceConfig, Service};
pub use floor::FreeBytesFloor;
pub use recommend::{
    ContentConfig, EventWeights, FactorsConfig, LearnConfig, LinearConfig, Matrix, RecommendConfig,
    RepurchaseConfig, SimilarityConfig, TransitionsConfig, TrendsConfig,
};

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What all processes agree on.
    pub cluster: ClusterConfig,
    /// The coordinator process.
    pub coordinator: CoordinatorConfig,
    /// A worker process.
    pub worker: WorkerConfig,
    /// Where artifacts are.
    pub artifacts: ArtifactsConfig,
    /// Settings of recommendation.
    pub recommend: RecommendConfig,
    /// Forecasts of demand.
    pub demand: DemandConfig,
    /// Elasticities and prices.
    pub price: PriceConfig,
    /// Settings of orders.
    pub inventory: InventoryConfig,
    /// Settings of training.
    pub training: TrainingConfig,
    /// Settings of answers.
    pub serving: ServingConfig,
    /// Admission of public calls.
    pub admission: AdmissionConfig,
}

/// What all processes agree on; shards, currency and time zone are fixed at creation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Workers that must join before shards are assigned.
    pub workers: u16,
    /// Shards, 1 to 64; 2 to 4 times the largest number of workers.
    pub shards: u16,
    /// ISO 4217 code of the currency.
    pub currency: String,
    /// IANA name; decides local days.
    pub time_zone: String,
    /// File with what the cluster's processes prove to each other that they belong together: one
    /// secret a line, readable by its owner alone; the first is sent, all are accepted. Empty means
    /// `secret` in the coordinator's `data_dir`, which the coordinator makes; a worker must be told.
    pub secret_file: PathBuf,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            workers: 1,
            shards: 16,
            currency: "USD".into(),
            time_zone: "UTC".into(),
            secret_file: PathBuf::new(),
        }
    }
}

/// The coordinator process.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoordinatorConfig {
    /// Address of the public API.
    pub listen: String,
    /// Address for workers.
    pub internal_listen: String,
    /// Folder of log and metadata.
    pub data_dir: PathBuf,
    /// Folder of backups; empty means `backups` in `data_dir`.
    pub backup_dir: PathBuf,
    /// Allow a bind that is not loopback although nothing is encrypted.
    pub insecure_plaintext: bool,
    /// Seconds without heartbeat after which a worker is not live.
    pub worker_timeout_seconds: f64,
    /// Bytes below which no job is started, so that the log can go on; `auto` is 1 GiB, or a
    /// twentieth of a small file system, and 0 none.
    pub free_bytes_floor: FreeBytesFloor,
    /// Bytes held back for the moment when the disk is full: metadata and an orderly end still fit
    /// then. At most a twentieth of the file system; 0 for none.
    pub reserve_bytes: u64,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7400".into(),
            internal_listen: "127.0.0.1:7401".into(),
            data_dir: "mercer-data".into(),
            backup_dir: PathBuf::new(),
            insecure_plaintext: false,
            worker_timeout_seconds: 3.0,
            free_bytes_floor: FreeBytesFloor::Auto,
            reserve_bytes: 64 << 20,
        }
    }
}

impl CoordinatorConfig {
    /// Folder of backups.
    #[must_use]
    pub fn backup_folder(&self) -> PathBuf {
        if self.backup_dir.as_os_str().is_empty() {
            return self.data_dir.join("backups");
        }
        self.backup_dir.clone()
    }
}

/// A worker process.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Stable name; its folder and shards belong to it.
    pub id: String,
    /// URL of the coordinator's internal address.
    pub coordinator: String,
    /// Address to listen on; port 0 picks a free one.
    pub listen: String,
    /// URL at which the coordinator reaches this worker; empty means `http://` + `listen`.
    pub advertise: String,
    /// Folder of snapshots and results.
    pub data_dir: PathBuf,
    /// Allow a bind that is not loopback although nothing is encrypted.
    pub insecure_plaintext: bool,
    /// Seconds between two snapshot ticks; every tick writes the shards that are due.
    pub snapshot_seconds: f64,
    /// Records after which a shard is due for a snapshot, once they are an eighth of all it has:
    /// bounds the replay after a crash.
    pub snapshot_records: u64,
    /// Threads of the compute pool; 0 means one per core.
    pub threads: usize,
    /// Bytes below which no task of a job is run and no snapshot written; `auto` is 1 GiB, or a
    /// twentieth of a small file system, and 0 none.
    pub free_bytes_floor: FreeBytesFloor,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            id: "worker-1".into(),
            coordinator: "http://127.0.0.1:7401".into(),
            listen: "127.0.0.1:0".into(),
            advertise: String::new(),
            data_dir: "mercer-data/worker-1".into(),
            insecure_plaintext: false,
            snapshot_seconds: 4.0,
            snapshot_records: 200_000,
            threads: 0,
            free_bytes_floor: FreeBytesFloor::Auto,
        }
    }
}

/// Where artifacts are; the same folder for all processes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArtifactsConfig {
    /// `file://` and an absolute or relative path.
    pub url: String,
    /// Files of up to so many bytes are held in memory while they are open; larger ones are mapped,
    /// which ends the process when somebody cuts one short.
    pub resident_bytes: u64,
    /// Bytes of open files that a worker reads again in a second, to find what has changed on the
    /// disk; 0 for never.
    pub scrub_bytes_per_second: u64,
}

impl Default for ArtifactsConfig {
    fn default() -> Self {
        Self {
            url: "file://mercer-data/artifacts".into(),
            resident_bytes: 1 << 20,
            scrub_bytes_per_second: 8 << 20,
        }
    }
}

impl ArtifactsConfig {
    /// The folder behind the URL.
    ///
    /// # Errors
    /// When the URL has another scheme.
    pub fn folder(&self) -> Result<PathBuf, ConfigError> {
        self.url
            .strip_prefix("file://")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .ok_or_else(|| ConfigError::Invalid {
                key: "artifacts.url",
                reason: format!("`{}` is not file:// and a path", self.url),
            })
    }
}

/// Settings of training.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Published versions kept for rollback, the current one included.
    pub keep_versions: u16,
    /// Attempts at a task before its job fails.
    pub task_attempts: u16,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self { keep_versions: 2, task_attempts: 10 }
    }
}

/// Answers; the same for all workers, or they depend on who answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServingConfig {
    /// All items of a version are scored, and not candidates alone, where the factors that score
    /// them take at most these bytes.
    pub scan_bytes: u64,
}

impl Default for ServingConfig {
    fn default() -> Self {
        Self { scan_bytes: 32 << 20 }
    }
}

/// Admission of public calls.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionConfig {
    /// Open connections; for a further one the idlest leaves. Never more than three eighths of the
    /// descriptors that the process may have.
    pub connections: usize,
    /// Calls under way at once; further ones are shed. Of these and what follows a connection has what
    /// no other wants.
    pub concurrency: usize,
    /// Open Ingest streams; for a further one an idle one ends, or it is shed.
    pub ingest_streams: usize,
    /// Batches of questions under way at once; for a further one an idle one ends, or it is shed.
    pub batch_streams: usize,
    /// Bytes of requests and answers under way; further requests are not read before there is room.
    pub body_bytes: usize,
    /// Decoded bytes of event batches waiting for the log.
    pub ingest_bytes: usize,
    /// Deadline of a call that names none, in seconds.
    pub default_deadline_seconds: f64,
    /// The longest deadline that a call of one answer may ask for, in seconds.
    pub longest_deadline_seconds: f64,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            connections: 1_024,
            concurrency: 1_024,
            ingest_streams: 256,
            batch_streams: 64,
            body_bytes: 256 << 20,
            ingest_bytes: 64 << 20,
            default_deadline_seconds: 30.0,
            longest_deadline_seconds: 60.0,
        }
    }
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is missing, is not TOML, or names a key that does not exist.
    #[error("{}", describe(.0))]
    Load(Box<figment::Error>),
    /// A value is out of its range.
    #[error("{key}: {reason}")]
    Invalid {
        /// Key of the setting.
        key: &'static str,
        /// Description of what is wrong.
        reason: String,
    },
}

/// What is wrong, with which key, and where it is set; one line each.
fn describe(error: &figment::Error) -> String {
    let lines: Vec<String> = error.clone().into_iter().map(describe_one).collect();
    lines.join("\n")
}

/// The line of a single error.
fn describe_one(error: figment::Error) -> String {
    let key = error.path.join(".");
    let problem = match &error.kind {
        Kind::UnknownField(found, known) => {
            // The path may or may not end with the name.
            let table = key.strip_suffix(found.as_str()).unwrap_or(&key).trim_end_matches('.');
            let dot = if table.is_empty() { "" } else { "." };
            format!("{table}{dot}{found} is not a key; there are {}", known.join(", "))
        }
        kind if key.is_empty() => kind.to_string(),
        kind => format!("{key}: {kind}"),
    };
    match error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref()) {
        Some(source) => format!("{source}: {}", problem.trim()),
        None => problem,
    }
}

impl Config {
    /// Loads defaults, `file`, environment, then `flags` (a partial configuration), and checks.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self, ConfigError> {
        let config: Self = Self::figment(file, flags)
            .extract()
            .map_err(|error| ConfigError::Load(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// The layers, each value with its source.
    pub fn figment(file: Option<&Path>, flags: impl Serialize) -> Figment {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        // Other variables with the prefix, such as MERCER_LOG, are not keys.
        let variables = Env::prefixed("MERCER_").filter(|name| name.as_str().contains("__"));
        figment.merge(variables.split("__")).merge(Serialized::globals(flags))
    }
}

#[cfg(test)]
mod tests;
