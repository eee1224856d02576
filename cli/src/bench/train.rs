//! `mercer bench train`: the neighbourhood kernel in process, beside a peer on the same matrix.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::{
    recommend::{
        control::{Cancelled, Unattended},
        similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
        synthetic::power_law,
    },
    sparse::CsrBuf,
};
use serde::Serialize;

use super::process;
use crate::{
    output::{self, Format},
    progress,
};

/// Time all-pairs neighbourhoods on a made-up matrix with a long tail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The peer is a command that is run with two files and options behind it:
  CMD INDPTR INDICES --items N --k K --threads T
and prints one JSON object with `fit_seconds`; tests/data/implicit_peer.py is one.")]
pub(crate) struct TrainArgs {
    /// Rows of the matrix.
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// Columns of the matrix.
    #[arg(long, default_value_t = 20_000)]
    items: usize,
    /// Entries of the matrix, about.
    #[arg(long, default_value_t = 5_000_000)]
    interactions: usize,
    /// Popularity falls like rank^-exponent.
    #[arg(long, default_value_t = 0.8)]
    exponent: f64,
    /// Seed of the matrix.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Neighbours kept per item.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: u16,
    /// `item-cosine` or `p3`.
    #[arg(long, default_value = "item-cosine")]
    algorithm: String,
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
    algorithm: &'static str,
    threads: usize,
    users: usize,
    items: usize,
    interactions: usize,
    seconds: f64,
    neighbours: usize,
    score_sum: f64,
    peak_resident_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<serde_json::Value>,
    /// Seconds of the peer / seconds of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

/// Runs the command.
pub(super) fn run(args: TrainArgs, format: Format) -> Result<()> {
    let Some(similarity) = Similarity::parse(&args.algorithm) else {
        let known = Similarity::ALL.map(Similarity::name).join(", ");
        bail!("`{}` is not one of {known}", args.algorithm);
    };
    if !(args.exponent >= 0.0 && args.exponent.is_finite()) || u32::try_from(args.items).is_err() {
        bail!("--exponent must be 0 or above, and --items below 2^32");
    }
    let spinner = progress::spinner("making the matrix");
    let matrix = power_law(args.users, args.items, args.interactions, args.exponent, args.seed);
    spinner.finish_and_clear();

    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let spinner = progress::spinner("training");
    let started = Instant::now();
    let neighbours = pool
        .install(|| {
            let view = matrix.view(args.items).expect("a matrix of the generator is sound");
            let users = [view];
            let statistics = statistics(&users, args.items, &Unattended)?;
            let labels: Vec<u32> = (0..args.items as u32).collect();
            let k = usize::from(args.k);
            let options = SimilarityOptions::default();
            let labels = labels.as_slice();
            top_neighbours(
                similarity, &options, &users, &statistics, labels, labels, k, &Unattended,
            )
        })
        .map_err(|Cancelled| anyhow!("cancelled"))?;
    let seconds = started.elapsed().as_secs_f64();
    spinner.finish_and_clear();
    let mut answer = Answers {
        algorithm: similarity.name(),
        threads: pool.current_num_threads(),
        users: args.users,
        items: args.items,
        interactions: matrix.columns.len(),
        seconds,
        neighbours: neighbours.targets.len(),
        score_sum: neighbours.weights.iter().map(|&weight| f64::from(weight)).sum(),
        peak_resident_bytes: process::peak_resident(),
        peer: None,
        ratio: None,
    };
    if let Some(command) = &args.peer {
        let peer = run_peer(command, &matrix, &args, answer.threads)?;
        answer.ratio = peer["fit_seconds"].as_f64().map(|peer| peer / seconds);
        answer.peer = Some(peer);
    }
    output::print(format, &answer, Answers::table)
}

/// Writes the matrix, runs the command on it, and reads its JSON.
fn run_peer(
    command: &str,
    matrix: &CsrBuf,
    args: &TrainArgs,
    threads: usize,
) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let (indptr, indices) = (folder.path().join("indptr"), folder.path().join("indices"));
    write(&indptr, matrix.offsets.iter().map(|offset| offset.to_le_bytes()))?;
    write(&indices, matrix.columns.iter().map(|column| column.to_le_bytes()))?;
    let spinner = progress::spinner("running the peer");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{command} \"$@\""))
        .arg("peer")
        .args([&indptr, &indices])
        .args(["--items", &args.items.to_string()])
        .args(["--k", &args.k.to_string()])
        .args(["--threads", &threads.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("running `{command}`"));
    spinner.finish_and_clear();
    let output = output?;
    if !output.status.success() {
        bail!("the peer ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("the peer printed `{last}`, not JSON"))
}

fn write<const N: usize>(path: &Path, values: impl Iterator<Item = [u8; N]>) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(writing)?);
    for value in values {
        file.write_all(&value).with_context(writing)?;
    }
    file.flush().with_context(writing)
}

impl Answers {
    fn table(&self) -> String {
        let mut text = format!(
            "{} of {} users, {} items, {} interactions on {} threads: {:.2} s\n\
             {} neighbours, sum of scores {:.3}",
            self.algorithm,
            output::count(self.users as u64),
            output::count(self.items as u64),
            output::count(self.interactions as u64),
            self.threads,
            self.seconds,
            output::count(self.neighbours as u64),
            self.score_sum,
        );
        if let Some(peak) = self.peak_resident_bytes {
            text.push_str(&format!(", peak memory {}", output::bytes(peak)));
        }
        if let (Some(peer), Some(ratio)) = (&self.peer, self.ratio) {
            text.push_str(&format!(
                "\npeer {}: {:.2} s, so {ratio:.2} times as long; {} neighbours, sum of scores {:.3}",
                peer["peer"].as_str().unwrap_or("command"),
                peer["fit_seconds"].as_f64().unwrap_or_default(),
                output::count(peer["neighbours"].as_u64().unwrap_or_default()),
                peer["score_sum"].as_f64().unwrap_or_default(),
            ));
        }
        text
    }
}
