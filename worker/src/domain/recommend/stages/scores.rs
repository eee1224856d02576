//! What is the same for all users, by item: what is liked lately, and how items are bought again.

use mercer_algorithms::recommend::{
    repurchase::fit,
    sequences::Sequences,
    trends::{Trend, TrendSpec, scores},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use super::sequences;
use crate::{
    artifact::{ItemTable, UserSequences, write_repurchase, write_scores},
    task::{Context, Inputs, TrainingError},
    version::{profile_spec, repurchase_spec},
};

/// What the items are scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByItem {
    /// One number, the score itself.
    Trend(Trend),
    /// What a user's own purchases are judged with.
    Repurchase,
}

/// What repurchases are trained as.
const REPURCHASE: &str = "repurchase";

impl ByItem {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trend(trend) => trend.name(),
            Self::Repurchase => REPURCHASE,
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            REPURCHASE => Some(Self::Repurchase),
            _ => Trend::parse(name).map(Self::Trend),
        }
    }
}

/// Scores all items of the job as of its newest event, from the sequences of all users.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    by_item: ByItem,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = sequences::open_all(context, inputs, &table)?;
    let parts: Vec<Sequences<'_>> = parts.iter().map(UserSequences::view).collect();
    let (items, as_of) = (table.rows() as usize, table.as_of());
    let profile = profile_spec(spec);
    let (store, job, watch) = (context.store, context.job, context.watch);
    let name = context.name(by_item.name());
    match by_item {
        ByItem::Trend(trend) => {
            let trends = trend_spec(spec);
            let scored = context
                .pool
                .install(|| scores(trend, &parts, items, as_of, &profile, &trends, watch))?;
            Ok(write_scores(store, job, &name, &scored)?)
        }
        ByItem::Repurchase => {
            let spec = repurchase_spec(spec);
            let model =
                context.pool.install(|| fit(&parts, items, as_of, &profile, &spec, watch))?;
            Ok(write_repurchase(store, job, &name, &model)?)
        }
    }
}

/// Spans of time of the trends.
pub(super) fn trend_spec(spec: &TrainingSpec) -> TrendSpec {
    let trends = spec.trends.unwrap_or_default();
    TrendSpec {
        fresh_half_life_days: trends.fresh_half_life_days,
        window_days: trends.trend_window_days,
        new_days: trends.new_days,
    }
}
