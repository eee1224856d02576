//! How much of an item will be asked for.

use mercer_common::{
    limits,
    note::{Days, Said, note},
    time::Day,
};
use mercer_proto::{
    internal::StoredHistory,
    v1::{
        ForecastDay, ForecastRequest, ForecastResponse, ForecastTotal, HistorySummary, Note,
        note::Kind,
    },
};

use super::{
    outlook::Outlook,
    planned::planned_effects,
    series::{DemandSeries, series_at, start_note},
};
use crate::domain::{DecideError, Facts};

/// Means and quantiles of the days after the newest purchase or return that was trained on.
///
/// # Errors
/// [`DecideError::NotTrained`], [`DecideError::UnknownLocation`], and [`DecideError::Invalid`] for
/// a plan that is none.
pub(crate) fn forecast(
    facts: &Facts<'_>,
    request: &ForecastRequest,
) -> Result<ForecastResponse, DecideError> {
    let mut series = series_at(facts, &request.location_id)?;
    let horizon = if request.horizon == 0 { limits::DEFAULT_HORIZON_DAYS } else { request.horizon };
    let horizon = horizon.min(limits::HORIZON_DAYS);
    let mut levels = request.quantiles.clone();
    levels.retain(|level| *level > 0.0 && *level < 1.0);
    if levels.is_empty() {
        levels = limits::DEFAULT_QUANTILES.to_vec();
    }
    levels.truncate(limits::QUANTILES);
    levels.sort_unstable_by(f64::total_cmp);

    let mut notes = std::mem::take(&mut series.notes);
    notes.extend(start_note(facts, &series));
    let effects = planned_effects(facts, &series, &request.plan, horizon, &mut notes)?;
    notes.extend(repetition_note(&series, horizon));
    let outlook = Outlook::new(&series.forecast, effects);
    Ok(show_forecast(facts, &series, &outlook, horizon, levels, notes))
}

/// The answer that shows the first `horizon` days of an outlook; `levels` ascend.
pub(crate) fn show_forecast(
    facts: &Facts<'_>,
    series: &DemandSeries,
    outlook: &Outlook<'_>,
    horizon: u32,
    levels: Vec<f64>,
    notes: Vec<Note>,
) -> ForecastResponse {
    let day = |number: u32| ForecastDay {
        date: Some(series.day(number).to_api()),
        mean: outlook.day_mean(number as usize),
        quantiles: outlook.day_quantiles(number as usize, &levels),
    };
    let total = outlook.total(horizon, &levels);
    ForecastResponse {
        item_id: facts.item.id().to_owned(),
        location_id: series.location.clone(),
        version: facts.version.to_owned(),
        source: series.source.into(),
        method: series.method.clone(),
        days: (1..=horizon).map(day).collect(),
        total: Some(ForecastTotal {
            mean: total.mean,
            standard_deviation: total.deviation,
            quantiles: total.quantiles,
        }),
        levels,
        history: series.history.as_ref().and_then(summary),
        backtest_wape: series.backtest_wape.map(f64::from),
        backtest_origins: series.backtest_origins,
        notes,
        token: String::new(),
    }
}

/// Says that the horizon goes beyond what the method forecast.
pub(crate) fn repetition_note(series: &DemandSeries, horizon: u32) -> Option<Note> {
    let length = series.forecast.path.len();
    let trained = series.source == mercer_proto::v1::ForecastSource::OwnHistory;
    (trained && horizon as usize > length).then(|| {
        let repeated = Days(series.forecast.repeat as f64);
        let said = Said::BeyondMethod { length: Days(length as f64), repeated };
        note(Kind::Explanation, "horizon", said)
    })
}

fn summary(history: &StoredHistory) -> Option<HistorySummary> {
    if history.last_day < history.first_day {
        return None;
    }
    let date = |day: u32| Day(u16::try_from(day).unwrap_or(u16::MAX)).to_api();
    Some(HistorySummary {
        first_date: Some(date(history.first_day)),
        last_date: Some(date(history.last_day)),
        days: history.last_day - history.first_day + 1,
        sale_days: history.sale_days,
        out_of_stock_days: history.out_of_stock_days,
        closed_days: history.closed_days,
        silent_days: history.silent_days,
        units: history.units,
        returned_units: history.returned_units,
    })
}
