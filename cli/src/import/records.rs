//! Rows as the calls take them.

use mercer_common::limits;
use mercer_proto::v1::{
    Clearing, Event, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest,
    UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest,
};
use prost::Message as _;

/// Largest message that is sent; the rest of the limit is for its other fields.
const MESSAGE_BYTES: usize = limits::MESSAGE_BYTES - (4 << 10);

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
    /// Tells whether one call may carry the records.
    pub(crate) fn fit(&self) -> bool {
        let most = match self {
            Self::Locations(_) | Self::Suppliers(_) => limits::DIRECTORY_RECORDS,
            _ => limits::BATCH_RECORDS,
        };
        self.len() <= most && self.encoded_len() <= MESSAGE_BYTES
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
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
    pub(crate) fn retain(&mut self, keep: &mut dyn FnMut(usize) -> bool) {
        fn by_place<T>(records: &mut Vec<T>, keep: &mut dyn FnMut(usize) -> bool) {
            let mut place = 0;
            records.retain(|_| {
                place += 1;
                keep(place - 1)
            });
        }
        // What is cleared follows its record to its new place.
        fn with_clears<T>(
            records: &mut Vec<T>,
            clears: &mut Vec<Clearing>,
            keep: &mut dyn FnMut(usize) -> bool,
        ) {
            let mut places = Vec::with_capacity(records.len());
            let mut next = 0;
            by_place(records, &mut |place| {
                let stays = keep(place);
                places.push(stays.then_some(next));
                next += u32::from(stays);
                stays
            });
            clears.retain_mut(|clearing| {
                let place = places.get(clearing.index as usize).copied().flatten();
                clearing.index = place.unwrap_or_default();
                place.is_some()
            });
        }
        match self {
            Self::Events(events) => by_place(events, keep),
            Self::Items(request) => with_clears(&mut request.items, &mut request.clears, keep),
            Self::Users(request) => with_clears(&mut request.users, &mut request.clears, keep),
            Self::Stock(request) => with_clears(&mut request.stock, &mut request.clears, keep),
            Self::Supply(request) => with_clears(&mut request.supply, &mut request.clears, keep),
            Self::CompetitorPrices(request) => by_place(&mut request.prices, keep),
            Self::Locations(request) => {
                with_clears(&mut request.locations, &mut request.clears, keep);
            }
            Self::Suppliers(request) => {
                with_clears(&mut request.suppliers, &mut request.clears, keep);
            }
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
    pub(crate) fn split_off_half(&mut self) -> Option<Self> {
        fn half<T>(records: &mut Vec<T>) -> Vec<T> {
            records.split_off(records.len() / 2)
        }
        /// Takes the clearings of the second half, counted from its first record.
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
                import: None,
            }),
            Self::Users(request) => Self::Users(UpsertUsersRequest {
                users: half(&mut request.users),
                update_mask: request.update_mask.clone(),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.users.len()),
                request_id: None,
                import: None,
            }),
            Self::Stock(request) => Self::Stock(SetStockRequest {
                stock: half(&mut request.stock),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.stock.len()),
                request_id: None,
                import: None,
            }),
            Self::Supply(request) => Self::Supply(SetSupplyRequest {
                supply: half(&mut request.supply),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.supply.len()),
                request_id: None,
                import: None,
            }),
            Self::CompetitorPrices(request) => Self::CompetitorPrices(SetCompetitorPricesRequest {
                prices: half(&mut request.prices),
                request_id: None,
                import: None,
            }),
            Self::Locations(request) => Self::Locations(UpsertLocationsRequest {
                locations: half(&mut request.locations),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.locations.len()),
                request_id: None,
                import: None,
            }),
            Self::Suppliers(request) => Self::Suppliers(UpsertSuppliersRequest {
                suppliers: half(&mut request.suppliers),
                keep_absent: request.keep_absent,
                clears: half_of(&mut request.clears, request.suppliers.len()),
                request_id: None,
                import: None,
            }),
        })
    }
}
