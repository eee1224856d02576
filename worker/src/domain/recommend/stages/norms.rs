//! The length of each item's kept weights: what scores are scaled by before they are mixed.

use mercer_algorithms::control::Control as _;
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use super::rows;
use crate::{
    artifact::{ItemTable, write_norms},
    task::{Context, Inputs, TrainingError},
};

/// Rows between two looks at the watch.
const BLOCK: usize = 16_384;

/// One task: reads more than it computes.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    algorithm: &str,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = rows::open_all(context, inputs, &table, algorithm)?;
    let mut norms: Vec<f32> = Vec::with_capacity(table.rows() as usize);
    context.watch.begin(u64::from(table.rows()));
    for part in &parts {
        let rows = part.view();
        for block in rows.offsets.windows(2).collect::<Vec<_>>().chunks(BLOCK) {
            context.watch.checkpoint()?;
            norms.extend(block.iter().map(|ends| {
                let weights = &rows.weights[ends[0] as usize..ends[1] as usize];
                let squares = weights.iter().map(|&weight| f64::from(weight).powi(2));
                squares.sum::<f64>().sqrt() as f32
            }));
            context.watch.advance(block.len() as u64);
        }
    }
    Ok(write_norms(context.store, context.job, &context.name(algorithm), &norms)?)
}
