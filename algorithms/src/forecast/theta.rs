//! The Theta method.

use super::{
    seasonality::Seasonal,
    smoothing::{Search, search},
};

/// First errors that the loss leaves out, as long as enough remain.
const SKIPPED: usize = 3;

/// The Theta method (Assimakopoulos and Nikolopoulos 2000) as the M4 competition had it: the mean
/// of the regression line on time and of the simple exponential smoothing of twice the series
/// minus that line, seasonally adjusted when the seasonal test says so. The smoothing starts at
/// the level of least loss.
///
/// Smoothing is linear, so that the smoothed theta line follows from the smoothed series and the
/// smoothed time under any later regression line: a new value costs a few operations.
#[derive(Clone, Debug)]
pub(super) struct Theta {
    seasonal: Option<Seasonal>,
    alpha: f64,
    /// Values so far.
    count: usize,
    /// Sums of values and of values times time.
    sum: f64,
    moment: f64,
    /// Smoothed values, ones and times, all from 0, and the weight of the level at the start.
    values: f64,
    ones: f64,
    times: f64,
    start: f64,
    /// The theta line's level before the first value.
    origin: f64,
}

impl Theta {
    /// Fits `series`, in which values that are not finite are filled in, and is fed with it.
    pub(super) fn fitted(series: &[f64], season: usize, how: Search) -> Self {
        let series = filled(series, season);
        let seasonal = Seasonal::of(&series, season);
        let adjusted: Vec<f64> = match &seasonal {
            None => series.clone(),
            Some(seasonal) => {
                (0..).zip(&series).map(|(place, value)| seasonal.remove(place, *value)).collect()
            }
        };
        let (intercept, slope) = line(
            adjusted.len(),
            adjusted.iter().sum(),
            (1..).zip(&adjusted).map(|(time, value)| f64::from(time) * value).sum(),
        );
        let theta: Vec<f64> = (1..)
            .zip(&adjusted)
            .map(|(time, value)| 2.0 * value - intercept - slope * f64::from(time))
            .collect();
        let alpha = search(how, |alpha| smooth(&theta, alpha).loss);
        let origin = smooth(&theta, alpha).origin;
        let mut model = Self {
            seasonal,
            alpha,
            count: 0,
            sum: 0.0,
            moment: 0.0,
            values: 0.0,
            ones: 0.0,
            times: 0.0,
            start: 1.0,
            origin,
        };
        for value in series {
            model.observe(value);
        }
        model
    }

    /// A value that is not finite counts as what was expected.
    pub(super) fn observe(&mut self, value: f64) {
        let value = if value.is_finite() {
            value
        } else {
            let mut expected = [0.0];
            self.path(&mut expected);
            expected[0]
        };
        let adjusted = match &self.seasonal {
            Some(seasonal) => seasonal.remove(self.count, value),
            None => value,
        };
        self.count += 1;
        let time = self.count as f64;
        self.sum += adjusted;
        self.moment += adjusted * time;
        self.values += self.alpha * (adjusted - self.values);
        self.ones += self.alpha * (1.0 - self.ones);
        self.times += self.alpha * (time - self.times);
        self.start *= 1.0 - self.alpha;
    }

    pub(super) fn path(&self, path: &mut [f64]) {
        let (intercept, slope) = line(self.count, self.sum, self.moment);
        let level = 2.0 * self.values - intercept * self.ones - slope * self.times
            + self.start * self.origin;
        for (ahead, value) in path.iter_mut().enumerate() {
            let place = self.count + ahead;
            let line = intercept + slope * (place + 1) as f64;
            let mean = 0.5 * (line + level);
            *value = match &self.seasonal {
                Some(seasonal) => seasonal.restore(place, mean),
                None => mean,
            };
        }
    }
}

/// Intercept and slope of the least-squares line through values at times 1, 2, ..., `count`;
/// level below four values.
fn line(count: usize, sum: f64, moment: f64) -> (f64, f64) {
    let n = count as f64;
    if count < 4 {
        return (if count == 0 { 0.0 } else { sum / n }, 0.0);
    }
    let middle = (n + 1.0) / 2.0;
    let slope = (moment - sum * middle) / (n * (n * n - 1.0) / 12.0);
    (sum / n - slope * middle, slope)
}

struct Smoothing {
    loss: f64,
    /// The level before the first value that gives this loss.
    origin: f64,
}

/// The squared one-step errors of smoothing `series` from the best level at the start. Errors are
/// linear in that level, so that it follows from a regression on its remaining weight.
fn smooth(series: &[f64], alpha: f64) -> Smoothing {
    let skipped = if series.len() > 2 * SKIPPED + 2 { SKIPPED } else { 0 };
    let (mut level, mut weight) = (0.0, 1.0);
    let (mut squares, mut products, mut weights) = (0.0, 0.0, 0.0);
    for (place, value) in series.iter().enumerate() {
        let error = value - level;
        if place >= skipped {
            squares += error * error;
            products += error * weight;
            weights += weight * weight;
        }
        level += alpha * error;
        weight *= 1.0 - alpha;
    }
    if weights < 1e-12 {
        // The start is forgotten before the loss begins.
        return Smoothing { loss: squares, origin: series.first().copied().unwrap_or_default() };
    }
    let origin = products / weights;
    Smoothing { loss: (squares - origin * products).max(0.0), origin }
}

/// Gaps take the mean of the nearest values before and after at the same place in the season, or
/// the one that there is, or the mean of all.
pub(super) fn filled(series: &[f64], season: usize) -> Vec<f64> {
    if series.iter().all(|value| value.is_finite()) {
        return series.to_vec();
    }
    let season = season.max(1);
    let observed = || series.iter().copied().filter(|value| value.is_finite());
    let mean = observed().sum::<f64>() / (observed().count() as f64).max(1.0);
    let known = |place: usize| Some(series[place]).filter(|value| value.is_finite());
    let mut filled = series.to_vec();
    for (place, value) in filled.iter_mut().enumerate() {
        if value.is_finite() {
            continue;
        }
        let before = (1..=place / season).find_map(|seasons| known(place - seasons * season));
        let after = (place..series.len()).step_by(season).find_map(known);
        *value = match (before, after) {
            (Some(before), Some(after)) => 0.5 * (before + after),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => mean,
        };
    }
    filled
}
