//! Naive2, against which OWA measures.

use super::{seasonality::Seasonal, theta::filled};

/// The last value of the seasonally adjusted series with the season put back; the naive method
/// where the seasonal test finds none.
#[must_use]
pub fn naive2(series: &[f64], season: usize, horizon: usize) -> Vec<f64> {
    let series = filled(series, season);
    let Some(&last) = series.last() else { return vec![0.0; horizon] };
    let Some(seasonal) = Seasonal::of(&series, season) else { return vec![last; horizon] };
    let level = seasonal.remove(series.len() - 1, last);
    (series.len()..).take(horizon).map(|place| seasonal.restore(place, level)).collect()
}
