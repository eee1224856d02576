//! Softmax regression over groups of candidates of which some were chosen.
//!
//! The list-wise likelihood of Plackett and Luce's first choice, as in ListNet (Cao et al. 2007),
//! with a ridge; for one chosen candidate a group it is the conditional logit (McFadden 1974).

use crate::{
    control::{Cancelled, Control, work_off},
    linalg::cholesky,
};

/// Groups whose sums are added up in their order before others'.
const CHUNK: usize = 64;
/// Steps of Newton's method, at most.
const STEPS: usize = 30;
/// Ridge on standardised inputs, for each group: a prior as strong as a thousandth of one.
const RIDGE: f64 = 1e-3;

/// Groups of candidates, and how they are read.
pub(crate) struct Choices<'a, G> {
    pub(crate) groups: &'a [G],
    /// Number of inputs of a candidate, at least 1.
    pub(crate) inputs: usize,
    /// Replaces the numbers by the inputs of a group, candidate after candidate.
    pub(crate) read: &'a (dyn Fn(&G, &mut Vec<f64>) + Sync),
    /// Whether each candidate of a group was chosen.
    pub(crate) is_chosen: fn(&G) -> &[bool],
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

/// The most likely weights of the inputs, by Newton's method with halved steps, from 0. The same
/// bits for any number of threads.
///
/// # Errors
/// When `control` says so.
pub(crate) fn fit<G: Sync>(
    choices: &Choices<'_, G>,
    control: &dyn Control,
) -> Result<Vec<f64>, Cancelled> {
    let count = choices.inputs;
    let mut weights = vec![0.0; count];
    let spread = choices.spread();
    let ridge = RIDGE * choices.groups.len() as f64;
    let penalty = |weights: &[f64]| {
        let squares = weights.iter().zip(&spread).map(|(weight, spread)| (weight * spread).powi(2));
        0.5 * ridge * squares.sum::<f64>()
    };
    let mut sums = choices.sums(&weights, control)?;
    let mut loss = sums.loss + penalty(&weights);
    for _ in 0..STEPS {
        for (at, spread) in spread.iter().enumerate() {
            let square = ridge * spread * spread;
            sums.gradient[at] += square * weights[at];
            sums.hessian[at * count + at] += square.max(f64::MIN_POSITIVE);
        }
        let Some(step) = cholesky::solve(&sums.hessian, &sums.gradient) else { break };
        let mut scale = 1.0;
        let mut improved = false;
        for _ in 0..8 {
            let mut next = weights.clone();
            for (weight, step) in next.iter_mut().zip(&step) {
                *weight -= scale * step;
            }
            let next_sums = choices.sums(&next, control)?;
            let next_loss = next_sums.loss + penalty(&next);
            if next_loss < loss {
                improved = loss - next_loss > 1e-7 * loss.abs();
                (weights, sums, loss) = (next, next_sums, next_loss);
                break;
            }
            scale *= 0.5;
        }
        if !improved {
            break;
        }
    }
    Ok(weights)
}

impl<G: Sync> Choices<'_, G> {
    /// Root mean square of each input.
    fn spread(&self) -> Vec<f64> {
        let mut squares = vec![0.0; self.inputs];
        let mut rows = 0usize;
        let mut inputs = Vec::new();
        for group in self.groups {
            (self.read)(group, &mut inputs);
            for row in inputs.chunks_exact(self.inputs.max(1)) {
                rows += 1;
                for (square, value) in squares.iter_mut().zip(row) {
                    *square += value * value;
                }
            }
        }
        squares.iter().map(|square| (square / rows.max(1) as f64).sqrt().max(1e-12)).collect()
    }

    fn sums(&self, weights: &[f64], control: &dyn Control) -> Result<Sums, Cancelled> {
        let count = weights.len();
        let mut parts = vec![Sums::new(count); self.groups.len().div_ceil(CHUNK)];
        let jobs = self.groups.chunks(CHUNK).zip(&mut parts).collect();
        work_off(
            jobs,
            control,
            || (Vec::new(), Vec::new()),
            |(inputs, shares), meter, (groups, sums)| {
                for group in groups {
                    self.add(weights, group, inputs, shares, sums);
                    meter.add(((self.is_chosen)(group).len() * count * count) as u64)?;
                }
                Ok(())
            },
        )?;
        let mut total = Sums::new(count);
        for part in parts {
            total.loss += part.loss;
            total.gradient.iter_mut().zip(part.gradient).for_each(|(sum, part)| *sum += part);
            total.hessian.iter_mut().zip(part.hessian).for_each(|(sum, part)| *sum += part);
        }
        Ok(total)
    }

    /// Adds a group, which counts once, whatever was chosen: the mean over the chosen candidates of
    /// `-ln softmax(score)`.
    fn add(
        &self,
        weights: &[f64],
        group: &G,
        inputs: &mut Vec<f64>,
        shares: &mut Vec<f64>,
        sums: &mut Sums,
    ) {
        let count = weights.len();
        let is_chosen = (self.is_chosen)(group);
        let found = is_chosen.iter().filter(|&&is_chosen| is_chosen).count();
        if found == 0 {
            return;
        }
        (self.read)(group, inputs);
        let rows = || inputs.chunks_exact(count);
        shares.clear();
        shares.extend(
            rows().map(|row| {
                row.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>()
            }),
        );
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = shares.iter().map(|score| (score - largest).exp()).sum();
        let normal = largest + total.ln();
        let target = 1.0 / found as f64;
        let mut mean = vec![0.0; count];
        for ((row, share), &is_chosen) in rows().zip(shares.iter_mut()).zip(is_chosen) {
            if is_chosen {
                sums.loss += target * (normal - *share);
            }
            *share = (*share - normal).exp();
            let wanted = if is_chosen { target } else { 0.0 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Unattended;

    /// Inputs of the candidates, of one number each, and whether each was chosen.
    type Group = (Vec<f64>, Vec<bool>);

    fn weight(groups: &[Group]) -> f64 {
        let choices = Choices {
            groups,
            inputs: 1,
            read: &|group: &Group, inputs: &mut Vec<f64>| inputs.clone_from(&group.0),
            is_chosen: |group: &Group| &group.1,
        };
        fit(&choices, &Unattended).expect("nobody stops it")[0]
    }

    #[test]
    fn weights_are_the_log_odds_of_what_was_chosen() {
        let mut groups = vec![(vec![0.0, 1.0], vec![false, true]); 300];
        groups.extend(vec![(vec![0.0, 1.0], vec![true, false]); 100]);
        assert!((weight(&groups) - 3f64.ln()).abs() < 0.01, "{}", weight(&groups));
        // Two of three: each has half of the group's likelihood.
        let both = vec![(vec![1.0, 1.0, 0.0], vec![true, true, false]); 4];
        assert!(weight(&both) > 3.0, "{}", weight(&both));
    }

    #[test]
    fn groups_without_a_choice_say_nothing() {
        assert_eq!(weight(&[]), 0.0);
        assert_eq!(weight(&[(vec![3.0, 5.0], vec![false, false])]), 0.0);
    }
}
