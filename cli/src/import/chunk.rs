//! Reads a file on a thread of its own into chunks of a fixed number of rows.

use anyhow::{Result, anyhow, bail};
use mercer_common::{
    clock::{Clock as _, SystemClock},
    event::EventChecker,
    rpc::status::Violation,
};
use mercer_proto::v1::{
    Event, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest, UpsertItemsRequest,
    UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost_types::FieldMask;
use tokio::sync::mpsc;

use super::{
    cell::Cell,
    mapping::{Fields, Kind},
    market::{CompetitorPriceReader, LocationReader},
    records::{MESSAGE_BYTES, Records},
    rejects::Reject,
    rows::{Context, EventReader, ItemReader, UserReader},
    supply::{StockReader, SupplierReader, SupplyReader},
    table::Table,
};

/// A fixed number of rows of a file, read and checked.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Rows read, good or bad.
    pub(super) rows: u64,
    pub(super) records: Records,
    /// Line of each accepted row.
    pub(super) lines: Vec<u64>,
    /// How far the file was read after it.
    pub(super) position: u64,
    /// No later chunk of the file has records.
    pub(super) last: bool,
}

/// What the reading thread tells.
#[derive(Debug)]
pub(super) enum Read {
    Chunk(Chunk),
    Reject(Reject),
}

/// Cuts a file into chunks.
pub(super) struct Chunker {
    pub(super) kind: Kind,
    /// Rows per chunk.
    pub(super) batch: usize,
    /// Name of the file, for rejects.
    pub(super) file: String,
    pub(super) sender: mpsc::Sender<Read>,
}

/// Reads rows of one kind and collects them.
enum Collector {
    Events(Box<EventReader>, Vec<Event>),
    Items(Box<ItemReader>, Vec<mercer_proto::v1::Item>),
    Users(UserReader, Vec<mercer_proto::v1::User>),
    Stock(Box<StockReader>, Vec<mercer_proto::v1::Stock>),
    Supply(Box<SupplyReader>, Vec<mercer_proto::v1::Supply>),
    CompetitorPrices(Box<CompetitorPriceReader>, Vec<mercer_proto::v1::CompetitorPrice>),
    Locations(LocationReader, Vec<mercer_proto::v1::Location>),
    Suppliers(Box<SupplierReader>, Vec<mercer_proto::v1::Supplier>),
}

impl Collector {
    fn new(kind: Kind, fields: &Fields, context: Context) -> Self {
        let now = SystemClock.now();
        match kind {
            Kind::Events => {
                let checker = EventChecker::new(&context.currency, now);
                Self::Events(Box::new(EventReader::new(fields, context, checker)), Vec::new())
            }
            Kind::Items => Self::Items(Box::new(ItemReader::new(fields, context)), Vec::new()),
            Kind::Users => Self::Users(UserReader::new(fields), Vec::new()),
            Kind::Stock => {
                Self::Stock(Box::new(StockReader::new(fields, context, now)), Vec::new())
            }
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

    fn add(&mut self, cells: &[Cell<'_>]) -> Result<(), Vec<Violation>> {
        match self {
            Self::Events(reader, events) => events.push(reader.read(cells)?),
            Self::Items(reader, items) => items.push(reader.read(cells)?),
            Self::Users(reader, users) => users.push(reader.read(cells)?),
            Self::Stock(reader, stock) => stock.push(reader.read(cells)?),
            Self::Supply(reader, supply) => supply.push(reader.read(cells)?),
            Self::CompetitorPrices(reader, prices) => prices.push(reader.read(cells)?),
            Self::Locations(reader, locations) => locations.push(reader.read(cells)?),
            Self::Suppliers(reader, suppliers) => suppliers.push(reader.read(cells)?),
        }
        Ok(())
    }

    fn take(&mut self) -> Records {
        let mask = |paths: &[String]| Some(FieldMask { paths: paths.to_vec() });
        match self {
            Self::Events(_, events) => Records::Events(std::mem::take(events)),
            Self::Items(reader, items) => Records::Items(UpsertItemsRequest {
                items: std::mem::take(items),
                update_mask: mask(reader.mask()),
                ..UpsertItemsRequest::default()
            }),
            Self::Users(reader, users) => Records::Users(UpsertUsersRequest {
                users: std::mem::take(users),
                update_mask: mask(reader.mask()),
                ..UpsertUsersRequest::default()
            }),
            Self::Stock(_, stock) => Records::Stock(SetStockRequest {
                stock: std::mem::take(stock),
                ..SetStockRequest::default()
            }),
            Self::Supply(_, supply) => Records::Supply(SetSupplyRequest {
                supply: std::mem::take(supply),
                ..SetSupplyRequest::default()
            }),
            Self::CompetitorPrices(_, prices) => {
                Records::CompetitorPrices(SetCompetitorPricesRequest {
                    prices: std::mem::take(prices),
                    request_id: None,
                })
            }
            Self::Locations(_, locations) => Records::Locations(UpsertLocationsRequest {
                locations: std::mem::take(locations),
                ..UpsertLocationsRequest::default()
            }),
            Self::Suppliers(_, suppliers) => Records::Suppliers(UpsertSuppliersRequest {
                suppliers: std::mem::take(suppliers),
                ..UpsertSuppliersRequest::default()
            }),
        }
    }
}

impl Chunker {
    /// Reads the whole file; returns early when nobody listens any more.
    pub(super) fn run(self, mut table: Table, fields: &Fields, context: Context) -> Result<()> {
        let mut collector = Collector::new(self.kind, fields, context);
        let mut rows = 0;
        let mut lines = Vec::new();
        let mut position = 0;
        // The newest chunk with records and the empty ones behind it: which one is the last
        // is known when the next one has records, or at the end.
        let mut held: Vec<Chunk> = Vec::new();
        table.read(&fields.projection, &mut |line| {
            rows += 1;
            position = line.position;
            let accepted = match &line.cells {
                Ok(cells) => collector.add(cells),
                Err(reason) => Err(vec![Violation::new("", reason.as_str())]),
            };
            match accepted {
                Ok(()) => lines.push(line.number),
                Err(invalid) => self.reject(line.number, invalid)?,
            }
            if rows as usize == self.batch {
                let lines = std::mem::take(&mut lines);
                let records = collector.take();
                let chunk = Chunk { rows, records, lines, position, last: false };
                rows = 0;
                self.pass(chunk, &mut held)?;
            }
            Ok(())
        })?;
        if rows > 0 {
            let chunk = Chunk { rows, records: collector.take(), lines, position, last: false };
            self.pass(chunk, &mut held)?;
        }
        if let Some(chunk) = held.first_mut() {
            chunk.last = true;
        }
        self.release(&mut held)
    }

    fn reject(&self, line: u64, invalid: Vec<Violation>) -> Result<()> {
        // The first trouble of a row is enough to find it.
        let Some(violation) = invalid.into_iter().next() else { return Ok(()) };
        // The file's names of fields, not the message's.
        let field = match violation.field.as_str() {
            "event_time" => "timestamp".to_owned(),
            _ => violation.field,
        };
        self.send(Read::Reject(Reject {
            file: self.file.clone(),
            line,
            field,
            reason: violation.description,
        }))
    }

    fn pass(&self, chunk: Chunk, held: &mut Vec<Chunk>) -> Result<()> {
        if matches!(chunk.records, Records::Events(_))
            && chunk.records.encoded_len() > MESSAGE_BYTES
        {
            bail!("{} rows make more than 4 MiB; import with a smaller --batch", chunk.rows);
        }
        if !chunk.lines.is_empty() {
            self.release(held)?;
        }
        held.push(chunk);
        Ok(())
    }

    fn release(&self, held: &mut Vec<Chunk>) -> Result<()> {
        held.drain(..).try_for_each(|chunk| self.send(Read::Chunk(chunk)))
    }

    fn send(&self, read: Read) -> Result<()> {
        self.sender.blocking_send(read).map_err(|_| anyhow!("the import ended early"))
    }
}
