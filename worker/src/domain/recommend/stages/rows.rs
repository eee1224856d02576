//! The nearest items of each item of a shard.

use mercer_algorithms::{
    linalg::sparse::Csr,
    recommend::similarity::{Similarity, SimilarityMatrix, SimilarityOptions},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use crate::{
    artifact::{EncodedUsers, ItemNeighbours, ItemTable, read_statistics, write_neighbours},
    task::{Context, Inputs, Step, TrainingError},
};

/// Neighbours by a similarity, from the encoded rows of all users.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    similarity: Similarity,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let step = Step { job: context.job.to_owned(), algorithm: similarity.name(), number: 0 };
    let held = &context.held.similarity;
    let matrix = held.of(&step, || matrix(context, inputs, spec, similarity, &table))?;
    let own = table.shard_rows(context.shard);
    let sources = &table.ranks()[own.start as usize..own.end as usize];
    let k = spec.top_k as usize;
    let neighbours = context.pool.install(|| matrix.nearest(sources, k, context.watch))?;
    let name = context.name(similarity.name());
    Ok(write_neighbours(context.store, context.job, &name, &neighbours)?)
}

/// What all shards' tasks ask.
fn matrix(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    similarity: Similarity,
    table: &ItemTable,
) -> Result<SimilarityMatrix, TrainingError> {
    let parts = EncodedUsers::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let users: Vec<Csr<'_>> = parts.iter().map(EncodedUsers::view).collect();
    let items = table.rows() as usize;
    let statistics = read_statistics(context.store, inputs.one(Phase::Statistics, "")?, items)?;
    if users.iter().any(|part| part.width() != items) {
        let detail = "encoded rows of another dictionary".to_owned();
        return Err(TrainingError::Inputs { phase: "rows", detail });
    }
    let (options, rows) = (options(spec), table.rows_by_rank());
    let watch = context.watch;
    let made = context
        .pool
        .install(|| SimilarityMatrix::new(similarity, &options, &users, statistics, rows, watch));
    Ok(made?)
}

/// How similarities are computed.
pub(super) fn options(spec: &TrainingSpec) -> SimilarityOptions {
    spec.similarity.map_or_else(SimilarityOptions::default, |spec| SimilarityOptions {
        shrinkage: spec.shrinkage,
        alpha: spec.alpha,
        beta: spec.beta,
        asymmetry: spec.asymmetry,
        bm25_k1: spec.bm25_k1,
        bm25_b: spec.bm25_b,
    })
}

/// Opens all neighbours of an algorithm, in row order: one file a shard, or one for all of them.
pub(super) fn open_all(
    context: &Context<'_>,
    inputs: &Inputs,
    table: &ItemTable,
    algorithm: &str,
) -> Result<Vec<ItemNeighbours>, TrainingError> {
    let items = table.rows() as usize;
    if !inputs.has(Phase::Rows, 1, algorithm) {
        let artifact = inputs.one(Phase::Rows, algorithm)?;
        return Ok(vec![ItemNeighbours::open(context.store, artifact, items, items)?]);
    }
    let mut parts = Vec::new();
    for (shard, artifact) in (0..).zip(inputs.of_all_shards(Phase::Rows, algorithm)?) {
        let sources = table.shard_rows(shard).len();
        parts.push(ItemNeighbours::open(context.store, artifact, sources, items)?);
    }
    Ok(parts)
}
