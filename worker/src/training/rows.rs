//! The nearest items of each item of a shard.

use std::sync::Arc;

use mercer_algorithms::{
    linalg::sparse::Csr,
    recommend::{
        postings::NeighbourRows,
        similarity::{Neighbours, Similarity, SimilarityMatrix, SimilarityOptions},
    },
};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::{Phase, TrainingSpec};

use super::{
    TrainingError, context::Context, held::Step, inputs::Inputs, matrix::UserMatrix, statistics,
};
use crate::artifact::ItemTable;

const KIND: &str = "rows-1";

/// Sections of the artifact, in order.
enum Section {
    /// Where the neighbours of each item of the shard start, u64, and the end of the last.
    Offsets,
    /// Popularity ranks of the neighbours, u32.
    Targets,
    /// Their weights, f32.
    Weights,
}

/// Neighbours by a similarity, from the encoded rows of all users.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    similarity: Similarity,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let step = Step { job: context.job.to_owned(), algorithm: similarity.name(), number: 0 };
    let make = || matrix(context, inputs, spec, similarity, &table);
    let matrix = context.held.similarity.of(&step, make)?;
    let own = table.shard_rows(context.shard);
    let sources = &table.ranks()[own.start as usize..own.end as usize];
    let k = spec.top_k as usize;
    let neighbours = context.pool.install(|| matrix.nearest(sources, k, context.watch))?;
    write(context, similarity.name(), &neighbours)
}

/// What all shards' tasks ask.
fn matrix(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    similarity: Similarity,
    table: &ItemTable,
) -> Result<SimilarityMatrix, TrainingError> {
    let parts = UserMatrix::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let users = parts.iter().map(UserMatrix::view).collect::<Result<Vec<Csr<'_>>, _>>()?;
    let items = table.rows() as usize;
    let statistics = statistics::read(context.store, inputs.one(Phase::Statistics, "")?, items)?;
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

/// Writes the artifact of a rows task.
pub(super) fn write(
    context: &Context<'_>,
    algorithm: &str,
    neighbours: &Neighbours,
) -> Result<ArtifactRef, TrainingError> {
    let name = context.name(algorithm);
    let mut writer = context.store.writer(context.job, "rows", &name, KIND)?;
    writer.section(&neighbours.offsets)?;
    writer.section(&neighbours.targets)?;
    writer.section(&neighbours.weights)?;
    Ok(writer.finish()?)
}

/// Open neighbours of the items of one shard.
#[derive(Debug)]
pub(super) struct Rows {
    artifact: Arc<Artifact>,
}

impl Rows {
    /// Opens all rows of an algorithm, in row order: one file a shard, or one for all of them.
    pub(super) fn open_all(
        context: &Context<'_>,
        inputs: &Inputs,
        table: &ItemTable,
        algorithm: &str,
    ) -> Result<Vec<Self>, TrainingError> {
        let items = table.rows() as usize;
        let open = |artifact, sources| Self::open(context.store, artifact, sources, items);
        if !inputs.has(Phase::Rows, 1, algorithm) {
            return Ok(vec![open(inputs.one(Phase::Rows, algorithm)?, items)?]);
        }
        let artifacts = (0..).zip(inputs.of_all_shards(Phase::Rows, algorithm)?);
        let parts = artifacts.map(|(shard, one)| open(one, table.shard_rows(shard).len()));
        Ok(parts.collect::<Result<_, _>>()?)
    }

    /// Opens the rows of a shard with `sources` items out of `items`.
    pub(super) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        sources: usize,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let rows = Self { artifact };
        let NeighbourRows { offsets, targets, weights } = rows.view()?;
        let covers = offsets.len() == sources + 1
            && offsets.is_sorted()
            && [offsets[0], offsets[sources]] == [0, targets.len() as u64]
            && weights.len() == targets.len()
            && targets.iter().all(|&target| (target as usize) < items);
        if covers { Ok(rows) } else { Err(rows.artifact.layout("its arrays are inconsistent")) }
    }

    pub(super) fn view(&self) -> Result<NeighbourRows<'_>, ArtifactError> {
        Ok(NeighbourRows {
            offsets: self.artifact.section(Section::Offsets as usize)?,
            targets: self.artifact.section(Section::Targets as usize)?,
            weights: self.artifact.section(Section::Weights as usize)?,
        })
    }
}
