//! `mercer bench replay`: how long a cluster takes from its folder to serving.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{FolderArgs, process};
use crate::{
    client,
    local::LocalCluster,
    show::{
        output::{self, Format},
        progress,
    },
};

/// Start a cluster on an existing folder and time it until all shards serve.
///
/// Kill `mercer up` with kill -9 first to see what a crash costs.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// Folder of `mercer up` or `mercer demo`, which must not be running.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Remove the workers' folders first, so that they are rebuilt from the log alone.
    #[arg(long)]
    from_log: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    workers: u16,
    shards: u32,
    items: u64,
    users: u64,
    events: u64,
    replayed_records: u64,
    records_per_second: f64,
    seconds: f64,
    slowest_shard_seconds: f64,
    peak_resident_bytes: Option<u64>,
}

/// Runs the command.
pub(super) async fn run(args: ReplayArgs, format: Format) -> Result<()> {
    let options = args.folder.options(args.data_dir)?;
    let workers = options.workers.unwrap_or_default();
    if args.from_log {
        for worker in 1..=workers {
            let folder = options.data_dir.join(format!("worker-{worker}"));
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("removing {}", folder.display()))?;
        }
    }
    let spinner = progress::spinner("replaying");
    let started = Instant::now();
    let cluster = LocalCluster::start(&options).await?;
    cluster.ready().await;
    let seconds = started.elapsed().as_secs_f64();
    spinner.finish_and_clear();
    let channel = cluster.connect().await?;
    let described = client::describe(&channel, "").await;
    cluster.shutdown().await;
    let described = described?;
    let shards = &described.shards;
    let replayed_records: u64 = shards.iter().map(|shard| shard.last_replay_records).sum();
    let answer = Answers {
        workers,
        shards: described.shard_count,
        items: shards.iter().map(|shard| shard.items).sum(),
        users: shards.iter().map(|shard| shard.users).sum(),
        events: shards.iter().filter_map(|s| Some(s.item_events.as_ref()?.count)).sum(),
        replayed_records,
        records_per_second: replayed_records as f64 / seconds,
        seconds,
        slowest_shard_seconds: shards.iter().map(|s| s.last_replay_seconds).fold(0.0, f64::max),
        peak_resident_bytes: process::peak_resident(),
    };
    output::print(format, &answer, Answers::table)
}

impl Answers {
    fn table(&self) -> String {
        let mut text = format!(
            "{} shards on {} workers serve after {:.2} s (slowest shard {:.2} s), {} records replayed: {:.0} a second\n\
             {} events, {} items, {} users",
            self.shards,
            self.workers,
            self.seconds,
            self.slowest_shard_seconds,
            output::count(self.replayed_records),
            self.records_per_second,
            output::count(self.events),
            output::count(self.items),
            output::count(self.users),
        );
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!(", peak memory {}", output::bytes(peak)));
        }
        text
    }
}
