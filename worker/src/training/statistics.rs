//! Degrees and norms of all items: what similarity needs of items in other shards.

use std::sync::Arc;

use mercer_algorithms::{
    linalg::sparse::Csr,
    recommend::similarity::{ItemStatistics, statistics},
};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::{Phase, TaskCounts};

use super::{TrainingError, context::Context, inputs::Inputs, matrix::UserMatrix};
use crate::artifact::ItemTable;

const KIND: &str = "statistics-1";

/// Sections of the artifact, in order; all but the first by popularity rank.
enum Section {
    /// `[users, items, interactions, as_of]`, as u64.
    Facts,
    /// u32
    Degree,
    /// f64
    Sum,
    /// f64
    Norm,
    /// f64
    Walk,
}

pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = UserMatrix::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let users = parts.iter().map(UserMatrix::view).collect::<Result<Vec<Csr<'_>>, _>>()?;
    let items = table.rows() as usize;
    let found = context.pool.install(|| statistics(&users, items, context.watch))?;

    let count: usize = users.iter().map(Csr::rows).sum();
    let entries: usize = users.iter().map(Csr::entries).sum();
    let facts = [count as u64, items as u64, entries as u64, u64::from(table.as_of())];
    let mut writer = context.store.writer(context.job, "statistics", "00", KIND)?;
    writer.section(&facts)?;
    writer.section(&found.degree)?;
    writer.section(&found.sum)?;
    writer.section(&found.norm)?;
    writer.section(&found.walk)?;
    Ok(writer.finish()?)
}

fn open(store: &ArtifactStore, artifact: &ArtifactRef) -> Result<Arc<Artifact>, ArtifactError> {
    let artifact = store.open_artifact(artifact)?;
    artifact.expect_kind(KIND)?;
    Ok(artifact)
}

/// The statistics of `items` items.
pub(super) fn read(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
    items: usize,
) -> Result<ItemStatistics, ArtifactError> {
    let artifact = open(store, artifact)?;
    let statistics = ItemStatistics {
        degree: artifact.section(Section::Degree as usize)?.to_vec(),
        sum: artifact.section(Section::Sum as usize)?.to_vec(),
        norm: artifact.section(Section::Norm as usize)?.to_vec(),
        walk: artifact.section(Section::Walk as usize)?.to_vec(),
    };
    let lengths = [statistics.sum.len(), statistics.norm.len(), statistics.walk.len()];
    if statistics.degree.len() != items || lengths != [items; 3] {
        return Err(artifact.layout(format!("does not cover {items} items")));
    }
    Ok(statistics)
}

/// What the job trains on as a whole.
pub(super) fn counts(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let artifact = open(store, artifact)?;
    let &[users, items, interactions, as_of] = artifact.section::<u64>(Section::Facts as usize)?
    else {
        return Err(artifact.layout("has no facts"));
    };
    let as_of = u32::try_from(as_of).map_err(|_| artifact.layout("has an invalid time"))?;
    Ok(TaskCounts { users, items, interactions, as_of, sale_days: 0 })
}
