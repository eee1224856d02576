//! `mercer evaluate recommend`: learn from one file, look for what another one holds.

mod answer;
mod files;
mod items;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::{
    control::{Cancelled, Unattended},
    recommend::{
        evaluate::{Options, Prediction, Split, evaluate},
        hybrid::{Algorithm, Holdout, hold_out},
    },
};

use crate::show::{
    output::{self, Format},
    progress,
    sheet::{Cell, Sheet},
};
use answer::Answer;
use files::Events;
use settings::Settings;

/// Sources of the hybrid unless it is told otherwise.
const SOURCES: &str =
    "p3,item-bm25,item-transitions,bought-together,user-cosine,ials,ease,fresh,popular,repurchase";

/// Learn from one file, look for what another one holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The files are CSV or Parquet with the columns user_id, item_id and perhaps timestamp, type (view,
click, favourite, add_to_cart, purchase, return, rating) and value (a quantity, or a rating). Without
types lines are purchases, or ratings when they have values; of several ratings of one pair the latest
counts. The full catalogue (items of any file) is ranked for every user with test items; items that
the user purchased or rated in the training file are left out, unless --seen include. Test users
without training history count as misses. Half-lives, and what the hybrid weighs, are learned within
the training data.

  recall      found / test items of the user
  ndcg        binary gain over the best possible list
  precision   found / k
  hit_rate    users with anything found / users
  coverage    distinct items in any list / items
  gini        how unequally items are shown: 0 all alike, 1 one takes all
  novelty     mean of -log2 of the share of users who have what is shown
  candidates  share of the best items that serving from candidates finds

--set takes: neighbours, history, half-life-days, weighted, log-quantity, shrinkage, alpha, beta,
asymmetry, bm25-k1, bm25-b, transition-decay, transition-gap, basket-support, dimensions, iterations,
unobserved-weight, regularization, frequency-exponent, steps, ease-regularization, exact-items,
neighbourhood, slim-l1, slim-l2, user-neighbours, fresh-half-life-days, trend-window-days, new-days,
repurchase-half-life-days, repurchase-horizon-days, repurchase-due-exponent, content-min-items,
content-max-share, content-attribute-weight, learn-users, learn-events, learn-length, seed.")]
pub(super) struct RecommendArgs {
    /// What to learn from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// What to look for; without it, a part of the training file that --split says.
    #[arg(long, value_name = "FILE", required_unless_present = "split")]
    test: Option<PathBuf>,
    /// Hold out the last visit of each user, or the last days of all: last-item or time:DAYS.
    #[arg(long, value_name = "HOW", conflicts_with = "test")]
    split: Option<HoldoutArg>,
    /// What the items are, for content, prices and stock: item_id and perhaps title, description,
    /// brand, category or category_1, category_2 and so on, price, in_stock; all else is attributes.
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Names of algorithms, or `all`.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', num_args = 1.., default_value = "all")]
    algorithms: Vec<String>,
    /// What the hybrid mixes.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', num_args = 1.., default_value = SOURCES)]
    sources: Vec<String>,
    /// Whether items that a user has had may be listed again.
    #[arg(long, value_enum, default_value_t = Seen::Exclude)]
    seen: Seen,
    /// Learn the half-lives of every algorithm's profiles, not only those of the hybrid's sources.
    #[arg(long)]
    learn: bool,
    /// What is held out within the training data to learn from: last-item or time:DAYS; as --split
    /// unless given, or else last-item.
    #[arg(long, value_name = "HOW")]
    learn_split: Option<HoldoutArg>,
    /// Lengths of the lists.
    #[arg(long, value_name = "K,...", value_delimiter = ',', num_args = 1.., default_value = "20,50", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    at: Vec<u16>,
    /// Neighbours kept per item.
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    neighbours: u16,
    /// Change how algorithms are trained; see below.
    #[arg(long, value_name = "KEY=VALUE,...", value_delimiter = ',', num_args = 1..)]
    set: Vec<String>,
    /// Write every list to this CSV file: algorithm, user_id, item_id, rank, score.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Threads; 0 means one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// What may be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Seen {
    /// Only what the user has neither purchased nor rated.
    Exclude,
    /// Everything: repeat purchases are the task.
    Include,
}

/// A [`Holdout`] as it is typed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HoldoutArg(Holdout);

impl FromStr for HoldoutArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.strip_prefix("time:").map(str::parse::<f64>);
        match (text, days) {
            ("last-item", _) => Ok(Self(Holdout::LastVisit)),
            (_, Some(Ok(days))) if days > 0.0 && days.is_finite() => Ok(Self(Holdout::Days(days))),
            _ => Err("expected last-item or time:DAYS, such as time:28".into()),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &RecommendArgs, format: Format) -> Result<()> {
    output::print(format, &evaluated_by(args)?, Answer::table)
}

fn evaluated_by(args: &RecommendArgs) -> Result<Answer> {
    let mut settings = Settings::new(args.neighbours.into());
    args.set.iter().try_for_each(|setting| settings.set(setting))?;
    let Settings { spec, mut learning, content } = settings;
    learning.repeats = args.seen == Seen::Include;
    learning.holdout = args.learn_split.or(args.split).map_or(Holdout::LastVisit, |how| how.0);

    let spinner = progress::spinner("reading");
    let mut events = Events::read(&args.train, args.test.as_deref())?;
    let catalogue = args.items.as_deref().map(|path| items::read(path, &mut events)).transpose()?;
    let data = events.number()?;
    let (facts, texts) = match catalogue {
        Some(catalogue) => catalogue.by_row(&data.items),
        None => (vec![Default::default(); data.items.len()], None),
    };
    let count = data.items.len();
    let view = data.train.view(count)?;
    let held = args
        .split
        .map(|how| hold_out(view, how.0, learning.repeats, &spec.profile, learning.seed, |_| true));
    let (train, test) = match &held {
        Some(held) => (held.train.view(count)?, &held.test),
        None => (view, &data.test),
    };
    if train.events() == 0 || test.iter().all(Vec::is_empty) {
        bail!("there must be at least one line to learn from and one to look for");
    }

    let is_usable = |algorithm: &Algorithm| match algorithm {
        Algorithm::Als => data.has_values,
        Algorithm::Content => texts.is_some(),
        _ => true,
    };
    let algorithms = named(&args.algorithms, is_usable)?;
    learning.sources = named(&args.sources, |_| true)?;
    learning.sources.retain(|source| *source != Algorithm::Hybrid && is_usable(source));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let cancelled = |Cancelled| anyhow!("cancelled");
    let needs_content =
        algorithms.iter().chain(&learning.sources).any(|known| *known == Algorithm::Content);
    let given = match texts.filter(|_| needs_content) {
        Some(texts) => {
            let k = spec.neighbours;
            let content =
                pool.install(|| items::neighbours(&texts, &content, k)).map_err(cancelled)?;
            vec![(Algorithm::Content, content)]
        }
        None => Vec::new(),
    };

    let mut at: Vec<usize> = args.at.iter().map(|&k| k.into()).collect();
    at.sort_unstable();
    at.dedup();
    let options = Options { at, spec, learning, learn: args.learn };
    let mut predictions = args.predictions.as_deref().map(PredictionFile::create).transpose()?;
    let mut failure = Ok(());
    let start = Instant::now();
    progress::say(&spinner, "evaluating");
    let split = Split { train, test, facts: &facts };
    let evaluation = pool.install(|| {
        evaluate(
            &split,
            &algorithms,
            &given,
            &options,
            &|| start.elapsed().as_secs_f64(),
            &mut |prediction| {
                if let (Some(file), true) = (&mut predictions, failure.is_ok()) {
                    let user = &data.users[prediction.user as usize];
                    failure = file.write(prediction, user, &data.items[prediction.item as usize]);
                }
            },
            &Unattended,
        )
    });
    let evaluation = evaluation.map_err(cancelled)?;
    spinner.finish_and_clear();
    failure.context("writing the predictions")?;
    if let Some(file) = predictions {
        file.finish()?;
    }
    Ok(Answer::new(&evaluation, &options.at))
}

/// The algorithms of these names; of `all`, those that are usable.
fn named(names: &[String], is_usable: impl Fn(&Algorithm) -> bool) -> Result<Vec<Algorithm>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Algorithm::all().into_iter().filter(is_usable).collect());
    }
    let mut found = Vec::new();
    for name in names {
        let algorithm = Algorithm::parse(name).ok_or_else(|| {
            let known: Vec<&str> = Algorithm::all().iter().map(|known| known.name()).collect();
            anyhow!("`{name}` is not an algorithm; there are {} and all", known.join(", "))
        })?;
        if !found.contains(&algorithm) {
            found.push(algorithm);
        }
    }
    Ok(found)
}

/// Lists as a sheet.
struct PredictionFile {
    sheet: Sheet,
}

impl PredictionFile {
    fn create(path: &Path) -> Result<Self> {
        let columns = ["algorithm", "user_id", "item_id", "rank", "score"];
        Ok(Self { sheet: Sheet::create(path, &columns)? })
    }

    fn write(&mut self, prediction: Prediction, user: &str, item: &str) -> Result<()> {
        self.sheet.write(&[
            Cell::Text(prediction.algorithm.name()),
            Cell::Text(user),
            Cell::Text(item),
            Cell::number(prediction.rank),
            Cell::number(prediction.score),
        ])
    }

    fn finish(self) -> Result<()> {
        self.sheet.finish()
    }
}
