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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

    use super::*;

    fn refused(line: &str) -> (ErrorKind, String) {
        let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
        (error.kind(), error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn takes_what_the_contract_names() {
        for line in [
            "mercer demo --dataset synthetic --data-dir d --once",
            "mercer up --data-dir d --listen 127.0.0.1:0 --workers 3 --shards 8",
            "mercer coordinator --config c.toml",
            "mercer worker --config c.toml",
            "mercer import events a.csv b.parquet --map user_id=u,item_id=i --time-zone UTC",
            "mercer import events t.parquet --preset complete-journey --output json",
            "mercer train p3 item-cosine --wait",
            "mercer recommend --user u -n 5 --algorithm p3 --seen include --session a,b --filter brand=x --token t --explain",
            "mercer recommend --session a",
            "mercer similar --item i --endpoint http://127.0.0.1:1",
            "mercer jobs watch 1 --endpoint http://127.0.0.1:1 --output json",
            "mercer evaluate recommend --train a --test b --algorithms p3,popular --at 20,50 --predictions o --threads 2",
            "mercer bench ingest",
            "mercer bench recommend --rate 500 --seconds 5 --during-training",
            "mercer bench train --users 10 --items 10 --interactions 50 --exponent 0.8 --seed 1 --threads 2",
            "mercer config show",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn refuses_the_rest_by_name() {
        for (line, kind, words) in [
            ("mercer recommend", ErrorKind::MissingRequiredArgument, "--user"),
            ("mercer recommend --user u -n 0", ErrorKind::ValueValidation, "1..=1000"),
            (
                "mercer recommend --user u --filter x=1",
                ErrorKind::ValueValidation,
                "is not category",
            ),
            ("mercer import events", ErrorKind::MissingRequiredArgument, "<FILE>"),
            ("mercer import prices f.csv", ErrorKind::InvalidValue, "stock"),
            ("mercer import events f --batch 20000", ErrorKind::ValueValidation, "10000"),
            ("mercer import events f --delimiter ab", ErrorKind::ValueValidation, "one character"),
            ("mercer status --output xml", ErrorKind::InvalidValue, "json"),
            ("mercer up", ErrorKind::MissingRequiredArgument, "--data-dir"),
            ("mercer up --data-dir d --shards 65", ErrorKind::ValueValidation, "64"),
            ("mercer fly", ErrorKind::InvalidSubcommand, "fly"),
        ] {
            let (found, text) = refused(line);
            assert_eq!(found, kind, "{line}");
            assert!(text.contains(words), "{line}: {text}");
        }
    }
}
