//! `mercer bench train`: the neighbourhood kernel in process, beside a peer on the same matrix.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::{
    control::{Cancelled, Unattended},
    linalg::sparse::CsrBuf,
    recommend::similarity::{Similarity, SimilarityOptions, statistics, top_neighbours},
};
use serde::Serialize;

use super::{matrix::MatrixArgs, peer, process};
use crate::show::{
    output::{self, Format},
    progress,
};

/// Time all-pairs neighbourhoods on a made-up matrix with a long tail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The peer is a command that is run with two files and options behind it:
  CMD INDPTR INDICES --items N --k K --threads T --algorithm A
and prints one JSON object with `fit_seconds` and `cpu_seconds`; tests/data/implicit_peer.py is one.")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    matrix: MatrixArgs,
    /// Neighbours kept per item.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: u16,
    /// An item-item similarity, such as item-cosine or p3.
    #[arg(long, default_value = "item-cosine")]
    algorithm: String,
    /// Threads; 0 means one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// A command that does the same, to compare with.
    #[arg(long, value_name = "CMD")]
    peer: Option<String>,
    /// Also time an eighth, a quarter and half of the made-up users: how cost grows.
    #[arg(long)]
    curve: bool,
}

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
struct Answers {
    algorithm: &'static str,
    threads: usize,
    /// The last one is the whole matrix.
    sizes: Vec<Size>,
    score_sum: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<serde_json::Value>,
    /// Seconds of the peer / seconds of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// CPU seconds of the peer / CPU seconds of the kernel: what is left on a busy machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio: Option<f64>,
}

/// Size of a matrix, and times of the kernel on it, preparation included.
#[derive(Debug, Serialize)]
struct Size {
    users: usize,
    items: usize,
    interactions: usize,
    /// Sum of the squared lengths of users' rows: multiply-adds.
    multiply_adds: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    neighbours: usize,
    peak_resident_bytes: Option<u64>,
}

/// Runs the command.
pub(super) fn run(args: TrainArgs, format: Format) -> Result<()> {
    let Some(similarity) = Similarity::parse(&args.algorithm) else {
        let known = Similarity::ALL.map(Similarity::name).join(", ");
        bail!("`{}` is not one of {known}", args.algorithm);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let threads = pool.current_num_threads();
    let mut sizes = Vec::new();
    if args.curve {
        if !args.matrix.is_made_up() {
            bail!("--curve is for made-up matrices, not for --file");
        }
        for divisor in [8, 4, 2] {
            let (matrix, items) = args.matrix.made_up(divisor)?;
            sizes.push(time(similarity, &matrix, items, args.k.into(), &pool)?.0);
        }
    }
    let spinner = progress::spinner("making the matrix");
    let (matrix, items) = args.matrix.matrix()?;
    spinner.finish_and_clear();
    let (size, score_sum) = time(similarity, &matrix, items, args.k.into(), &pool)?;
    let (seconds, cpu) = (size.seconds, size.cpu_seconds);
    sizes.push(size);
    let algorithm = similarity.name();
    let (peer, ratio, cpu_ratio) = (None, None, None);
    let mut answer = Answers { algorithm, threads, sizes, score_sum, peer, ratio, cpu_ratio };
    if let Some(command) = &args.peer {
        let peer = run_peer(command, &matrix, items, &args, threads)?;
        answer.ratio = peer["fit_seconds"].as_f64().map(|peer| peer / seconds);
        answer.cpu_ratio = peer["cpu_seconds"].as_f64().zip(cpu).map(|(peer, own)| peer / own);
        answer.peer = Some(peer);
    }
    output::print(format, &answer, Answers::table)
}

/// Time of all neighbourhoods once, with the sum of their weights.
fn time(
    similarity: Similarity,
    matrix: &CsrBuf,
    items: usize,
    k: usize,
    pool: &rayon::ThreadPool,
) -> Result<(Size, f64)> {
    let spinner = progress::spinner("training");
    let options = SimilarityOptions::default();
    let labels: Vec<u32> = (0..items as u32).collect();
    let (started, cpu) = (Instant::now(), process::cpu_seconds());
    let neighbours = pool
        .install(|| {
            let users = [matrix.view(items).expect("matrices are made sound")];
            let known = statistics(&users, items, &Unattended)?;
            let (labels, control) = (labels.as_slice(), &Unattended);
            top_neighbours(similarity, &options, &users, &known, labels, labels, k, control)
        })
        .map_err(|Cancelled| anyhow!("cancelled"))?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu_seconds().zip(cpu).map(|(after, before)| after - before);
    spinner.finish_and_clear();
    let size = Size {
        users: matrix.offsets.len() - 1,
        items,
        interactions: matrix.columns.len(),
        multiply_adds: matrix.offsets.windows(2).map(|pair| (pair[1] - pair[0]).pow(2)).sum(),
        seconds,
        cpu_seconds,
        neighbours: neighbours.targets.len(),
        peak_resident_bytes: process::peak_resident(),
    };
    Ok((size, neighbours.weights.iter().map(|&weight| f64::from(weight)).sum()))
}

/// Runs the command on the matrix.
fn run_peer(
    command: &str,
    matrix: &CsrBuf,
    items: usize,
    args: &TrainArgs,
    threads: usize,
) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let mut arguments = peer::write_matrix(folder.path(), matrix)?;
    for (name, value) in [("--items", items), ("--k", args.k.into()), ("--threads", threads)] {
        arguments.extend([name.into(), value.to_string().into()]);
    }
    arguments.extend(["--algorithm".into(), args.algorithm.as_str().into()]);
    peer::run(command, &arguments)
}

impl Answers {
    fn table(&self) -> String {
        let rows = self.sizes.iter().map(|size| {
            vec![
                output::count(size.users as u64),
                output::count(size.items as u64),
                output::count(size.interactions as u64),
                format!("{:.2} G", size.multiply_adds as f64 / 1e9),
                format!("{:.2}", size.seconds),
                size.cpu_seconds.map_or_else(String::new, |cpu| format!("{cpu:.2}")),
                format!("{:.0} M", size.multiply_adds as f64 / size.seconds / 1e6),
                output::count(size.neighbours as u64),
                size.peak_resident_bytes.map_or_else(String::new, output::bytes),
            ]
        });
        let headers = [
            ">users",
            ">items",
            ">interactions",
            ">multiply-adds",
            ">seconds",
            ">CPU s",
            ">per second",
            ">neighbours",
            ">peak memory",
        ];
        let mut text = output::table(&headers, rows);
        text.push_str(&format!(
            "\n{} on {} threads, preparation included; sum of scores {:.3}",
            self.algorithm, self.threads, self.score_sum
        ));
        if let (Some(peer), Some(ratio)) = (&self.peer, self.ratio) {
            let number = |name: &str| peer[name].as_f64().unwrap_or_default();
            text.push_str(&format!(
                "\npeer {}: {:.2} s, {:.2} CPU s, {}: {ratio:.2} times as long, {:.2} times the \
                 CPU; {} neighbours, sum of scores {:.3}",
                peer["peer"].as_str().unwrap_or("command"),
                number("fit_seconds"),
                number("cpu_seconds"),
                output::bytes(peer["peak_bytes"].as_u64().unwrap_or_default()),
                self.cpu_ratio.unwrap_or(f64::NAN),
                output::count(peer["neighbours"].as_u64().unwrap_or_default()),
                number("score_sum"),
            ));
        }
        text
    }
}
