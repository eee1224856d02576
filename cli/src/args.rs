//! The command line.

use crate::{
    bench,
    commands::{catalog, config, jobs, recommend, serve, status},
    demo, evaluate, import,
    output::Format,
};

/// What to recommend to every user: shop events in, decisions out, exact and unkillable.
#[derive(Debug, clap::Parser)]
#[command(
    name = "mercer",
    version,
    max_term_width = 100,
    after_help = "Start with `mercer demo`, or with `mercer up --data-dir DIR` and `mercer import`."
)]
pub(crate) struct Cli {
    /// How data is printed on standard output.
    #[arg(long, value_enum, global = true, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Up(serve::UpArgs),
    /// Run the coordinator of a cluster of several processes.
    Coordinator(serve::RoleArgs),
    /// Run a worker of a cluster of several processes.
    Worker(serve::RoleArgs),
    Import(import::ImportArgs),
    Train(jobs::TrainArgs),
    Recommend(recommend::RecommendArgs),
    Similar(recommend::SimilarArgs),
    Popular(recommend::PopularArgs),
    Item(catalog::ItemArgs),
    User(catalog::UserArgs),
    Status(status::StatusArgs),
    Jobs(jobs::JobsArgs),
    Evaluate(evaluate::EvaluateArgs),
    Bench(bench::BenchArgs),
    Config(config::ConfigArgs),
}
