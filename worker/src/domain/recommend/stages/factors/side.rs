//! The factors of all items in one file, and which items are near by them.

use mercer_algorithms::recommend::factors::{Directions, FactorMatrix, covariance, gramian};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use super::{Factorization, disagree, spec};
use crate::{
    artifact::{
        FactorPart, FactorSide, FactorSideParts, ItemTable, write_factor_side, write_neighbours,
    },
    task::{Context, Inputs, Step, TrainingError},
};

/// Puts together what the last step that solved items gave, by row: one task.
pub(in crate::domain::recommend::stages) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    training: &TrainingSpec,
    factorization: Factorization,
) -> Result<ArtifactRef, TrainingError> {
    const PHASE: &str = "side";
    let spec = spec(training, factorization)?;
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let name = factorization.name();
    let last = 2 * spec.iterations - 1;
    let mut parts = Vec::new();
    for artifact in inputs.of_all_shards_at(Phase::Factors, name, last)? {
        parts.push(FactorPart::open(context.store, artifact, spec.dimensions)?);
    }
    let views: Vec<&[f32]> = parts.iter().map(FactorPart::view).collect();
    let factors = FactorMatrix::new(spec.dimensions, views.iter().copied());
    let factors = factors.map_err(|error| disagree(PHASE, error))?;
    if factors.rows() != table.rows() as usize {
        let detail = format!("the factors of {} items", table.rows());
        return Err(TrainingError::Inputs { phase: PHASE, detail });
    }
    let (gramian, covariance) = context.pool.install(|| {
        let gramian = gramian(&factors, context.watch)?;
        let covariance = covariance(&factors, &gramian);
        Ok::<_, TrainingError>((gramian, covariance))
    })?;
    let covariance: Vec<f64> = covariance.into_iter().collect();
    let side = FactorSideParts {
        factors: &views,
        dimensions: spec.dimensions,
        gramian: gramian.sums(),
        covariance: &covariance,
    };
    Ok(write_factor_side(context.store, context.job, &context.name(name), &side)?)
}

/// The items of a shard with those whose factors point the same way: what the factorization takes
/// as candidates.
pub(in crate::domain::recommend::stages) fn neighbours(
    context: &Context<'_>,
    inputs: &Inputs,
    training: &TrainingSpec,
    factorization: Factorization,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let name = factorization.name();
    let side = inputs.one(Phase::Side, name)?;
    let side = FactorSide::open(context.store, side, table.rows() as usize)?;
    let directions = context.held.directions.of(
        &Step { job: context.job.to_owned(), algorithm: name, number: 0 },
        || {
            let factors = FactorMatrix::new(side.dimensions(), [side.factors()]);
            let factors = factors.map_err(|error| disagree("rows", error))?;
            Ok(context.pool.install(|| Directions::new(&factors, context.watch))?)
        },
    )?;
    let k = training.factors.unwrap_or_default().neighbours as usize;
    let own = table.shard_rows(context.shard);
    let mut found = context.pool.install(|| directions.nearest(own, k, context.watch))?;
    for target in &mut found.targets {
        *target = table.ranks()[*target as usize];
    }
    Ok(write_neighbours(context.store, context.job, &context.name(name), &found)?)
}
