//! Neighbourhoods that know the order of events: what follows what, and what is bought together.

use mercer_algorithms::recommend::{
    sequences::Sequences,
    transitions::{BasketSpec, Baskets, TransitionSpec, Transitions},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use super::sequences;
use crate::{
    artifact::{ItemTable, UserSequences, write_neighbours},
    task::{Context, Inputs, Step, TrainingError},
    version::profile_spec,
};

/// What counts as a sign that items belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// One comes after the other.
    Transitions,
    /// Both are in one basket.
    Baskets,
}

impl Order {
    const ALL: [Self; 2] = [Self::Transitions, Self::Baskets];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Transitions => "item-transitions",
            Self::Baskets => "bought-together",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name() == name)
    }
}

/// The neighbours of the items of a shard, from the sequences of all users.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
    order: Order,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = sequences::open_all(context, inputs, &table)?;
    let parts: Vec<Sequences<'_>> = parts.iter().map(UserSequences::view).collect();
    let profile = profile_spec(spec);
    let own = table.shard_rows(context.shard);
    let (labels, k) = (table.rows_by_rank(), spec.top_k as usize);
    let spec = spec.transitions.unwrap_or_default();
    let (pool, held, watch) = (context.pool, context.held, context.watch);
    let step = Step { job: context.job.to_owned(), algorithm: order.name(), number: 0 };
    let neighbours = match order {
        Order::Transitions => {
            let spec = TransitionSpec { decay: spec.decay, max_gap: spec.max_gap as usize };
            let visits = held.transitions.of(&step, || {
                Ok(pool.install(|| Transitions::new(&spec, &parts, &profile, labels, watch))?)
            })?;
            pool.install(|| visits.neighbours(own, k, watch))
        }
        Order::Baskets => {
            let spec = BasketSpec { min_support: spec.min_support };
            let baskets = held.baskets.of(&step, || {
                Ok(pool.install(|| Baskets::new(&spec, &parts, &profile, labels, watch))?)
            })?;
            pool.install(|| baskets.neighbours(own, k, watch))
        }
    }?;
    let name = context.name(order.name());
    Ok(write_neighbours(context.store, context.job, &name, &neighbours)?)
}
