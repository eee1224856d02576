//! `mercer evaluate forecast`: hold out the end of each series and forecast it.

mod gaps;
mod series;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::ProgressBar;
use mercer_algorithms::{
    control::{Cancelled, Control},
    forecast::{
        Method,
        evaluate::{Accuracy, Contender, Held, Setup, evaluate},
    },
};
use serde::Serialize;

use self::{
    gaps::{Fill, Gaps},
    series::Series,
};
use crate::show::{
    output::{self, Format},
    progress::{self, Unit},
    sheet::{Cell, Sheet},
};

/// Hold out the last values of each series and forecast them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file is CSV or Parquet with the columns unique_id, ds (a time or a number) and y.
Values that a series lacks between its first and its last time are named; without --fill its rows
are taken as consecutive.
Methods see nothing of the held-out values. `auto` chooses a method for each series by backtest;
with several periods the others choose among these in the same way.

  smape      mean of 200 |y - f| / (|y| + |f|)
  mase       mean absolute error / that of the seasonal naive method within the history
  owa        mean of smape and mase as shares of those of Naive2
  rmsse      root mean squared error / that of the naive method within the history
  wape       sum of absolute errors / sum of values
  pinball    mean pinball loss over nine quantiles / mean absolute difference of the history
  coverage   share of values within the central 80 % interval")]
pub(super) struct ForecastArgs {
    /// The series.
    #[arg(long, value_name = "FILE")]
    series: PathBuf,
    /// Values held out of each series.
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    horizon: u16,
    /// Season of the scaled errors and of Naive2.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    season: u16,
    /// Seasons that methods may see; the default is M.
    #[arg(long, value_name = "P,...", value_delimiter = ',', num_args = 1.., value_parser = clap::value_parser!(u16).range(1..=10_000))]
    periods: Vec<u16>,
    /// Names of methods, or `all`.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', num_args = 1.., default_value = "all")]
    methods: Vec<String>,
    /// Write every forecast to this CSV file: unique_id, ds, method, y_hat.
    #[arg(long, value_name = "FILE")]
    forecasts: Option<PathBuf>,
    /// What stands in for values that a series lacks.
    #[arg(long, value_name = "HOW", value_enum)]
    fill: Option<Fill>,
    /// Threads; 0 means one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answer {
    series: usize,
    results: Vec<ResultRow>,
    /// Values that series lack between their first and last time.
    gaps: usize,
}

#[derive(Debug, Serialize)]
struct ResultRow {
    method: &'static str,
    smape: f64,
    mase: f64,
    owa: f64,
    rmsse: f64,
    wape: f64,
    seconds: f64,
    pinball: f64,
    coverage: f64,
    /// Series without any change, left out of what is scaled.
    flat: usize,
}

impl ResultRow {
    fn new(accuracy: &Accuracy) -> Self {
        let &Accuracy {
            contender,
            smape,
            mase,
            owa,
            rmsse,
            wape,
            pinball,
            coverage,
            flat,
            seconds,
        } = accuracy;
        let method = contender.name();
        Self { method, smape, mase, owa, rmsse, wape, seconds, pinball, coverage, flat }
    }
}

impl Answer {
    fn table(&self) -> String {
        let rows = self.results.iter().map(|result| {
            let mut row = vec![result.method.to_owned(), format!("{:.3}", result.smape)];
            let ratios = [
                result.mase,
                result.owa,
                result.rmsse,
                result.wape,
                result.pinball,
                result.coverage,
            ];
            row.extend(ratios.map(|ratio| format!("{ratio:.3}")));
            row.push(format!("{:.2}", result.seconds));
            row
        });
        let headers = [
            "method",
            ">sMAPE",
            ">MASE",
            ">OWA",
            ">RMSSE",
            ">WAPE",
            ">pinball",
            ">coverage 80 %",
            ">seconds",
        ];
        format!("{} series\n{}", output::count(self.series as u64), output::table(&headers, rows))
    }
}

/// Runs the command.
pub(super) fn run(args: &ForecastArgs, format: Format) -> Result<()> {
    output::print(format, &evaluated_by(args)?, Answer::table)
}

fn evaluated_by(args: &ForecastArgs) -> Result<Answer> {
    let contenders = contenders(&args.methods)?;
    let periods = if args.periods.is_empty() { &[args.season][..] } else { &args.periods };
    let setup = Setup {
        horizon: args.horizon.into(),
        season: args.season.into(),
        periods: periods.iter().map(|&period| period.into()).collect(),
    };
    let mut all = series::read(&args.series)?;
    let gaps = find_gaps(&mut all, args.fill);
    let read = all.len();
    all.retain(|series| series.values.len() > setup.horizon);
    if all.is_empty() {
        bail!("no series is longer than the horizon of {}", setup.horizon);
    }
    if all.len() < read {
        let counts = [read - all.len(), read].map(|series| output::count(series as u64));
        let [short, read] = counts;
        output::note(&format!("left out {short} of {read} series: no longer than the horizon"));
    }
    let values: Vec<&[f64]> = all.iter().map(|series| &series.values[..]).collect();

    let mut file = args.forecasts.as_deref().map(ForecastFile::create).transpose()?;
    let mut failure = Ok(());
    let start = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let bar = Bar(progress::bar("forecasting", 0, Unit::Records));
    let results = pool.install(|| {
        evaluate(
            &values,
            &contenders,
            &setup,
            &|| start.elapsed().as_secs_f64(),
            &mut |held| {
                if let (Some(file), true) = (&mut file, failure.is_ok()) {
                    failure = file.write(&all[held.series], &held);
                }
            },
            &bar,
        )
    });
    let results = results.map_err(|Cancelled| anyhow!("cancelled"))?;
    bar.0.finish_and_clear();
    failure.context("writing the forecasts")?;
    if let Some(file) = file {
        file.finish()?;
    }
    let results = results.iter().map(ResultRow::new).collect();
    Ok(Answer { series: all.len(), results, gaps })
}

/// Finds and names the values that series lack, fills them in when that is asked for, and counts them.
fn find_gaps(all: &mut [Series], fill: Option<Fill>) -> usize {
    let (mut values, mut with_gaps, mut first) = (0, 0, None);
    for series in all {
        let gaps = Gaps::of(&series.times);
        let Some(text) = gaps.text(series) else { continue };
        values += gaps.count();
        with_gaps += 1;
        first.get_or_insert_with(|| format!("`{}` lacks {text}", series.id));
        if let Some(fill) = fill {
            gaps.fill(series, fill);
        }
    }
    if let Some(first) = first {
        let counts = [values, with_gaps].map(|count| output::count(count as u64));
        let [values, with_gaps] = counts;
        let what = match fill {
            Some(_) => "they were filled in",
            None => {
                "rows are taken as consecutive, which moves seasons; \
                 choose `--fill zero`, `previous` or `linear`"
            }
        };
        output::note(&format!(
            "{values} values are missing in {with_gaps} series ({first}): {what}"
        ));
    }
    values
}

fn contenders(names: &[String]) -> Result<Vec<Contender>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Contender::all().collect());
    }
    names
        .iter()
        .map(|name| {
            Contender::parse(name).ok_or_else(|| {
                let known = Method::ALL.map(Method::name).join(", ");
                anyhow!("`{name}` is not a method; there are {known}, auto and all")
            })
        })
        .collect()
}

/// Shows how many forecasts are made.
struct Bar(ProgressBar);

impl Control for Bar {
    fn checkpoint(&self) -> Result<(), Cancelled> {
        Ok(())
    }

    fn begin(&self, total: u64) {
        self.0.inc_length(total);
    }

    fn advance(&self, done: u64) {
        self.0.inc(done);
    }
}

/// Forecasts as a sheet.
struct ForecastFile {
    sheet: Sheet,
}

impl ForecastFile {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self { sheet: Sheet::create(path, &["unique_id", "ds", "method", "y_hat"])? })
    }

    fn write(&mut self, series: &Series, held: &Held<'_>) -> Result<()> {
        let first = series.labels.len() - held.forecast.len();
        for (label, value) in series.labels[first..].iter().zip(held.forecast) {
            let method = held.contender.name();
            let (id, label) = (Cell::Text(&series.id), Cell::Text(label));
            self.sheet.write(&[id, label, Cell::Text(method), Cell::number(value)])?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.sheet.finish()
    }
}
