//! Linear item-item models.
//!
//! One task for all items: what is dear, an inverse or the neighbourhoods of all items, serves every
//! source at once.

use mercer_algorithms::{
    linalg::sparse::Csr,
    recommend::linear::{SlimSpec, SparseEaseSpec, ease, slim, sparse_ease},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{LinearSpec, Phase, TrainingSpec};

use crate::{
    artifact::{EncodedUsers, ItemTable, write_neighbours},
    task::{Context, Inputs, TrainingError},
};

/// A linear model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linear {
    Ease,
    Slim,
}

impl Linear {
    const ALL: [Self; 2] = [Self::Ease, Self::Slim];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ease => "ease",
            Self::Slim => "slim",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }
}

/// The weights of all items as sources, from the encoded rows of all users.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    model: Linear,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = EncodedUsers::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let users: Vec<Csr<'_>> = parts.iter().map(EncodedUsers::view).collect();
    let (items, labels) = (table.rows(), table.rows_by_rank());
    if users.iter().any(|part| part.width() != items as usize) {
        let detail = "encoded rows of the same dictionary".to_owned();
        return Err(TrainingError::Inputs { phase: "rows", detail });
    }
    let (k, watch) = (spec.top_k as usize, context.watch);
    let spec = spec.linear.unwrap_or_default();
    let found = context.pool.install(|| match model {
        Linear::Ease if items <= spec.exact_items => {
            ease(spec.ease_regularization, &users, labels, k, watch)
        }
        Linear::Ease => sparse_ease(&ease_spec(&spec), &users, labels, 0..items, k, watch),
        Linear::Slim => slim(&slim_spec(&spec), &users, labels, 0..items, k, watch),
    })?;
    let name = context.name(model.name());
    Ok(write_neighbours(context.store, context.job, &name, &found)?)
}

/// EASE of large catalogues.
pub(super) fn ease_spec(spec: &LinearSpec) -> SparseEaseSpec {
    SparseEaseSpec {
        regularization: spec.ease_regularization,
        neighbourhood: spec.neighbourhood as usize,
    }
}

pub(super) fn slim_spec(spec: &LinearSpec) -> SlimSpec {
    SlimSpec { l1: spec.slim_l1, l2: spec.slim_l2, neighbourhood: spec.neighbourhood as usize }
}
