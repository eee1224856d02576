//! The command line.

use crate::{
    bench,
    commands::{
        backup, catalog, config, delete, experiment, forecast, health, imports, inventory, jobs,
        log, metadata, price, recommend, rules, serve, status,
    },
    demo, evaluate, import,
    show::{output::Format, sentence::Language},
};

/// What to recommend, what to charge, what to order: shop events in, decisions out.
#[derive(Debug, clap::Parser)]
#[command(
    name = "mercer",
    version,
    max_term_width = 100,
    after_help = "\
Start with `mercer demo`, or with your own data:
  mercer up --data-dir shop                    a cluster on this machine
  mercer import items products.csv             and events, stock, supply, competitor-prices, ...
  mercer train all --wait                      publishes a version that serves
  mercer recommend --user U --explain          what to recommend
  mercer forecast --item I                     how much will be asked for
  mercer price --item I                        what to charge
  mercer inventory --item I                    what to order"
)]
pub(crate) struct Cli {
    /// How data is printed on standard output.
    #[arg(long, value_enum, global = true, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Print tables as wide as they are, whatever the terminal's width.
    #[arg(long, global = true)]
    pub(crate) wide: bool,
    /// Language of reasons and notes.
    #[arg(long, value_enum, global = true, default_value_t, value_name = "LANGUAGE")]
    pub(crate) language: Language,
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
    Imports(imports::ImportsArgs),
    Train(jobs::TrainArgs),
    Recommend(recommend::RecommendArgs),
    RecommendAll(recommend::RecommendAllArgs),
    Similar(recommend::SimilarArgs),
    SimilarUsers(recommend::SimilarUsersArgs),
    Complete(recommend::CompleteArgs),
    Popular(recommend::PopularArgs),
    Rules(rules::RulesArgs),
    Experiment(experiment::ExperimentArgs),
    Forecast(forecast::ForecastArgs),
    Price(price::PriceArgs),
    Elasticity(price::ElasticityArgs),
    Inventory(inventory::InventoryArgs),
    Item(catalog::ItemArgs),
    User(catalog::UserArgs),
    Delete(delete::DeleteArgs),
    Status(status::StatusArgs),
    Health(health::HealthArgs),
    Jobs(jobs::JobsArgs),
    Log(log::LogArgs),
    Backup(backup::BackupArgs),
    Evaluate(evaluate::EvaluateArgs),
    Bench(bench::BenchArgs),
    Config(config::ConfigArgs),
    Metadata(metadata::MetadataArgs),
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
            "mercer train p3,item-cosine demand --wait",
            "mercer recommend --user u --explain=parts --session a b --rerank margin=0.5 diversity --wide",
            "mercer recommend --user u --explain --language de",
            "mercer --language de price --item i",
            "mercer inventory --item i --language en",
            "mercer similar --item i --explain",
            "mercer complete --basket a b --explain=sentence",
            "mercer price --item i --endings 99 49",
            "mercer forecast --item i --quantiles .1 0.5 95% --horizon 7",
            "mercer evaluate recommend --train a --test b --algorithms p3 popular --at 20 50 --sources ials slim",
            "mercer evaluate forecast --series f --horizon 13 --season 1 --periods 1 52 --methods theta auto",
            "mercer recommend --user u -n 5 --algorithm p3 --seen include --session a,b --filter brand=x --token t --explain",
            "mercer recommend --session a",
            "mercer recommend --user u --where price<5 --rerank margin=0.5,diversity --max-relevance-loss 0.05 --rule-set s",
            "mercer recommend --user u --seen include --anonymous-fallback",
            "mercer recommend-all --users - --out lists.parquet -n 20 --algorithm hybrid --filter in-stock",
            "mercer similar-users --user u --algorithm user-cosine",
            "mercer complete --basket a,b --explain",
            "mercer popular --location l",
            "mercer rules list",
            "mercer rules set r --boost -0.5 --filter brand=x --from 2026-11-27T00:00:00Z --to 2026-11-28T00:00:00Z",
            "mercer rules set r --exclude --filter item=a|b",
            "mercer rules remove r s",
            "mercer experiment set e --arm control=1 --arm b=2,algorithm=hybrid,exploration=0.1",
            "mercer experiment report e --confidence 0.9 --token t --output json",
            "mercer experiment list",
            "mercer experiment stop e --endpoint http://127.0.0.1:1",
            "mercer experiment delete e",
            "mercer recommend --user u --experiment e",
            "mercer similar --item i --endpoint http://127.0.0.1:1",
            "mercer import events - --map amount=a*b --negative return --max-rejects 5%",
            "mercer import events a.csv --dates dmy --time-format epoch-ms --decimal-comma --null x,y",
            "mercer import events a.csv --event-types a=view,*=skip --skip a=b|c --encoding latin1",
            "mercer import items a.csv --blank clears=title,brand",
            "mercer import inspect a.csv --kind items --delimiter ; --output json",
            "mercer import presets --output json",
            "mercer import supply a.csv --set supplier_id=s --map lead_time_days=d",
            "mercer import competitor-prices a.csv",
            "mercer import locations a.csv",
            "mercer import suppliers a.csv --output json",
            "mercer train demand elasticity inventory",
            "mercer train all --wait",
            "mercer forecast --item i",
            "mercer forecast --item i --location l --horizon 365 --quantiles .1,0.5,95% --token t",
            "mercer forecast --item i --price 1.99 --promotion --from 2026-01-01 --to 2026-01-07",
            "mercer forecast --items f --plan 2026-01-01..2026-01-07=1.99,promotion --plan 2026-02-01..2026-02-02=promotion",
            "mercer price --item i --objective revenue --demand-form semi-log --curve-points 101",
            "mercer price --items - --cost 0.5 --floor 1 --ceiling 2 --margin-floor 0.2 --largest-change 0.1 --endings 99,49",
            "mercer price --item i --competitor-floor 0.9 --competitor-ceiling 1.1 --competitors lowest",
            "mercer elasticity --item i",
            "mercer inventory --item i --location l --fill-rate 0.98 --lead-time-days 10 --price 2",
            "mercer inventory --item i --season-days 60 --salvage -0.10 --goodwill 1",
            "mercer inventory --items f --cycle-service 95%",
            // Refused by the server, which says what is wrong with them.
            "mercer inventory --item i --lead-time-days -3 --minimum-order 0",
            "mercer price --item i --cost -1 --margin-floor -0.5",
            "mercer inventory --all --orders-only --csv o.csv",
            "mercer jobs watch 1 --endpoint http://127.0.0.1:1 --output json",
            "mercer evaluate recommend --train a --test b --algorithms p3,popular --at 20,50 --predictions o --threads 2",
            "mercer evaluate forecast --series f --horizon 13 --season 1 --periods 1,52 --methods theta,auto --forecasts o --threads 2",
            "mercer bench ingest",
            "mercer bench recommend --rate 500 --seconds 5 --during-training",
            "mercer bench decisions --rate 500 --seconds 5 --data-dir d --shards 16 --time-zone UTC",
            "mercer bench decisions --endpoint http://127.0.0.1:1 --during-training",
            "mercer bench plan --dataset complete-journey --kinds demand,elasticity",
            "mercer bench train --users 10 --items 10 --interactions 50 --exponent 0.8 --seed 1 --threads 2",
            "mercer config show",
            "mercer delete item a b --yes",
            "mercer delete user --file - --yes --output json",
            "mercer delete supply a --location *",
            "mercer delete stock a --file f --location north --endpoint http://127.0.0.1:1",
            "mercer health",
            "mercer health --address http://127.0.0.1:1 --service mercer.v1.EventService",
            "mercer log verify --data-dir d --output json",
            "mercer backup create --name n --endpoint http://127.0.0.1:1",
            "mercer backup create --data-dir d --artifacts a --out b",
            "mercer backup verify d/backups/n --output json",
            "mercer backup restore d/backups/n --data-dir e",
            "mercer log salvage --data-dir d --out e",
            "mercer log discard-old --data-dir d --yes",
            "mercer metadata rebuild --data-dir d",
            "mercer metadata rebuild --data-dir d --artifacts a --yes --output json",
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
            ("mercer recommend --user u --rerank profit", ErrorKind::ValueValidation, "margin"),
            (
                "mercer recommend --user u --max-relevance-loss 0.1",
                ErrorKind::MissingRequiredArgument,
                "--rerank",
            ),
            ("mercer rules set r --filter brand=x", ErrorKind::MissingRequiredArgument, "--boost"),
            ("mercer experiment set e --arm a", ErrorKind::ValueValidation, "weight"),
            ("mercer rules set r --exclude", ErrorKind::MissingRequiredArgument, "--filter"),
            ("mercer forecast", ErrorKind::MissingRequiredArgument, "--item"),
            ("mercer forecast --item i --items f", ErrorKind::ArgumentConflict, "--items"),
            ("mercer forecast --item i --horizon 366", ErrorKind::ValueValidation, "1..=365"),
            ("mercer forecast --item i --quantiles 1.5", ErrorKind::ValueValidation, "0.95"),
            (
                "mercer forecast --item i --from 01/02/2026",
                ErrorKind::ValueValidation,
                "2026-01-31",
            ),
            ("mercer price --item i --cost cheap", ErrorKind::ValueValidation, "amount"),
            ("mercer price --item i --endings 100", ErrorKind::ValueValidation, "0..=99"),
            ("mercer inventory", ErrorKind::MissingRequiredArgument, "--all"),
            ("mercer inventory --all --item i", ErrorKind::ArgumentConflict, "--item"),
            ("mercer inventory --item i --csv f", ErrorKind::ArgumentConflict, "--csv"),
            (
                "mercer inventory --item i --cycle-service 0.9 --fill-rate 0.9",
                ErrorKind::ArgumentConflict,
                "--fill-rate",
            ),
            (
                "mercer inventory --item i --salvage 1",
                ErrorKind::MissingRequiredArgument,
                "--season-days",
            ),
            ("mercer import events", ErrorKind::MissingRequiredArgument, "<FILE>"),
            ("mercer import events f --max-rejects 200%", ErrorKind::ValueValidation, "5%"),
            ("mercer import events f --time-format dd.mm", ErrorKind::ValueValidation, "excel"),
            ("mercer import events f --encoding x", ErrorKind::ValueValidation, "windows-1252"),
            ("mercer import prices f.csv", ErrorKind::InvalidValue, "stock"),
            ("mercer import events f --batch 20000", ErrorKind::ValueValidation, "10000"),
            ("mercer import events f --delimiter ab", ErrorKind::ValueValidation, "one character"),
            ("mercer status --output xml", ErrorKind::InvalidValue, "json"),
            ("mercer up", ErrorKind::MissingRequiredArgument, "--data-dir"),
            ("mercer up --data-dir d --shards 65", ErrorKind::ValueValidation, "64"),
            (
                "mercer bench decisions --endpoint http://h:1 --data-dir d",
                ErrorKind::ArgumentConflict,
                "--data-dir",
            ),
            ("mercer backup create --out b", ErrorKind::MissingRequiredArgument, "--data-dir"),
            ("mercer backup restore b", ErrorKind::MissingRequiredArgument, "--data-dir"),
            ("mercer metadata rebuild", ErrorKind::MissingRequiredArgument, "--data-dir"),
            ("mercer delete item", ErrorKind::MissingRequiredArgument, "--file"),
            ("mercer delete location l", ErrorKind::InvalidSubcommand, "location"),
            ("mercer delete item a --location l", ErrorKind::UnknownArgument, "--location"),
            ("mercer fly", ErrorKind::InvalidSubcommand, "fly"),
        ] {
            let (found, text) = refused(line);
            assert_eq!(found, kind, "{line}");
            assert!(text.contains(words), "{line}: {text}");
        }
    }
}
