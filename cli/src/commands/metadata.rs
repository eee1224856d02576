//! `mercer metadata rebuild`: a new start for a cluster whose metadata is lost.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Result, bail};
use mercer_common::{clock::SystemClock, escape};
use mercer_coordinator::{Rebuild, RebuildReport};
use serde::Serialize;

use crate::show::output::{self, Format};

/// Repair the metadata of a cluster that is stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct MetadataArgs {
    #[command(subcommand)]
    command: MetadataCommand,
}

#[derive(Debug, clap::Subcommand)]
enum MetadataCommand {
    Rebuild(RebuildArgs),
}

/// Build metadata that is damaged, missing or too old anew from the log and the artifacts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Restore a backup rather than this, if there is one. The identity of the cluster comes from the log,
the versions from their manifests. What comes back and what is lost is printed; nothing changes
without --yes. The folder that cannot be used is kept as metadata.set-aside.")]
struct RebuildArgs {
    /// The coordinator's data folder, or that of `mercer up`.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Folder of the cluster's artifacts; `artifacts` in the data folder when it is not given.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// Do it, and not only say what would be.
    #[arg(long)]
    yes: bool,
}

/// Metadata that came back, or would, and what is lost.
#[derive(Debug, Serialize)]
struct Outcome {
    done: bool,
    shards: u16,
    currency: String,
    time_zone: String,
    apply_version: Option<u32>,
    current_version: Option<String>,
    versions: Vec<Version>,
    next_job: String,
    lost: Vec<&'static str>,
    /// Folder of the metadata of before.
    set_aside: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Version {
    version: String,
    files: usize,
    /// Why it does not come back.
    lost: Option<String>,
}

/// Facts that nothing but metadata knows.
const LOST: [&str; 5] = [
    "the definitions of experiments: define them again, under new names, for their counts go on",
    "what imports have loaded: their files, imported again, count once more, and none can be undone",
    "the history of jobs, and jobs that were queued or running",
    "which request started which job: a repeated request starts another job",
    "which worker holds which shards: shards are dealt when all workers have registered",
];

/// Runs the command.
pub(crate) async fn run(args: MetadataArgs, format: Format) -> Result<()> {
    let MetadataCommand::Rebuild(RebuildArgs { data_dir, artifacts, yes }) = args.command;
    let artifacts = artifacts.unwrap_or_else(|| data_dir.join("artifacts"));
    let rebuild = Rebuild::plan(&data_dir, &artifacts, &SystemClock).await?;
    let mut outcome = Outcome::new(rebuild.report().clone());
    if yes {
        outcome.set_aside = rebuild.apply().await?;
        outcome.done = true;
    }
    output::print(format, &outcome, Outcome::table)?;
    if !yes {
        bail!("nothing was changed; run it again with --yes to rebuild the metadata");
    }
    Ok(())
}

impl Outcome {
    fn new(report: RebuildReport) -> Self {
        let RebuildReport { founding, apply_version, versions, current, next_job } = report;
        let versions = versions.into_iter().map(|one| Version {
            version: one.version,
            files: one.files,
            lost: one.lost,
        });
        Self {
            done: false,
            shards: founding.shards,
            currency: founding.currency,
            time_zone: founding.time_zone,
            apply_version,
            current_version: current,
            versions: versions.collect(),
            next_job: format!("job-{next_job:06}"),
            lost: LOST.to_vec(),
            set_aside: None,
        }
    }

    fn table(&self) -> String {
        let (comes, is) = if self.done { ("came back", "is") } else { ("comes back", "will be") };
        let mut text = format!(
            "{comes}: a cluster of {} shards, {}, {}\n",
            self.shards,
            escape::text(&self.currency),
            escape::text(&self.time_zone)
        );
        for version in &self.versions {
            let Version { version, files, lost } = version;
            let version = escape::text(version);
            let _ = match lost {
                None => writeln!(text, "{comes}: version {version}, {files} files"),
                Some(lost) => writeln!(text, "lost: version {version}: {}", escape::text(lost)),
            };
        }
        for lost in &self.lost {
            let _ = writeln!(text, "lost: {lost}");
        }
        let serves = escape::text(self.current_version.as_deref().unwrap_or("none, train again"));
        let _ = write!(text, "the version that serves {is}: {serves}");
        if let Some(aside) = &self.set_aside {
            let aside = aside.to_string_lossy();
            let _ = write!(text, "\nwhat was there is kept in {}", escape::text(&aside));
        }
        text
    }
}
