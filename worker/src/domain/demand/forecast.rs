//! How much of an item will be asked for.

use mercer_common::{
    limits,
    note::{Days, Said, note},
};
use mercer_proto::v1::{ForecastRequest, ForecastResponse, ForecastSource, Note, note::Kind};

use super::{
    encode::encode_forecast,
    outlook::Outlook,
    planned::planned_effects,
    series::{DemandSeries, series_at, start_note},
};
use crate::domain::{DecideError, facts::Facts};

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
    Ok(encode_forecast(facts, &series, &outlook, horizon, levels, notes))
}

/// Says that the horizon goes beyond what the method forecast.
pub(crate) fn repetition_note(series: &DemandSeries<'_>, horizon: u32) -> Option<Note> {
    let length = series.forecast.path.len();
    let trained = series.source == ForecastSource::OwnHistory;
    (trained && horizon as usize > length).then(|| {
        let repeated = Days(series.forecast.repeat as f64);
        let said = Said::BeyondMethod { length: Days(length as f64), repeated };
        note(Kind::Explanation, "horizon", said)
    })
}
