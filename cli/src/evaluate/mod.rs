//! `mercer evaluate`: offline, in process, with the functions that serve.

mod forecast;
mod recommend;

use anyhow::Result;

use crate::show::output::Format;

/// Measure how good decisions would have been, on files, without a cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    #[command(subcommand)]
    command: EvaluateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EvaluateCommand {
    Recommend(recommend::RecommendArgs),
    Forecast(forecast::ForecastArgs),
}

/// Runs the command.
pub(crate) fn run(args: EvaluateArgs, format: Format) -> Result<()> {
    match args.command {
        EvaluateCommand::Recommend(args) => recommend::run(&args, format),
        EvaluateCommand::Forecast(args) => forecast::run(&args, format),
    }
}
