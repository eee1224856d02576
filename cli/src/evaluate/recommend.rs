//! `mercer evaluate recommend`: learn from one file, look for what another one holds.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexSet;
use jiff::tz::TimeZone;
use mercer_algorithms::recommend::{
    control::{Cancelled, Unattended},
    evaluate::{
        Algorithm, Evaluation, Measures, Observation, Options, Prediction, Split, evaluate,
    },
};
use mercer_common::slot::{Kind, slot};
use serde::Serialize;

use crate::{
    import::{Cell, Table},
    output::{self, Format},
    progress,
};

/// Learn from one file, look for what another one holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The files are CSV or Parquet with the columns user_id, item_id and perhaps value and timestamp.
The full catalogue (items of either file) is ranked for every user with test items; items that
the user has in the training file are left out. Of a pair that stands in a file more than once
the latest counts. Test users without training history count as misses.

  recall     found / test items of the user
  ndcg       binary gain over the best possible list
  precision  found / k
  hit_rate   users with anything found / users
  coverage   distinct items in any list / items")]
pub(super) struct RecommendArgs {
    /// What to learn from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// What to look for.
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// Names of algorithms, or `all`.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "all")]
    algorithms: Vec<String>,
    /// Lengths of the lists.
    #[arg(long, value_name = "K,...", value_delimiter = ',', default_value = "20,50", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    at: Vec<u16>,
    /// Neighbours kept per item.
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    neighbours: u16,
    /// Write every list to this CSV file: algorithm, user_id, item_id, rank, score.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Threads; 0 means one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answer {
    users: usize,
    items: usize,
    interactions: usize,
    results: Vec<ResultRow>,
}

#[derive(Debug, Serialize)]
struct ResultRow {
    algorithm: &'static str,
    recall: ByLength,
    ndcg: ByLength,
    precision: ByLength,
    hit_rate: ByLength,
    coverage: ByLength,
    train_seconds: f64,
    score_seconds: f64,
}

/// Measures by length of the list.
#[derive(Debug, Serialize)]
struct ByLength(BTreeMap<usize, f64>);

impl Answer {
    fn new(evaluation: &Evaluation, at: &[usize]) -> Self {
        let by =
            |values: &[f64]| ByLength(at.iter().copied().zip(values.iter().copied()).collect());
        let row = |measures: &Measures| ResultRow {
            algorithm: measures.algorithm.name(),
            recall: by(&measures.recall),
            ndcg: by(&measures.ndcg),
            precision: by(&measures.precision),
            hit_rate: by(&measures.hit_rate),
            coverage: by(&measures.coverage),
            train_seconds: measures.train_seconds,
            score_seconds: measures.score_seconds,
        };
        Self {
            users: evaluation.users,
            items: evaluation.items,
            interactions: evaluation.interactions,
            results: evaluation.results.iter().map(row).collect(),
        }
    }

    fn table(&self) -> String {
        let rows = self.results.iter().flat_map(|result| {
            result.recall.0.keys().map(|k| {
                let measures = [
                    &result.recall,
                    &result.ndcg,
                    &result.precision,
                    &result.hit_rate,
                    &result.coverage,
                ];
                let mut row = vec![result.algorithm.to_owned(), k.to_string()];
                row.extend(measures.map(|by| format!("{:.5}", by.0[k])));
                row.push(format!("{:.2}", result.train_seconds));
                row.push(format!("{:.2}", result.score_seconds));
                row
            })
        });
        let headers = [
            "algorithm",
            ">k",
            ">recall",
            ">ndcg",
            ">precision",
            ">hit rate",
            ">coverage",
            ">train s",
            ">score s",
        ];
        format!(
            "{} users, {} items, {} training pairs\n{}",
            output::count(self.users as u64),
            output::count(self.items as u64),
            output::count(self.interactions as u64),
            output::table(&headers, rows)
        )
    }
}

/// Runs the command.
pub(super) fn run(args: &RecommendArgs, format: Format) -> Result<()> {
    output::print(format, &evaluated_by(args)?, Answer::table)
}

fn evaluated_by(args: &RecommendArgs) -> Result<Answer> {
    let algorithms = algorithms(&args.algorithms)?;
    let mut at: Vec<usize> = args.at.iter().map(|&k| k.into()).collect();
    at.sort_unstable();
    at.dedup();
    let options = Options { at, neighbours: args.neighbours.into(), ..Options::default() };

    let mut ids = Ids::default();
    let train = read(&args.train, &mut ids)?;
    let test = read(&args.test, &mut ids)?;
    if train.is_empty() || test.is_empty() {
        bail!("both files must hold at least one pair");
    }
    let (users, items, train, test) = ids.number(train, test)?;
    let split = Split { users: users.len(), items: items.len(), train: &train, test: &test };

    let mut predictions = args.predictions.as_deref().map(PredictionFile::create).transpose()?;
    let mut failure = Ok(());
    let mut keep = |prediction: Prediction| {
        if let (Some(file), true) = (&mut predictions, failure.is_ok()) {
            let (user, item) = (&users[prediction.user as usize], &items[prediction.item as usize]);
            failure = file.write(prediction, user, item);
        }
    };
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f64();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let spinner = progress::spinner("evaluating");
    // The caller's closures stay on this thread's side of the pool.
    let evaluation = pool
        .install(|| evaluate(&split, &algorithms, &options, &seconds, &mut keep, &Unattended))
        .map_err(|Cancelled| anyhow!("cancelled"))?;
    spinner.finish_and_clear();
    failure.context("writing the predictions")?;
    if let Some(file) = predictions {
        file.finish()?;
    }
    Ok(Answer::new(&evaluation, &options.at))
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Algorithm::ALL.to_vec());
    }
    names
        .iter()
        .map(|name| {
            Algorithm::parse(name).ok_or_else(|| {
                let known: Vec<&str> = Algorithm::ALL.iter().map(|known| known.name()).collect();
                anyhow!("`{name}` is not an algorithm; there are {} and all", known.join(", "))
            })
        })
        .collect()
}

/// An observation whose item is numbered by first appearance.
type Raw = Observation;

/// All ids of both files, in order of appearance.
#[derive(Default)]
struct Ids {
    users: IndexSet<String>,
    items: IndexSet<String>,
}

impl Ids {
    /// Numbers items in the order that breaks ties everywhere: by slot, then by id.
    #[expect(clippy::type_complexity, reason = "names of users and items, both parts")]
    fn number(
        self,
        mut train: Vec<Raw>,
        mut test: Vec<Raw>,
    ) -> Result<(IndexSet<String>, Vec<String>, Vec<Observation>, Vec<Observation>)> {
        let mut order: Vec<(u16, String, u32)> =
            (0..).zip(self.items).map(|(number, id)| (slot(Kind::Item, &id), id, number)).collect();
        order.sort_unstable();
        let mut rows = vec![0u32; order.len()];
        for (row, &(_, _, number)) in order.iter().enumerate() {
            rows[number as usize] = u32::try_from(row)?;
        }
        for observation in train.iter_mut().chain(&mut test) {
            observation.item = rows[observation.item as usize];
        }
        let items = order.into_iter().map(|(_, id, _)| id).collect();
        Ok((self.users, items, train, test))
    }
}

fn read(path: &Path, ids: &mut Ids) -> Result<Vec<Raw>> {
    let mut table = Table::open(path, b',')?;
    let columns = table.columns().to_vec();
    let find = |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
    let (Some(user), Some(item)) = (find("user_id"), find("item_id")) else {
        bail!(
            "{} needs the columns user_id and item_id (and may have value and timestamp); it has: {}",
            path.display(),
            columns.join(", ")
        );
    };
    let optional = [find("value"), find("timestamp")];
    let mut projection = vec![user, item];
    projection.extend(optional.iter().flatten());
    let value_cell = optional[0].map(|_| 2);
    let time_cell = optional[1].map(|_| 2 + usize::from(optional[0].is_some()));
    let mut observations = Vec::new();
    table
        .read(&projection, &mut |line| {
            let number = line.number;
            let at = |reason: String| anyhow!("line {number}: {reason}");
            let cells = line.cells.map_err(at)?;
            let id = |cell: &Cell<'_>, name: &str| match cell.to_label() {
                Ok(Some(id)) => Ok(id),
                Ok(None) => Err(anyhow!("line {number}: {name} is missing")),
                Err(reason) => Err(anyhow!("line {number}: {name} {reason}")),
            };
            let value = match value_cell.map(|cell| cells[cell].to_number()) {
                None => 1.0,
                Some(Ok(Some(value))) if value.is_finite() => value,
                Some(Ok(None)) => 1.0,
                Some(Ok(Some(value))) => bail!("line {number}: value is {value}"),
                Some(Err(reason)) => bail!("line {number}: value {reason}"),
            };
            let time = match time_cell.map(|cell| cells[cell].to_time(&TimeZone::UTC)) {
                None => None,
                Some(Ok(time)) => time.map(|time| time.as_second()),
                Some(Err(reason)) => bail!("line {number}: timestamp {reason}"),
            };
            let (user, _) = ids.users.insert_full(id(&cells[0], "user_id")?);
            let (item, _) = ids.items.insert_full(id(&cells[1], "item_id")?);
            #[expect(clippy::cast_possible_truncation, reason = "values are floats")]
            observations.push(Observation {
                user: u32::try_from(user)?,
                item: u32::try_from(item)?,
                value: value as f32,
                time,
            });
            Ok(())
        })
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(observations)
}

/// Lists as CSV.
struct PredictionFile {
    writer: csv::Writer<BufWriter<File>>,
}

impl PredictionFile {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        writer.write_record(["algorithm", "user_id", "item_id", "rank", "score"])?;
        Ok(Self { writer })
    }

    fn write(&mut self, prediction: Prediction, user: &str, item: &str) -> csv::Result<()> {
        self.writer.write_record([
            prediction.algorithm.name(),
            user,
            item,
            &prediction.rank.to_string(),
            &prediction.score.to_string(),
        ])
    }

    fn finish(mut self) -> Result<()> {
        self.writer.flush().context("writing the predictions")
    }
}
