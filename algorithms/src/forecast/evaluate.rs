//! How good forecasts would have been: the last days of each series are held out.

use rayon::prelude::*;

use super::{
    Method,
    measures::{
        absolute_error, absolute_scale, pinball, seasonal_scale, smape, squared_error,
        squared_scale,
    },
    naive2::naive2,
    peaks::cut_peaks,
    train::{Options, train},
};
use crate::{
    control::{Cancelled, Control},
    stats::mean,
};

/// Levels of the pinball loss: those of the M5 competition.
const PINBALL_LEVELS: [f64; 9] = [0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995];
/// The interval whose coverage is measured: the central 80 %.
const INTERVAL: (f64, f64) = (0.1, 0.9);

/// Method, or choice of one, that is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// One method for every series; of several periods the backtest chooses.
    Method(Method),
    /// The method that the backtest chooses for each series.
    Auto,
}

impl Contender {
    /// The name in tables and in the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Method(method) => method.name(),
            Self::Auto => "auto",
        }
    }

    /// The contender of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "auto" { Some(Self::Auto) } else { Method::parse(name).map(Self::Method) }
    }

    /// All contenders.
    pub fn all() -> impl Iterator<Item = Self> {
        Method::ALL.into_iter().map(Self::Method).chain([Self::Auto])
    }

    fn methods(self) -> Vec<Method> {
        match self {
            Self::Method(method) => vec![method],
            Self::Auto => Method::ALL.to_vec(),
        }
    }
}

/// What is held out and how errors are scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Values held out of each series, at least 1.
    pub horizon: usize,
    /// Season of the scaled errors and of Naive2.
    pub season: usize,
    /// Seasons that methods may see; at least one.
    pub periods: Vec<usize>,
}

/// Means over all series.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    /// Contender whose accuracy this is.
    pub contender: Contender,
    /// Symmetric absolute percentage error, 0 to 200.
    pub smape: f64,
    /// Mean absolute error over that of the seasonal naive method in the history.
    pub mase: f64,
    /// Mean of sMAPE and MASE as shares of Naive2's.
    pub owa: f64,
    /// Root mean squared error over that of the naive method in the history.
    pub rmsse: f64,
    /// Sum of absolute errors over the sum of values.
    pub wape: f64,
    /// Mean scaled pinball loss over nine levels.
    pub pinball: f64,
    /// Share of values within the central 80 % interval.
    pub coverage: f64,
    /// Series whose history never changes, which MASE, RMSSE and pinball leave out.
    pub flat: usize,
    /// Time for all series.
    pub seconds: f64,
}

/// A forecast of the held-out values of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Held<'a> {
    /// Place of the series.
    pub series: usize,
    /// Contender that made the forecast.
    pub contender: Contender,
    /// Forecasts of the held-out values, in order.
    pub forecast: &'a [f64],
}

/// What one series adds to the means.
#[derive(Clone, Debug, Default)]
struct Errors {
    smape: f64,
    mase: Option<f64>,
    rmsse: Option<f64>,
    absolute: f64,
    size: f64,
    pinball: Option<f64>,
    inside: f64,
    forecast: Vec<f64>,
}

/// Evaluates `contenders` on series that are longer than the horizon; `seconds` is a clock, and
/// `keep` is given every forecast, series by series.
///
/// # Errors
/// [`Cancelled`] when `control` says so.
pub fn evaluate(
    series: &[&[f64]],
    contenders: &[Contender],
    setup: &Setup,
    seconds: &(dyn Fn() -> f64 + Sync),
    keep: &mut (dyn FnMut(Held<'_>) + Send),
    control: &dyn Control,
) -> Result<Vec<Accuracy>, Cancelled> {
    control.begin((series.len() * (contenders.len() + 1)) as u64);
    let naive = over(series, control, |series| {
        let (history, actual) = split(series, setup);
        let forecast = naive2(history, setup.season, setup.horizon);
        Errors {
            smape: smape(actual, &forecast),
            mase: scaled(absolute_error(actual, &forecast), seasonal_scale(history, setup.season)),
            ..Errors::default()
        }
    })?;
    let (naive_smape, naive_mase) = (
        mean(naive.iter().map(|errors| errors.smape)),
        mean(naive.iter().filter_map(|errors| errors.mase)),
    );
    let mut results = Vec::new();
    for &contender in contenders {
        let start = seconds();
        let options = Options {
            methods: contender.methods(),
            periods: setup.periods.clone(),
            gap: 0,
            horizon: setup.horizon,
        };
        let all = over(series, control, |series| errors_of(series, setup, &options))?;
        let elapsed = seconds() - start;
        for (series, errors) in all.iter().enumerate() {
            keep(Held { series, contender, forecast: &errors.forecast });
        }
        results.push(accuracy(contender, &all, naive_smape, naive_mase, elapsed));
    }
    Ok(results)
}

/// Works on every series, on all threads; results in the order of the series.
fn over(
    series: &[&[f64]],
    control: &dyn Control,
    work: impl Fn(&[f64]) -> Errors + Sync,
) -> Result<Vec<Errors>, Cancelled> {
    series
        .par_iter()
        .map(|series| {
            control.checkpoint()?;
            let errors = work(series);
            control.advance(1);
            Ok(errors)
        })
        .collect()
}

fn split<'a>(series: &'a [f64], setup: &Setup) -> (&'a [f64], &'a [f64]) {
    series.split_at(series.len().saturating_sub(setup.horizon))
}

fn scaled(error: f64, scale: Option<f64>) -> Option<f64> {
    scale.map(|scale| error / scale)
}

fn errors_of(series: &[f64], setup: &Setup, options: &Options) -> Errors {
    let (history, actual) = split(series, setup);
    let mut without_peaks = history.to_vec();
    cut_peaks(&mut without_peaks);
    let trained = train(&without_peaks, options);
    let Some(forecast) = trained.map(|trained| trained.forecast) else {
        return Errors { forecast: vec![0.0; setup.horizon], ..Errors::default() };
    };
    let path = &forecast.path;
    let mut loss = 0.0;
    let mut inside = 0.0;
    for (day, &value) in (1..).zip(actual) {
        for level in PINBALL_LEVELS {
            loss += pinball(value, forecast.day_quantile(day, level), level);
        }
        let low = forecast.day_quantile(day, INTERVAL.0);
        let high = forecast.day_quantile(day, INTERVAL.1);
        inside += f64::from(u8::from(low <= value && value <= high));
    }
    let loss = loss / (PINBALL_LEVELS.len() * actual.len().max(1)) as f64;
    let squares = scaled(squared_error(actual, path), squared_scale(history));
    Errors {
        smape: smape(actual, path),
        mase: scaled(absolute_error(actual, path), seasonal_scale(history, setup.season)),
        rmsse: squares.map(f64::sqrt),
        absolute: actual.iter().zip(path).map(|(value, mean)| (value - mean).abs()).sum(),
        size: actual.iter().map(|value| value.abs()).sum(),
        pinball: scaled(loss, absolute_scale(history)),
        inside: inside / actual.len().max(1) as f64,
        forecast: forecast.path,
    }
}

fn accuracy(
    contender: Contender,
    all: &[Errors],
    naive_smape: f64,
    naive_mase: f64,
    seconds: f64,
) -> Accuracy {
    let smape = mean(all.iter().map(|errors| errors.smape));
    let mase = mean(all.iter().filter_map(|errors| errors.mase));
    let share = |value: f64, naive: f64| if naive > 0.0 { value / naive } else { 1.0 };
    let size: f64 = all.iter().map(|errors| errors.size).sum();
    let absolute: f64 = all.iter().map(|errors| errors.absolute).sum();
    Accuracy {
        contender,
        smape,
        mase,
        owa: 0.5 * (share(smape, naive_smape) + share(mase, naive_mase)),
        rmsse: mean(all.iter().filter_map(|errors| errors.rmsse)),
        wape: if size > 0.0 { absolute / size } else { 0.0 },
        pinball: mean(all.iter().filter_map(|errors| errors.pinball)),
        coverage: mean(all.iter().map(|errors| errors.inside)),
        flat: all.iter().filter(|errors| errors.rmsse.is_none()).count(),
        seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Unattended;

    type Kept = Vec<(usize, Contender, Vec<f64>)>;

    fn run(series: &[Vec<f64>]) -> (Vec<Accuracy>, Kept) {
        let views: Vec<&[f64]> = series.iter().map(|series| &series[..]).collect();
        let setup = Setup { horizon: 5, season: 7, periods: vec![7, 3] };
        let contenders: Vec<Contender> = Contender::all().collect();
        let mut kept = Vec::new();
        let results = evaluate(
            &views,
            &contenders,
            &setup,
            &|| 0.0,
            &mut |held| kept.push((held.series, held.contender, held.forecast.to_vec())),
            &Unattended,
        );
        (results.expect("never cancelled"), kept)
    }

    #[test]
    fn held_out_values_are_not_seen() {
        let series = |shift: usize| -> Vec<f64> {
            (0..70).map(|day| ((day + shift) % 7 * 3 + (day * day + shift) % 5) as f64).collect()
        };
        let mut all: Vec<Vec<f64>> = (0..6).map(series).collect();
        all.push(vec![3.0; 40]);
        let (accuracy, forecasts) = run(&all);
        assert_eq!(forecasts.len(), all.len() * Contender::all().count());
        for series in &mut all {
            let held = series.len() - 5;
            series[held..].fill(1e6);
        }
        let (worse, same) = run(&all);
        assert_eq!(forecasts, same);
        for (accuracy, worse) in accuracy.iter().zip(&worse) {
            assert_eq!(accuracy.flat, 1);
            assert!(accuracy.wape < worse.wape && accuracy.mase < worse.mase);
            assert!(accuracy.pinball < worse.pinball && worse.coverage < 0.2, "{worse:?}");
        }
    }
}
