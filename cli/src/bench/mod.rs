//! `mercer bench`: figures, measured where the work is done and never asserted.

mod decisions;
mod factors;
mod ingest;
mod matrix;
mod open_loop;
mod peer;
mod plan;
mod process;
mod recommend;
mod replay;
mod soak;
mod train;
mod workload;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    local::{LocalCluster, LocalOptions},
    show::output::Format,
};

/// Measure Mercer on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BenchCommand {
    Ingest(ingest::IngestArgs),
    Recommend(recommend::RecommendArgs),
    Decisions(decisions::DecisionsArgs),
    Plan(plan::PlanArgs),
    Train(train::TrainArgs),
    Factors(factors::FactorsArgs),
    Replay(replay::ReplayArgs),
    Soak(soak::SoakArgs),
}

/// Runs the command.
pub(crate) async fn run(args: BenchArgs, format: Format) -> Result<()> {
    match args.command {
        BenchCommand::Ingest(args) => ingest::run(args, format).await,
        BenchCommand::Recommend(args) => recommend::run(args, format).await,
        BenchCommand::Decisions(args) => decisions::run(args, format).await,
        BenchCommand::Plan(args) => plan::run(args, format).await,
        BenchCommand::Train(args) => train::run(args, format),
        BenchCommand::Factors(args) => factors::run(args, format),
        BenchCommand::Replay(args) => replay::run(args, format).await,
        BenchCommand::Soak(args) => soak::run(args, format).await,
    }
}

/// A cluster of the benchmark's own, in this process and a temporary folder.
struct OwnCluster {
    cluster: LocalCluster,
    folder: Folder,
}

/// Folder of the data of the benchmark's own cluster.
enum Folder {
    /// A folder that is removed when the benchmark is over.
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl OwnCluster {
    /// Starts a cluster and waits until it serves.
    async fn start(workers: u16, parent: Option<&Path>) -> Result<Self> {
        Self::start_in(workers, parent, None).await
    }

    /// Starts a cluster whose days are those of a time zone, and waits until it serves.
    async fn start_in(
        workers: u16,
        parent: Option<&Path>,
        time_zone: Option<&str>,
    ) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("making the folder {}", parent.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("mercer-bench-")
            .tempdir_in(&parent)
            .with_context(|| format!("making a folder in {}", parent.display()))?;
        Self::start_on(workers, Folder::Temporary(folder), time_zone).await
    }

    /// Starts a cluster in a new folder that stays, and waits until it serves.
    async fn start_kept(workers: u16, folder: &Path) -> Result<Self> {
        if folder.exists() {
            bail!("{} exists already; name a new folder to keep the data in", folder.display());
        }
        Self::start_on(workers, Folder::Kept(folder.to_owned()), None).await
    }

    async fn start_on(workers: u16, folder: Folder, time_zone: Option<&str>) -> Result<Self> {
        let options = LocalOptions {
            data_dir: folder.path().to_owned(),
            listen: Some("127.0.0.1:0".into()),
            workers: Some(workers),
            time_zone: time_zone.map(Into::into),
            ..LocalOptions::default()
        };
        let cluster = LocalCluster::start(&options).await?;
        cluster.ready().await;
        Ok(Self { cluster, folder })
    }

    /// A folder of the cluster's.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What must be said to open a folder that exists.
#[derive(Debug, clap::Args)]
struct FolderArgs {
    /// Number of workers; as many as the folder holds when left out.
    #[arg(long)]
    workers: Option<u16>,
    /// Number of shards, when the folder has others than the configuration.
    #[arg(long, value_name = "S")]
    shards: Option<u16>,
    /// Time zone, when the folder has another one than the configuration.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl FolderArgs {
    /// A cluster on the folder, on a free port.
    fn options(self, data_dir: PathBuf) -> Result<LocalOptions> {
        let found = (1..=64).take_while(|n| data_dir.join(format!("worker-{n}")).is_dir()).count();
        if found == 0 {
            bail!("{} holds no worker-1: it is not a folder of `mercer up`", data_dir.display());
        }
        Ok(LocalOptions {
            workers: Some(self.workers.unwrap_or(u16::try_from(found)?)),
            data_dir,
            config: self.config,
            listen: Some("127.0.0.1:0".into()),
            shards: self.shards,
            time_zone: self.time_zone,
            ..LocalOptions::default()
        })
    }
}

/// Latencies in milliseconds.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
    max: f64,
}

impl Latency {
    /// Reads quantiles off a histogram of microseconds.
    fn of(histogram: &Histogram<u64>) -> Self {
        let millis = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Self { p50: millis(0.5), p99: millis(0.99), p999: millis(0.999), max: millis(1.0) }
    }

    /// Text for people.
    fn text(&self) -> String {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
            self.p50, self.p99, self.p999, self.max
        )
    }
}

/// A histogram of microseconds up to a minute, to three digits.
fn microseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds")
}
