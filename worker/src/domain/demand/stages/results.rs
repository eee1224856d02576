//! Forecasts of the items of a shard.

use std::collections::BTreeMap;

use mercer_algorithms::{
    control::Control as _,
    forecast::{Method, Options, train},
    price::weekly,
};
use mercer_common::{
    artifact::ArtifactRef, ids::EVERYWHERE, rpc::status::InvalidRequest, time::Day,
};
use mercer_proto::{
    internal::{DemandProfiles, DemandResult, DemandSpec, Phase, TrainingSpec},
    v1::ForecastSource,
};

use super::{
    WEEK, Worked,
    calendar::Calendar,
    days::{DaySeries, Place, in_stock, sale_days},
    in_units,
    shares::{Sold, shares},
};
use crate::{
    artifact::{DEMAND, RecordsWriter, read_message},
    domain::{
        demand::profile::profile_of,
        facts::{CATEGORY_PROFILE, History, ItemDemand, ItemSeries, RecentOffer},
    },
    shard::{Directory, ItemState, SalesDay, cut::series::SeriesCut},
    task::{Context, Inputs, SERIES, TrainingError, in_order},
};

/// Items that a thread takes at once: at most some 2 ms, and what is kept before it is written.
const BLOCK: usize = 8;
const WRITTEN: usize = 4_096;
/// Days of a week before the latest sale, whose prices are the present ones.
const PRICE_DAYS: u16 = 7;
/// Weeks whose offers are kept: as many as methods that average look back.
const OFFER_WEEKS: usize = 8;

pub(in super::super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let name = DEMAND;
    let cut = inputs.of_shard(Phase::Cut, context.shard, SERIES)?;
    let cut = SeriesCut::open(context.store, cut)?;
    let profiles = read_message(context.store, inputs.one(Phase::Pool, name)?)?;
    let work = Work::new(cut.directory(), &profiles, spec)?;
    context.watch.begin(cut.len() as u64);
    let mut writer =
        RecordsWriter::new(context.store, context.job, "results", &context.name(name))?;
    let items: Vec<usize> = (0..cut.len()).collect();
    for items in items.chunks(WRITTEN) {
        let blocks: Vec<&[usize]> = items.chunks(BLOCK).collect();
        let worked: Vec<Worked<DemandResult>> = context.pool.install(|| {
            in_order(&blocks, context.watch, |block| {
                let results = work.results(&cut, block);
                context.watch.advance(block.len() as u64);
                Ok(results)
            })
        })?;
        for block in worked {
            for result in block? {
                writer.push(&result.item_id, &result)?;
            }
        }
    }
    Ok(writer.finish()?)
}

/// What the forecast of every item goes by.
#[derive(Debug)]
struct Work<'a> {
    directory: &'a Directory,
    profiles: &'a DemandProfiles,
    spec: DemandSpec,
    options: Options,
    calendar: Calendar,
}

impl<'a> Work<'a> {
    fn new(
        directory: &'a Directory,
        profiles: &'a DemandProfiles,
        spec: &TrainingSpec,
    ) -> Result<Self, InvalidRequest> {
        let spec = spec.demand.clone().unwrap_or_default();
        let mut methods = Vec::with_capacity(spec.methods.len());
        for name in &spec.methods {
            let Some(method) = Method::parse(name) else {
                let unknown = format!("`{name}` is no method of forecasting");
                return Err(InvalidRequest::field("spec.demand.methods", unknown));
            };
            methods.push(method);
        }
        let options = Options {
            methods,
            periods: vec![WEEK],
            gap: profiles.as_of_day.saturating_sub(profiles.last_day) as usize,
            horizon: (spec.horizon_days as usize).max(WEEK),
        };
        let calendar = Calendar::of_profiles(profiles);
        Ok(Self { directory, profiles, spec, options, calendar })
    }

    /// The results of these items, of those that were ever sold.
    fn results(&self, cut: &SeriesCut, items: &[usize]) -> Worked<DemandResult> {
        let mut results = Vec::with_capacity(items.len());
        for &index in items {
            let item = cut.item(index)?;
            results.extend(self.demand(&item).map(|demand| demand.encode(item.id())));
        }
        Ok(results)
    }

    /// `None` without any sale.
    fn demand(&self, item: &ItemState) -> Option<ItemDemand> {
        let total = item.series().total();
        let places = places(item);
        let with_stock: Vec<Place<'_>> =
            item.stock().iter().map(|stock| self.place(item, &stock.location, &places)).collect();
        let sold: f64 = total.iter().map(|day| in_units(day.units_micros)).sum();
        let mut weights = Vec::with_capacity(with_stock.len());
        for place in &with_stock {
            weights.push(if sold > 0.0 { place.sold() / sold } else { 0.0 });
        }
        let days = self.days(EVERYWHERE, &total, |day| in_stock(&with_stock, &weights, day))?;
        let all = self.own(EVERYWHERE, &days).unwrap_or_else(|| self.borrowed(&days, item));
        let (paid_price, list_price) = prices(&total);
        let mut demand = ItemDemand {
            series: vec![all],
            shares: BTreeMap::new(),
            paid_price,
            list_price,
            recent_offers: recent_offers(&total, self.calendar.last),
        };
        self.add_places(item, &places, &mut demand);
        Some(demand)
    }

    fn days(
        &self,
        location: &str,
        sales: &[SalesDay],
        in_stock: impl Fn(Day) -> f64,
    ) -> Option<DaySeries> {
        let Calendar { last, .. } = self.calendar;
        let silence = self.calendar.silence(location);
        DaySeries::new(sales, last, &self.profiles.closed_days, silence, in_stock)
    }

    fn place<'b>(
        &'b self,
        item: &'b ItemState,
        location: &str,
        places: &'b Places<'_>,
    ) -> Place<'b> {
        let sales = places.get(location).map_or(&[][..], |sales| sales);
        Place { stock: item.stock_at(location), zone: self.directory.zone(location), sales }
    }

    /// Forecasts of locations with enough sales of their own; shares of all others.
    fn add_places(&self, item: &ItemState, places: &Places<'_>, demand: &mut ItemDemand) {
        let mut sold = Vec::with_capacity(places.len());
        let mut others = Vec::new();
        for &location in places.keys() {
            let place = self.place(item, location, places);
            let has_terms = item.supply().iter().any(|supply| *supply.location == *location);
            let days = self.days(location, place.sales, |day| place.in_stock(day));
            let sale_days = days.as_ref().map_or(0, |days| days.sale_days);
            let units = days.as_ref().map_or(0.0, |days| days.sold);
            let wanted = place.stock.is_some() || has_terms || sale_days >= self.spec.min_sale_days;
            match days.filter(|_| wanted).and_then(|days| self.own(location, &days)) {
                Some(own) => demand.series.push(own),
                None => others.push((location, sold.len())),
            }
            sold.push(Sold { units, days: sale_days });
        }
        let shares = shares(&sold);
        for (location, index) in others {
            demand.shares.insert(location.to_owned(), shares[index] as f32);
        }
    }

    /// Forecast by a method chosen for this series; `None` when it is too short.
    fn own(&self, location: &str, days: &DaySeries) -> Option<ItemSeries> {
        if days.days() < self.spec.min_history_days || days.sale_days < self.spec.min_history_sales
        {
            return None;
        }
        let trained = train(&days.units, &self.options)?;
        Some(ItemSeries {
            location: location.to_owned(),
            source: ForecastSource::OwnHistory,
            method: trained.method.name().to_owned(),
            forecast: trained.forecast,
            history: Some(history(days)),
            backtest_wape: trained.wape.map(|wape| wape as f32),
            backtest_origins: u32::try_from(trained.origins).unwrap_or(u32::MAX),
            wild_days: days.wild_days.clone(),
        })
    }

    /// Series of all locations together, from the item's own mean and its category.
    fn borrowed(&self, days: &DaySeries, item: &ItemState) -> ItemSeries {
        let profile = profile_of(self.profiles, item.category_path());
        let mean = profile.shrunk_mean(days.after_launch());
        let first = self.profiles.as_of_day as usize + 1;
        let source =
            if mean > 0.0 { ForecastSource::CategoryProfile } else { ForecastSource::NoHistory };
        ItemSeries {
            location: EVERYWHERE.to_owned(),
            source,
            method: CATEGORY_PROFILE.to_owned(),
            forecast: profile.forecast(mean, first % WEEK, self.options.horizon),
            history: Some(history(days)),
            backtest_wape: None,
            backtest_origins: 0,
            wild_days: days.wild_days.clone(),
        }
    }
}

/// Sales by location.
type Places<'a> = BTreeMap<&'a str, Vec<SalesDay>>;

/// The sales of all locations that the item has sold at, and of those with stock or terms.
fn places(item: &ItemState) -> Places<'_> {
    let sold = item.series().locations().zip(item.series().by_location());
    let mut places: Places<'_> = sold.collect();
    let stock = item.stock().iter().map(|stock| &*stock.location);
    let terms = item.supply().iter().map(|supply| &*supply.location);
    for place in stock.chain(terms).filter(|place| !place.is_empty() && *place != EVERYWHERE) {
        places.entry(place).or_default();
    }
    places
}

fn history(days: &DaySeries) -> History {
    History {
        first: days.first,
        last: days.last,
        sale_days: days.sale_days,
        out_of_stock_days: days.out_of_stock_days,
        closed_days: days.closed_days,
        silent_days: days.silent_days,
        units: days.sold,
        returned_units: days.returned,
    }
}

/// Mean price paid, and the latest list price, of the seven days that end with the latest sale, in
/// millionths and above 0.
fn prices(sales: &[SalesDay]) -> (Option<i64>, Option<i64>) {
    let sold = |day: &&SalesDay| day.units_micros > 0;
    let Some(last) = sales.iter().rev().find(sold).map(|day| day.day) else { return (None, None) };
    let week = sales.iter().filter(sold).filter(|day| last.0 - day.day.0 < PRICE_DAYS);
    let (mut revenue, mut units, mut list) = (0_i128, 0_i128, 0);
    for day in week {
        revenue += i128::from(day.revenue_micros);
        units += i128::from(day.units_micros);
        list = if day.list_price_micros > 0 { day.list_price_micros } else { list };
    }
    let paid = revenue * 1_000_000 / units.max(1);
    let paid = i64::try_from(paid).unwrap_or(i64::MAX);
    (Some(paid).filter(|&paid| paid > 0), Some(list).filter(|&list| list > 0))
}

/// Offers of the latest whole weeks until `last`.
fn recent_offers(sales: &[SalesDay], last: Day) -> Vec<RecentOffer> {
    let complete = sales.partition_point(|day| day.day <= last);
    let weeks = weekly::History::new(&sale_days(&sales[..complete])).weeks;
    let recent = &weeks[weeks.len().saturating_sub(OFFER_WEEKS)..];
    let mut offers = Vec::with_capacity(recent.len());
    for week in recent {
        offers.push(RecentOffer {
            price: ((week.price * 1e6).round() as i64).max(1),
            promoted_share: week.promoted_share as f32,
        });
    }
    offers
}
