//! A whole cluster in this process: one coordinator and some workers that talk over loopback TCP,
//! started as the separate processes are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use mercer_common::{clock::SystemClock, config::Config, descriptors};
use mercer_coordinator::{Coordinator, CoordinatorHandle};
use mercer_worker::{Worker, WorkerHandle};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::client;

/// Settings of a cluster in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalOptions {
    /// Holds `log`, `metadata`, `artifacts` and a folder for each worker.
    pub(crate) data_dir: PathBuf,
    /// A TOML file below the other options.
    pub(crate) config: Option<PathBuf>,
    /// Address of the public API; the configured one when absent.
    pub(crate) listen: Option<String>,
    /// Number of workers; the configured one when absent.
    pub(crate) workers: Option<u16>,
    /// Number of shards; the configured one when absent.
    pub(crate) shards: Option<u16>,
    /// Decides local days; the configured one when absent.
    pub(crate) time_zone: Option<String>,
    /// Allow a bind that is not loopback.
    pub(crate) insecure_plaintext: bool,
}

/// A running cluster.
pub(crate) struct LocalCluster {
    coordinator: CoordinatorHandle,
    workers: Vec<WorkerHandle>,
}

/// Longest time that a shutdown may take.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(30);

impl LocalOptions {
    /// The configuration of the coordinator.
    fn coordinator(&self) -> Result<Config> {
        let mut flags = json!({
            "coordinator": {
                "data_dir": self.data_dir,
                // Only this process needs it.
                "internal_listen": "127.0.0.1:0",
            },
            "artifacts": { "url": file_url(&self.data_dir.join("artifacts"))? },
        });
        let mut set = |table: &str, key: &str, value: Option<Value>| {
            if let Some(value) = value {
                flags[table][key] = value;
            }
        };
        set("coordinator", "listen", self.listen.clone().map(Value::from));
        set("cluster", "workers", self.workers.map(Value::from));
        set("cluster", "shards", self.shards.map(Value::from));
        set("cluster", "time_zone", self.time_zone.clone().map(Value::from));
        let insecure = self.insecure_plaintext.then_some(Value::from(true));
        set("coordinator", "insecure_plaintext", insecure);
        Ok(Config::load(self.config.as_deref(), flags)?)
    }
}

fn file_url(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(path) => Ok(format!("file://{path}")),
        None => bail!("{} is not UTF-8", path.display()),
    }
}

impl LocalCluster {
    /// Starts the coordinator and all workers; does not wait for them to be ready.
    pub(crate) async fn start(options: &LocalOptions) -> Result<Self> {
        let folder = &options.data_dir;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let config = options.coordinator()?;
        descriptors::raise_limit();
        let coordinator = Coordinator::start(config.clone(), Arc::new(SystemClock)).await?;
        let mut cluster = Self { coordinator, workers: Vec::new() };
        for number in 1..=config.cluster.workers {
            let config = cluster.worker_config(&config, folder, number);
            let started = Worker::join(config, cluster.coordinator.secret().clone()).await;
            match started {
                Ok(worker) => cluster.workers.push(worker),
                Err(error) => {
                    cluster.shutdown().await;
                    return Err(error.into());
                }
            }
        }
        Ok(cluster)
    }

    fn worker_config(&self, config: &Config, folder: &Path, number: u16) -> Config {
        let mut config = config.clone();
        config.worker.id = format!("worker-{number}");
        config.worker.data_dir = folder.join(&config.worker.id);
        config.worker.coordinator = format!("http://{}", self.coordinator.internal_address());
        config.worker.listen = "127.0.0.1:0".into();
        config.worker.advertise = String::new();
        config
    }

    /// URL of the public API.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.coordinator.public_address())
    }

    /// A connection to the public API.
    pub(crate) async fn connect(&self) -> Result<Channel> {
        client::connect(&self.endpoint()).await
    }

    /// Waits until all shards have caught up with the log.
    pub(crate) async fn ready(&self) {
        for worker in &self.workers {
            worker.ready().await;
        }
    }

    /// Stops the coordinator, then the workers; names who is late.
    pub(crate) async fn shutdown(self) -> Vec<String> {
        let mut late = self.coordinator.shutdown(SHUTDOWN).await;
        for worker in self.workers {
            late.extend(worker.shutdown(SHUTDOWN).await);
        }
        late
    }
}
