//! `mercer log`: look through the log of a data folder, and save what is whole of a damaged one.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use mercer_common::escape;
use mercer_common::log::embedded::{Inspection, Salvaged, inspect, salvage};
use serde::Serialize;

use crate::{
    folder,
    progress::{self, Unit},
    show::output::{self, Format, count},
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

#[derive(Debug, Serialize)]
struct Verified {
    sound: bool,
    incarnation: Option<String>,
    acknowledged: Option<u64>,
    end: u64,
    sections: u64,
    bytes: u64,
    segments: Vec<SegmentRow>,
    damage: Vec<DamageRow>,
    missing: Vec<Range>,
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct SegmentRow {
    file: String,
    first: u64,
    last: u64,
    frames: u64,
    sections: u64,
    bytes: u64,
    sealed: bool,
}

#[derive(Debug, Serialize)]
struct DamageRow {
    file: String,
    offset: u64,
    detail: String,
}

/// Positions, both inclusive.
#[derive(Debug, Serialize)]
struct Range {
    first: u64,
    last: u64,
}

#[derive(Debug, Serialize)]
struct SalvageRow {
    incarnation: String,
    /// Both logs are the same up to here.
    same_through: u64,
    #[serde(flatten)]
    found: Verified,
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Discarded {
    folder: PathBuf,
    bytes: u64,
    removed: bool,
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
    output::print(format, &discarded, |discarded| {
        let (folder, bytes) = (discarded.folder.to_string_lossy(), output::bytes(discarded.bytes));
        let folder = escape::text(&folder);
        let is = if discarded.removed { "removed" } else { "would be removed" };
        format!("{folder} {is}: {bytes}")
    })?;
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

impl Verified {
    fn new(found: &Inspection) -> Self {
        let segments = found.segments.iter().map(|one| SegmentRow {
            file: one.file.clone(),
            first: one.first,
            last: one.last,
            frames: one.frames,
            sections: one.sections,
            bytes: one.bytes,
            sealed: one.sealed,
        });
        let segments: Vec<SegmentRow> = segments.collect();
        let damage = found.damage.iter().map(|one| DamageRow {
            file: one.file.clone(),
            offset: one.offset,
            detail: one.detail.clone(),
        });
        let missing = found.missing.iter().map(|&(first, last)| Range { first, last });
        Self {
            sound: found.damage.is_empty() && found.missing.is_empty() && found.refusal.is_none(),
            incarnation: found.identity.as_ref().map(|one| format!("{:016x}", one.incarnation)),
            acknowledged: found.acknowledged,
            end: found.end,
            sections: segments.iter().map(|segment| segment.sections).sum(),
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            segments,
            damage: damage.collect(),
            missing: missing.collect(),
            refusal: found.refusal.clone(),
        }
    }

    fn table(&self) -> String {
        let rows = self.segments.iter().map(|one| {
            vec![
                one.file.clone(),
                count(one.first),
                count(one.last),
                count(one.frames),
                count(one.sections),
                output::bytes(one.bytes),
                if one.sealed { "sealed" } else { "open" }.to_owned(),
            ]
        });
        let headers = ["segment", ">first", ">last", ">frames", ">sections", ">bytes", "state"];
        let mut text = output::table(&headers, rows);
        for one in &self.damage {
            let line = format!("{} at byte {}: {}", one.file, one.offset, one.detail);
            let _ = write!(text, "\ndamaged: {}", escape::text(&line));
        }
        for one in &self.missing {
            let _ = write!(text, "\nmissing: positions {} to {}", one.first, one.last);
        }
        if let Some(refusal) = &self.refusal {
            let _ = write!(text, "\na start is refused: {}", escape::text(refusal));
        }
        let is = if self.sound { "everything is whole" } else { "not everything is whole" };
        let (sections, bytes) = (count(self.sections), output::bytes(self.bytes));
        let _ = write!(text, "\n{is}: {sections} sections through position {}, {bytes}", self.end);
        text
    }
}

impl SalvageRow {
    fn table(&self) -> String {
        format!(
            "{}\nsaved as log {} in {}; the same as before through position {}\nStop the cluster, move the old `log` folder away and this one in its place.",
            self.found.table(),
            self.incarnation,
            escape::text(&self.out.to_string_lossy()),
            self.same_through
        )
    }
}
