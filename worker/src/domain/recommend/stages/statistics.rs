//! Degrees and norms of all items: what similarity needs of items in other shards.

use mercer_algorithms::{linalg::sparse::Csr, recommend::similarity::statistics};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use crate::{
    artifact::{EncodedUsers, Extent, ItemTable, write_statistics},
    task::{Context, Inputs, TrainingError},
};

pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = EncodedUsers::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let users: Vec<Csr<'_>> = parts.iter().map(EncodedUsers::view).collect();
    let items = table.rows() as usize;
    let found = context.pool.install(|| statistics(&users, items, context.watch))?;

    let extent = Extent {
        users: users.iter().map(|part| part.rows() as u64).sum(),
        items: items as u64,
        interactions: users.iter().map(|part| part.entries() as u64).sum(),
        as_of: table.as_of(),
    };
    Ok(write_statistics(context.store, context.job, extent, &found)?)
}
