//! Rows as the calls take them.

use mercer_common::limits;
use mercer_proto::v1::{
    Clearing, Event, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest,
    UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost::Message as _;

/// Largest message that is sent; the rest of the limit is for its other fields.
pub(super) const MESSAGE_BYTES: usize = limits::MESSAGE_BYTES - (4 << 10);

/// Rows as one call takes them.
#[derive(Debug)]
pub(crate) enum Records {
    Events(Vec<Event>),
    Items(UpsertItemsRequest),
    Users(UpsertUsersRequest),
    Stock(SetStockRequest),
    Supply(SetSupplyRequest),
    CompetitorPrices(SetCompetitorPricesRequest),
    Locations(UpsertLocationsRequest),
    Suppliers(UpsertSuppliersRequest),
}

impl Records {
    /// Whether one call may carry them.
    fn fit(&self) -> bool {
        let (count, most) = match self {
            Self::Events(events) => (events.len(), limits::BATCH_RECORDS),
            Self::Items(request) => (request.items.len(), limits::BATCH_RECORDS),
            Self::Users(request) => (request.users.len(), limits::BATCH_RECORDS),
            Self::Stock(request) => (request.stock.len(), limits::BATCH_RECORDS),
            Self::Supply(request) => (request.supply.len(), limits::BATCH_RECORDS),
            Self::CompetitorPrices(request) => (request.prices.len(), limits::BATCH_RECORDS),
            Self::Locations(request) => (request.locations.len(), limits::DIRECTORY_RECORDS),
            Self::Suppliers(request) => (request.suppliers.len(), limits::DIRECTORY_RECORDS),
        };
        count <= most && self.encoded_len() <= MESSAGE_BYTES
    }

    /// Bytes of the message.
    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Self::Events(events) => {
                // Each event also has a tag and a length.
                events.iter().map(|event| event.encoded_len() + 4).sum()
            }
            Self::Items(items) => items.encoded_len(),
            Self::Users(users) => users.encoded_len(),
            Self::Stock(stock) => stock.encoded_len(),
            Self::Supply(supply) => supply.encoded_len(),
            Self::CompetitorPrices(prices) => prices.encoded_len(),
            Self::Locations(locations) => locations.encoded_len(),
            Self::Suppliers(suppliers) => suppliers.encoded_len(),
        }
    }

    /// The same records in as many calls as the limits on a call ask for.
    pub(super) fn within_limit(self) -> Vec<Self> {
        let mut done = Vec::new();
        let mut todo = vec![self];
        while let Some(mut records) = todo.pop() {
            if records.fit() {
                done.push(records);
                continue;
            }
            let rest = records.split_off_half();
            // The first half is looked at first: order is kept.
            todo.extend(rest);
            todo.push(records);
        }
        done
    }

    fn split_off_half(&mut self) -> Option<Self> {
        fn half<T>(records: &mut Vec<T>) -> Vec<T> {
            records.split_off(records.len() / 2)
        }
        /// Those of the second half, counted from its first record.
        fn half_of(clears: &mut Vec<Clearing>, first: usize) -> Vec<Clearing> {
            let first = u32::try_from(first).unwrap_or(u32::MAX);
            let from = clears.partition_point(|one| one.index < first);
            let mut rest = clears.split_off(from);
            rest.iter_mut().for_each(|one| one.index -= first);
            rest
        }
        Some(match self {
            Self::Events(events) => Self::Events(half(events)),
            Self::Items(request) => Self::Items(UpsertItemsRequest {
                items: half(&mut request.items),
                update_mask: request.update_mask.clone(),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.items.len()),
                request_id: None,
            }),
            Self::Users(request) => Self::Users(UpsertUsersRequest {
                users: half(&mut request.users),
                update_mask: request.update_mask.clone(),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.users.len()),
                request_id: None,
            }),
            Self::Stock(request) => Self::Stock(SetStockRequest {
                stock: half(&mut request.stock),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.stock.len()),
                request_id: None,
            }),
            Self::Supply(request) => Self::Supply(SetSupplyRequest {
                supply: half(&mut request.supply),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.supply.len()),
                request_id: None,
            }),
            Self::CompetitorPrices(request) => Self::CompetitorPrices(SetCompetitorPricesRequest {
                prices: half(&mut request.prices),
                request_id: None,
            }),
            Self::Locations(request) => Self::Locations(UpsertLocationsRequest {
                locations: half(&mut request.locations),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.locations.len()),
                request_id: None,
            }),
            Self::Suppliers(request) => Self::Suppliers(UpsertSuppliersRequest {
                suppliers: half(&mut request.suppliers),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.suppliers.len()),
                request_id: None,
            }),
        })
    }
}
