//! Rows of competitors' prices and of locations.

use mercer_common::money::from_micros;
use mercer_proto::v1::{CompetitorPrice, Location};

use super::{Context, Invalid, Reader, api_time, check};
use crate::import::{
    mapping::{Fields, Source},
    values::Row,
};

/// Reads competitors' prices.
pub(crate) struct CompetitorPriceReader {
    context: Context,
    now: jiff::Timestamp,
    item_id: Option<Source>,
    competitor_id: Option<Source>,
    price: Option<Source>,
    as_of: Option<Source>,
}

impl CompetitorPriceReader {
    /// A reader of these fields; rows without `as_of` are of `now`.
    pub(super) fn new(fields: &Fields, context: Context, now: jiff::Timestamp) -> Self {
        Self {
            context,
            now,
            item_id: fields.source("item_id"),
            competitor_id: fields.source("competitor_id"),
            price: fields.source("price"),
            as_of: fields.source("as_of"),
        }
    }

    /// The price of a row; one without price removes what is known.
    pub(super) fn read(&self, cells: Row<'_>) -> Result<CompetitorPrice, Invalid> {
        let mut row = Reader::new(cells);
        let micros = row.get("price", self.price.as_ref(), Source::micros);
        let price = CompetitorPrice {
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            competitor_id: row
                .label("competitor_id", self.competitor_id.as_ref())
                .unwrap_or_default(),
            price: micros.map(|micros| from_micros(micros, &self.context.currency)),
            as_of: Some(api_time(
                row.get("as_of", self.as_of.as_ref(), Source::time).unwrap_or(self.now),
            )),
        };
        let invalid = check::competitor_price(&price);
        row.finish(price, invalid)
    }
}

/// Reads locations.
pub(crate) struct LocationReader {
    location_id: Option<Source>,
    name: Option<Source>,
    time_zone: Option<Source>,
    decrement_on_purchase: Option<Source>,
}

impl LocationReader {
    /// A reader of these fields.
    pub(super) fn new(fields: &Fields) -> Self {
        Self {
            location_id: fields.source("location_id"),
            name: fields.source("name"),
            time_zone: fields.source("time_zone"),
            decrement_on_purchase: fields.source("decrement_on_purchase"),
        }
    }

    /// The location of a row.
    pub(super) fn read(&self, cells: Row<'_>) -> Result<Location, Invalid> {
        let mut row = Reader::new(cells);
        let decrement = self.decrement_on_purchase.as_ref();
        let location = Location {
            location_id: row.label("location_id", self.location_id.as_ref()).unwrap_or_default(),
            name: row.title("name", self.name.as_ref()).unwrap_or_default(),
            time_zone: row.label("time_zone", self.time_zone.as_ref()).unwrap_or_default(),
            decrement_on_purchase: row.get("decrement_on_purchase", decrement, Source::flag),
        };
        let invalid = check::location(&location);
        row.finish(location, invalid)
    }
}
