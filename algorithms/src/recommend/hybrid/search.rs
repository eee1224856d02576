//! Convex weights by coordinate search on the NDCG itself.

use super::{
    cases::{Case, cases_ndcg},
    mix::Transform,
};
use crate::control::{Cancelled, Control, work_off};

/// Shares of the whole that a source is given in turn.
const SHARES: [f64; 13] = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Users that a thread takes at once.
const CHUNK: usize = 32;
/// Rounds over all sources, at most.
const ROUNDS: usize = 6;

/// Weights that are not below 0 and add up to 1, with the transformation of each source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Convex {
    pub(super) weights: Vec<f64>,
    pub(super) transforms: Vec<Transform>,
}

impl Convex {
    /// Gives all weight to one source.
    pub(super) fn single(sources: usize, source: usize) -> Self {
        let weights = (0..sources).map(|at| if at == source { 1.0 } else { 0.0 }).collect();
        Self { weights, transforms: vec![Transform::default(); sources] }
    }

    pub(super) fn scores(&self, case: &Case, scores: &mut Vec<f64>) {
        let sources = self.weights.len();
        scores.extend(case.scaled.chunks_exact(sources).map(|scaled| {
            let sources = scaled.iter().zip(self.weights.iter().zip(&self.transforms));
            sources.fold(0.0, |sum, (&scaled, (&weight, transform))| {
                if weight > 0.0 { sum + weight * transform.apply(f64::from(scaled)) } else { sum }
            })
        }));
    }

    pub(super) fn ndcg(
        &self,
        cases: &[Case],
        length: usize,
        control: &dyn Control,
    ) -> Result<f64, Cancelled> {
        cases_ndcg(cases, length, control, |case, _, scores| self.scores(case, scores))
    }
}

/// Improves `start` as long as giving one source another share, at the cost of all others alike,
/// raises the mean NDCG.
pub(super) fn search(
    mut best: Convex,
    cases: &[Case],
    length: usize,
    control: &dyn Control,
) -> Result<(Convex, f64), Cancelled> {
    let mut best_ndcg = best.ndcg(cases, length, control)?;
    for _ in 0..ROUNDS {
        let before = best_ndcg;
        for source in 0..best.weights.len() {
            let others = 1.0 - best.weights[source];
            if others <= 0.0 {
                continue;
            }
            // What the other sources give, as if they were all.
            let mut rest = best.clone();
            rest.weights[source] = 0.0;
            rest.weights.iter_mut().for_each(|weight| *weight /= others);
            let of_rest = of_cases(&rest, cases, control)?;
            for transform in Transform::ALL {
                let mut single = Convex::single(best.weights.len(), source);
                single.transforms[source] = transform;
                let of_source = of_cases(&single, cases, control)?;
                // Without a share it does not matter how the source is transformed.
                let skipped = usize::from(transform != Transform::default());
                for share in SHARES.into_iter().skip(skipped) {
                    let ndcg = cases_ndcg(cases, length, control, |_, at, scores| {
                        let pairs = of_rest[at].iter().zip(&of_source[at]);
                        scores
                            .extend(pairs.map(|(&rest, &own)| (1.0 - share) * rest + share * own));
                    })?;
                    if ndcg > best_ndcg {
                        best = rest.clone();
                        best.weights.iter_mut().for_each(|weight| *weight *= 1.0 - share);
                        best.weights[source] = share;
                        best.transforms[source] = transform;
                        best_ndcg = ndcg;
                    }
                }
            }
        }
        if best_ndcg <= before {
            break;
        }
    }
    Ok((best, best_ndcg))
}

/// Scores of all candidates by case.
fn of_cases(
    convex: &Convex,
    cases: &[Case],
    control: &dyn Control,
) -> Result<Vec<Vec<f64>>, Cancelled> {
    let mut all = vec![Vec::new(); cases.len()];
    let jobs = cases.chunks(CHUNK).zip(all.chunks_mut(CHUNK)).collect();
    work_off(
        jobs,
        control,
        || (),
        |(), meter, (cases, all)| {
            for (case, scores) in cases.iter().zip(all) {
                convex.scores(case, scores);
                meter.add(case.scaled.len() as u64)?;
            }
            Ok(())
        },
    )?;
    Ok(all)
}
