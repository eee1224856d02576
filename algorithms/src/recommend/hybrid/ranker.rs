//! A linear ranker, learned from the candidates of each user.

use super::{
    cases::{Case, cases_ndcg},
    mix::Transform,
};
use crate::{
    control::{Cancelled, Control},
    learn::softmax::{self, Choices},
};

/// Weights of transformed scores, then of features.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranker {
    pub(super) transforms: Vec<Transform>,
    /// Weights, one a source, then one a feature.
    pub(super) weights: Vec<f64>,
}

impl Ranker {
    pub(super) fn scores(&self, case: &Case, scores: &mut Vec<f64>) {
        let features = self.weights.len() - self.transforms.len();
        let mut inputs = Vec::new();
        read(&self.transforms, features, case, &mut inputs);
        for row in inputs.chunks_exact(self.weights.len().max(1)) {
            scores.push(row.iter().zip(&self.weights).map(|(x, w)| x * w).sum());
        }
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
    /// `features`. A user counts once, whatever they wanted.
    pub(super) fn fit(
        transforms: &[Transform],
        features: usize,
        cases: &[Case],
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let choices = Choices {
            groups: cases,
            inputs: transforms.len() + features,
            read: &|case: &Case, inputs: &mut Vec<f64>| read(transforms, features, case, inputs),
            is_chosen: |case: &Case| &case.is_wanted,
        };
        let weights = softmax::fit(&choices, control)?;
        Ok(Self { transforms: transforms.to_vec(), weights })
    }
}

/// Replaces `inputs` by the transformed scores and the features of each candidate.
fn read(transforms: &[Transform], features: usize, case: &Case, inputs: &mut Vec<f64>) {
    inputs.clear();
    for (candidate, scaled) in case.scaled.chunks_exact(transforms.len().max(1)).enumerate() {
        for (&scaled, transform) in scaled.iter().zip(transforms) {
            inputs.push(transform.apply(f64::from(scaled)));
        }
        let of_candidate = &case.features[candidate * features..(candidate + 1) * features];
        inputs.extend(of_candidate.iter().map(|&value| f64::from(value)));
    }
}
