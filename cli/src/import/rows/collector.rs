//! Collects the records of one kind.

use mercer_common::{
    clock::{Clock as _, SystemClock},
    event::EventChecker,
};
use mercer_proto::v1::{
    Event, EventType, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest,
    UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost_types::FieldMask;

pub(crate) use super::events::{Amounts, Asked};
use super::{
    Context, Invalid,
    catalogue::{ItemReader, UserReader},
    events::{EventReader, Taken},
    market::{CompetitorPriceReader, LocationReader},
    supply::{StockReader, SupplierReader, SupplyReader},
};
use crate::import::{
    mapping::{Fields, Kind},
    send::Records,
    values::Row,
};

/// Reads rows of one kind and collects them.
pub(in crate::import) enum Collector {
    Events(Box<EventReader>, Vec<Event>),
    Items(Box<ItemReader>, Vec<mercer_proto::v1::Item>),
    Users(UserReader, Vec<mercer_proto::v1::User>),
    Stock(Box<StockReader>, Vec<mercer_proto::v1::Stock>),
    Supply(Box<SupplyReader>, Vec<mercer_proto::v1::Supply>),
    CompetitorPrices(Box<CompetitorPriceReader>, Vec<mercer_proto::v1::CompetitorPrice>),
    Locations(LocationReader, Vec<mercer_proto::v1::Location>),
    Suppliers(Box<SupplierReader>, Vec<mercer_proto::v1::Supplier>),
}

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Taken {
        is_return: bool,
    },
    /// Left out, and why.
    Skipped(&'static str),
    Asked(Asked),
    Refused(Invalid),
}

impl Collector {
    /// Reads these fields.
    pub(crate) fn new(kind: Kind, fields: &Fields, context: Context) -> Self {
        let now = SystemClock.now();
        match kind {
            Kind::Events => {
                let checker = EventChecker::new(&context.currency, now);
                Self::Events(Box::new(EventReader::new(fields, context, checker)), Vec::new())
            }
            Kind::Items => Self::Items(Box::new(ItemReader::new(fields, context)), Vec::new()),
            Kind::Users => Self::Users(UserReader::new(fields), Vec::new()),
            Kind::Stock => Self::Stock(Box::new(StockReader::new(fields, now)), Vec::new()),
            Kind::Supply => Self::Supply(Box::new(SupplyReader::new(fields, &context)), Vec::new()),
            Kind::CompetitorPrices => {
                let reader = CompetitorPriceReader::new(fields, context, now);
                Self::CompetitorPrices(Box::new(reader), Vec::new())
            }
            Kind::Locations => Self::Locations(LocationReader::new(fields), Vec::new()),
            Kind::Suppliers => {
                Self::Suppliers(Box::new(SupplierReader::new(fields, &context)), Vec::new())
            }
        }
    }

    /// Reads a row and keeps its record; one that is to be skipped only tells its amounts.
    pub(crate) fn add(&mut self, row: Row<'_>, skip: bool) -> (Outcome, Amounts) {
        if let Self::Events(reader, events) = self {
            if skip {
                return (Outcome::Skipped("of --skip"), reader.amounts(row));
            }
            let (taken, mut amounts) = reader.read(row);
            let outcome = match taken {
                Taken::Event(event) => {
                    let is_return = event.r#type() == EventType::Return;
                    if !is_return && event.r#type() != EventType::Purchase {
                        // Nothing is sold by a look.
                        amounts = Amounts::default();
                    }
                    events.push(*event);
                    Outcome::Taken { is_return }
                }
                Taken::Skipped(why) => Outcome::Skipped(why),
                Taken::Asked(asked) => Outcome::Asked(asked),
                Taken::Refused(invalid) => Outcome::Refused(invalid),
            };
            return (outcome, amounts);
        }
        let outcome = if skip { Ok(Outcome::Skipped("of --skip")) } else { self.add_record(row) };
        (outcome.unwrap_or_else(Outcome::Refused), Amounts::default())
    }

    fn add_record(&mut self, row: Row<'_>) -> Result<Outcome, Invalid> {
        match self {
            // Taken before.
            Self::Events(..) => {}
            Self::Items(reader, items) => items.push(reader.read(row)?),
            Self::Users(reader, users) => users.push(reader.read(row)?),
            Self::Stock(reader, stock) => stock.push(reader.read(row)?),
            Self::Supply(reader, supply) => supply.push(reader.read(row)?),
            Self::CompetitorPrices(reader, prices) => prices.push(reader.read(row)?),
            Self::Locations(reader, locations) => locations.push(reader.read(row)?),
            Self::Suppliers(reader, suppliers) => suppliers.push(reader.read(row)?),
        }
        Ok(Outcome::Taken { is_return: false })
    }

    /// The event that was taken last.
    pub(crate) fn last_event(&self) -> Option<&Event> {
        match self {
            Self::Events(_, events) => events.last(),
            _ => None,
        }
    }

    /// What was kept since the last time.
    pub(crate) fn take(&mut self) -> Records {
        let mask = |paths: &[String]| Some(FieldMask { paths: paths.to_vec() });
        match self {
            Self::Events(_, events) => Records::Events(std::mem::take(events)),
            Self::Items(reader, items) => Records::Items(UpsertItemsRequest {
                items: std::mem::take(items),
                update_mask: mask(reader.mask()),
                request_id: None,
            }),
            Self::Users(reader, users) => Records::Users(UpsertUsersRequest {
                users: std::mem::take(users),
                update_mask: mask(reader.mask()),
                request_id: None,
            }),
            Self::Stock(_, stock) => {
                Records::Stock(SetStockRequest { stock: std::mem::take(stock), request_id: None })
            }
            Self::Supply(_, supply) => Records::Supply(SetSupplyRequest {
                supply: std::mem::take(supply),
                request_id: None,
            }),
            Self::CompetitorPrices(_, prices) => {
                Records::CompetitorPrices(SetCompetitorPricesRequest {
                    prices: std::mem::take(prices),
                    request_id: None,
                })
            }
            Self::Locations(_, locations) => Records::Locations(UpsertLocationsRequest {
                locations: std::mem::take(locations),
                request_id: None,
            }),
            Self::Suppliers(_, suppliers) => Records::Suppliers(UpsertSuppliersRequest {
                suppliers: std::mem::take(suppliers),
                request_id: None,
            }),
        }
    }
}
