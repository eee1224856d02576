//! Rolling origins: what a method would have said, and how wrong it would have been.

use super::{
    Method,
    errors::{ErrorTable, HORIZONS, LEVELS},
    model::Model,
    smoothing::Search,
};
use crate::stats::student;

/// A method and the season that it is to see, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) method: Method,
    pub(super) period: usize,
}

/// Origins from which candidates are compared.
const COMPARED: usize = 32;
/// Origins from which the errors of the chosen one are collected.
const COLLECTED: usize = 400;
/// Fits of a candidate's parameters over all origins; between them it is only fed.
const FITS: usize = 3;
/// The least history at the first origin, and one over its share of the whole: methods are
/// compared over what is recent, errors are collected over what there is.
const SHORTEST: usize = 6;
const COMPARED_SHARE: usize = 2;
const COLLECTED_SHARE: usize = 3;
/// Errors that a quantile needs at the least, and how many times its days the origins must span.
const ERRORS: usize = 12;
const SPANS: usize = 2;

/// Days of the history before the first origin.
fn first_origin(length: usize, share: usize) -> usize {
    (length / share).max(SHORTEST)
}

/// Calls `visit` with each origin (the number of days known) and the days expected after `gap`
/// more; `origins` ascend.
fn roll(
    series: &[f64],
    candidate: Candidate,
    origins: &[usize],
    gap: usize,
    horizon: usize,
    mut visit: impl FnMut(usize, &[f64]),
) {
    let every = origins.len().div_ceil(FITS).max(1);
    let mut path = vec![0.0; gap + horizon];
    let mut model: Option<(Model, usize)> = None;
    for (number, &origin) in origins.iter().enumerate() {
        let fitted = match model.take() {
            Some((mut model, known)) if number % every != 0 => {
                for &value in &series[known..origin] {
                    model.observe(value);
                }
                model
            }
            _ => {
                let Candidate { method, period } = candidate;
                Model::fitted(method, &series[..origin], period, Search::Coarse)
            }
        };
        fitted.path(&mut path);
        visit(origin, &path[gap..]);
        model = Some((fitted, origin));
    }
}

/// Errors of a candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Score {
    /// Root mean squared error of single days.
    pub(super) day: f64,
    /// Root mean squared error of the sum over the horizon.
    pub(super) sum: f64,
    /// Sum of absolute errors over sum of demand; none without demand.
    pub(super) wape: Option<f64>,
}

/// Scores of `candidates` from the same origins, over at most `horizon` days; `None` when the
/// history is too short for one origin.
pub(super) fn compare(
    series: &[f64],
    candidates: &[Candidate],
    gap: usize,
    horizon: usize,
) -> Option<Vec<Score>> {
    let first = first_origin(series.len(), COMPARED_SHARE);
    let horizon = horizon.min(series.len().checked_sub(gap + first)?.div_ceil(2));
    let last = series.len().checked_sub(gap + horizon)?;
    if horizon == 0 || last < first {
        return None;
    }
    // A stride that is a whole number of seasons would always begin on the same weekday.
    let mut stride = (last - first).div_ceil(COMPARED - 1).max(1);
    if candidates
        .iter()
        .any(|candidate| candidate.period > 1 && stride.is_multiple_of(candidate.period))
    {
        stride += 1;
    }
    let mut origins: Vec<usize> = (first..=last).rev().step_by(stride).collect();
    origins.reverse();
    let mut scores = Vec::with_capacity(candidates.len());
    for &candidate in candidates {
        let mut total = Total::default();
        roll(series, candidate, &origins, gap, horizon, |origin, path| {
            total.add(&series[origin + gap..], path);
        });
        scores.push(total.score()?);
    }
    Some(scores)
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    days: f64,
    squares: f64,
    absolute: f64,
    demand: f64,
    sums: f64,
    sum_squares: f64,
}

impl Total {
    fn add(&mut self, actual: &[f64], path: &[f64]) {
        let mut errors = SumOfErrors::default();
        for (actual, mean) in actual.iter().zip(path) {
            if let Some(error) = errors.add(*actual, *mean) {
                self.days += 1.0;
                self.squares += error * error;
                self.absolute += error.abs();
                self.demand += actual.abs();
            }
        }
        if let Some(sum) = errors.sum() {
            self.sums += 1.0;
            self.sum_squares += sum * sum;
        }
    }

    fn score(&self) -> Option<Score> {
        (self.days > 0.0 && self.sums > 0.0).then(|| Score {
            day: (self.squares / self.days).sqrt(),
            sum: (self.sum_squares / self.sums).sqrt(),
            wape: (self.demand > 0.0).then(|| self.absolute / self.demand),
        })
    }
}

/// Adds up errors of the days that were observed.
#[derive(Clone, Copy, Debug, Default)]
struct SumOfErrors {
    days: usize,
    observed: usize,
    sum: f64,
}

impl SumOfErrors {
    fn add(&mut self, actual: f64, mean: f64) -> Option<f64> {
        self.days += 1;
        actual.is_finite().then(|| {
            self.observed += 1;
            self.sum += actual - mean;
            actual - mean
        })
    }

    /// The error of the sum, as though unobserved days had erred like the others; `None` when
    /// most of them are unobserved.
    fn sum(&self) -> Option<f64> {
        let enough = 2 * self.observed >= self.days && self.observed > 0;
        enough.then(|| self.sum * self.days as f64 / self.observed as f64)
    }
}

/// Quantiles of the candidate's errors at each horizon that the history allows, and the number of
/// origins that they come from; `None` when it allows none.
///
/// A horizon is allowed when its origins span twice its days.
pub(super) fn errors(
    series: &[f64],
    candidate: Candidate,
    gap: usize,
) -> Option<(ErrorTable, usize)> {
    let first = first_origin(series.len(), COLLECTED_SHARE);
    let span = (series.len() + 1).checked_sub(first + gap)?;
    let allowed = HORIZONS
        .into_iter()
        .take_while(|&days| span.saturating_sub(days) >= (SPANS * days).max(ERRORS));
    let horizons: Vec<usize> = allowed.collect();
    let longest = *horizons.last()?;
    let stride = span.div_ceil(COLLECTED).max(1);
    let mut origins: Vec<usize> = (first..series.len() - gap).rev().step_by(stride).collect();
    origins.reverse();
    let mut steps: Vec<Vec<f64>> =
        horizons.iter().map(|_| Vec::with_capacity(origins.len())).collect();
    let mut sums = steps.clone();
    roll(series, candidate, &origins, gap, longest, |origin, path| {
        let mut errors = SumOfErrors::default();
        let mut row = 0;
        for ((day, actual), mean) in (1..).zip(&series[origin + gap..]).zip(path) {
            let step = errors.add(*actual, *mean);
            if day == horizons[row] {
                steps[row].extend(step);
                sums[row].extend(errors.sum());
                row += 1;
            }
        }
    });
    let rows =
        steps.iter().zip(&sums).take_while(|(steps, sums)| steps.len().min(sums.len()) >= ERRORS);
    let rows = rows.count();
    let count = sums.first().map_or(0, Vec::len);
    if rows == 0 {
        return None;
    }
    let mut table = ErrorTable {
        horizons: horizons[..rows].to_vec(),
        levels: LEVELS.to_vec(),
        ..ErrorTable::default()
    };
    for ((steps, sums), &days) in steps.iter_mut().zip(&mut sums).zip(&table.horizons) {
        table.step_deviation.push(quantiles(steps, 1, &mut table.step));
        table.sum_deviation.push(quantiles(sums, days, &mut table.sum));
    }
    Some((table, count))
}

/// Appends the quantiles of `errors` at all levels and returns their root mean square.
///
/// Between order statistics quantiles are linear (type 7 of Hyndman and Fan 1996). Where fewer
/// than two independent errors lie beyond a level, of which there is one in `overlap`, Student's
/// prediction interval of as many errors with the same mean and deviation may widen it.
fn quantiles(errors: &mut [f64], overlap: usize, into: &mut Vec<f64>) -> f64 {
    errors.sort_unstable_by(f64::total_cmp);
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let squares = errors.iter().map(|error| error * error).sum::<f64>() / count;
    let deviation = (squares - mean * mean).max(0.0).sqrt();
    let independent = count / overlap as f64;
    let widened = deviation * (1.0 + 1.0 / independent).sqrt();
    for level in LEVELS {
        let place = level * (count - 1.0);
        let (below, share) = (place.floor() as usize, place.fract());
        let next = errors[(below + 1).min(errors.len() - 1)];
        let quantile = errors[below] + share * (next - errors[below]);
        let tail = mean + widened * student::quantile(level, independent - 1.0);
        into.push(if level > 0.5 && (1.0 - level) * independent < 2.0 {
            quantile.max(tail)
        } else if level < 0.5 && level * independent < 2.0 {
            quantile.min(tail)
        } else {
            quantile
        });
    }
    squares.sqrt()
}
