//! Chooses a method for a series and makes its forecast.

use super::{
    Forecast, Method, Spread,
    backtest::{self, Candidate, Score},
    model::Model,
    smoothing::Search,
};

/// Days over which methods are compared, as far as the history allows: a usual time from order to
/// delivery and review.
const COMPARED_DAYS: usize = 28;
/// Days between demand from which a series is intermittent.
const INTERMITTENT: f64 = 1.32;
/// A method must be better by this share than an earlier one to be taken.
const BETTER: f64 = 1e-9;

/// Methods, seasons and days of a forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Methods to choose from; of two that do equally well the earlier is taken.
    pub methods: Vec<Method>,
    /// Seasons that they may see, in days; the first is repeated after the path. None means 1.
    pub periods: Vec<usize>,
    /// Days between the last of the series and the first of the forecast.
    pub gap: usize,
    /// Days of the path, at least 1.
    pub horizon: usize,
}

/// A forecast and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Method that was chosen.
    pub method: Method,
    /// The season that it saw, in days.
    pub period: usize,
    /// Forecast from the day after the gap.
    pub forecast: Forecast,
    /// Absolute errors in the backtest over demand; none without a backtest or demand.
    pub wape: Option<f64>,
    /// Origins that the errors come from; 0 when the spread is a distribution.
    pub origins: usize,
}

/// Chooses the method for `series` by backtest from rolling origins and makes its forecast; `None`
/// when no method is offered or nothing was observed.
///
/// Methods are compared by the squared error of single days and of the sum over 28 days, each as
/// a ratio to the best method's, added up. Squared error is least for the mean, whereas absolute
/// error of sparse demand is least for 0; days see the shape of the week, and the sum the level,
/// which orders depend on. Up to 32 origins of the later half are compared, and up to 400 of the
/// later two thirds give the errors of the chosen method; parameters are fitted at three of them,
/// without any later day. Methods for intermittent demand are left out of the choice for a series
/// with demand on more than one in 1.32 days.
#[must_use]
pub fn train(series: &[f64], options: &Options) -> Option<Trained> {
    let first = series.iter().position(|value| value.is_finite())?;
    let series = &series[first..];
    let periods = if options.periods.is_empty() { &[1][..] } else { &options.periods };
    let mut candidates = Vec::new();
    for method in offered(series, &options.methods) {
        let periods = if is_seasonal(method) { periods } else { &periods[..1] };
        candidates
            .extend(periods.iter().map(|&period| Candidate { method, period: period.max(1) }));
    }
    let horizon = options.horizon.max(1);
    let compared = COMPARED_DAYS.min(horizon);
    let scores = backtest::compare(series, &candidates, options.gap, compared);
    let best = scores.as_deref().map_or(0, best);
    let candidate = *candidates.get(best)?;
    let score = scores.map(|scores| scores[best]);

    let mut path = vec![0.0; options.gap + horizon];
    Model::fitted(candidate.method, series, candidate.period, Search::Fine).path(&mut path);
    let path = path.split_off(options.gap);
    let (spread, origins) = match backtest::errors(series, candidate, options.gap) {
        Some((table, origins)) => (Spread::Errors(table), origins),
        None => {
            let variance = score.map_or_else(|| variance(series), |score| score.day * score.day);
            (Spread::NegativeBinomial { variance_ratio: ratio(variance, &path) }, 0)
        }
    };
    Some(Trained {
        method: candidate.method,
        period: candidate.period,
        forecast: Forecast::new(path, periods[0], spread),
        wape: score.and_then(|score| score.wape),
        origins,
    })
}

/// Methods for intermittent demand are for series with demand on fewer than one in 1.32 days (the
/// bound of Syntetos, Boylan and Croston 2005), unless nothing else is offered.
fn offered(series: &[f64], methods: &[Method]) -> Vec<Method> {
    let observed = series.iter().filter(|value| value.is_finite()).count();
    let sold = series.iter().filter(|value| **value > 0.0).count();
    let intermittent = observed as f64 >= INTERMITTENT * sold as f64;
    let mut fitting = methods.to_vec();
    fitting.retain(|&method| intermittent || !is_intermittent(method));
    if fitting.is_empty() { methods.to_vec() } else { fitting }
}

fn is_intermittent(method: Method) -> bool {
    matches!(method, Method::Croston | Method::Sba | Method::Tsb)
}

fn is_seasonal(method: Method) -> bool {
    use Method::{MovingAverage, SeasonalNaive, Theta, WeekdayMean};
    matches!(method, SeasonalNaive | WeekdayMean | MovingAverage | Theta)
}

/// The place of the best score.
fn best(scores: &[Score]) -> usize {
    let least = |of: fn(&Score) -> f64| scores.iter().map(of).fold(f64::INFINITY, f64::min);
    let (day, sum) = (least(|score| score.day), least(|score| score.sum));
    let ratio = |value: f64, least: f64| match (value > 0.0, least > 0.0) {
        (_, true) => value / least,
        (true, false) => f64::INFINITY,
        (false, false) => 1.0,
    };
    let (mut best, mut best_total) = (0, f64::INFINITY);
    for (place, score) in scores.iter().enumerate() {
        let total = ratio(score.day, day) + ratio(score.sum, sum);
        if total < best_total * (1.0 - BETTER) {
            (best, best_total) = (place, total);
        }
    }
    best
}

/// Variance of the observed values.
fn variance(series: &[f64]) -> f64 {
    let observed = || series.iter().filter(|value| value.is_finite());
    let count = observed().count().max(1) as f64;
    let mean = observed().sum::<f64>() / count;
    observed().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count
}

/// Variance over mean, at least that of Poisson.
fn ratio(variance: f64, path: &[f64]) -> f64 {
    let mean = path.iter().sum::<f64>() / path.len().max(1) as f64;
    let ratio = if mean > 0.0 { variance / mean } else { 1.0 };
    if ratio.is_finite() { ratio.max(1.0) } else { 1.0 }
}
