//! The command line: starts coordinators and workers, imports files, asks for decisions,
//! evaluates and measures.
//!
//! A library with a three-line binary, so that tests can run nodes. Data goes to standard output
//! through `show/output` alone, everything else to standard error; every failure passes through
//! `failure`.

mod args;
mod bench;
mod client;
mod commands;
mod demo;
mod evaluate;
mod failure;
mod folder;
#[cfg(test)]
mod hostile;
mod import;
pub mod ingest_client;
mod local;
mod show;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use args::{Cli, Command};
use show::{output, sentence};

/// Runs the command that the process was started with. Exit codes: 0 when the work is done, 1 when
/// it failed, 2 when the command line is wrong, 3 when a question must be answered first.
#[must_use]
pub fn main() -> ExitCode {
    import::silence_decoder();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            output::note(error.render().to_string().trim_end());
            return ExitCode::from(2);
        }
        // Help and the version.
        Err(error) => error.exit(),
    };
    output::screen::look(cli.wide);
    sentence::speak(cli.language);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(unanswered) = error.downcast_ref::<import::Unanswered>() {
                let typed: Vec<String> = std::env::args().skip(1).collect();
                let command: Vec<String> =
                    std::iter::once("mercer".to_owned()).chain(typed).collect();
                output::note(&format!("error: {}", unanswered.text(&command)));
                return ExitCode::from(3);
            }
            output::note(&failure::explain(&error));
            if let Some(preparing) = error.downcast_ref::<import::Preparing>() {
                output::note(&preparing.steps());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(dispatch(cli.command, cli.output))
}

async fn dispatch(command: Command, format: output::Format) -> Result<()> {
    use commands::{catalog, forecast, inventory, jobs, price, recommend, rules, serve, status};
    match command {
        Command::Demo(args) => demo::run(args, format).await,
        Command::Up(args) => serve::up(args, format).await,
        Command::Coordinator(args) => serve::coordinator(args, format).await,
        Command::Worker(args) => serve::worker(args, format).await,
        Command::Import(args) => import::run(args, format).await,
        Command::Imports(args) => commands::imports::imports(args, format).await,
        Command::Train(args) => jobs::train(args, format).await,
        Command::Recommend(args) => recommend::recommend(args, format).await,
        Command::RecommendAll(args) => recommend::recommend_all(args, format).await,
        Command::Similar(args) => recommend::similar(args, format).await,
        Command::SimilarUsers(args) => recommend::similar_users(args, format).await,
        Command::Complete(args) => recommend::complete(args, format).await,
        Command::Popular(args) => recommend::popular(args, format).await,
        Command::Rules(args) => rules::rules(args, format).await,
        Command::Delete(args) => commands::delete::delete(args, format).await,
        Command::Experiment(args) => commands::experiment::experiment(args, format).await,
        Command::Forecast(args) => forecast::forecast(args, format).await,
        Command::Price(args) => price::price(args, format).await,
        Command::Elasticity(args) => price::elasticity(args, format).await,
        Command::Inventory(args) => inventory::inventory(args, format).await,
        Command::Item(args) => catalog::item(args, format).await,
        Command::User(args) => catalog::user(args, format).await,
        Command::Status(args) => status::status(args, format).await,
        Command::Health(args) => commands::health::run(args, format).await,
        Command::Jobs(args) => jobs::jobs(args, format).await,
        Command::Log(args) => commands::log::run(args, format),
        Command::Backup(args) => commands::backup::run(args, format).await,
        Command::Evaluate(args) => evaluate::run(args, format),
        Command::Bench(args) => bench::run(args, format).await,
        Command::Config(args) => commands::config::run(args, format),
        Command::Metadata(args) => commands::metadata::run(args, format).await,
    }
}
