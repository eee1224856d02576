//! Terms under which items are bought, as far as they are said of an item or of a supplier.
//!
//! Records and files hold them as messages. The state holds these, and whoever decides computes on
//! them; messages are made where an answer or a file is written.

mod amount;
mod price_rule;

use std::sync::Arc;

use mercer_common::money::MoneyError;
use mercer_proto::{
    internal::SetSupply,
    v1::{self, ServiceTarget, SupplyTerms, service_target::Target},
};

pub use self::{
    amount::Amount,
    price_rule::{CompetitorReference, PriceRule},
};

/// Terms, each by itself: those that are `None` are said elsewhere or nowhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Mean days from order to delivery.
    pub lead_time_days: Option<f64>,
    /// Standard deviation of the lead time in days.
    pub lead_time_deviation_days: Option<f64>,
    /// Days between two chances to order.
    pub review_period_days: Option<f64>,
    /// Cost of placing one order.
    pub order_cost: Option<Amount>,
    /// Cost of holding a unit for a year, as a share of its cost.
    pub holding_rate: Option<f64>,
    /// Units of the smallest order.
    pub minimum_order_quantity: Option<f64>,
    /// Units that orders are multiples of.
    pub pack_size: Option<f64>,
    /// Days of mean demand that an order covers at most.
    pub maximum_cover_days: Option<f64>,
    /// Service that stock is held for.
    pub service: Option<ServiceLevel>,
}

/// How rarely stock may be missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ServiceLevel {
    /// Share of order cycles without a stock-out.
    Cycle(f64),
    /// Share of units delivered from stock.
    FillRate(f64),
}

/// Terms and supplier of an item at a location; `*` is for all locations without terms of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Supply {
    /// Id of the location.
    pub location: Arc<str>,
    /// Id of the supplier; empty when none is said.
    pub supplier_id: String,
    /// Terms there.
    pub terms: Option<Terms>,
}

/// A supplier with the terms of all that is bought from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supplier {
    /// Id in records.
    pub supplier_id: String,
    /// Name for people.
    pub name: String,
    /// Terms where an item has none of its own.
    pub terms: Option<Terms>,
}

impl Terms {
    /// The terms of a message.
    ///
    /// # Errors
    /// When the order cost is no amount.
    pub(crate) fn decode(said: &SupplyTerms) -> Result<Self, MoneyError> {
        let service = said.service.and_then(|service| service.target);
        Ok(Self {
            lead_time_days: said.lead_time_days,
            lead_time_deviation_days: said.lead_time_deviation_days,
            review_period_days: said.review_period_days,
            order_cost: said.order_cost.as_ref().map(Amount::decode).transpose()?,
            holding_rate: said.holding_rate,
            minimum_order_quantity: said.minimum_order_quantity,
            pack_size: said.pack_size,
            maximum_cover_days: said.maximum_cover_days,
            service: service.map(|target| match target {
                Target::CycleService(level) => ServiceLevel::Cycle(level),
                Target::FillRate(rate) => ServiceLevel::FillRate(rate),
            }),
        })
    }

    /// The terms of a message that may be absent.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(crate) fn decode_some(said: Option<&SupplyTerms>) -> Result<Option<Self>, MoneyError> {
        said.map(Self::decode).transpose()
    }

    pub(crate) fn encode(&self) -> SupplyTerms {
        let target = self.service.map(|service| match service {
            ServiceLevel::Cycle(level) => Target::CycleService(level),
            ServiceLevel::FillRate(rate) => Target::FillRate(rate),
        });
        SupplyTerms {
            lead_time_days: self.lead_time_days,
            lead_time_deviation_days: self.lead_time_deviation_days,
            review_period_days: self.review_period_days,
            order_cost: self.order_cost.as_ref().map(Amount::encode),
            holding_rate: self.holding_rate,
            minimum_order_quantity: self.minimum_order_quantity,
            pack_size: self.pack_size,
            maximum_cover_days: self.maximum_cover_days,
            service: target.map(|target| ServiceTarget { target: Some(target) }),
        }
    }
}

impl Supply {
    /// As files hold it: without the item, in whose record it stands.
    pub(crate) fn encode(&self) -> SetSupply {
        SetSupply {
            location_id: self.location.to_string(),
            supplier_id: self.supplier_id.clone(),
            terms: self.terms.as_ref().map(Terms::encode),
            ..SetSupply::default()
        }
    }
}

impl Supplier {
    /// The supplier of a message.
    ///
    /// # Errors
    /// As [`Terms::decode`].
    pub(crate) fn decode(said: v1::Supplier) -> Result<Self, MoneyError> {
        let terms = Terms::decode_some(said.terms.as_ref())?;
        Ok(Self { supplier_id: said.supplier_id, name: said.name, terms })
    }

    pub(crate) fn encode(&self) -> v1::Supplier {
        v1::Supplier {
            supplier_id: self.supplier_id.clone(),
            name: self.name.clone(),
            terms: self.terms.as_ref().map(Terms::encode),
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::google::r#type::Money;

    use super::*;

    #[test]
    fn what_is_said_comes_back_and_what_is_not_stays_unsaid() {
        let money = |code: &str, units, nanos| Money { currency_code: code.into(), units, nanos };
        let all = SupplyTerms {
            lead_time_days: Some(1.0),
            lead_time_deviation_days: Some(2.0),
            review_period_days: Some(3.0),
            order_cost: Some(money("JPY", 9_000_000_000_000, 999_999_000)),
            holding_rate: Some(4.0),
            minimum_order_quantity: Some(5.0),
            pack_size: Some(6.0),
            maximum_cover_days: Some(7.0),
            service: Some(ServiceTarget { target: Some(Target::FillRate(0.5)) }),
        };
        let cycle = ServiceTarget { target: Some(Target::CycleService(0.25)) };
        let some = SupplyTerms {
            order_cost: Some(money("", -1, -500_000_000)),
            service: Some(cycle),
            ..SupplyTerms::default()
        };
        for said in [all, some, SupplyTerms::default()] {
            assert_eq!(Terms::decode(&said).expect("amounts").encode(), said);
        }
        let terms = Terms::decode(&some_cost(money("JPY", 5, 0))).expect("an amount");
        let cost = terms.order_cost.expect("said");
        assert_eq!(cost.micros("JPY"), Ok(5_000_000));
        assert!(matches!(cost.micros("USD"), Err(MoneyError::Currency { .. })));
        let beyond = Terms::decode(&some_cost(money("JPY", i64::MAX, 0)));
        assert_eq!(beyond, Err(MoneyError::Overflow));
    }

    fn some_cost(order_cost: Money) -> SupplyTerms {
        SupplyTerms { order_cost: Some(order_cost), ..SupplyTerms::default() }
    }
}
