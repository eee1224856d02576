//! The terms under which an item is bought, merged field by field.

use mercer_algorithms::inventory::Service;
use mercer_common::{
    ids::EVERYWHERE,
    money::{self, MoneyError},
    note::{Amount, Number, Said, Share, Text, note},
    rpc::status::InvalidRequest,
};
use mercer_proto::v1::{Note, ServiceTarget, SupplyTerms, note::Kind, service_target::Target};

use crate::{
    domain::{DecideError, facts::Facts},
    shard::{ServiceLevel, Terms},
};

/// Terms, none of which is missing.
#[derive(Clone, Debug)]
pub(super) struct CompleteTerms {
    pub(super) lead_time_days: f64,
    pub(super) lead_time_deviation_days: f64,
    pub(super) review_period_days: f64,
    /// `None` when nobody has said what an order costs.
    pub(super) order_cost_micros: Option<i64>,
    pub(super) holding_rate: f64,
    pub(super) minimum_order_quantity: f64,
    pub(super) pack_size: f64,
    pub(super) maximum_cover_days: f64,
    pub(super) service: Service,
    /// Empty when the item has none.
    pub(super) supplier: String,
}

/// The terms for a location: those of the request, then the item's there, then the item's for all
/// locations, then the supplier's, then the configured ones, each field by itself.
///
/// One note tells of all fields that are configured, one of a supplier that is not catalogued, and
/// one each of values that are out of their range.
///
/// # Errors
/// [`DecideError::Invalid`] when an order cost of the request is not money of this cluster.
pub(super) fn merge(
    facts: &Facts<'_>,
    location: &str,
    requested: Option<&SupplyTerms>,
    notes: &mut Vec<Note>,
) -> Result<CompleteTerms, DecideError> {
    let at =
        |location: &str| facts.item.supply().iter().find(|supply| *supply.location == *location);
    let (here, everywhere) = (at(location), at(EVERYWHERE));
    let mut suppliers = [here, everywhere].into_iter().flatten().map(|supply| &*supply.supplier_id);
    let supplier = suppliers.find(|id| !id.is_empty()).unwrap_or_default();
    let catalogued = facts.directory.supplier(supplier);
    if catalogued.is_none() && !supplier.is_empty() {
        let said = Said::SupplierNotCatalogued { supplier: Text(supplier.to_owned()) };
        notes.push(note(Kind::DataIgnored, "supply.supplier_id", said));
    }
    let requested = Terms::decode_some(requested).map_err(no_order_cost)?;
    let sources = [
        requested.as_ref(),
        here.and_then(|supply| supply.terms.as_ref()),
        everywhere.filter(|_| location != EVERYWHERE).and_then(|supply| supply.terms.as_ref()),
        catalogued.and_then(|supplier| supplier.terms.as_ref()),
    ];
    let mut merge =
        Merge { sources, configured: &facts.defaults.terms, defaults: Vec::new(), notes };

    let lead_time_days = merge.number("lead_time_days", 7.0, 0.0..=3_650.0, |t| t.lead_time_days);
    let lead_time_deviation_days =
        merge
            .number("lead_time_deviation_days", 2.0, 0.0..=3_650.0, |t| t.lead_time_deviation_days);
    let review_period_days =
        merge.number("review_period_days", 7.0, 0.0..=365.0, |t| t.review_period_days);
    let order_cost_micros = merge.order_cost(facts)?;
    let positive = f64::MIN_POSITIVE;
    let holding_rate = merge.number("holding_rate", 0.25, positive..=10.0, |t| t.holding_rate);
    let minimum_order_quantity =
        merge.number("minimum_order_quantity", 1.0, positive..=1e12, |t| t.minimum_order_quantity);
    let pack_size = merge.number("pack_size", 1.0, positive..=1e12, |t| t.pack_size);
    let maximum_cover_days =
        merge.number("maximum_cover_days", 180.0, positive..=36_500.0, |t| t.maximum_cover_days);
    let service = merge.service();
    let defaults = std::mem::take(&mut merge.defaults);
    let terms = CompleteTerms {
        lead_time_days,
        lead_time_deviation_days,
        review_period_days,
        order_cost_micros,
        holding_rate,
        minimum_order_quantity,
        pack_size,
        maximum_cover_days,
        service,
        supplier: supplier.to_owned(),
    };
    if !defaults.is_empty() {
        let said = terms.configured(&defaults, facts.currency);
        notes.push(note(Kind::DefaultUsed, "supply", said));
    }
    Ok(terms)
}

/// The merge under way.
struct Merge<'a, 'n> {
    /// The nearest first.
    sources: [Option<&'a Terms>; 4],
    configured: &'a Terms,
    /// Fields that came to be configured.
    defaults: Vec<&'static str>,
    notes: &'n mut Vec<Note>,
}

impl Merge<'_, '_> {
    /// The nearest value within `range`; `last` when even the configured one is not.
    fn number(
        &mut self,
        field: &'static str,
        last: f64,
        range: std::ops::RangeInclusive<f64>,
        get: impl Fn(&Terms) -> Option<f64>,
    ) -> f64 {
        for value in self.sources.iter().flatten().filter_map(|terms| get(terms)) {
            if range.contains(&value) {
                return value;
            }
            let said = Said::TermOutOfRange { value: Number(value) };
            self.notes.push(note(Kind::DataIgnored, &format!("supply.{field}"), said));
        }
        let value = get(self.configured).filter(|value| range.contains(value)).unwrap_or(last);
        self.defaults.push(field);
        value
    }

    fn order_cost(&mut self, facts: &Facts<'_>) -> Result<Option<i64>, DecideError> {
        let given = self.sources.iter().flatten().find_map(|terms| terms.order_cost.as_ref());
        let Some(cost) = given.or(self.configured.order_cost.as_ref()) else { return Ok(None) };
        let micros = cost.micros(facts.currency).map_err(no_order_cost)?;
        if given.is_none() {
            self.defaults.push("order_cost");
        }
        Ok(Some(micros.max(0)))
    }

    fn service(&mut self) -> Service {
        let given = self.sources.iter().flatten().find_map(|terms| service(terms.service?));
        given.unwrap_or_else(|| {
            let configured = self.configured.service.and_then(service);
            self.defaults.push("service");
            configured.unwrap_or(Service::Cycle(0.95))
        })
    }
}

fn service(level: ServiceLevel) -> Option<Service> {
    let within = |share: f64| share > 0.0 && share < 1.0;
    match level {
        ServiceLevel::Cycle(level) => within(level).then_some(Service::Cycle(level)),
        ServiceLevel::FillRate(rate) => within(rate).then_some(Service::FillRate(rate)),
    }
}

fn no_order_cost(error: MoneyError) -> InvalidRequest {
    InvalidRequest::field("terms.order_cost", error.to_string())
}

impl CompleteTerms {
    /// That these fields are configured.
    fn configured(&self, fields: &[&str], currency: &str) -> Said {
        let number = |field: &str, value: f64| fields.contains(&field).then_some(Number(value));
        let service = fields.contains(&"service").then_some(self.service);
        let order_cost = self.order_cost_micros.filter(|_| fields.contains(&"order_cost"));
        Said::ConfiguredTerms {
            lead_time_days: number("lead_time_days", self.lead_time_days),
            lead_time_deviation_days: number(
                "lead_time_deviation_days",
                self.lead_time_deviation_days,
            ),
            review_period_days: number("review_period_days", self.review_period_days),
            order_cost: order_cost.map(|micros| Amount::new(micros, currency)),
            holding_rate: number("holding_rate", self.holding_rate),
            minimum_order_quantity: number("minimum_order_quantity", self.minimum_order_quantity),
            pack_size: number("pack_size", self.pack_size),
            maximum_cover_days: number("maximum_cover_days", self.maximum_cover_days),
            cycle_service: service.and_then(|service| match service {
                Service::Cycle(level) => Some(Share(level)),
                Service::FillRate(_) => None,
            }),
            fill_rate: service.and_then(|service| match service {
                Service::Cycle(_) => None,
                Service::FillRate(rate) => Some(Share(rate)),
            }),
        }
    }

    /// The form of answers.
    pub(super) fn encode(&self, currency: &str) -> SupplyTerms {
        let target = match self.service {
            Service::Cycle(level) => Target::CycleService(level),
            Service::FillRate(rate) => Target::FillRate(rate),
        };
        SupplyTerms {
            lead_time_days: Some(self.lead_time_days),
            lead_time_deviation_days: Some(self.lead_time_deviation_days),
            review_period_days: Some(self.review_period_days),
            order_cost: self.order_cost_micros.map(|micros| money::from_micros(micros, currency)),
            holding_rate: Some(self.holding_rate),
            minimum_order_quantity: Some(self.minimum_order_quantity),
            pack_size: Some(self.pack_size),
            maximum_cover_days: Some(self.maximum_cover_days),
            service: Some(ServiceTarget { target: Some(target) }),
        }
    }
}
