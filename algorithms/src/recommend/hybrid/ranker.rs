//! A linear ranker by softmax regression over each user's candidates (the list-wise likelihood of
//! Plackett and Luce's first choice, as in ListNet, Cao et al. 2007).

use super::{
    cases::{Case, cases_ndcg},
    mix::Transform,
};
use crate::{
    control::{Cancelled, Control, work_off},
    linalg::cholesky,
};

/// Cases whose sums are added up in their order before others'.
const CHUNK: usize = 64;
/// Steps of Newton's method, at most.
const STEPS: usize = 30;
/// Ridge on standardised inputs, for each user: a prior as strong as a thousandth of one.
const RIDGE: f64 = 1e-3;

/// Weights of transformed scores, then of features.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranker {
    pub(super) transforms: Vec<Transform>,
    /// Weights, one a source, then one a feature.
    pub(super) weights: Vec<f64>,
}

/// Value, gradient and lower triangle of the Hessian of the negative log-likelihood.
#[derive(Clone)]
struct Sums {
    loss: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

impl Sums {
    fn new(inputs: usize) -> Self {
        Self { loss: 0.0, gradient: vec![0.0; inputs], hessian: vec![0.0; inputs * inputs] }
    }
}

impl Ranker {
    fn inputs(&self, case: &Case, inputs: &mut Vec<f64>) {
        let sources = self.transforms.len();
        let features = self.weights.len() - sources;
        inputs.clear();
        for (candidate, scaled) in case.scaled.chunks_exact(sources.max(1)).enumerate() {
            let transformed = scaled.iter().zip(&self.transforms);
            inputs.extend(transformed.map(|(&scaled, by)| by.apply(f64::from(scaled))));
            let of_candidate = &case.features[candidate * features..(candidate + 1) * features];
            inputs.extend(of_candidate.iter().map(|&value| f64::from(value)));
        }
    }

    pub(super) fn scores(&self, case: &Case, scores: &mut Vec<f64>) {
        let mut inputs = Vec::new();
        self.inputs(case, &mut inputs);
        let score = |row: &[f64]| row.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>();
        scores.extend(inputs.chunks_exact(self.weights.len().max(1)).map(score));
    }

    pub(super) fn ndcg(
        &self,
        cases: &[Case],
        length: usize,
        control: &dyn Control,
    ) -> Result<f64, Cancelled> {
        cases_ndcg(cases, length, control, |case, _, scores| self.scores(case, scores))
    }

    /// The most likely weights for the transformations `transforms` and as many features as
    /// `features`, by Newton's method with halved steps, from 0.
    pub(super) fn fit(
        transforms: &[Transform],
        features: usize,
        cases: &[Case],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let count = transforms.len() + features;
        let mut ranker = Self { transforms: transforms.to_vec(), weights: vec![0.0; count] };
        let spread = ranker.spread(cases);
        let ridge = RIDGE * cases.len() as f64;
        let penalty = |weights: &[f64]| {
            let squares =
                weights.iter().zip(&spread).map(|(weight, spread)| (weight * spread).powi(2));
            0.5 * ridge * squares.sum::<f64>()
        };
        let mut sums = ranker.sums(cases, control)?;
        let mut loss = sums.loss + penalty(&ranker.weights);
        for _ in 0..STEPS {
            for (at, spread) in spread.iter().enumerate() {
                let square = ridge * spread * spread;
                sums.gradient[at] += square * ranker.weights[at];
                sums.hessian[at * count + at] += square.max(f64::MIN_POSITIVE);
            }
            let Some(step) = cholesky::solve(&sums.hessian, &sums.gradient) else { break };
            let mut scale = 1.0;
            let mut improved = false;
            for _ in 0..8 {
                let mut next = ranker.clone();
                for (weight, step) in next.weights.iter_mut().zip(&step) {
                    *weight -= scale * step;
                }
                let next_sums = next.sums(cases, control)?;
                let next_loss = next_sums.loss + penalty(&next.weights);
                if next_loss < loss {
                    improved = loss - next_loss > 1e-7 * loss.abs();
                    (ranker, sums, loss) = (next, next_sums, next_loss);
                    break;
                }
                scale *= 0.5;
            }
            if !improved {
                break;
            }
        }
        Ok(ranker)
    }

    /// Root mean square of each input.
    fn spread(&self, cases: &[Case]) -> Vec<f64> {
        let mut squares = vec![0.0; self.weights.len()];
        let mut rows = 0usize;
        let mut inputs = Vec::new();
        for case in cases {
            self.inputs(case, &mut inputs);
            for row in inputs.chunks_exact(self.weights.len().max(1)) {
                rows += 1;
                for (square, value) in squares.iter_mut().zip(row) {
                    *square += value * value;
                }
            }
        }
        squares.iter().map(|square| (square / rows.max(1) as f64).sqrt().max(1e-12)).collect()
    }

    fn sums(&self, cases: &[Case], control: &dyn Control) -> Result<Sums, Cancelled> {
        let count = self.weights.len();
        let mut parts = vec![Sums::new(count); cases.len().div_ceil(CHUNK)];
        let jobs = cases.chunks(CHUNK).zip(&mut parts).collect();
        let state = || (Vec::new(), Vec::new());
        work_off(jobs, control, state, |(inputs, shares), meter, (cases, sums)| {
            for case in cases {
                self.add(case, inputs, shares, sums);
                meter.add((case.is_wanted.len() * count * count) as u64)?;
            }
            Ok(())
        })?;
        let mut total = Sums::new(count);
        for part in parts {
            total.loss += part.loss;
            total.gradient.iter_mut().zip(part.gradient).for_each(|(sum, part)| *sum += part);
            total.hessian.iter_mut().zip(part.hessian).for_each(|(sum, part)| *sum += part);
        }
        Ok(total)
    }

    /// A user counts once, whatever they wanted: the mean over the wanted items of
    /// `-ln softmax(score)`.
    fn add(&self, case: &Case, inputs: &mut Vec<f64>, shares: &mut Vec<f64>, sums: &mut Sums) {
        let count = self.weights.len();
        let found = case.is_wanted.iter().filter(|&&is_wanted| is_wanted).count();
        if found == 0 {
            return;
        }
        self.inputs(case, inputs);
        let rows = || inputs.chunks_exact(count);
        shares.clear();
        shares.extend(rows().map(|row| {
            row.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f64>()
        }));
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = shares.iter().map(|score| (score - largest).exp()).sum();
        let normal = largest + total.ln();
        let target = 1.0 / found as f64;
        let mut mean = vec![0.0; count];
        for ((row, share), &is_wanted) in rows().zip(shares.iter_mut()).zip(&case.is_wanted) {
            if is_wanted {
                sums.loss += target * (normal - *share);
            }
            *share = (*share - normal).exp();
            let wanted = if is_wanted { target } else { 0.0 };
            for (at, &value) in row.iter().enumerate() {
                mean[at] += *share * value;
                sums.gradient[at] += (*share - wanted) * value;
            }
        }
        for (row, &share) in rows().zip(&*shares) {
            // What no weight can raise adds nothing that could be seen.
            if share < 1e-9 {
                continue;
            }
            for i in 0..count {
                let left = share * (row[i] - mean[i]);
                for j in 0..=i {
                    sums.hessian[i * count + j] += left * (row[j] - mean[j]);
                }
            }
        }
    }
}
