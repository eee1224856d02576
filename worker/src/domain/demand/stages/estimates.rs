//! What the items of a shard say of their categories.

use std::collections::BTreeMap;

use mercer_algorithms::control::Control as _;
use mercer_common::{artifact::ArtifactRef, event::micros_of_units, ids::EVERYWHERE, time::Day};
use mercer_proto::internal::{CategoryProfile, DemandProfiles, Phase, TrainingSpec};

use super::{
    WEEK, Worked,
    calendar::{self, Calendar},
    days::DaySeries,
    profiles::Categories,
    wild,
};
use crate::{
    artifact::{DEMAND, write_message},
    shard::{ItemState, cut::series::SeriesCut},
    task::{Context, Inputs, SERIES, TrainingError, in_order},
};

/// Items that a thread takes at once: at most some 2 ms.
const BLOCK: usize = 128;
/// Days after the first sale from which an item counts for its category.
const DAYS: usize = 14;
/// Largest variance ratio of an item that counts.
const RATIO: f64 = 100.0;

pub(in super::super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let calendar = calendar::open(context, inputs, spec)?;
    let cut = inputs.of_shard(Phase::Cut, context.shard, SERIES)?;
    let cut = SeriesCut::open(context.store, cut)?;
    context.watch.begin(cut.len() as u64);
    let items: Vec<usize> = (0..cut.len()).collect();
    let blocks: Vec<&[usize]> = items.chunks(BLOCK).collect();
    let worked: Vec<Worked<Estimate>> = context.pool.install(|| {
        in_order(&blocks, context.watch, |block| {
            let estimates = estimates(&cut, block, &calendar, spec);
            context.watch.advance(block.len() as u64);
            Ok(estimates)
        })
    })?;
    let mut categories = Categories::default();
    let mut sold: BTreeMap<Day, u64> = BTreeMap::new();
    for block in worked {
        for Estimate { path, profile, days } in block? {
            for day in days {
                *sold.entry(day).or_default() += 1;
            }
            let Some(mut profile) = profile else { continue };
            for length in 0..=path.len() {
                profile.path = path[..length].to_vec();
                categories.add(&profile);
            }
        }
    }
    let first = sold.keys().next().copied().unwrap_or(calendar.last);
    let days = first.0..=calendar.last.0;
    let profiles = DemandProfiles {
        categories: categories.into_sorted(),
        first_day: first.0.into(),
        items_sold: days.map(|day| sold.get(&Day(day)).copied().unwrap_or_default()).collect(),
        closed_days: Vec::new(),
        last_day: calendar.last.0.into(),
        as_of_day: calendar.as_of.0.into(),
        silent: calendar.silent_days(),
        newest_event_day: calendar.newest_event.0.into(),
    };
    let name = context.name(DEMAND);
    Ok(write_message(context.store, context.job, "estimates", &name, &profiles)?)
}

/// What one item says.
struct Estimate {
    path: Vec<String>,
    /// Its part of its categories' sums; none while it is too new.
    profile: Option<CategoryProfile>,
    /// Days with a sale.
    days: Vec<Day>,
}

fn estimates(
    cut: &SeriesCut,
    block: &[usize],
    calendar: &Calendar,
    spec: &TrainingSpec,
) -> Worked<Estimate> {
    let mut estimates = Vec::new();
    for &index in block {
        let item = cut.item(index)?;
        if !item.series().is_empty() {
            estimates.push(estimate(&item, calendar, spec));
        }
    }
    Ok(estimates)
}

fn estimate(item: &ItemState, calendar: &Calendar, spec: &TrainingSpec) -> Estimate {
    let sales = item.series().total();
    let sold = sales.iter().filter(|day| day.units_micros > 0 && day.day <= calendar.last);
    let days = sold.map(|day| day.day).collect();
    let path = item.category_path().iter().map(ToString::to_string).collect();
    // What was out of stock, and when the shop was closed, does not show in a category.
    let silence = calendar.silence(EVERYWHERE);
    let series = DaySeries::new(&sales, calendar.last, &[], silence, |_| 1.0);
    let complete = sales.partition_point(|day| day.day <= calendar.last);
    let most = wild::believed(&sales[..complete]);
    let profile = series.as_ref().and_then(|series| profile(series, most, spec));
    Estimate { path, profile, days }
}

/// An item's part of its categories' sums. Of a day at most `most` units count: one line of one item
/// must not speak for all that is sold beside it.
fn profile(series: &DaySeries, most: f64, spec: &TrainingSpec) -> Option<CategoryProfile> {
    if series.units.len() <= DAYS {
        return None;
    }
    let (mut units, mut weekdays) = (vec![0_i64; WEEK], vec![0_u64; WEEK]);
    let (mut days, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (weekday, sold) in series.after_launch().filter(|(_, sold)| sold.is_finite()) {
        let sold = sold.min(most);
        units[weekday] = units[weekday].saturating_add(micros_of_units(sold));
        weekdays[weekday] += 1;
        days += 1.0;
        sum += sold;
        squares += sold * sold;
    }
    if days <= 0.0 {
        return None;
    }
    let mean = sum / days;
    let demand = spec.demand.clone().unwrap_or_default();
    let has_ratio = series.days() >= demand.min_history_days
        && series.sale_days >= demand.min_history_sales
        && mean > 0.0;
    let ratio = (squares / days - mean * mean) / mean;
    Some(CategoryProfile {
        path: Vec::new(),
        items: 1,
        weekday_units_micros: units,
        weekday_days: weekdays,
        mean_sum: mean,
        mean_square_sum: mean * mean,
        variance_ratio_sum: if has_ratio { ratio.clamp(1.0, RATIO) } else { 0.0 },
        variance_ratio_items: has_ratio.into(),
    })
}
