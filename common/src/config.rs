//! Configuration: defaults, then a TOML file, then `MERCER_SECTION__KEY`, then flags.

mod check;
mod decisions;

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use decisions::{DemandConfig, DemandForm, InventoryConfig, PriceConfig, Service};

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
    /// Recommendation.
    pub recommend: RecommendConfig,
    /// Forecasts of demand.
    pub demand: DemandConfig,
    /// Elasticities and prices.
    pub price: PriceConfig,
    /// Orders.
    pub inventory: InventoryConfig,
    /// Training.
    pub training: TrainingConfig,
    /// Admission of public calls.
    pub admission: AdmissionConfig,
}

/// What all processes agree on; shards, currency and time zone are fixed at creation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Workers that must join before shards are dealt.
    pub workers: u16,
    /// Shards, 1 to 64; 2 to 4 times the largest number of workers.
    pub shards: u16,
    /// ISO 4217 code.
    pub currency: String,
    /// IANA name; decides local days.
    pub time_zone: String,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { workers: 1, shards: 16, currency: "USD".into(), time_zone: "UTC".into() }
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
    /// Allow a bind that is not loopback although nothing is encrypted.
    pub insecure_plaintext: bool,
    /// Seconds without heartbeat after which a worker is not live.
    pub worker_timeout_seconds: f64,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7400".into(),
            internal_listen: "127.0.0.1:7401".into(),
            data_dir: "mercer-data".into(),
            insecure_plaintext: false,
            worker_timeout_seconds: 3.0,
        }
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
    /// Records after which a shard is due for a snapshot: bounds the replay after a crash.
    pub snapshot_records: u64,
    /// Threads of the compute pool; 0 means one per core.
    pub threads: usize,
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
        }
    }
}

/// Where artifacts are; the same folder for all processes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArtifactsConfig {
    /// `file://` and an absolute or relative path.
    pub url: String,
}

impl Default for ArtifactsConfig {
    fn default() -> Self {
        Self { url: "file://mercer-data/artifacts".into() }
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

/// Recommendation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendConfig {
    /// `p3`, `item-cosine` or `popular`.
    pub default_algorithm: String,
    /// Latest distinct items of a user that count.
    pub history_cap: u32,
    /// Neighbours kept per item.
    pub top_k: u32,
    /// Half-life of an event's weight in days; 0 means no decay.
    pub half_life_days: f64,
    /// `binary`: a user-item value is 1 where its weight is positive; `weighted`: its weight.
    pub matrix: Matrix,
    /// Multiply purchases and returns by ln(1 + quantity).
    pub log_quantity: bool,
    /// Weight of an event by type.
    pub weights: EventWeights,
}

/// What a cell of the user-item matrix holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// 1 where the sum of weights is positive.
    #[default]
    Binary,
    /// The sum of weights where it is positive.
    Weighted,
}

/// Weight of an event by type.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the event types")]
pub struct EventWeights {
    pub view: f32,
    pub click: f32,
    pub favourite: f32,
    pub add_to_cart: f32,
    pub purchase: f32,
    pub r#return: f32,
    /// Multiplies the rating's value.
    pub rating: f32,
}

impl Default for EventWeights {
    fn default() -> Self {
        Self {
            view: 1.0,
            click: 1.0,
            favourite: 3.0,
            add_to_cart: 3.0,
            purchase: 5.0,
            r#return: -5.0,
            rating: 1.0,
        }
    }
}

impl EventWeights {
    /// Indexed by the number of `mercer.v1.EventType`.
    #[must_use]
    pub fn by_type(&self) -> [f32; 8] {
        [
            0.0,
            self.view,
            self.click,
            self.favourite,
            self.add_to_cart,
            self.purchase,
            self.r#return,
            self.rating,
        ]
    }
}

impl Default for RecommendConfig {
    fn default() -> Self {
        Self {
            default_algorithm: "p3".into(),
            history_cap: 500,
            top_k: 100,
            half_life_days: 0.0,
            matrix: Matrix::Binary,
            log_quantity: false,
            weights: EventWeights::default(),
        }
    }
}

/// Training.
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

/// Admission of public calls.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionConfig {
    /// Calls under way at once; further ones are shed.
    pub concurrency: usize,
    /// Open Ingest streams; further ones are shed.
    pub ingest_streams: usize,
    /// Batches of questions under way at once; further ones are shed.
    pub batch_streams: usize,
    /// Decoded bytes of event batches waiting for the log.
    pub ingest_bytes: usize,
    /// Deadline of a call that names none, in seconds.
    pub default_deadline_seconds: f64,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            concurrency: 1_024,
            ingest_streams: 256,
            batch_streams: 64,
            ingest_bytes: 64 << 20,
            default_deadline_seconds: 30.0,
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
        /// Which key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// What is wrong, with which key, and where it is set; one line each.
fn describe(error: &figment::Error) -> String {
    let one = |error: figment::Error| {
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
    };
    error.clone().into_iter().map(one).collect::<Vec<_>>().join("\n")
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
