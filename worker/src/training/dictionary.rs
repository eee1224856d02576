//! Numbers all items: the item table, from the cuts of all shards.

use mercer_algorithms::recommend::control::Control as _;
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use super::{TrainingError, inputs::Inputs, runner::Context};
use crate::{shard::cut::Cut, version::ItemTableWriter};

/// Reads and writes more than it computes, and so stays off the pool.
pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let cuts = inputs.of_all_shards(Phase::Cut, "")?;
    context.watch.begin(cuts.len() as u64);
    let mut table = ItemTableWriter::default();
    let mut as_of = 0;
    // Shards are ranges of slots in order, so their items follow each other by (slot, id).
    for artifact in cuts {
        context.watch.checkpoint()?;
        let cut = Cut::open(context.store, artifact)?;
        let paths: Vec<u32> = (0..cut.paths()).map(|path| table.path(cut.path(path))).collect();
        for item in 0..cut.items() {
            let path = paths[cut.item_path(item)];
            table.push(cut.item_id(item), cut.item_popularity(item), path);
        }
        table.end_shard();
        as_of = as_of.max(cut.newest_event());
        context.watch.advance(1);
    }
    Ok(table.finish(context.store, context.job, as_of)?)
}
