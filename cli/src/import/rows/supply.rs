//! Rows of stock, supply terms and suppliers.

use mercer_common::money::from_micros;
use mercer_proto::v1::{
    ServiceTarget, Stock, Supplier, Supply, SupplyTerms, service_target::Target,
};

use super::{Context, Invalid, Reader, api_time, check};
use crate::import::{
    mapping::{Fields, Source},
    values::{Extra, Row},
};

/// Reads stock.
pub(crate) struct StockReader {
    now: jiff::Timestamp,
    item_id: Option<Source>,
    location_id: Option<Source>,
    on_hand: Option<Source>,
    on_order: Option<Source>,
    backordered: Option<Source>,
    as_of: Option<Source>,
}

impl StockReader {
    /// A reader of these fields; rows without `as_of` are of `now`.
    pub(super) fn new(fields: &Fields, now: jiff::Timestamp) -> Self {
        Self {
            now,
            item_id: fields.source("item_id"),
            location_id: fields.source("location_id"),
            on_hand: fields.source("on_hand"),
            on_order: fields.source("on_order"),
            backordered: fields.source("backordered"),
            as_of: fields.source("as_of"),
        }
    }

    /// The stock record of a row.
    pub(super) fn read(&self, cells: Row<'_>) -> Result<Stock, Invalid> {
        let mut row = Reader::new(cells);
        let stock = Stock {
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            location_id: row.label("location_id", self.location_id.as_ref()).unwrap_or_default(),
            on_hand: row
                .get("on_hand", self.on_hand.as_ref(), |source, row| {
                    source
                        .number(row, Extra::Nothing)?
                        .map(Some)
                        .ok_or_else(|| "is missing".to_owned())
                })
                .unwrap_or_default(),
            on_order: row.number("on_order", self.on_order.as_ref()),
            backordered: row.number("backordered", self.backordered.as_ref()),
            as_of: Some(api_time(
                row.get("as_of", self.as_of.as_ref(), Source::time).unwrap_or(self.now),
            )),
        };
        let invalid = check::stock(&stock);
        row.finish(stock, invalid)
    }
}

/// Reads the terms that a file of supply or of suppliers holds.
struct TermsReader {
    currency: String,
    lead_time_days: Option<Source>,
    lead_time_deviation_days: Option<Source>,
    review_period_days: Option<Source>,
    order_cost: Option<Source>,
    holding_rate: Option<Source>,
    minimum_order_quantity: Option<Source>,
    pack_size: Option<Source>,
    maximum_cover_days: Option<Source>,
    cycle_service: Option<Source>,
    fill_rate: Option<Source>,
}

impl TermsReader {
    fn new(fields: &Fields, context: &Context) -> Self {
        let source = |field| fields.source(field);
        Self {
            currency: context.currency.clone(),
            lead_time_days: source("lead_time_days"),
            lead_time_deviation_days: source("lead_time_deviation_days"),
            review_period_days: source("review_period_days"),
            order_cost: source("order_cost"),
            holding_rate: source("holding_rate"),
            minimum_order_quantity: source("minimum_order_quantity"),
            pack_size: source("pack_size"),
            maximum_cover_days: source("maximum_cover_days"),
            cycle_service: source("cycle_service"),
            fill_rate: source("fill_rate"),
        }
    }

    /// The terms of a row; `None` when it has none.
    fn read(&self, row: &mut Reader<'_>) -> Option<SupplyTerms> {
        let cycle = row.share("cycle_service", self.cycle_service.as_ref());
        let fill = row.share("fill_rate", self.fill_rate.as_ref());
        if cycle.is_some() && fill.is_some() {
            row.refuse("fill_rate", "must be empty where cycle_service is set");
        }
        let target = cycle.map(Target::CycleService).or(fill.map(Target::FillRate));
        let cost = row.get("order_cost", self.order_cost.as_ref(), Source::micros);
        let holding_rate = row.share("holding_rate", self.holding_rate.as_ref());
        let mut number = |field, source: &Option<Source>| row.number(field, source.as_ref());
        let terms = SupplyTerms {
            lead_time_days: number("lead_time_days", &self.lead_time_days),
            lead_time_deviation_days: number(
                "lead_time_deviation_days",
                &self.lead_time_deviation_days,
            ),
            review_period_days: number("review_period_days", &self.review_period_days),
            order_cost: cost.map(|micros| from_micros(micros, &self.currency)),
            holding_rate,
            minimum_order_quantity: number("minimum_order_quantity", &self.minimum_order_quantity),
            pack_size: number("pack_size", &self.pack_size),
            maximum_cover_days: number("maximum_cover_days", &self.maximum_cover_days),
            service: target.map(|target| ServiceTarget { target: Some(target) }),
        };
        (terms != SupplyTerms::default()).then_some(terms)
    }
}

/// Reads supply terms of items.
pub(crate) struct SupplyReader {
    item_id: Option<Source>,
    location_id: Option<Source>,
    supplier_id: Option<Source>,
    terms: TermsReader,
}

impl SupplyReader {
    /// A reader of these fields.
    pub(super) fn new(fields: &Fields, context: &Context) -> Self {
        Self {
            item_id: fields.source("item_id"),
            location_id: fields.source("location_id"),
            supplier_id: fields.source("supplier_id"),
            terms: TermsReader::new(fields, context),
        }
    }

    /// The supply of a row; one without supplier and terms removes what is known.
    pub(super) fn read(&self, cells: Row<'_>) -> Result<Supply, Invalid> {
        let mut row = Reader::new(cells);
        let supply = Supply {
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            location_id: row.label("location_id", self.location_id.as_ref()).unwrap_or_default(),
            supplier_id: row.label("supplier_id", self.supplier_id.as_ref()).unwrap_or_default(),
            terms: self.terms.read(&mut row),
        };
        let invalid = check::supply(&supply);
        row.finish(supply, invalid)
    }
}

/// Reads suppliers.
pub(crate) struct SupplierReader {
    supplier_id: Option<Source>,
    name: Option<Source>,
    terms: TermsReader,
}

impl SupplierReader {
    /// A reader of these fields.
    pub(super) fn new(fields: &Fields, context: &Context) -> Self {
        Self {
            supplier_id: fields.source("supplier_id"),
            name: fields.source("name"),
            terms: TermsReader::new(fields, context),
        }
    }

    /// The supplier of a row.
    pub(super) fn read(&self, cells: Row<'_>) -> Result<Supplier, Invalid> {
        let mut row = Reader::new(cells);
        let supplier = Supplier {
            supplier_id: row.label("supplier_id", self.supplier_id.as_ref()).unwrap_or_default(),
            name: row.title("name", self.name.as_ref()).unwrap_or_default(),
            terms: self.terms.read(&mut row),
        };
        let invalid = check::supplier(&supplier);
        row.finish(supplier, invalid)
    }
}
