//! What is configured for all items.

use mercer_algorithms::price::demand::Form;
use mercer_common::{money::MoneyError, rpc::status::InvalidRequest};
use mercer_proto::{internal::DecisionDefaults, v1::DemandForm};

use crate::shard::{PriceRule, Terms};

/// What is used where an item has nothing of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Defaults {
    /// Terms of buying.
    pub(crate) terms: Terms,
    /// Every field that is set binds where nothing narrower does.
    pub(crate) price_rule: PriceRule,
    /// How demand depends on the price.
    pub(crate) demand_form: Form,
    /// How far beyond the prices of its history an item may be priced, as a share of them.
    pub(crate) price_extrapolation: f64,
    /// Competitors' prices older than this, relative to the newest of the item, do not count.
    pub(crate) competitor_max_age_days: f64,
}

impl Defaults {
    /// The defaults of a message.
    ///
    /// # Errors
    /// With the field of an amount that is none.
    pub(crate) fn decode(said: &DecisionDefaults) -> Result<Self, InvalidRequest> {
        let terms = Terms::decode_some(said.terms.as_ref())
            .map_err(|error| no_amount("defaults.terms.order_cost", &error))?;
        let price_rule = said.price_rule.as_ref().map(PriceRule::decode).transpose();
        let price_rule = price_rule.map_err(|error| no_amount("defaults.price_rule", &error))?;
        Ok(Self {
            terms: terms.unwrap_or_default(),
            price_rule: price_rule.unwrap_or_default(),
            demand_form: form_of(said.demand_form()).unwrap_or(Form::ConstantElasticity),
            price_extrapolation: said.price_extrapolation,
            competitor_max_age_days: said.competitor_max_age_days,
        })
    }
}

fn no_amount(field: &str, error: &MoneyError) -> InvalidRequest {
    InvalidRequest::field(field, error.to_string())
}

/// The form of demand that a message names; `None` where it names none.
pub(crate) fn form_of(form: DemandForm) -> Option<Form> {
    match form {
        DemandForm::Unspecified => None,
        DemandForm::ConstantElasticity => Some(Form::ConstantElasticity),
        DemandForm::Linear => Some(Form::Linear),
        DemandForm::SemiLog => Some(Form::SemiLog),
    }
}
