//! `mercer up`, `coordinator` and `worker`: processes that run until they are told to stop.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, bail};
use mercer_common::{clock::SystemClock, config::Config, descriptors, shutdown, telemetry};
use mercer_coordinator::Coordinator;
use mercer_worker::Worker;
use serde::Serialize;

use crate::{
    local::{LocalCluster, LocalOptions, SHUTDOWN},
    show::output::{self, Format},
};

/// Run everything on this machine: a coordinator and workers in one process.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder holds log/, metadata/, artifacts/ and one folder per worker; `mercer up` on the same
folder goes on where it stopped. MERCER_LOG filters what is logged, for example
MERCER_LOG=warn or MERCER_LOG=info,mercer_worker=debug.")]
pub(crate) struct UpArgs {
    /// Folder of all data; created when it does not exist.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Address of the public API; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Number of workers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,
    /// Number of shards, 1 to 64; fixed when the folder is created.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=64))]
    shards: Option<u16>,
    /// IANA name of the zone whose days count; fixed when the folder is created.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A TOML file; flags win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Allow an address that is not loopback although nothing is encrypted.
    #[arg(long)]
    insecure_plaintext: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Run one role of a cluster of several processes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`mercer config show` prints all keys with their defaults. A variable such as
MERCER_WORKER__ID=worker-2 wins over the file.")]
pub(crate) struct RoleArgs {
    /// A TOML file; the same one serves all processes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Allow an address that is not loopback although nothing is encrypted.
    #[arg(long)]
    insecure_plaintext: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// How a server logs.
#[derive(Debug, clap::Args)]
struct LogArgs {
    /// `text` or `json` lines on standard error.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = parse_log_format)]
    log_format: telemetry::Format,
}

fn parse_log_format(name: &str) -> Result<telemetry::Format, String> {
    name.parse().map_err(|error: telemetry::UnknownFormat| error.to_string())
}

/// The flags of a role, as a partial configuration.
#[derive(Serialize)]
struct RoleFlags {
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinator: Option<Insecure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<Insecure>,
}

#[derive(Serialize)]
struct Insecure {
    insecure_plaintext: bool,
}

/// Announcement of a server that serves.
#[derive(Debug, Serialize)]
struct Serving {
    endpoint: String,
    data_dir: Option<PathBuf>,
}

/// Runs `mercer up`.
pub(crate) async fn up(args: UpArgs, format: Format) -> Result<()> {
    telemetry::init(args.log.log_format)?;
    let cluster = LocalCluster::start(&LocalOptions {
        data_dir: args.data_dir.clone(),
        config: args.config,
        listen: args.listen,
        workers: args.workers,
        shards: args.shards,
        time_zone: args.time_zone,
        insecure_plaintext: args.insecure_plaintext,
    })
    .await?;
    let stop = shutdown::requested();
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return stopped(cluster.shutdown().await),
        () = cluster.ready() => {}
    }
    let serving = Serving { endpoint: cluster.endpoint(), data_dir: Some(args.data_dir) };
    output::print(format, &serving, |serving| {
        format!(
            "mercer serves at {0}\n\
             next:  mercer import events FILE --endpoint {0}\n       \
             mercer train all --wait --endpoint {0}\n       \
             mercer recommend --user ID --endpoint {0}\n       \
             mercer forecast --item ID --endpoint {0}\n\
             Ctrl-C stops it.",
            serving.endpoint
        )
    })?;
    stop.await;
    stopped(cluster.shutdown().await)
}

/// Runs `mercer coordinator`.
pub(crate) async fn coordinator(args: RoleArgs, format: Format) -> Result<()> {
    telemetry::init(args.log.log_format)?;
    let insecure = args.insecure_plaintext.then_some(Insecure { insecure_plaintext: true });
    let flags = RoleFlags { coordinator: insecure, worker: None };
    let config = Config::load(args.config.as_deref(), flags)?;
    descriptors::raise_limit();
    let handle = Coordinator::start(config, Arc::new(SystemClock)).await?;
    let endpoint = format!("http://{}", handle.public_address());
    output::print(format, &Serving { endpoint, data_dir: None }, |serving| {
        format!("coordinator serves at {}", serving.endpoint)
    })?;
    shutdown::requested().await;
    stopped(handle.shutdown(SHUTDOWN).await)
}

/// Runs `mercer worker`.
pub(crate) async fn worker(args: RoleArgs, format: Format) -> Result<()> {
    telemetry::init(args.log.log_format)?;
    let insecure = args.insecure_plaintext.then_some(Insecure { insecure_plaintext: true });
    let flags = RoleFlags { coordinator: None, worker: insecure };
    let config = Config::load(args.config.as_deref(), flags)?;
    let id = config.worker.id.clone();
    descriptors::raise_limit();
    let handle = Worker::start(config).await?;
    let stop = shutdown::requested();
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return stopped(handle.shutdown(SHUTDOWN).await),
        () = handle.ready() => {}
    }
    let endpoint = format!("http://{}", handle.address());
    output::print(format, &Serving { endpoint, data_dir: None }, |serving| {
        format!("worker {id} serves at {}", serving.endpoint)
    })?;
    stop.await;
    stopped(handle.shutdown(SHUTDOWN).await)
}

/// Fails where tasks did not stop in time.
fn stopped(late: Vec<String>) -> Result<()> {
    if late.is_empty() {
        return Ok(());
    }
    bail!("these tasks did not stop in time: {}", late.join(", "))
}
