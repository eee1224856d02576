//! `mercer backup`: make, check and restore backups of the cluster of one machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use mercer_common::clock::SystemClock;
use mercer_coordinator::{Backup, BackupProgress, Backups};
use mercer_proto::v1::{
    CreateBackupRequest, cluster_service_client::ClusterServiceClient,
    create_backup_response::Response as Part,
};
use tokio::sync::watch;

use crate::{
    client::ClientArgs,
    show::{
        backup::{BackupRow, RestoredRow},
        output::{self, Format},
        progress::{self, Unit},
    },
};

/// Make, check or restore a backup of log, metadata, versions and snapshots.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: BackupCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BackupCommand {
    Create(CreateArgs),
    Verify(VerifyArgs),
    Restore(RestoreArgs),
}

/// Make a backup of a running cluster, or with --data-dir of one that is stopped, and check it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A running coordinator makes it in its folder of backups (coordinator.backup_dir, else `backups` in its
data folder), while it goes on serving. Files are linked where they can be: a backup takes little
space until the original goes, and is of use against mistakes only. Against the loss of the disk copy
its folder to another machine; any tool will do, for nothing in it changes any more.")]
struct CreateArgs {
    /// Its name; named after the time when it is not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Data folder of a coordinator, or of `mercer up`, that is stopped.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder of the stopped cluster's artifacts; `artifacts` in the data folder when it is not given.
    #[arg(long, value_name = "DIR", requires = "data_dir")]
    artifacts: Option<PathBuf>,
    /// Folder in which the backup of a stopped cluster is made; `backups` in the data folder when it
    /// is not given.
    #[arg(long, value_name = "DIR", requires = "data_dir")]
    out: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Read every byte of a backup and say what is damaged or missing; fails when anything is.
#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// Folder of the backup.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
}

/// Make a data folder of a backup.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`mercer up --data-dir DIR` goes on from there. For a cluster of several processes, DIR is the
coordinator.data_dir and DIR/artifacts the artifacts.url; workers may start with the folders that they
have, or with empty ones. What was acknowledged after the backup is lost: clients' tokens of it are
refused. A job that was running is marked as failed.")]
struct RestoreArgs {
    /// Folder of the backup.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The data folder, which must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Runs the command.
pub(crate) async fn run(args: BackupArgs, format: Format) -> Result<()> {
    match args.command {
        BackupCommand::Create(args) => create(args, format).await,
        BackupCommand::Verify(args) => verify(&args, format),
        BackupCommand::Restore(args) => restore(&args, format).await,
    }
}

async fn create(args: CreateArgs, format: Format) -> Result<()> {
    let bar = progress::bar("backing up", 0, Unit::Bytes);
    let made = match &args.data_dir {
        Some(data_dir) => create_of_stopped(&args, data_dir, &bar).await,
        None => create_of_running(&args, &bar).await,
    };
    bar.finish_and_clear();
    let row = made?;
    output::print(format, &row, |row| row.table("backed up"))?;
    if !row.problems.is_empty() {
        bail!(
            "the backup was made of data that was damaged already; keep the backups before it, and see \
             `mercer status` and `mercer log verify`"
        );
    }
    Ok(())
}

async fn create_of_running(args: &CreateArgs, bar: &ProgressBar) -> Result<BackupRow> {
    let mut service = ClusterServiceClient::new(args.client.connect().await?);
    let request = CreateBackupRequest { name: args.name.clone() };
    let mut parts = service.create_backup(request).await?.into_inner();
    while let Some(part) = parts.message().await? {
        match part.response {
            Some(Part::Progress(told)) => {
                show(bar, BackupProgress { bytes_done: told.bytes_done, bytes: told.bytes });
            }
            Some(Part::Backup(made)) => {
                return Ok(BackupRow::made(made));
            }
            None => {}
        }
    }
    bail!("the coordinator did not say what came of the backup; look into its folder of backups")
}

async fn create_of_stopped(
    args: &CreateArgs,
    data_dir: &Path,
    bar: &ProgressBar,
) -> Result<BackupRow> {
    let clock = Arc::new(SystemClock);
    let (artifacts, out) = (args.artifacts.as_deref(), args.out.as_deref());
    let backups = Backups::of_stopped(data_dir, artifacts, out, clock)?;
    let (progress, mut told) = watch::channel(BackupProgress::default());
    let making = backups.create(args.name.as_deref(), progress);
    tokio::pin!(making);
    let Backup { folder, manifest } = loop {
        tokio::select! {
            made = &mut making => break made?,
            Ok(()) = told.changed() => show(bar, *told.borrow_and_update()),
        }
    };
    let problems = manifest.problems.clone();
    Ok(BackupRow::new(folder, &manifest, problems))
}

fn verify(args: &VerifyArgs, format: Format) -> Result<()> {
    let bar = progress::bar("reading the backup", 0, Unit::Bytes);
    let verified = mercer_coordinator::verify(&args.backup, &mut |told| show(&bar, told));
    bar.finish_and_clear();
    let (manifest, problems) = verified?;
    let row = BackupRow::new(args.backup.clone(), &manifest, problems);
    let verdict = if row.problems.is_empty() { "whole" } else { "not whole" };
    output::print(format, &row, |row| row.table(verdict))?;
    if !row.problems.is_empty() {
        bail!("the backup is not whole; use another copy of it, or one before it");
    }
    Ok(())
}

async fn restore(args: &RestoreArgs, format: Format) -> Result<()> {
    let bar = progress::bar("restoring", 0, Unit::Bytes);
    let restored =
        mercer_coordinator::restore(&args.backup, &args.data_dir, &SystemClock, &mut |told| {
            show(&bar, told);
        })
        .await;
    bar.finish_and_clear();
    let restored = restored?;
    let problems = restored.manifest.problems.clone();
    let row = RestoredRow {
        backup: BackupRow::new(args.backup.clone(), &restored.manifest, problems),
        data_dir: args.data_dir.clone(),
        new_incarnation: format!("{:016x}", restored.log.incarnation),
        left_out: restored.left_out,
    };
    output::print(format, &row, RestoredRow::table)
}

fn show(bar: &ProgressBar, told: BackupProgress) {
    bar.set_length(told.bytes);
    bar.set_position(told.bytes_done);
}
