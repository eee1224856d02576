//! A half-step: the users or the items of a shard, solved against all of the other side.

use mercer_algorithms::{
    linalg::sparse::Csr,
    recommend::factors::{FactorMatrix, FactorSpec, Fixed, gramian, start},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use super::{Factorization, disagree, spec};
use crate::{
    artifact::{EncodedUsers, FactorPart, ItemTable, ItemUsers, write_factor_part},
    task::{Context, Inputs, Step, TrainingError},
};

const PHASE: &str = "factors";

pub(in crate::domain::recommend::stages) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    training: &TrainingSpec,
    factorization: Factorization,
    number: u32,
) -> Result<ArtifactRef, TrainingError> {
    let spec = spec(training, factorization)?;
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let half_step = HalfStep { context, inputs, spec: &spec, table: &table, factorization, number };
    let factors = if number.is_multiple_of(2) {
        let artifact = inputs.of_shard(Phase::Encode, context.shard, "")?;
        let users = EncodedUsers::open(context.store, artifact)?;
        half_step.solve(&users.view())?
    } else {
        let artifact = inputs.of_shard(Phase::Columns, context.shard, "")?;
        let items = table.shard_rows(context.shard).len();
        let items = ItemUsers::open(context.store, artifact, items)?;
        half_step.solve(&items.view())?
    };
    let name = context.name(factorization.name());
    Ok(write_factor_part(context.store, context.job, &name, &factors, spec.dimensions)?)
}

struct HalfStep<'a> {
    context: &'a Context<'a>,
    inputs: &'a Inputs,
    spec: &'a FactorSpec,
    table: &'a ItemTable,
    factorization: Factorization,
    number: u32,
}

impl HalfStep<'_> {
    /// The factors of the rows of `matrix`.
    fn solve(&self, matrix: &Csr<'_>) -> Result<Vec<f32>, TrainingError> {
        let step = Step {
            job: self.context.job.to_owned(),
            algorithm: self.factorization.name(),
            number: self.number,
        };
        let fixed = self.context.held.fixed.of(&step, || self.fixed())?;
        let previous = self.previous()?;
        let previous: &[f32] = match &previous {
            Previous::Nothing => &[],
            Previous::Start(factors) => factors,
            Previous::Part(part) => part.view(),
        };
        let fits = previous.is_empty() || previous.len() == matrix.rows() * self.spec.dimensions;
        if matrix.width() != fixed.rows() || !fits {
            let detail = "factors of the same users and items".to_owned();
            return Err(TrainingError::Inputs { phase: PHASE, detail });
        }
        let (pool, watch) = (self.context.pool, self.context.watch);
        Ok(pool.install(|| fixed.solve(self.spec, matrix, previous, watch))?)
    }

    /// The other side, from the step before.
    fn fixed(&self) -> Result<Fixed, TrainingError> {
        let items = self.table.rows();
        let (parts, first);
        let mut views: Vec<&[f32]> = Vec::new();
        match self.number.checked_sub(1) {
            None => {
                first = start(self.spec, 0..items);
                views.push(&first);
            }
            Some(before) => {
                parts = self.parts(before)?;
                views.extend(parts.iter().map(FactorPart::view));
            }
        }
        let factors = FactorMatrix::new(self.spec.dimensions, views);
        let factors = factors.map_err(|error| disagree(PHASE, error))?;
        let watch = self.context.watch;
        self.context.pool.install(|| {
            let gramian = gramian(&factors, watch)?;
            if !self.number.is_multiple_of(2) {
                return Ok(Fixed::new(self.spec, &factors, &gramian, watch)?);
            }
            // The users' rows name items by label.
            if factors.rows() != items as usize {
                let detail = format!("the factors of {items} items");
                return Err(TrainingError::Inputs { phase: PHASE, detail });
            }
            let by_label = factors.renumbered(self.table.rows_by_rank());
            let by_label = by_label.map_err(|error| disagree(PHASE, error))?;
            Ok(Fixed::new(self.spec, &by_label, &gramian, watch)?)
        })
    }

    fn parts(&self, number: u32) -> Result<Vec<FactorPart>, TrainingError> {
        let name = self.factorization.name();
        let mut parts = Vec::new();
        for artifact in self.inputs.of_all_shards_at(Phase::Factors, name, number)? {
            parts.push(FactorPart::open(self.context.store, artifact, self.spec.dimensions)?);
        }
        Ok(parts)
    }

    /// Values that the rows to be solved start from.
    fn previous(&self) -> Result<Previous, TrainingError> {
        let shard = self.context.shard;
        Ok(match self.number {
            0 => Previous::Nothing,
            1 => Previous::Start(start(self.spec, self.table.shard_rows(shard))),
            number => {
                let name = self.factorization.name();
                let artifact = self.inputs.of_shard_at(Phase::Factors, shard, name, number - 2)?;
                let dimensions = self.spec.dimensions;
                Previous::Part(FactorPart::open(self.context.store, artifact, dimensions)?)
            }
        })
    }
}

enum Previous {
    Nothing,
    Start(Vec<f32>),
    Part(FactorPart),
}
