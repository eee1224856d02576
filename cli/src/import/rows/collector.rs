//! Collects the records of one kind.

use mercer_common::{
    clock::{Clock as _, SystemClock},
    event::EventChecker,
};
use mercer_proto::v1::{
    Clearing, Event, EventType, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest,
    UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost::Message;

use xxhash_rust::xxh3::xxh3_64;

pub(crate) use super::events::{Amounts, Asked};
use super::{
    Context, Invalid,
    catalogue::{ItemReader, UserReader},
    clears::Clearer,
    events::{EventReader, Taken},
    market::{CompetitorPriceReader, LocationReader},
    supply::{StockReader, SupplierReader, SupplyReader},
};
use crate::import::{
    mapping::{Fields, Kind},
    records::Records,
    values::Row,
};

/// Bytes of the tag and the length of a record in a message.
const FRAME_BYTES: usize = 4;

/// Reads rows of one kind and collects their records.
pub(crate) struct Collector {
    pub(super) kept: Kept,
    clearer: Clearer,
    clears: Vec<Clearing>,
}

impl Collector {
    /// Reads these fields.
    pub(crate) fn new(kind: Kind, fields: &Fields, context: Context) -> Self {
        let clearer = Clearer::new(kind, fields, &context.blank);
        Self { kept: Kept::new(kind, fields, context), clearer, clears: Vec::new() }
    }

    /// Reads a row and keeps its record; one that is to be skipped only tells its amounts.
    pub(crate) fn add(&mut self, row: Row<'_>, skip: bool) -> (Outcome, Amounts) {
        let added = self.kept.add(row, skip);
        if let (Outcome::Taken { .. }, true) = (&added.0, self.clearer.clears()) {
            let paths = self.clearer.paths(&row);
            if !paths.is_empty() {
                let index = u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX);
                self.clears.push(Clearing { index, paths });
            }
        }
        added
    }

    /// The event that was taken last.
    pub(crate) fn last_event(&self) -> Option<&Event> {
        self.kept.last_event()
    }

    /// Stands for what the record that was taken last is about; `None` for events, of which each is
    /// one of its own.
    pub(crate) fn last_key(&self) -> Option<u64> {
        self.kept.last_key()
    }

    /// Bytes of the record that was taken last, with its tag and its length, in a message.
    pub(crate) fn last_bytes(&self) -> usize {
        self.kept.last_bytes()
    }

    /// What was kept since the last time.
    pub(crate) fn take(&mut self) -> Records {
        self.kept.records(std::mem::take(&mut self.clears))
    }

    /// Forgets what was kept since the last time.
    pub(crate) fn clear(&mut self) {
        self.clears.clear();
        if let Kept::Events(_, events) = &mut self.kept {
            // Their place is used again.
            events.clear();
        } else {
            drop(self.kept.records(Vec::new()));
        }
    }
}

/// What was kept, and what reads it.
pub(super) enum Kept {
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

impl Kept {
    /// Reads these fields.
    fn new(kind: Kind, fields: &Fields, context: Context) -> Self {
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
    fn add(&mut self, row: Row<'_>, skip: bool) -> (Outcome, Amounts) {
        if let Self::Events(reader, events) = self {
            if skip {
                return (Outcome::Skipped("of --skip"), reader.amounts(row));
            }
            let (taken, mut amounts) = reader.read(row, events);
            let outcome = match taken {
                Taken::Event => {
                    let event_type = events.last().map(Event::r#type);
                    let is_return = event_type == Some(EventType::Return);
                    if !is_return && event_type != Some(EventType::Purchase) {
                        // Nothing is sold by a look.
                        amounts = Amounts::default();
                    }
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
    fn last_event(&self) -> Option<&Event> {
        match self {
            Self::Events(_, events) => events.last(),
            _ => None,
        }
    }

    /// Stands for what the record that was taken last is about.
    fn last_key(&self) -> Option<u64> {
        let (id, place) = match self {
            Self::Events(..) => return None,
            Self::Items(_, items) => (&items.last()?.item_id, ""),
            Self::Users(_, users) => (&users.last()?.user_id, ""),
            Self::Stock(_, stock) => (&stock.last()?.item_id, &*stock.last()?.location_id),
            Self::Supply(_, supply) => (&supply.last()?.item_id, &*supply.last()?.location_id),
            Self::CompetitorPrices(_, prices) => {
                (&prices.last()?.item_id, &*prices.last()?.competitor_id)
            }
            Self::Locations(_, locations) => (&locations.last()?.location_id, ""),
            Self::Suppliers(_, suppliers) => (&suppliers.last()?.supplier_id, ""),
        };
        Some(xxh3_64(format!("{id}\0{place}").as_bytes()))
    }

    /// What was kept since the last time. Blank cells keep what is known; `clears` names what is
    /// cleared all the same.
    fn records(&mut self, clears: Vec<Clearing>) -> Records {
        match self {
            Self::Events(_, events) => {
                // As many come again.
                let next = Vec::with_capacity(events.len());
                Records::Events(std::mem::replace(events, next))
            }
            Self::Items(_, items) => Records::Items(UpsertItemsRequest {
                items: std::mem::take(items),
                keep_absent: true,
                clears,
                ..UpsertItemsRequest::default()
            }),
            Self::Users(_, users) => Records::Users(UpsertUsersRequest {
                users: std::mem::take(users),
                keep_absent: true,
                clears,
                ..UpsertUsersRequest::default()
            }),
            Self::Stock(_, stock) => Records::Stock(SetStockRequest {
                stock: std::mem::take(stock),
                keep_absent: true,
                clears,
                request_id: None,
                import: None,
            }),
            Self::Supply(_, supply) => Records::Supply(SetSupplyRequest {
                supply: std::mem::take(supply),
                keep_absent: true,
                clears,
                request_id: None,
                import: None,
            }),
            Self::CompetitorPrices(_, prices) => {
                Records::CompetitorPrices(SetCompetitorPricesRequest {
                    prices: std::mem::take(prices),
                    request_id: None,
                    import: None,
                })
            }
            Self::Locations(_, locations) => Records::Locations(UpsertLocationsRequest {
                locations: std::mem::take(locations),
                keep_absent: true,
                clears,
                request_id: None,
                import: None,
            }),
            Self::Suppliers(_, suppliers) => Records::Suppliers(UpsertSuppliersRequest {
                suppliers: std::mem::take(suppliers),
                keep_absent: true,
                clears,
                request_id: None,
                import: None,
            }),
        }
    }

    fn last_bytes(&self) -> usize {
        fn bytes(record: Option<&impl Message>) -> usize {
            record.map_or(0, |record| record.encoded_len() + FRAME_BYTES)
        }
        match self {
            Self::Events(_, events) => bytes(events.last()),
            Self::Items(_, items) => bytes(items.last()),
            Self::Users(_, users) => bytes(users.last()),
            Self::Stock(_, stock) => bytes(stock.last()),
            Self::Supply(_, supply) => bytes(supply.last()),
            Self::CompetitorPrices(_, prices) => bytes(prices.last()),
            Self::Locations(_, locations) => bytes(locations.last()),
            Self::Suppliers(_, suppliers) => bytes(suppliers.last()),
        }
    }

    /// Number of records that are kept.
    fn len(&self) -> usize {
        match self {
            Self::Events(_, events) => events.len(),
            Self::Items(_, items) => items.len(),
            Self::Users(_, users) => users.len(),
            Self::Stock(_, stock) => stock.len(),
            Self::Supply(_, supply) => supply.len(),
            Self::CompetitorPrices(_, prices) => prices.len(),
            Self::Locations(_, locations) => locations.len(),
            Self::Suppliers(_, suppliers) => suppliers.len(),
        }
    }
}
