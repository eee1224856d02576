//! How much to buy once for a season.

use mercer_algorithms::inventory::{CumulativeDemand, newsvendor};
use mercer_common::{
    limits, money,
    note::{Said, note},
    rpc::status::InvalidRequest,
};
use mercer_proto::{
    google::r#type::Money,
    v1::{Note, SinglePeriod, note::Kind},
};

use crate::domain::{DecideError, demand::current_price, facts::Facts};

/// What to buy once for a season.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SeasonOrder {
    /// Units.
    pub(super) quantity: f64,
    /// Probability that the season asks for no more, 0 to 1.
    pub(super) critical_ratio: f64,
    /// Units that are expected to be asked for.
    pub(super) mean_demand: f64,
}

/// The quantity that balances what is left over against what is missing at the end of the
/// season; `None`, with a note, when cost or price is missing or nothing is lost on what is left.
///
/// # Errors
/// [`DecideError::Invalid`] when an amount is not money of this cluster.
pub(super) fn quantity(
    facts: &Facts<'_>,
    demand: &impl CumulativeDemand,
    season: &SinglePeriod,
    notes: &mut Vec<Note>,
) -> Result<Option<SeasonOrder>, DecideError> {
    let amount = |amount: &Option<Money>, field: &str| -> Result<f64, DecideError> {
        let micros = match amount {
            None => 0,
            Some(amount) => money::to_micros(amount, facts.currency)
                .map_err(|error| InvalidRequest::field(field, error.to_string()))?,
        };
        let amount = micros as f64;
        Ok(amount)
    };
    let salvage = amount(&season.salvage_value, "single_period.salvage_value")?;
    let goodwill = amount(&season.goodwill, "single_period.goodwill")?;
    let mut declined = |field: &str, said: Said| {
        notes.push(note(Kind::Declined, field, said));
        Ok(None)
    };
    let Some(cost) = facts.item.unit_cost_micros() else {
        return declined("unit_cost", Said::NoSeasonWithoutCost {});
    };
    let Some(price) = current_price(facts) else {
        return declined("list_price", Said::NoSeasonWithoutPrice {});
    };
    let ratio = newsvendor::critical_ratio(price as f64, cost as f64, salvage, goodwill.max(0.0));
    let Some(ratio) = ratio else {
        return declined("single_period.salvage_value", Said::NoSeasonWithoutLoss {});
    };
    let days = f64::from(season.days.clamp(1, limits::HORIZON_DAYS));
    let quantity = match ratio {
        0.0 => {
            notes.push(note(Kind::Explanation, "single_period", Said::SeasonNotWorthAUnit {}));
            0.0
        }
        ratio => demand.quantiles(&[days], &[ratio.min(1.0 - 1e-9)])[0],
    };
    let mean_demand = demand.mean(days);
    Ok(Some(SeasonOrder { quantity, critical_ratio: ratio, mean_demand }))
}
