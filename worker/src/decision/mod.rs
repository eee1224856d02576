//! Forecasts, prices and orders of one item, from the live state of its shard and the results of
//! one version.
//!
//! Pure functions of [`Facts`]: serving calls them at a question, and training calls the same
//! ones over the cut for the policies of the whole catalogue. Nothing here knows gRPC, sled or
//! the clock. What an answer stands on, and what was missing, is said in its notes.

mod elasticity;
mod error;
mod forecast;
mod offers;
mod outlook;
mod planned;
mod policy;
mod price;
mod series;
mod single_period;
mod terms;
#[cfg(test)]
mod tests;

use mercer_common::money::MinorUnit;
use mercer_proto::internal::{
    DecisionDefaults, DemandProfiles, DemandResult, ElasticityPriors, ElasticityResult,
};

pub(crate) use elasticity::{elasticity, shrunk};
pub(crate) use error::DecideError;
pub(crate) use forecast::forecast;
pub(crate) use policy::{is_current, policy};
pub(crate) use price::price;

use crate::shard::{Directory, ItemState};

/// Everything that an answer about an item stands on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The item as it is, or as it was at the cut.
    pub(crate) item: &'a ItemState,
    /// Locations, suppliers and rules.
    pub(crate) directory: &'a Directory,
    /// What is used where the item has nothing of its own.
    pub(crate) defaults: &'a DecisionDefaults,
    /// The cluster's.
    pub(crate) currency: &'a str,
    /// What the results are of; empty while a version is being trained.
    pub(crate) version: &'a str,
    /// `None` when `demand` was never trained.
    pub(crate) demand: Option<Demand<'a>>,
    /// `None` when `elasticity` was never trained.
    pub(crate) elasticity: Option<Elasticity<'a>>,
}

impl Facts<'_> {
    /// The smallest unit of the cluster's currency.
    fn minor(&self) -> MinorUnit {
        MinorUnit::of(self.currency)
    }
}

/// What the version says of an item's demand.
#[derive(Debug)]
pub(crate) struct Demand<'a> {
    /// `None` when the item is newer than the version.
    pub(crate) result: Option<DemandResult>,
    /// Of all categories.
    pub(crate) profiles: &'a DemandProfiles,
}

/// What the version says of an item's price elasticity.
#[derive(Debug)]
pub(crate) struct Elasticity<'a> {
    /// `None` when the item is newer than the version.
    pub(crate) result: Option<ElasticityResult>,
    /// Of all groups.
    pub(crate) priors: &'a ElasticityPriors,
}
