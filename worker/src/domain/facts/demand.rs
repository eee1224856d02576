//! The demand of an item as a training left it.

use std::collections::BTreeMap;

use mercer_algorithms::forecast::Forecast;
use mercer_common::time::Day;
use mercer_proto::{
    internal::{self, DemandResult, LocationShare, SeriesForecast, StoredHistory},
    v1::ForecastSource,
};

use super::forecast::{decode_forecast, encode_forecast};

/// Method of a series that borrows from its category.
pub(crate) const CATEGORY_PROFILE: &str = "category-profile";

/// What the training knew of an item's demand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ItemDemand {
    /// All locations together (`*`) first, then those with a series of their own by id.
    pub(crate) series: Vec<ItemSeries>,
    /// Shares of the item's units, of the locations without a series.
    pub(crate) shares: BTreeMap<String, f32>,
    /// Mean price paid in the last week with a sale, in millionths and above 0.
    pub(crate) paid_price: Option<i64>,
    /// The latest list price of that week, in millionths and above 0.
    pub(crate) list_price: Option<i64>,
    /// What the item was offered at in its latest whole weeks: what the forecast stands on.
    pub(crate) recent_offers: Vec<RecentOffer>,
}

/// The forecast of an item at one location, or at all of them, and what it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ItemSeries {
    pub(crate) location: String,
    pub(crate) source: ForecastSource,
    pub(crate) method: String,
    pub(crate) forecast: Forecast,
    pub(crate) history: Option<History>,
    pub(crate) backtest_wape: Option<f32>,
    pub(crate) backtest_origins: u32,
    /// Days of the history far above all others, the largest first.
    pub(crate) wild_days: Vec<WildDay>,
}

/// The history that a forecast was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct History {
    pub(crate) first: Day,
    pub(crate) last: Day,
    pub(crate) sale_days: u32,
    pub(crate) out_of_stock_days: u32,
    pub(crate) closed_days: u32,
    /// Days left out because nothing was sold for longer than ever before, in the whole shop or
    /// at the location.
    pub(crate) silent_days: u32,
    pub(crate) units: f64,
    pub(crate) returned_units: f64,
}

/// A day on which far more was sold than usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WildDay {
    pub(crate) day: Day,
    pub(crate) units: f64,
    /// Nine of ten days with a sale had at most so many.
    pub(crate) usual: f64,
    /// What the forecast counts of them; 0 in results that counted all.
    pub(crate) counted: f64,
}

/// What an item was offered at in a week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RecentOffer {
    /// Mean price paid in millionths, above 0.
    pub(crate) price: i64,
    /// Share of the units that were promoted, 0 to 1.
    pub(crate) promoted_share: f32,
}

impl ItemDemand {
    /// The demand that a result holds.
    pub(crate) fn decode(result: DemandResult) -> Self {
        let mut series = Vec::with_capacity(result.series.len());
        for stored in result.series {
            series.push(ItemSeries::decode(stored));
        }
        let mut shares = BTreeMap::new();
        for stored in result.shares {
            shares.insert(stored.location_id, stored.share);
        }
        let mut recent_offers = Vec::with_capacity(result.recent_offers.len());
        for offer in result.recent_offers {
            let internal::RecentOffer { price_micros: price, promoted_share } = offer;
            recent_offers.push(RecentOffer { price, promoted_share });
        }
        Self {
            series,
            shares,
            paid_price: positive(result.paid_price_micros),
            list_price: positive(result.list_price_micros),
            recent_offers,
        }
    }

    /// The result that holds it.
    pub(crate) fn encode(self, item: &str) -> DemandResult {
        let mut result = DemandResult {
            item_id: item.to_owned(),
            paid_price_micros: self.paid_price.unwrap_or_default(),
            list_price_micros: self.list_price.unwrap_or_default(),
            ..DemandResult::default()
        };
        for series in self.series {
            result.series.push(series.encode());
        }
        for (location_id, share) in self.shares {
            result.shares.push(LocationShare { location_id, share });
        }
        for RecentOffer { price: price_micros, promoted_share } in self.recent_offers {
            result.recent_offers.push(internal::RecentOffer { price_micros, promoted_share });
        }
        result
    }

    /// The series of all locations together.
    pub(crate) fn everywhere(&self) -> Option<&ItemSeries> {
        self.series.first()
    }

    /// The series of a location that has one.
    pub(crate) fn at(&self, location: &str) -> Option<&ItemSeries> {
        self.series.iter().find(|series| series.location == location)
    }
}

impl ItemSeries {
    fn decode(stored: SeriesForecast) -> Self {
        let mut wild_days = Vec::with_capacity(stored.wild_days.len());
        for wild in &stored.wild_days {
            wild_days.push(WildDay {
                day: Day::from_number(wild.day),
                units: wild.units,
                usual: wild.usual_units,
                counted: wild.counted_units,
            });
        }
        Self {
            forecast: decode_forecast(&stored),
            source: stored.source(),
            location: stored.location_id,
            method: stored.method,
            history: stored.history.map(History::decode),
            backtest_wape: stored.backtest_wape,
            backtest_origins: stored.backtest_origins,
            wild_days,
        }
    }

    fn encode(self) -> SeriesForecast {
        let mut stored = SeriesForecast {
            location_id: self.location,
            source: self.source.into(),
            method: self.method,
            history: self.history.map(History::encode),
            backtest_wape: self.backtest_wape,
            backtest_origins: self.backtest_origins,
            ..SeriesForecast::default()
        };
        encode_forecast(&self.forecast, &mut stored);
        for wild in self.wild_days {
            stored.wild_days.push(internal::WildDay {
                day: wild.day.0.into(),
                units: wild.units,
                usual_units: wild.usual,
                counted_units: wild.counted,
            });
        }
        stored
    }
}

impl History {
    fn decode(stored: StoredHistory) -> Self {
        Self {
            first: Day::from_number(stored.first_day),
            last: Day::from_number(stored.last_day),
            sale_days: stored.sale_days,
            out_of_stock_days: stored.out_of_stock_days,
            closed_days: stored.closed_days,
            silent_days: stored.silent_days,
            units: stored.units,
            returned_units: stored.returned_units,
        }
    }

    fn encode(self) -> StoredHistory {
        StoredHistory {
            first_day: self.first.0.into(),
            last_day: self.last.0.into(),
            sale_days: self.sale_days,
            out_of_stock_days: self.out_of_stock_days,
            closed_days: self.closed_days,
            units: self.units,
            returned_units: self.returned_units,
            silent_days: self.silent_days,
        }
    }
}

fn positive(micros: i64) -> Option<i64> {
    (micros > 0).then_some(micros)
}
