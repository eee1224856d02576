//! Matrix factorization by alternating least squares, in half-steps that tasks exchange.
//!
//! Even steps solve the users of a shard against the items of all shards, odd ones items against
//! users. What a step writes is the other side of the next and where the one after it starts from;
//! nothing older is read. Users are numbered as the encoded rows of all shards are, items by row.
//!
//! A step reads all of one side, which is made ready once a worker and held for the tasks
//! that share it; so are the directions of all items, from which neighbours are found.

mod side;
mod step;

use mercer_algorithms::recommend::factors::{DIMENSIONS, FactorError, FactorSpec};
use mercer_common::rpc::status::InvalidRequest;
use mercer_proto::internal::TrainingSpec;

use crate::task::TrainingError;

pub(super) use side::{neighbours, run as side};
pub(super) use step::run as step;

/// More than this makes nothing better.
const ITERATIONS: u32 = 1_000;

/// A way to factorize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factorization {
    /// What was chosen, weighted.
    Implicit,
    /// Ratings.
    Explicit,
}

impl Factorization {
    const ALL: [Self; 2] = [Self::Implicit, Self::Explicit];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Implicit => "ials",
            Self::Explicit => "als",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How a job factorizes, at least once.
///
/// # Errors
/// When the request has no such spec, or dimensions that are not supported.
pub(crate) fn spec(
    spec: &TrainingSpec,
    factorization: Factorization,
) -> Result<FactorSpec, TrainingError> {
    let factors = spec.factors.unwrap_or_default();
    let dimensions = factors.dimensions as usize;
    if !DIMENSIONS.contains(&dimensions) {
        let description = format!("is {dimensions}, not within {DIMENSIONS:?}");
        return Err(InvalidRequest::field("spec.factors.dimensions", description).into());
    }
    Ok(FactorSpec {
        dimensions,
        iterations: factors.iterations.clamp(1, ITERATIONS),
        unobserved_weight: factors.unobserved_weight,
        regularization: factors.regularization,
        frequency_exponent: factors.frequency_exponent,
        steps: factors.steps,
        seed: factors.seed,
        explicit: factorization == Factorization::Explicit,
    })
}

/// Says of which inputs factors do not fit each other.
fn disagree(phase: &'static str, error: FactorError) -> TrainingError {
    TrainingError::Inputs { phase, detail: format!("factors that fit: {error}") }
}
