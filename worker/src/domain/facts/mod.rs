//! What an answer about one item stands on: the live state of its shard, the results of one
//! version, and the configuration.
//!
//! Decisions are pure functions of [`Facts`]: serving calls them at a question, and training calls
//! the same ones over the cut for the policies of the whole catalogue. Nothing here knows gRPC,
//! sled or the clock. What an answer stands on, and what was missing, is said in its notes.
//!
//! Results and configuration come as messages and are decoded here, so that decisions compute on
//! plain values; stages encode what they trained with the same functions.

mod defaults;
mod demand;
mod elasticity;
mod forecast;

use mercer_common::{money::MinorUnit, note::Status};
use mercer_proto::{
    internal::{DemandProfiles, DemandResult, ElasticityPriors, ElasticityResult},
    v1::ItemStatus,
};

pub(crate) use self::{
    defaults::{Defaults, form_of},
    demand::{CATEGORY_PROFILE, History, ItemDemand, ItemSeries, RecentOffer, WildDay},
    elasticity::{Group, ItemElasticity, OwnEstimate},
    forecast::as_stored,
};
use crate::shard::{Directory, ItemState};

/// Everything that an answer about an item stands on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The item as it is, or as it was at the cut.
    pub(crate) item: &'a ItemState,
    /// Locations, suppliers and rules.
    pub(crate) directory: &'a Directory,
    /// What is used where the item has nothing of its own.
    pub(crate) defaults: &'a Defaults,
    /// Currency of the cluster.
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
    pub(crate) fn minor(&self) -> MinorUnit {
        MinorUnit::of(self.currency)
    }

    /// Why the item is not for sale; `None` when it is.
    pub(crate) fn not_for_sale(&self) -> Option<Status> {
        match self.item.status() {
            ItemStatus::Active => None,
            ItemStatus::Inactive => Some(Status::Inactive),
            ItemStatus::Deleted => Some(Status::Deleted),
            ItemStatus::Unlisted | ItemStatus::Unspecified => Some(Status::Unlisted),
        }
    }

    /// Demand as the version knows it; `None` without a training, and for an item newer than it.
    pub(crate) fn item_demand(&self) -> Option<&ItemDemand> {
        self.demand.as_ref()?.item.as_ref()
    }
}

/// What the version says of an item's demand.
#[derive(Debug)]
pub(crate) struct Demand<'a> {
    /// `None` when the item is newer than the version.
    pub(crate) item: Option<ItemDemand>,
    /// Profiles of all categories.
    pub(crate) profiles: &'a DemandProfiles,
}

impl<'a> Demand<'a> {
    /// What a version holds.
    pub(crate) fn decode((item, profiles): (Option<DemandResult>, &'a DemandProfiles)) -> Self {
        Self { item: item.map(ItemDemand::decode), profiles }
    }
}

/// What the version says of an item's price elasticity.
#[derive(Debug)]
pub(crate) struct Elasticity<'a> {
    /// `None` when the item is newer than the version.
    pub(crate) item: Option<ItemElasticity>,
    /// Priors of all groups.
    pub(crate) priors: &'a ElasticityPriors,
}

impl<'a> Elasticity<'a> {
    /// What a version holds.
    pub(crate) fn decode((item, priors): (Option<ElasticityResult>, &'a ElasticityPriors)) -> Self {
        Self { item: item.map(ItemElasticity::decode), priors }
    }
}
