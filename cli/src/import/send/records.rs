//! Rows as the calls take them.

use mercer_common::limits;
use mercer_proto::v1::{
    Event, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest, UpsertItemsRequest,
    UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost::Message as _;

/// Largest message that is sent; the rest of the limit is for its other fields.
pub(crate) const MESSAGE_BYTES: usize = limits::MESSAGE_BYTES - (4 << 10);

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
    pub(super) fn fit(&self) -> bool {
        let most = match self {
            Self::Locations(_) | Self::Suppliers(_) => limits::DIRECTORY_RECORDS,
            _ => limits::BATCH_RECORDS,
        };
        self.len() <= most && self.encoded_len() <= MESSAGE_BYTES
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Events(events) => events.len(),
            Self::Items(request) => request.items.len(),
            Self::Users(request) => request.users.len(),
            Self::Stock(request) => request.stock.len(),
            Self::Supply(request) => request.supply.len(),
            Self::CompetitorPrices(request) => request.prices.len(),
            Self::Locations(request) => request.locations.len(),
            Self::Suppliers(request) => request.suppliers.len(),
        }
    }

    /// Keeps the records at these places.
    pub(super) fn retain(&mut self, keep: &mut dyn FnMut(usize) -> bool) {
        fn by_place<T>(records: &mut Vec<T>, keep: &mut dyn FnMut(usize) -> bool) {
            let mut place = 0;
            records.retain(|_| {
                place += 1;
                keep(place - 1)
            });
        }
        match self {
            Self::Events(events) => by_place(events, keep),
            Self::Items(request) => by_place(&mut request.items, keep),
            Self::Users(request) => by_place(&mut request.users, keep),
            Self::Stock(request) => by_place(&mut request.stock, keep),
            Self::Supply(request) => by_place(&mut request.supply, keep),
            Self::CompetitorPrices(request) => by_place(&mut request.prices, keep),
            Self::Locations(request) => by_place(&mut request.locations, keep),
            Self::Suppliers(request) => by_place(&mut request.suppliers, keep),
        }
    }

    /// Bytes of the message.
    pub(crate) fn encoded_len(&self) -> usize {
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
    pub(crate) fn within_limit(self) -> Vec<Self> {
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

    /// The second half, as another call.
    pub(super) fn split_off_half(&mut self) -> Option<Self> {
        fn half<T>(records: &mut Vec<T>) -> Vec<T> {
            records.split_off(records.len() / 2)
        }
        Some(match self {
            Self::Events(events) => Self::Events(half(events)),
            Self::Items(request) => Self::Items(UpsertItemsRequest {
                items: half(&mut request.items),
                update_mask: request.update_mask.clone(),
                request_id: None,
            }),
            Self::Users(request) => Self::Users(UpsertUsersRequest {
                users: half(&mut request.users),
                update_mask: request.update_mask.clone(),
                request_id: None,
            }),
            Self::Stock(request) => {
                Self::Stock(SetStockRequest { stock: half(&mut request.stock), request_id: None })
            }
            Self::Supply(request) => Self::Supply(SetSupplyRequest {
                supply: half(&mut request.supply),
                request_id: None,
            }),
            Self::CompetitorPrices(request) => Self::CompetitorPrices(SetCompetitorPricesRequest {
                prices: half(&mut request.prices),
                request_id: None,
            }),
            Self::Locations(request) => Self::Locations(UpsertLocationsRequest {
                locations: half(&mut request.locations),
                request_id: None,
            }),
            Self::Suppliers(request) => Self::Suppliers(UpsertSuppliersRequest {
                suppliers: half(&mut request.suppliers),
                request_id: None,
            }),
        })
    }
}
