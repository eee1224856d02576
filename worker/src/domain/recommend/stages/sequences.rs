//! Users' events in time order over the rows of the item table.

use mercer_algorithms::{control::Control as _, recommend::sequences::SequencesBuf};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use super::encode::{blocks, rows_of_referred};
use crate::{
    artifact::{
        ItemTable, UserSequences,
        cut::{Cut, CutEntries},
        write_sequences,
    },
    shard::{ItemHandle, WindowEntry},
    task::{Context, Inputs, TrainingError, in_order},
};

/// Encoded events in their order, as tasks name them.
pub(super) const SEQUENCES: &str = "sequences";

/// All users of the cut, in its order; a user of whose items none is in the table has no events.
pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let cut = Cut::open(context.store, inputs.of_shard(Phase::Cut, context.shard, "")?)?;
    let blocks = blocks(&cut);
    context.watch.begin(cut.entries() as u64);
    let runs = context.pool.install(|| {
        let rows = rows_of_referred(&cut, &table, context.watch)?;
        in_order(&blocks, context.watch, |users| {
            let mut run = SequencesBuf::default();
            for user in users.clone() {
                let entries = cut.user_entries(user);
                push(&mut run, entries, &rows);
                context.watch.advance(entries.items.len() as u64);
            }
            Ok(run)
        })
    })?;
    let name = context.name(SEQUENCES);
    Ok(write_sequences(context.store, context.job, &name, table.rows(), &runs)?)
}

/// Appends one user's events; `rows` are those of the items that the cut refers to.
fn push(run: &mut SequencesBuf, entries: CutEntries<'_>, rows: &[Option<u32>]) {
    let CutEntries { items, times, kinds } = entries;
    for ((&item, &time), &kind) in items.iter().zip(times).zip(kinds) {
        let Some(row) = rows[item as usize] else { continue };
        let entry = WindowEntry { time, item: ItemHandle(item), kind };
        run.push(row, time, entry.event_type() as u8, entry.value());
    }
    run.close_user();
}

/// The sequences of all shards, in order.
pub(super) fn open_all(
    context: &Context<'_>,
    inputs: &Inputs,
    table: &ItemTable,
) -> Result<Vec<UserSequences>, TrainingError> {
    let mut sequences = Vec::new();
    for artifact in inputs.of_all_shards(Phase::Encode, SEQUENCES)? {
        sequences.push(UserSequences::open(context.store, artifact, table.rows() as usize)?);
    }
    Ok(sequences)
}
