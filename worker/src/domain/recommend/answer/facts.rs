//! What reranking weighs of a result: margin, stock, cover, and what makes items alike.

use mercer_proto::internal::{DemandResult, RerankFacts, SeriesForecast};

use super::call::Call;
use crate::{
    artifact::FactorSide,
    domain::recommend::sources::{self, Source},
    serve::{ServeError, property},
    shard::{ItemState, Shard},
    version::{OpenSet, VersionError},
};

/// Days whose mean demand stock is compared with.
const DAYS: usize = 28;
/// Factors that tell items apart, the better first.
const FACTORS: [&str; 2] = ["ials", "als"];

/// The facts of an item, as they are now; what it sells a day is as the version forecast it.
pub(super) fn facts(
    call: &Call,
    shard: &Shard,
    id: &str,
    row: Option<u32>,
) -> Result<RerankFacts, ServeError> {
    let mut facts = RerankFacts::default();
    if let Some(item) = shard.read().item(id) {
        facts.margin_share = margin(item);
        let on_hand = item.stock().iter().map(|stock| stock.on_hand.max(0.0));
        facts.stock = (!item.stock().is_empty()).then(|| on_hand.sum());
        facts.labels = property::labels(item);
    }
    if let Some((set, row)) = call.set.as_deref().zip(row)
        && let Some(side) = side(call, set)
    {
        let dimensions = side.dimensions();
        let start = row as usize * dimensions;
        facts.vector = unit(&side.factors()[start..start + dimensions]);
    }
    if !facts.vector.is_empty() {
        facts.labels.clear();
    }
    if let Some(stock) = facts.stock {
        facts.cover_days = daily(call, shard, id)?.map(|daily| stock / daily);
    }
    Ok(facts)
}

/// The vector at length 1; none for zeros.
fn unit(vector: &[f32]) -> Vec<f32> {
    let square: f64 = vector.iter().map(|&number| f64::from(number).powi(2)).sum();
    if square < f64::MIN_POSITIVE {
        return Vec::new();
    }
    let scale = square.sqrt().recip();
    vector.iter().map(|&number| (f64::from(number) * scale) as f32).collect()
}

/// What is left of the price after the cost, as a share of the price.
fn margin(item: &ItemState) -> Option<f64> {
    let price = item.list_price_micros().filter(|&price| price > 0)?;
    let cost = item.unit_cost_micros()?;
    let margin = (price - cost) as f64 / price as f64;
    Some(margin)
}

/// The factors that tell how alike items are: of the algorithm itself, else of its set.
fn side<'a>(call: &Call, set: &'a OpenSet) -> Option<&'a FactorSide> {
    let own = std::iter::once(call.request.algorithm.as_str());
    own.chain(FACTORS).find_map(|name| match sources::of(set, name) {
        Some(Source::Factors(_, side)) => Some(side),
        _ => None,
    })
}

/// Units that are sold a day, where demand was trained and there is any.
fn daily(call: &Call, shard: &Shard, id: &str) -> Result<Option<f64>, ServeError> {
    let Some(version) = &call.version else { return Ok(None) };
    let Some((demand, _)) =
        version.results_of(shard.id())?.demand(id).map_err(VersionError::from)?
    else {
        return Ok(None);
    };
    let everywhere = demand.as_ref().and_then(|demand: &DemandResult| demand.series.first());
    Ok(everywhere.map(mean).filter(|mean| *mean > 0.0))
}

/// Mean of the first days of a forecast, which repeats its last ones.
fn mean(series: &SeriesForecast) -> f64 {
    let length = series.path.len();
    if length == 0 {
        return 0.0;
    }
    let repeat = (series.repeat as usize).clamp(1, length);
    let mut sum = 0.0;
    for day in 0..DAYS {
        let stored = match day.checked_sub(length) {
            None => day,
            Some(beyond) => length - repeat + beyond % repeat,
        };
        sum += f64::from(series.path[stored]);
    }
    sum / DAYS as f64
}
