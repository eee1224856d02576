//! Neighbours regrouped by the shard in which they live: what that shard scans to score its items.

use std::slice;

use mercer_algorithms::recommend::postings::{NeighbourRows, PostingsBuf, regroup};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use super::rows;
use crate::{
    artifact::{ItemNeighbours, ItemTable, write_postings},
    task::{Context, Inputs, TrainingError, in_order},
};

pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    algorithm: &str,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = rows::open_all(context, inputs, &table, algorithm)?;
    let parts: Vec<NeighbourRows<'_>> = parts.iter().map(ItemNeighbours::view).collect();
    let candidates = table.shard_rows(context.shard);
    let regrouped = context.pool.install(|| {
        in_order(&parts, context.watch, |part| {
            regroup(slice::from_ref(part), table.rows_by_rank(), candidates.clone(), context.watch)
        })
    })?;
    let postings = concatenate(regrouped, candidates.len());
    let name = context.name(algorithm);
    Ok(write_postings(context.store, context.job, &name, context.shard, &postings)?)
}

/// The postings of consecutive runs of sources as one.
fn concatenate(parts: Vec<PostingsBuf>, items: usize) -> PostingsBuf {
    let mut all =
        PostingsBuf { offsets: vec![0], candidates: Vec::new(), weights: Vec::new(), items };
    for part in parts {
        let start = all.candidates.len() as u64;
        all.offsets.extend(part.offsets[1..].iter().map(|offset| start + offset));
        all.candidates.extend(part.candidates);
        all.weights.extend(part.weights);
    }
    all
}
