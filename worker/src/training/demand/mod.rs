//! `demand`: how much of every item is asked for, at all locations together and at those with
//! enough sales of their own.
//!
//! | phase | what it does |
//! |---|---|
//! | estimates | adds up what a shard's items say of their categories, and how many sold on each day |
//! | pool | adds up all shards; finds the days on which the whole shop was closed |
//! | results | chooses a method for each series and makes its forecast, or borrows the category's |
//!
//! A series is dense from its first sale to the last complete day: the day of the newest event of
//! the cut less `lateness_days`. Forecasts begin the day after the newest event, and the backtests
//! leave the same gap.

mod days;
mod estimates;
mod pool;
mod profiles;
mod record;
mod results;
mod shares;
#[cfg(test)]
mod tests;

pub(super) use estimates::run as estimates;
pub(super) use pool::run as pool;
pub(crate) use profiles::profile_of;
pub(crate) use record::forecast_of;
pub(super) use results::run as results;

use mercer_common::{
    artifact::ArtifactError,
    time::{Day, EventTime},
};
use mercer_proto::internal::{Phase, TrainingSpec};

use super::{TrainingError, inputs::Inputs, plan::SERIES, runner::Context};
use crate::shard::series_cut::SeriesCut;

/// Days in a week, whose first is Monday.
const WEEK: usize = 7;

/// The days that a job is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calendar {
    /// Of the newest event, where the cluster is.
    as_of: Day,
    /// The last one that is complete.
    last: Day,
}

/// Opens the shard's series; the newest event of all shards gives the calendar.
fn open(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<(SeriesCut, Calendar), TrainingError> {
    let own = inputs.of_shard(Phase::Cut, context.shard, SERIES)?;
    let own = SeriesCut::open(context.store, own)?;
    let newest = inputs
        .of_all_shards(Phase::Cut, SERIES)?
        .into_iter()
        .map(|cut| SeriesCut::open(context.store, cut).map(|cut| cut.newest_event()))
        .try_fold(0, |newest, event| event.map(|event| newest.max(event)))?;
    let as_of = Day::of(EventTime(newest), own.directory().cluster_zone());
    let lateness = spec.demand.as_ref().map_or(0, |demand| demand.lateness_days);
    let last = Day(as_of.0.saturating_sub(u16::try_from(lateness).unwrap_or(u16::MAX)));
    Ok((own, Calendar { as_of, last }))
}

/// What came of working on each of a run of items.
type Worked<T> = Result<Vec<T>, ArtifactError>;
