//! Forecasts of the items of a shard.

use mercer_algorithms::{
    forecast::{Method, Options, train},
    recommend::control::Control as _,
};
use mercer_common::{artifact::ArtifactRef, ids::EVERYWHERE, time::Day};
use mercer_proto::{
    internal::{
        DemandProfiles, DemandResult, DemandSpec, LocationShare, Phase, SeriesForecast,
        StoredHistory, TrainingSpec,
    },
    v1::ForecastSource,
};

use super::{
    super::{TrainingError, blocks::in_order, inputs::Inputs, plan::Kind, runner::Context},
    WEEK, Worked,
    days::{DaySeries, in_stock, in_units},
    profiles::profile_of,
    record::store,
    shares::{Sold, shares},
};
use crate::{
    shard::{Directory, ItemState, SalesDay, series_cut::SeriesCut},
    version::{RecordsWriter, read_message},
};

/// Items that a thread takes at once: at most some 2 ms, and what is kept before it is written.
const BLOCK: usize = 8;
const WRITTEN: usize = 4_096;
/// Days of a week before the latest sale, whose prices are the present ones.
const PRICE_DAYS: u16 = 7;
/// Method of a series that borrows from its category.
const PROFILE: &str = "category-profile";

pub(in super::super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let name = Kind::Demand.name();
    let cut = inputs.of_shard(Phase::Cut, context.shard, super::SERIES)?;
    let cut = SeriesCut::open(context.store, cut)?;
    let profiles = read_message(context.store, inputs.one(Phase::Pool, name)?)?;
    let work = Work::new(cut.directory(), &profiles, spec);
    context.watch.begin(cut.len() as u64);
    let mut writer =
        RecordsWriter::new(context.store, context.job, "results", &context.name(name))?;
    let items: Vec<usize> = (0..cut.len()).collect();
    for items in items.chunks(WRITTEN) {
        let blocks: Vec<&[usize]> = items.chunks(BLOCK).collect();
        let worked: Vec<Worked<DemandResult>> = context.pool.install(|| {
            in_order(&blocks, context.watch, |block| {
                let results = block.iter().filter_map(|&index| match cut.item(index) {
                    Ok(item) => work.result(&item).map(Ok),
                    Err(error) => Some(Err(error)),
                });
                let results = results.collect();
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
    last: Day,
}

impl<'a> Work<'a> {
    fn new(directory: &'a Directory, profiles: &'a DemandProfiles, spec: &TrainingSpec) -> Self {
        let spec = spec.demand.clone().unwrap_or_default();
        let named = spec.methods.iter().filter_map(|name| Method::parse(name)).collect::<Vec<_>>();
        let options = Options {
            methods: if named.is_empty() { Method::ALL.to_vec() } else { named },
            periods: vec![WEEK],
            gap: profiles.as_of_day.saturating_sub(profiles.last_day) as usize,
            horizon: (spec.horizon_days as usize).max(WEEK),
        };
        let last = Day(u16::try_from(profiles.last_day).unwrap_or(u16::MAX));
        Self { directory, profiles, spec, options, last }
    }

    /// `None` without any sale.
    fn result(&self, item: &ItemState) -> Option<DemandResult> {
        let total = item.series().total();
        let sold: f64 = total.iter().map(|day| in_units(day.units_micros)).sum();
        let weights: Vec<f64> = item
            .stock()
            .iter()
            .map(|stock| {
                let here = item.series().at(&stock.location);
                let here: f64 = here.iter().map(|day| in_units(day.units_micros)).sum();
                if sold > 0.0 { here / sold } else { 0.0 }
            })
            .collect();
        let days = self.days(&total, |day| in_stock(item, self.directory, day, &weights))?;
        let all = self.own(&days).unwrap_or_else(|| self.borrowed(&days, item));
        let mut result = DemandResult {
            item_id: item.id().to_owned(),
            series: vec![SeriesForecast { location_id: EVERYWHERE.to_owned(), ..all }],
            ..DemandResult::default()
        };
        (result.paid_price_micros, result.list_price_micros) = prices(&total);
        self.add_locations(item, &mut result);
        Some(result)
    }

    fn days(&self, sales: &[SalesDay], in_stock: impl Fn(Day) -> f64) -> Option<DaySeries> {
        DaySeries::new(sales, self.last, &self.profiles.closed_days, in_stock)
    }

    /// Forecasts of locations with enough sales of their own; shares of all others.
    fn add_locations(&self, item: &ItemState, result: &mut DemandResult) {
        // Locations with stock or terms and without a sale have a share as well.
        let mut locations: Vec<&str> = item.series().locations().collect();
        locations.extend(item.stock().iter().map(|stock| &*stock.location));
        locations.extend(item.supply().iter().map(|(location, _)| &**location));
        locations.retain(|location| !location.is_empty() && *location != EVERYWHERE);
        locations.sort_unstable();
        locations.dedup();
        let mut sold = Vec::with_capacity(locations.len());
        for &location in &locations {
            let sales = item.series().at(location);
            let stock = item.stock_at(location);
            let has_terms = item.supply().iter().any(|(other, _)| **other == *location);
            let zone = self.directory.zone(location);
            let days = self
                .days(&sales, |day| stock.map_or(1.0, |stock| stock.in_stock_fraction(day, zone)));
            let sale_days = days.as_ref().map_or(0, |days| days.sale_days);
            let units = days.as_ref().map_or(0.0, |days| days.sold);
            sold.push(Sold { units, days: sale_days });
            let wanted = stock.is_some() || has_terms || sale_days >= self.spec.min_sale_days;
            if let Some(own) = days.filter(|_| wanted).and_then(|days| self.own(&days)) {
                let location_id = location.to_owned();
                result.series.push(SeriesForecast { location_id, ..own });
            }
        }
        for (location, share) in locations.into_iter().zip(shares(&sold)) {
            if !result.series.iter().any(|series| series.location_id == location) {
                #[expect(clippy::cast_possible_truncation, reason = "a share to 7 digits")]
                let share = share as f32;
                result.shares.push(LocationShare { location_id: location.to_owned(), share });
            }
        }
    }

    /// By a method chosen for this series; `None` when it is too short.
    fn own(&self, days: &DaySeries) -> Option<SeriesForecast> {
        if days.days() < self.spec.min_history_days || days.sale_days < self.spec.min_history_sales
        {
            return None;
        }
        let trained = train(&days.units, &self.options)?;
        #[expect(clippy::cast_possible_truncation, reason = "a share to 7 digits")]
        let mut series = SeriesForecast {
            source: ForecastSource::OwnHistory.into(),
            method: trained.method.name().to_owned(),
            history: Some(history(days)),
            backtest_wape: trained.wape.map(|wape| wape as f32),
            backtest_origins: u32::try_from(trained.origins).unwrap_or(u32::MAX),
            ..SeriesForecast::default()
        };
        store(&trained.forecast, &mut series);
        Some(series)
    }

    /// From the item's own mean and its category.
    fn borrowed(&self, days: &DaySeries, item: &ItemState) -> SeriesForecast {
        let profile = profile_of(self.profiles, item.category_path());
        let mean = profile.shrunk_mean(days.after_launch());
        let first = self.profiles.as_of_day as usize + 1;
        let source =
            if mean > 0.0 { ForecastSource::CategoryProfile } else { ForecastSource::NoHistory };
        let mut series = SeriesForecast {
            source: source.into(),
            method: PROFILE.to_owned(),
            history: Some(history(days)),
            ..SeriesForecast::default()
        };
        store(&profile.forecast(mean, first % WEEK, self.options.horizon), &mut series);
        series
    }
}

fn history(days: &DaySeries) -> StoredHistory {
    StoredHistory {
        first_day: days.first.0.into(),
        last_day: days.last.0.into(),
        sale_days: days.sale_days,
        out_of_stock_days: days.out_of_stock_days,
        closed_days: days.closed_days,
        units: days.sold,
        returned_units: days.returned,
    }
}

/// Mean price paid, and the latest list price, of the seven days that end with the latest sale; 0
/// when unknown.
fn prices(sales: &[SalesDay]) -> (i64, i64) {
    let sold = |day: &&SalesDay| day.units_micros > 0;
    let Some(last) = sales.iter().rev().find(sold).map(|day| day.day) else { return (0, 0) };
    let week = sales.iter().filter(sold).filter(|day| last.0 - day.day.0 < PRICE_DAYS);
    let (mut revenue, mut units, mut list) = (0_i128, 0_i128, 0);
    for day in week {
        revenue += i128::from(day.revenue_micros);
        units += i128::from(day.units_micros);
        list = if day.list_price_micros > 0 { day.list_price_micros } else { list };
    }
    let paid = revenue * 1_000_000 / units.max(1);
    (i64::try_from(paid).unwrap_or(i64::MAX), list)
}
