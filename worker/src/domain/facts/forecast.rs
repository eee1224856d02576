//! Forecasts as results hold them.

use mercer_algorithms::forecast::{self, Forecast, Spread};
use mercer_proto::internal::{ErrorTable, SeriesForecast, series_forecast};

/// A forecast with the precision that results have.
pub(crate) fn as_stored(forecast: &Forecast) -> Forecast {
    let mut stored = SeriesForecast::default();
    encode_forecast(forecast, &mut stored);
    decode_forecast(&stored)
}

/// The forecast that a result holds.
pub(super) fn decode_forecast(series: &SeriesForecast) -> Forecast {
    let path = series.path.iter().copied().map(f64::from).collect();
    let spread = match &series.spread {
        Some(series_forecast::Spread::Errors(table)) => Spread::Errors(restored(table)),
        Some(series_forecast::Spread::VarianceRatio(ratio)) => {
            Spread::NegativeBinomial { variance_ratio: f64::from(*ratio).max(1.0) }
        }
        None => Spread::NegativeBinomial { variance_ratio: 1.0 },
    };
    Forecast::new(path, series.repeat as usize, spread)
}

/// Fills in what a result holds of a forecast.
pub(super) fn encode_forecast(forecast: &Forecast, into: &mut SeriesForecast) {
    into.path = forecast.path.iter().copied().map(rounded).collect();
    into.repeat = u32::try_from(forecast.repeat).unwrap_or(1);
    into.spread = Some(match &forecast.spread {
        Spread::Errors(table) => series_forecast::Spread::Errors(stored(table)),
        Spread::NegativeBinomial { variance_ratio } => {
            series_forecast::Spread::VarianceRatio(rounded(*variance_ratio))
        }
    });
}

fn restored(table: &ErrorTable) -> forecast::ErrorTable {
    let exact = |values: &[f32]| values.iter().copied().map(f64::from).collect();
    forecast::ErrorTable {
        horizons: table.horizons.iter().map(|&days| days as usize).collect(),
        levels: exact(&table.levels),
        step: exact(&table.step),
        sum: exact(&table.sum),
        step_deviation: exact(&table.step_deviation),
        sum_deviation: exact(&table.sum_deviation),
    }
}

fn stored(table: &forecast::ErrorTable) -> ErrorTable {
    let round = |values: &[f64]| values.iter().copied().map(rounded).collect();
    ErrorTable {
        horizons: table.horizons.iter().filter_map(|&days| u32::try_from(days).ok()).collect(),
        levels: round(&table.levels),
        step: round(&table.step),
        sum: round(&table.sum),
        step_deviation: round(&table.step_deviation),
        sum_deviation: round(&table.sum_deviation),
    }
}

/// To 7 digits, at most the largest f32.
fn rounded(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}
