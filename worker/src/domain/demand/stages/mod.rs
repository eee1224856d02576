//! `demand`: how much of every item is asked for, at all locations together and at those with
//! enough sales of their own.
//!
//! | phase | what it does |
//! |---|---|
//! | estimates | adds up what a shard's items say of their categories, and how many sold on each day |
//! | pool | adds up all shards; finds the days on which the whole shop was closed |
//! | results | chooses a method for each series and makes its forecast, or borrows the category's |
//!
//! A series is dense from its first sale to the last complete day: the day of the newest purchase or
//! return of the shop less `lateness_days`. Forecasts begin the day after the newest one, and the
//! backtests leave the same gap. `calendar` tells which days without a sale are missing data.

pub(super) mod calendar;
pub(super) mod days;
mod estimates;
mod pool;
mod profiles;
mod results;
mod shares;
#[cfg(test)]
mod tests;
mod wild;

use mercer_common::artifact::ArtifactError;
use mercer_proto::internal::Phase;

use crate::{
    artifact::DEMAND,
    task::{Stage, records},
};

/// Days in a week, whose first is Monday.
const WEEK: usize = 7;

/// What came of working on each of a run of items.
type Worked<T> = Result<Vec<T>, ArtifactError>;

/// Stages of the kind `demand`.
pub(crate) const STAGES: &[Stage] = &[
    Stage::new(Phase::Estimates, is_demand, estimates::run),
    Stage::new(Phase::Pool, is_demand, |context, inputs, _| pool::run(context, inputs)),
    Stage::new(Phase::Results, is_demand, results::run).counting(records),
];

fn is_demand(kind: &str) -> bool {
    kind == DEMAND
}

/// Units of an integer number of millionths, never negative.
fn in_units(micros: i64) -> f64 {
    micros.max(0) as f64 / 1e6
}
