//! What answers show of demand, in the form of the API.

use mercer_common::money::from_micros;
use mercer_proto::v1::{
    ElasticityEstimate, ForecastDay, ForecastResponse, ForecastTotal, HistorySummary, Note,
    elasticity_estimate::Basis,
};

use super::{outlook::Outlook, series::DemandSeries};
use crate::domain::facts::{Facts, History, ItemElasticity};

/// The first `horizon` days of an outlook; `levels` ascend.
pub(crate) fn encode_forecast(
    facts: &Facts<'_>,
    series: &DemandSeries<'_>,
    outlook: &Outlook<'_>,
    horizon: u32,
    levels: Vec<f64>,
    notes: Vec<Note>,
) -> ForecastResponse {
    let mut days = Vec::with_capacity(horizon as usize);
    for day in 1..=horizon {
        days.push(ForecastDay {
            date: Some(series.day(day).to_api()),
            mean: outlook.day_mean(day as usize),
            quantiles: outlook.day_quantiles(day as usize, &levels),
        });
    }
    let total = outlook.total(horizon, &levels);
    ForecastResponse {
        item_id: facts.item.id().to_owned(),
        location_id: series.location.clone(),
        version: facts.version.to_owned(),
        source: series.source.into(),
        method: series.method.clone(),
        days,
        total: Some(ForecastTotal {
            mean: total.mean,
            standard_deviation: total.deviation,
            quantiles: total.quantiles,
        }),
        levels,
        history: series.history.as_ref().and_then(encode_history),
        backtest_wape: series.backtest_wape.map(f64::from),
        backtest_origins: series.backtest_origins,
        notes,
        token: String::new(),
    }
}

/// `None` for a history without a day.
fn encode_history(history: &History) -> Option<HistorySummary> {
    if history.last < history.first {
        return None;
    }
    Some(HistorySummary {
        first_date: Some(history.first.to_api()),
        last_date: Some(history.last.to_api()),
        days: u32::from(history.last.0 - history.first.0) + 1,
        sale_days: history.sale_days,
        out_of_stock_days: history.out_of_stock_days,
        closed_days: history.closed_days,
        silent_days: history.silent_days,
        units: history.units,
        returned_units: history.returned_units,
    })
}

/// An elasticity and what it stands on.
pub(crate) fn encode_elasticity(elasticity: &ItemElasticity, currency: &str) -> ElasticityEstimate {
    let ItemElasticity { value, standard_error, own_weight, own, group, promotion_factor } =
        elasticity;
    let basis = match own.elasticity {
        None => Basis::Prior,
        Some(_) if *own_weight > 0.5 => Basis::Item,
        Some(_) => Basis::Category,
    };
    let price = |micros: i64| (micros > 0).then(|| from_micros(micros, currency));
    ElasticityEstimate {
        elasticity: f64::from(*value),
        standard_error: f64::from(*standard_error),
        basis: basis.into(),
        item_elasticity: own.elasticity.map(f64::from),
        item_standard_error: own.standard_error.map(f64::from),
        item_weight: f64::from(*own_weight),
        group_path: group.path.clone(),
        group_elasticity: group.elasticity.into(),
        group_deviation: group.deviation.into(),
        method: own.method.clone(),
        weeks: own.weeks,
        zero_weeks: own.zero_weeks,
        lowest_price: price(own.lowest_price),
        highest_price: price(own.highest_price),
        promotion_factor: f64::from(*promotion_factor),
    }
}
