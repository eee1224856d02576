//! What decisions fall back to, in the form that workers are sent and training keeps.

use mercer_common::{
    config::{Config, DemandForm, Service},
    money,
};
use mercer_proto::{
    internal::DecisionDefaults,
    v1::{self, PriceRule, ServiceTarget, SupplyTerms, service_target::Target},
};

/// What placing an order costs where the currency is USD and nothing is configured.
const ORDER_COST_USD: f64 = 20.0;

/// The configured defaults; `config` has been checked.
pub(crate) fn decision_defaults(config: &Config) -> DecisionDefaults {
    let (price, inventory) = (&config.price, &config.inventory);
    let target = match inventory.service {
        Service::Cycle(share) => Target::CycleService(share),
        Service::FillRate(share) => Target::FillRate(share),
    };
    let form = match price.demand_form {
        DemandForm::ConstantElasticity => v1::DemandForm::ConstantElasticity,
        DemandForm::Linear => v1::DemandForm::Linear,
        DemandForm::SemiLog => v1::DemandForm::SemiLog,
    };
    let currency = &config.cluster.currency;
    let order_cost = inventory.order_cost.or((currency == "USD").then_some(ORDER_COST_USD));
    // At most 10^15, and the cast saturates.
    let order_cost_micros = order_cost.map(|cost| (cost * 1e6).round() as i64);
    let terms = SupplyTerms {
        lead_time_days: Some(inventory.lead_time_days),
        lead_time_deviation_days: Some(inventory.lead_time_deviation_days),
        review_period_days: Some(inventory.review_period_days),
        order_cost: order_cost_micros.map(|micros| money::from_micros(micros, currency)),
        holding_rate: Some(inventory.holding_rate),
        minimum_order_quantity: Some(inventory.minimum_order_quantity),
        pack_size: Some(inventory.pack_size),
        maximum_cover_days: Some(inventory.maximum_cover_days),
        service: Some(ServiceTarget { target: Some(target) }),
    };
    let rule = PriceRule { largest_change: Some(price.largest_change), ..PriceRule::default() };
    DecisionDefaults {
        terms: Some(terms),
        price_rule: Some(rule),
        demand_form: form.into(),
        price_extrapolation: price.extrapolation,
        competitor_max_age_days: price.competitor_max_age_days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_filled_from_its_own_key() {
        let mut config = Config::default();
        config.cluster.currency = "EUR".into();
        config.inventory.order_cost = Some(12.345);
        config.inventory.service = Service::FillRate(0.97);
        config.price.demand_form = DemandForm::SemiLog;
        config.price.largest_change = 0.3;
        config.price.extrapolation = 0.2;
        let defaults = decision_defaults(&config);
        let expected = SupplyTerms {
            lead_time_days: Some(7.0),
            lead_time_deviation_days: Some(2.0),
            review_period_days: Some(7.0),
            order_cost: Some(money::from_micros(12_345_000, "EUR")),
            holding_rate: Some(0.25),
            minimum_order_quantity: Some(1.0),
            pack_size: Some(1.0),
            maximum_cover_days: Some(180.0),
            service: Some(ServiceTarget { target: Some(Target::FillRate(0.97)) }),
        };
        assert_eq!(defaults.demand_form(), v1::DemandForm::SemiLog);
        assert_eq!(defaults.terms, Some(expected));
        assert_eq!(defaults.price_rule.and_then(|rule| rule.largest_change), Some(0.3));
        let order_cost = |currency: &str| {
            let mut config = Config::default();
            config.cluster.currency = currency.into();
            decision_defaults(&config).terms.and_then(|terms| terms.order_cost)
        };
        assert_eq!(order_cost("USD"), Some(money::from_micros(20_000_000, "USD")));
        assert_eq!(order_cost("JPY"), None, "20 yen is no order's cost");
        assert_eq!((defaults.price_extrapolation, defaults.competitor_max_age_days), (0.2, 30.0));
    }
}
