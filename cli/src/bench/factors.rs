//! `mercer bench factors`: alternating least squares in process, beside a peer on the same matrix.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::{
    control::{Cancelled, Unattended},
    linalg::sparse::{Csr, CsrBuf, transpose},
    recommend::{
        factors::{self, DIMENSIONS, FactorMatrix, FactorSpec, gramian, half_step, loss},
        synthetic::power_law,
    },
};
use serde::Serialize;

use super::{peer, process};
use crate::show::{
    output::{self, Format},
    progress,
};

/// Time matrix factorization on a made-up matrix with a long tail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The peer is a command that is run with three files and options behind it:
  CMD INDPTR INDICES START --items N --dimensions D --iterations K --steps S --alpha A
      --regularization R --threads T
and prints one JSON object with `iteration_seconds`, `iteration_cpu_seconds` and `loss`;
tests/data/implicit_factors_peer.py is one, and says how its objective and Mercer's are the same.")]
pub(crate) struct FactorsArgs {
    /// Rows of the matrix.
    #[arg(long, default_value_t = 200_000)]
    users: usize,
    /// Columns of the matrix.
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    /// Entries of the matrix, about.
    #[arg(long, default_value_t = 10_000_000)]
    interactions: usize,
    /// Popularity falls like rank^-exponent.
    #[arg(long, default_value_t = 0.8)]
    exponent: f64,
    /// Seed of the matrix and of the first factors.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Numbers of a factor.
    #[arg(long, default_value_t = 64)]
    dimensions: usize,
    /// Times that users and items are solved.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    iterations: u32,
    /// Steps of conjugate gradients in each.
    #[arg(long, default_value_t = 3)]
    steps: u32,
    /// Weight of a cell with interaction where one without weighs 1, above 1.
    #[arg(long, default_value_t = 20.0)]
    alpha: f64,
    /// Regularization beside that weight.
    #[arg(long, default_value_t = 0.1)]
    regularization: f64,
    /// Threads; 0 means one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// A command that does the same, to compare with.
    #[arg(long, value_name = "CMD")]
    peer: Option<String>,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    threads: usize,
    users: usize,
    items: usize,
    interactions: usize,
    dimensions: usize,
    iteration_seconds: Vec<f64>,
    iteration_cpu_seconds: Vec<f64>,
    loss: f64,
    peak_resident_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<serde_json::Value>,
    /// Seconds of the peer / seconds of Mercer, medians of the iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// The same of CPU seconds: what other programs on the machine leave alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio: Option<f64>,
}

/// Runs the command.
pub(super) fn run(args: FactorsArgs, format: Format) -> Result<()> {
    let sound = args.exponent >= 0.0 && args.exponent.is_finite();
    if !sound || u32::try_from(args.items.max(args.users)).is_err() {
        bail!("--exponent must be 0 or above, --users and --items below 2^32");
    }
    if !DIMENSIONS.contains(&args.dimensions) {
        bail!("--dimensions must be {} to {}", DIMENSIONS.start(), DIMENSIONS.end());
    }
    let weights = args.alpha > 1.0 && args.alpha.is_finite();
    if !(weights && args.regularization >= 0.0 && args.regularization.is_finite()) {
        bail!("--alpha must be above 1, --regularization 0 or above");
    }
    let spec = FactorSpec {
        dimensions: args.dimensions,
        iterations: args.iterations,
        unobserved_weight: 1.0 / (args.alpha - 1.0),
        regularization: args.regularization / args.alpha,
        frequency_exponent: 0.0,
        steps: args.steps,
        seed: args.seed,
        explicit: false,
    };
    let spinner = progress::spinner("making the matrix");
    let matrix = power_law(args.users, args.items, args.interactions, args.exponent, args.seed);
    let start = factors::start(&spec, 0..args.items as u32);
    spinner.finish_and_clear();

    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let spinner = progress::spinner("training");
    let mut answer = Answers {
        threads: pool.current_num_threads(),
        users: args.users,
        items: args.items,
        interactions: matrix.columns.len(),
        dimensions: args.dimensions,
        iteration_seconds: Vec::new(),
        iteration_cpu_seconds: Vec::new(),
        loss: f64::NAN,
        peak_resident_bytes: None,
        peer: None,
        ratio: None,
        cpu_ratio: None,
    };
    pool.install(|| train(&spec, &matrix, start.clone(), &mut answer))
        .map_err(|Cancelled| anyhow!("cancelled"))?;
    answer.peak_resident_bytes = process::peak_resident();
    spinner.finish_and_clear();
    if let Some(command) = &args.peer {
        let peer = run_peer(command, &matrix, &start, &args, answer.threads)?;
        let ratio = |own: &[f64], name: &str| {
            let theirs: Option<Vec<f64>> =
                peer[name].as_array()?.iter().map(serde_json::Value::as_f64).collect();
            Some(median(&theirs?)? / median(own)?)
        };
        answer.ratio = ratio(&answer.iteration_seconds, "iteration_seconds");
        answer.cpu_ratio = ratio(&answer.iteration_cpu_seconds, "iteration_cpu_seconds");
        answer.peer = Some(peer);
    }
    output::print(format, &answer, Answers::table)
}

/// Factorizes, and notes what each iteration took.
fn train(
    spec: &FactorSpec,
    matrix: &CsrBuf,
    mut items: Vec<f32>,
    answer: &mut Answers,
) -> Result<(), Cancelled> {
    let by_user = matrix.view(answer.items).expect("a matrix of the generator is sound");
    let rows: Vec<u32> = (0..answer.items as u32).collect();
    let by_item = transpose(&[by_user], &rows);
    let by_item = by_item.view(answer.users).expect("a transposed matrix is sound");
    let solve = |fixed: &[f32], matrix: &Csr<'_>, previous: &[f32]| {
        let fixed = whole(spec, fixed);
        let gramian = gramian(&fixed, &Unattended)?;
        half_step(spec, &fixed, &gramian, matrix, previous, &Unattended)
    };
    let mut users = Vec::new();
    for _ in 0..spec.iterations {
        let (started, cpu) = (Instant::now(), process::cpu_seconds());
        users = solve(&items, &by_user, &users)?;
        items = solve(&users, &by_item, &items)?;
        answer.iteration_seconds.push(started.elapsed().as_secs_f64());
        let used = process::cpu_seconds().zip(cpu).map(|(now, before)| now - before);
        answer.iteration_cpu_seconds.extend(used);
    }
    answer.loss = loss(spec, &whole(spec, &users), &whole(spec, &items), &[by_user], &Unattended)?;
    Ok(())
}

fn whole<'a>(spec: &FactorSpec, factors: &'a [f32]) -> FactorMatrix<'a> {
    FactorMatrix::new(spec.dimensions, [factors]).expect("rows of the dimensions")
}

/// Runs the command on the matrix and the first factors.
fn run_peer(
    command: &str,
    matrix: &CsrBuf,
    start: &[f32],
    args: &FactorsArgs,
    threads: usize,
) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let mut arguments = peer::write_matrix(folder.path(), matrix)?;
    let path = folder.path().join("start");
    peer::write(&path, start.iter().map(|value| value.to_le_bytes()))?;
    arguments.push(path.into());
    for (name, value) in [
        ("--items", args.items.to_string()),
        ("--dimensions", args.dimensions.to_string()),
        ("--iterations", args.iterations.to_string()),
        ("--steps", args.steps.to_string()),
        ("--alpha", args.alpha.to_string()),
        ("--regularization", args.regularization.to_string()),
        ("--threads", threads.to_string()),
    ] {
        arguments.extend([name.into(), value.into()]);
    }
    peer::run(command, &arguments)
}

/// The middle value, the lower of two; `None` of nothing.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

impl Answers {
    fn table(&self) -> String {
        let mut text = format!(
            "{} dimensions of {} users, {} items, {} interactions on {} threads: \
             {:.2} s an iteration, {:.2} CPU s; loss {:.2}",
            self.dimensions,
            output::count(self.users as u64),
            output::count(self.items as u64),
            output::count(self.interactions as u64),
            self.threads,
            median(&self.iteration_seconds).unwrap_or_default(),
            median(&self.iteration_cpu_seconds).unwrap_or_default(),
            self.loss,
        );
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!(", peak memory {}", output::bytes(peak)));
        }
        if let (Some(peer), Some(ratio)) = (&self.peer, self.ratio) {
            text.push_str(&format!(
                "\npeer {}: {ratio:.2} times as long, {:.2} times the CPU; loss {:.2}",
                peer["peer"].as_str().unwrap_or("command"),
                self.cpu_ratio.unwrap_or_default(),
                peer["loss"].as_f64().unwrap_or_default(),
            ));
        }
        text
    }
}
