//! Price elasticities: what each item's weeks say, what groups have in common, and items drawn
//! towards their groups.
//!
//! Items are visited by (slot, id) everywhere, shards in order, so that sums over a group run in
//! the same order for any number of shards.

use std::{collections::BTreeMap, ops::Range};

use jiff::tz::TimeZone;
use mercer_algorithms::{
    control::{Cancelled, Control as _},
    price::{
        estimate::{Estimate, Measured, Settings, estimate},
        pool::{ELASTICITY_BOUNDS, Prior},
        weekly::{History, Week},
    },
};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef},
    ids::EVERYWHERE,
    time::Day,
};
use mercer_proto::internal::{
    ElasticityEstimates, ElasticityPriors, ElasticitySpec, GroupPrior, ItemElasticity, Phase,
    TrainingSpec,
};

use super::{measured, shrunk};
use crate::{
    artifact::{ELASTICITY, RecordsWriter, read_message, write_message},
    domain::{
        demand::stages::{
            calendar::{self, Silence},
            days::sale_days,
        },
        facts::OwnEstimate,
    },
    shard::{Directory, ItemState, SalesDay, Stock, cut::series::SeriesCut},
    task::{Context, Inputs, SERIES, Stage, TrainingError, folder, in_order, records},
};

/// Stages of the kind `elasticity`.
pub(crate) const STAGES: &[Stage] = &[
    Stage::new(Phase::Estimates, is_elasticity, estimates),
    Stage::new(Phase::Pool, is_elasticity, pool),
    Stage::new(Phase::Results, is_elasticity, |context, inputs, _| results(context, inputs))
        .counting(records),
];

/// Items of one block: some 2 ms.
const BLOCK: usize = 32;
/// Below this share of a week in stock, what was sold says nothing about demand.
const IN_STOCK: f64 = 0.5;
/// How far effects of promotions lie from none, where no group has an estimate: a factor of 1.6
/// is one deviation away.
const PROMOTION_DEVIATION: f64 = 0.5;

fn is_elasticity(kind: &str) -> bool {
    kind == ELASTICITY
}

/// What the weeks of the shard's items say, of every item that was ever sold.
fn estimates(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let cut = inputs.of_shard(Phase::Cut, context.shard, SERIES)?;
    let cut = SeriesCut::open(context.store, cut)?;
    let settings = settings(&spec.elasticity.unwrap_or_default());
    let calendar = calendar::open(context, inputs, spec)?;
    let silence = calendar.silence(EVERYWHERE);
    let blocks: Vec<usize> = (0..cut.len()).step_by(BLOCK).collect();
    context.watch.begin(blocks.len() as u64);
    let found = context.pool.install(|| {
        in_order(&blocks, context.watch, |&begin| {
            let items =
                estimates_of(&cut, begin..(begin + BLOCK).min(cut.len()), silence, &settings);
            context.watch.advance(1);
            Ok::<_, Cancelled>(items)
        })
    })?;
    let mut items = Vec::new();
    for block in found {
        items.extend(block?);
    }
    let name = context.name(ELASTICITY);
    let message = ElasticityEstimates { items };
    Ok(write_message(context.store, context.job, folder(Phase::Estimates), &name, &message)?)
}

/// Priors of the whole catalogue and of every category with enough estimates.
fn pool(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let kind = ELASTICITY;
    let mut groups = Groups::default();
    for artifact in inputs.of_all_shards(Phase::Estimates, kind)? {
        context.watch.checkpoint()?;
        let estimates: ElasticityEstimates = read_message(context.store, artifact)?;
        groups.add(&estimates);
    }
    let jobs: Vec<&Group> = groups.by_path.values().collect();
    context.watch.begin(jobs.len() as u64);
    let priors = context.pool.install(|| {
        in_order(&jobs, context.watch, |group| {
            context.watch.advance(1);
            Ok((Prior::of_group(&group.elasticities), Prior::of_group(&group.promotions)))
        })
    })?;
    let message = groups.priors(&priors, &spec.elasticity.unwrap_or_default());
    let name = context.name(kind);
    Ok(write_message(context.store, context.job, folder(Phase::Pool), &name, &message)?)
}

/// The shard's items, each drawn towards its group.
fn results(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let kind = ELASTICITY;
    let estimates = inputs.of_shard(Phase::Estimates, context.shard, kind)?;
    let estimates: ElasticityEstimates = read_message(context.store, estimates)?;
    let priors: ElasticityPriors = read_message(context.store, inputs.one(Phase::Pool, kind)?)?;
    context.watch.begin(estimates.items.len() as u64);
    let (job, phase) = (context.job, folder(Phase::Results));
    let mut writer = RecordsWriter::new(context.store, job, phase, &context.name(kind))?;
    for items in estimates.items.chunks(1_000) {
        context.watch.checkpoint()?;
        for item in items {
            let Some(estimate) = &item.estimate else { continue };
            let promotion = measured(item.promotion_effect, item.promotion_standard_error);
            let own = OwnEstimate::decode(estimate.clone());
            let elasticity = shrunk(own, promotion, &item.category_path, &priors);
            writer.push(&estimate.item_id, &elasticity.encode(&estimate.item_id))?;
        }
        context.watch.advance(items.len() as u64);
    }
    Ok(writer.finish()?)
}

fn settings(spec: &ElasticitySpec) -> Settings {
    let min_weeks = spec.min_weeks as usize;
    Settings { min_weeks, poisson_zero_share: spec.poisson_zero_share }
}

/// What the weeks of these items say, of those that were ever sold.
fn estimates_of(
    cut: &SeriesCut,
    items: Range<usize>,
    silence: &Silence,
    settings: &Settings,
) -> Result<Vec<ItemElasticity>, ArtifactError> {
    let mut found = Vec::with_capacity(items.len());
    for index in items {
        found.extend(of_item(&cut.item(index)?, cut.directory(), silence, settings));
    }
    Ok(found)
}

/// What an item's weeks say; `None` when it was never sold.
fn of_item(
    item: &ItemState,
    directory: &Directory,
    silence: &Silence,
    settings: &Settings,
) -> Option<ItemElasticity> {
    let days = sale_days(&item.series().total());
    if days.is_empty() {
        return None;
    }
    let History { mut weeks, prices } = History::new(&days);
    let in_stock = InStock::new(item, directory);
    // A week without a sale in the whole shop says nothing about prices either.
    weeks.retain(|week| {
        in_stock.in_week(week.index) >= IN_STOCK && (week.units > 0.0 || !is_silent(week, silence))
    });
    let found = estimate(&weeks, settings).ok();
    let zero_weeks = weeks.iter().filter(|week| week.units <= 0.0).count();
    let (lowest, highest) = prices.unwrap_or_default();
    let promotion = found.and_then(|found| found.promotion);
    let own = OwnEstimate {
        elasticity: found.map(|found| found.elasticity.value as f32),
        standard_error: found.map(|found| found.elasticity.standard_error as f32),
        method: found.map_or("", |Estimate { method, .. }| method.name()).to_owned(),
        weeks: u32::try_from(weeks.len()).expect("four years have some 200"),
        zero_weeks: u32::try_from(zero_weeks).expect("at most as many as weeks"),
        lowest_price: (lowest * 1e6).round() as i64,
        highest_price: (highest * 1e6).round() as i64,
    };
    Some(ItemElasticity {
        category_path: item.category_path().iter().map(ToString::to_string).collect(),
        estimate: Some(own.encode(item.id())),
        promotion_effect: promotion.map(|effect| effect.value as f32),
        promotion_standard_error: promotion.map(|effect| effect.standard_error as f32),
    })
}

/// Whether more than half of a week's days are missing.
fn is_silent(week: &Week, silence: &Silence) -> bool {
    let days = (week.index * 7..(week.index + 1) * 7).filter_map(|day| u16::try_from(day).ok());
    2 * days.filter(|&day| silence.contains(Day(day))).count() > 7
}

/// When customers of an item met stock.
struct InStock<'a> {
    /// Stock that was ever out, the share of the item's units that its location sold, and its time
    /// zone.
    places: Vec<(&'a Stock, f64, &'a TimeZone)>,
}

impl<'a> InStock<'a> {
    fn new(item: &'a ItemState, directory: &'a Directory) -> Self {
        let units = |days: Vec<SalesDay>| days.iter().map(|day| day.units_micros as f64).sum();
        let was_out = |stock: &&Stock| !stock.stock_outs.is_empty();
        let total: f64 = if item.stock().iter().any(|stock| was_out(&stock)) {
            units(item.series().total())
        } else {
            return Self { places: Vec::new() };
        };
        let places = item.stock().iter().filter(was_out).map(|stock| {
            let share: f64 = units(item.series().at(&stock.location));
            (stock, share / total.max(1.0), directory.zone(&stock.location))
        });
        Self { places: places.collect() }
    }

    /// Share of a week, weeks being counted from a Monday.
    fn in_week(&self, week: u32) -> f64 {
        let days = (week * 7..(week + 1) * 7).filter_map(|day| u16::try_from(day).ok().map(Day));
        let mut out = 0.0;
        for day in days {
            let mut shares = 0.0;
            for (stock, share, zone) in &self.places {
                shares += share * (1.0 - stock.in_stock_fraction(day, zone));
            }
            out += shares;
        }
        1.0 - out / 7.0
    }
}

/// Estimates by category, each at all levels of its path.
#[derive(Default)]
struct Groups {
    /// The empty path, which is the whole catalogue, comes first, and a category before those in
    /// it.
    by_path: BTreeMap<Vec<String>, Group>,
}

#[derive(Default)]
struct Group {
    elasticities: Vec<Measured>,
    promotions: Vec<Measured>,
}

impl Groups {
    fn add(&mut self, estimates: &ElasticityEstimates) {
        for item in &estimates.items {
            let Some(estimate) = &item.estimate else { continue };
            let elasticity = measured(estimate.item_elasticity, estimate.item_standard_error);
            let promotion = measured(item.promotion_effect, item.promotion_standard_error);
            for levels in 0..=item.category_path.len() {
                let path = &item.category_path[..levels];
                if !self.by_path.contains_key(path) {
                    self.by_path.insert(path.to_vec(), Group::default());
                }
                let group = self.by_path.get_mut(path).expect("just inserted");
                group.elasticities.extend(elasticity);
                group.promotions.extend(promotion);
            }
        }
        self.by_path.entry(Vec::new()).or_default();
    }

    /// Priors of the groups, in order, that have enough items, and of the whole catalogue.
    fn priors(
        &self,
        found: &[(Option<Prior>, Option<Prior>)],
        spec: &ElasticitySpec,
    ) -> ElasticityPriors {
        let configured = Priors {
            elasticity: Prior {
                mean: spec.prior_mean,
                mean_error: 0.0,
                deviation: spec.prior_deviation,
            },
            promotion: Prior { mean: 0.0, mean_error: 0.0, deviation: PROMOTION_DEVIATION },
        };
        let mut kept: Vec<(&[String], u64, Priors)> = Vec::new();
        for ((path, group), (elasticity, promotion)) in self.by_path.iter().zip(found) {
            // The narrowest group around it.
            let around = kept.iter().rev().find(|(around, ..)| path.starts_with(around));
            let priors = match around {
                None => Priors {
                    elasticity: elasticity.unwrap_or(configured.elasticity),
                    promotion: promotion.unwrap_or(configured.promotion),
                },
                Some((_, _, around)) => {
                    let Some(elasticity) = elasticity else { continue };
                    let promotion = promotion.map(|found| found.within(&around.promotion));
                    Priors {
                        elasticity: elasticity.within(&around.elasticity),
                        promotion: promotion.unwrap_or(around.promotion),
                    }
                }
            };
            kept.push((path.as_slice(), group.elasticities.len() as u64, priors));
        }
        let (low, high) = ELASTICITY_BOUNDS;
        let groups =
            kept.into_iter().map(|(path, items, Priors { elasticity, promotion })| GroupPrior {
                path: path.to_vec(),
                items,
                elasticity: elasticity.mean.clamp(low, high) as f32,
                deviation: elasticity.deviation as f32,
                mean_error: elasticity.mean_error as f32,
                promotion_effect: promotion.mean as f32,
                promotion_deviation: promotion.deviation as f32,
            });
        ElasticityPriors { groups: groups.collect() }
    }
}

/// What is believed of the items of a group.
#[derive(Clone, Copy)]
struct Priors {
    elasticity: Prior,
    /// ln of the promotion factor.
    promotion: Prior,
}

#[cfg(test)]
mod tests;
