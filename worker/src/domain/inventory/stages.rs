//! `inventory`: what to order of every item that is for sale, as of the cut.
//!
//! The same function answers questions about one item; here it is asked of each location with
//! stock or terms, or else of all locations together. Where those sell less than half of what the
//! item sells, as one warehouse does for many stores, they cannot be planned by their own sales:
//! the item has one policy for all locations.

use mercer_algorithms::control::Control as _;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef},
    ids::EVERYWHERE,
    note::{Said, Text, note},
};
use mercer_proto::{
    internal::{DemandProfiles, InventoryResult, Phase, TrainingSpec},
    v1::{ItemStatus, PolicyRequest, PolicyResponse, note::Kind},
};

use super::policy::policy;
use crate::{
    artifact::{DEMAND, INVENTORY, Records, RecordsWriter, read_message},
    domain::facts::{Defaults, Demand, Facts},
    shard::{ItemState, SalesDay, cut::series::SeriesCut},
    task::{Context, Inputs, SERIES, Stage, TrainingError, folder, in_order, records},
};

/// Items that a thread takes at once, some 2 ms, and items that are kept before they are written.
const BLOCK: usize = 8;
const WRITTEN: usize = 4_096;

/// Stages of the kind `inventory`.
pub(crate) const STAGES: &[Stage] =
    &[Stage::new(Phase::Policies, |kind| kind == INVENTORY, run).counting(records)];

fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let demand = DEMAND;
    let cut = SeriesCut::open(context.store, inputs.of_shard(Phase::Cut, context.shard, SERIES)?)?;
    let results = inputs.of_shard(Phase::Results, context.shard, demand)?;
    let results = Records::open(context.store, results)?;
    let profiles = read_message(context.store, inputs.one(Phase::Pool, demand)?)?;
    let defaults = Defaults::decode(&spec.defaults.clone().unwrap_or_default())?;
    let work = Work { cut: &cut, results, profiles, defaults, currency: &spec.currency };
    context.watch.begin(cut.len() as u64);
    let name = context.name(INVENTORY);
    let mut writer =
        RecordsWriter::new(context.store, context.job, folder(Phase::Policies), &name)?;
    let items: Vec<usize> = (0..cut.len()).collect();
    for items in items.chunks(WRITTEN) {
        let blocks: Vec<&[usize]> = items.chunks(BLOCK).collect();
        let worked = context.pool.install(|| {
            in_order(&blocks, context.watch, |block| {
                let policies = work.items(block);
                context.watch.advance(block.len() as u64);
                Ok(policies)
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

/// What the policies of every item go by.
#[derive(Debug)]
struct Work<'a> {
    cut: &'a SeriesCut,
    results: Records,
    profiles: DemandProfiles,
    defaults: Defaults,
    currency: &'a str,
}

impl Work<'_> {
    /// The policies of these items, of those that are for sale.
    fn items(&self, indices: &[usize]) -> Result<Vec<InventoryResult>, ArtifactError> {
        let mut policies = Vec::with_capacity(indices.len());
        for &index in indices {
            policies.extend(self.item(index)?);
        }
        Ok(policies)
    }

    /// The policies of an item, `None` when it is not for sale.
    fn item(&self, index: usize) -> Result<Option<InventoryResult>, ArtifactError> {
        let item = self.cut.item(index)?;
        if item.status() != ItemStatus::Active {
            return Ok(None);
        }
        let result = self.results.find(item.id());
        let result = result.map(|found| self.results.decode(found)).transpose()?;
        let facts = Facts {
            item: &item,
            directory: self.cut.directory(),
            defaults: &self.defaults,
            currency: self.currency,
            version: "",
            demand: Some(Demand::decode((result, &self.profiles))),
            elasticity: None,
        };
        let locations = locations(&item);
        let policies = if sells_elsewhere(&item, &locations) {
            ask(&facts, EVERYWHERE).into_iter().map(|policy| central(policy, &locations)).collect()
        } else {
            locations.into_iter().filter_map(|location| ask(&facts, location)).collect()
        };
        Ok(Some(InventoryResult { item_id: item.id().to_owned(), policies }))
    }
}

/// Whether these locations sell less than half of what the item sells.
fn sells_elsewhere(item: &ItemState, locations: &[&str]) -> bool {
    let units =
        |days: Vec<SalesDay>| -> i128 { days.iter().map(|day| i128::from(day.units_micros)).sum() };
    let here: i128 = locations.iter().map(|location| units(item.series().at(location))).sum();
    *locations != [EVERYWHERE] && 2 * here < units(item.series().total())
}

/// Says of the policy for all locations why it is that.
fn central(mut policy: PolicyResponse, locations: &[&str]) -> PolicyResponse {
    let said = Said::PlannedTogether { locations: Text(locations.join(", ")) };
    policy.notes.insert(0, note(Kind::Explanation, "location_id", said));
    policy
}

/// The locations with stock or terms; all together when there are none.
fn locations(item: &ItemState) -> Vec<&str> {
    let stock = item.stock().iter().map(|stock| &*stock.location);
    let terms = item.supply().iter().map(|supply| &*supply.location);
    let mut locations: Vec<&str> =
        stock.chain(terms).filter(|&location| location != EVERYWHERE).collect();
    locations.sort_unstable();
    locations.dedup();
    if locations.is_empty() { vec![EVERYWHERE] } else { locations }
}

fn ask(facts: &Facts<'_>, location: &str) -> Option<PolicyResponse> {
    let request = PolicyRequest {
        item_id: facts.item.id().to_owned(),
        location_id: location.to_owned(),
        ..PolicyRequest::default()
    };
    match policy(facts, &request) {
        Ok(policy) => Some(policy),
        // Configuration has been checked, and the locations are the item's own.
        Err(error) => {
            tracing::error!(item = facts.item.id(), location, %error, "an item has no policy");
            None
        }
    }
}
