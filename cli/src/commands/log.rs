//! `mercer log`: look through the log of a data folder, and save what is whole of a damaged one.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use mercer_common::log::embedded::{Salvaged, inspect, salvage};

use crate::{
    folder,
    show::{
        log::{Discarded, SalvageRow, Verified},
        output::{self, Format},
        progress::{self, Unit},
    },
};

/// Look through the log of a data folder, or save what is whole of it.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    Verify(VerifyArgs),
    Salvage(SalvageArgs),
    DiscardOld(DiscardArgs),
}

/// Read every byte of the log and say what is damaged or missing; fails when anything is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It reads only, and may run beside a coordinator: then the last write may look unfinished.")]
struct VerifyArgs {
    /// The coordinator's data folder, or that of `mercer up`.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Write what is whole of a damaged log as a new one, with the positions that its records had.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Restore a backup rather than this, if there is one. The damaged log is only read. Stop the cluster
before; afterwards move DIR/log away and the new folder in its place. Clients' tokens of before are
refused then, and workers read anew what lies beyond the damage.")]
struct SalvageArgs {
    /// The coordinator's data folder, or that of `mercer up`.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The folder of the new log, which must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Remove the log of an earlier version that a conversion kept as `log.old`.
#[derive(Debug, clap::Args)]
struct DiscardArgs {
    /// The coordinator's data folder, or that of `mercer up`.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Do it, and not only say what would be removed.
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub(crate) fn run(args: LogArgs, format: Format) -> Result<()> {
    match args.command {
        LogCommand::Verify(args) => verify(&args, format),
        LogCommand::Salvage(args) => save(&args, format),
        LogCommand::DiscardOld(args) => discard_old(&args, format),
    }
}

fn verify(args: &VerifyArgs, format: Format) -> Result<()> {
    let folder = log_folder(&args.data_dir)?;
    let bar = progress::bar("reading the log", 0, Unit::Bytes);
    let found = inspect(&folder, &mut |done, all| show(&bar, done, all));
    bar.finish_and_clear();
    let verified = Verified::new(&found?);
    output::print(format, &verified, Verified::table)?;
    if !verified.sound {
        bail!(
            "the log is damaged; restore it from a backup, or save what is whole with `mercer log salvage`"
        );
    }
    Ok(())
}

fn save(args: &SalvageArgs, format: Format) -> Result<()> {
    let folder = log_folder(&args.data_dir)?;
    let bar = progress::bar("saving the log", 0, Unit::Bytes);
    let saved = salvage(&folder, &args.out, &mut |done, all| show(&bar, done, all));
    bar.finish_and_clear();
    let Salvaged { inspection, identity, through } = saved?;
    let row = SalvageRow {
        incarnation: format!("{:016x}", identity.incarnation),
        same_through: through,
        found: Verified::new(&inspection),
        out: args.out.clone(),
    };
    output::print(format, &row, SalvageRow::table)
}

fn discard_old(args: &DiscardArgs, format: Format) -> Result<()> {
    let old = args.data_dir.join("log.old");
    if !old.is_dir() {
        bail!("there is no {}: nothing was converted, or it is removed already", old.display());
    }
    let bytes = folder::size_of(&old).with_context(|| format!("reading {}", old.display()))?;
    if args.yes {
        log_folder(&args.data_dir)?;
        fs::remove_dir_all(&old).with_context(|| format!("removing {}", old.display()))?;
    }
    let discarded = Discarded { folder: old, bytes, removed: args.yes };
    output::print(format, &discarded, Discarded::text)?;
    if !args.yes {
        bail!("nothing was changed; run it again with --yes to remove it");
    }
    Ok(())
}

/// The folder of the log below a data folder.
fn log_folder(data: &std::path::Path) -> Result<PathBuf> {
    let folder = data.join("log");
    if !folder.is_dir() {
        bail!(
            "{} holds no log; name the coordinator's data folder, or that of `mercer up`",
            data.display()
        );
    }
    Ok(folder)
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
