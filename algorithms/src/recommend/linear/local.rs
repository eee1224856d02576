//! One small problem a target: its regression on the items nearest to it.

use std::ops::Range;

use super::problem::Problem;
use crate::{
    control::{Cancelled, Control, Meter, work_off},
    linalg::sparse::{Columns, Csr},
    recommend::{
        best::{concatenate, push_best},
        popularity::inverse,
        similarity::{Neighbours, Similarity, SimilarityOptions, statistics, top_neighbours},
    },
};

/// Targets that a thread takes at once.
const CHUNK: usize = 32;
/// What an entry of a column costs in multiply-adds, roughly.
const WORK: u64 = 16;

/// Solves a problem; fills the weights, as many as the neighbourhood has items, and says how much
/// work it was.
pub(super) trait Solve: Sync {
    fn solve(&self, problem: &Problem, weights: &mut Vec<f64>) -> u64;
}

/// Regresses every item on the `neighbourhood` items of greatest cosine, and keeps of each source, a
/// row of `sources`, the `k` weights of greatest magnitude.
///
/// A source's weights do not depend on the other sources, though finding them solves the problem of
/// every target that has it in its neighbourhood: ask for many at once.
pub(super) fn regress(
    solver: &impl Solve,
    neighbourhood: usize,
    users: &[Csr<'_>],
    row_of_label: &[u32],
    sources: Range<u32>,
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let items = row_of_label.len();
    let near = {
        let statistics = statistics(users, items, control)?;
        let labels: Vec<u32> = (0..).take(items).collect();
        let (cosine, options) = (Similarity::ItemCosine, SimilarityOptions::default());
        top_neighbours(
            cosine,
            &options,
            users,
            &statistics,
            &labels,
            row_of_label,
            neighbourhood,
            control,
        )?
    };
    let columns = Columns::new(users, items, control)?;
    let label_of_row = inverse(row_of_label);
    let sources = &label_of_row[sources.start as usize..sources.end as usize];
    let mut wanted = vec![false; items];
    sources.iter().for_each(|&label| wanted[label as usize] = true);
    let hood = |target: usize| {
        &near.targets[near.offsets[target] as usize..near.offsets[target + 1] as usize]
    };
    let work = |target: usize| {
        let rows = hood(target).iter().map(|&label| columns.rows_of(label as usize));
        rows.map(|rows| WORK * (1 + rows.len() as u64)).sum::<u64>()
    };
    control.begin((0..items).map(work).sum());
    let mut pieces: Vec<Vec<Weight>> = vec![Vec::new(); items.div_ceil(CHUNK)];
    let jobs = pieces.iter_mut().zip((0..items).step_by(CHUNK)).collect();
    work_off(
        jobs,
        control,
        || (Problem::new(columns.rows()), Vec::new()),
        |(problem, weights), meter, (piece, first)| {
            for target in first..items.min(first + CHUNK) {
                let hood = hood(target);
                if hood.iter().any(|&label| wanted[label as usize]) {
                    problem.pose(&columns, hood, target, meter)?;
                    meter.add(solver.solve(problem, weights))?;
                    let wanted =
                        hood.iter().zip(&*weights).filter(|(label, _)| wanted[**label as usize]);
                    piece.extend(wanted.map(|(&source, &weight)| Weight {
                        source,
                        target: target as u32,
                        weight: weight as f32,
                    }));
                }
                meter.done(work(target));
            }
            Ok(())
        },
    )?;
    drop((near, columns));
    by_source(pieces, sources, row_of_label, k, control)
}

/// What a source says of a target, both labels.
#[derive(Clone, Copy)]
struct Weight {
    source: u32,
    target: u32,
    weight: f32,
}

/// The `k` greatest of each source, in the order of `sources`.
fn by_source(
    pieces: Vec<Vec<Weight>>,
    sources: &[u32],
    row_of_label: &[u32],
    k: usize,
    control: &dyn Control,
) -> Result<Neighbours, Cancelled> {
    let mut meter = Meter::new(control);
    let mut position = vec![0; row_of_label.len()];
    for (at, &label) in sources.iter().enumerate() {
        position[label as usize] = at;
    }
    let mut ends = vec![0; sources.len()];
    for weight in pieces.iter().flatten() {
        ends[position[weight.source as usize]] += 1;
    }
    let mut next = Vec::with_capacity(sources.len());
    let mut length = 0;
    for end in &mut ends {
        next.push(length);
        length += *end;
        *end = length;
    }
    let mut weights = vec![(0, 0.0); length];
    for piece in pieces {
        for Weight { source, target, weight } in piece {
            let next = &mut next[position[source as usize]];
            weights[*next] = (target, weight);
            *next += 1;
            meter.add(4)?;
        }
    }
    let mut pieces = vec![Neighbours::default(); sources.len().div_ceil(CHUNK)];
    let jobs = pieces.iter_mut().zip((0..sources.len()).step_by(CHUNK)).collect();
    work_off(jobs, control, Vec::new, |best, meter, (piece, first)| {
        let mut start = if first == 0 { 0 } else { ends[first - 1] };
        for &end in ends[first..].iter().take(CHUNK) {
            best.extend_from_slice(&weights[start..end]);
            meter.add(8 * (end - start) as u64)?;
            push_best(piece, best, k, row_of_label);
            start = end;
        }
        Ok(())
    })?;
    Ok(concatenate(pieces))
}
