//! Accuracy of forecasts, as the M4 and M5 competitions measured it.

use crate::stats::mean;

/// Mean of 200 |y - f| / (|y| + |f|); 0 / 0 counts as 0.
#[must_use]
pub fn smape(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(actual.iter().zip(forecast).map(|(actual, forecast)| {
        let size = actual.abs() + forecast.abs();
        if size > 0.0 { 200.0 * (actual - forecast).abs() / size } else { 0.0 }
    }))
}

/// Mean absolute error.
#[must_use]
pub fn absolute_error(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(actual.iter().zip(forecast).map(|(actual, forecast)| (actual - forecast).abs()))
}

/// Mean squared error.
#[must_use]
pub fn squared_error(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(actual.iter().zip(forecast).map(|(actual, forecast)| (actual - forecast).powi(2)))
}

/// What MASE divides by: the mean absolute seasonal difference of the history; `None` when it is
/// 0 or the history is no longer than a season.
#[must_use]
pub fn seasonal_scale(history: &[f64], season: usize) -> Option<f64> {
    let later = history.get(season.max(1)..)?;
    let scale = mean(later.iter().zip(history).map(|(later, earlier)| (later - earlier).abs()));
    (scale > 0.0).then_some(scale)
}

/// What RMSSE divides by, squared: the mean squared difference of consecutive values from the
/// first that is not 0.
#[must_use]
pub fn squared_scale(history: &[f64]) -> Option<f64> {
    let scale = mean(differences(history).map(|difference| difference * difference));
    (scale > 0.0).then_some(scale)
}

/// What the scaled pinball loss divides by: the same with absolute differences.
#[must_use]
pub fn absolute_scale(history: &[f64]) -> Option<f64> {
    let scale = mean(differences(history).map(f64::abs));
    (scale > 0.0).then_some(scale)
}

fn differences(history: &[f64]) -> impl Iterator<Item = f64> {
    let launch = history.iter().position(|&value| value != 0.0).unwrap_or(history.len());
    history[launch..].windows(2).map(|pair| pair[1] - pair[0])
}

/// Pinball loss of a quantile at `level`.
#[must_use]
pub fn pinball(actual: f64, quantile: f64, level: f64) -> f64 {
    let above = actual - quantile;
    (level * above).max((level - 1.0) * above)
}
