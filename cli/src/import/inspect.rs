//! `mercer import inspect` and `presets`.

use std::path::PathBuf;

use anyhow::Result;

use super::ReadingArgs;
use crate::output::Format;

/// Look at a file.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reading: ReadingArgs,
}

pub(crate) fn run(args: InspectArgs, format: Format) -> Result<()> {
    let _ = (args, format);
    Ok(())
}

pub(crate) fn presets(format: Format) -> Result<()> {
    let _ = format;
    Ok(())
}
