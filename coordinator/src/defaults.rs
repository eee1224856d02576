//! What decisions fall back to, in the form that workers are sent and training keeps.

use mercer_common::{
    config::{Config, DemandForm, Service},
    money,
};
use mercer_proto::{
    internal::DecisionDefaults,
    v1::{self, PriceRule, ServiceTarget, SupplyTerms, service_target::Target},
};

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
    #[expect(clippy::cast_possible_truncation, reason = "at most 10^15, and casts saturate")]
    let order_cost = (inventory.order_cost * 1e6).round() as i64;
    let terms = SupplyTerms {
        lead_time_days: Some(inventory.lead_time_days),
        lead_time_deviation_days: Some(inventory.lead_time_deviation_days),
        review_period_days: Some(inventory.review_period_days),
        order_cost: Some(money::from_micros(order_cost, &config.cluster.currency)),
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
