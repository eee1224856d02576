//! Stages: how many tasks they have, and what these read.

use mercer_proto::internal::TrainingSpec;

/// A stage of training. Each of its tasks makes one output.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Name of the phase that it runs in.
    pub phase: &'static str,
    /// Name of its outputs within the phase: empty where the phase has no other, and `None` for a stage of
    /// a product, whose outputs have the product's name.
    pub name: Option<&'static str>,
    /// How many tasks a step has.
    pub tasks: Tasks,
    /// How many steps there are.
    pub steps: Steps,
    /// What its tasks read.
    pub reads: &'static [Read],
}

/// How many tasks a step of a stage has, and where they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// One, anywhere.
    One,
    /// One for each shard, anywhere.
    Shards,
    /// One for each shard, at the shard's owner when it comes to the job's marker.
    Owners,
}

/// How many steps a stage has. Each is done before the next begins.
#[derive(Clone, Copy, Debug)]
pub enum Steps {
    /// One.
    One,
    /// As many as the spec of the job says, one at least.
    Exactly(fn(&TrainingSpec) -> u32),
}

/// What a task of a stage reads.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Name of the phase that makes it.
    pub phase: &'static str,
    /// Whose outputs are read.
    pub source: Source,
    /// Which outputs of the source.
    pub shards: Shards,
    /// Whether it can be missing.
    pub presence: Presence,
}

/// Whether something can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The job makes it, if need be for whoever requires it.
    Required,
    /// The job may make it, for something else.
    IfMade,
}

/// Whose outputs a task reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Those of the shared stage of this name.
    Shared(&'static str),
    /// Those of its own product: of the last step.
    Own,
    /// Those of its own stage, so many steps before.
    Back(u32),
    /// Those of the product of this name.
    Product(&'static str),
}

impl Source {
    /// Name of the outputs, for a product of the name `own`.
    pub(super) fn name(self, own: &'static str) -> &'static str {
        match self {
            Self::Own | Self::Back(_) => own,
            Self::Shared(name) | Self::Product(name) => name,
        }
    }

    /// Name of the shared stage that must run for this; `None` where it is of no such stage, or can be
    /// missing.
    pub(super) fn needed(self, presence: Presence) -> Option<&'static str> {
        match (self, presence) {
            (Self::Shared(name), Presence::Required) => Some(name),
            _ => None,
        }
    }
}

/// Which outputs of a step a task reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// That of its own shard.
    Same,
    /// All of them.
    All,
}

impl Stage {
    /// A stage that all products of a job share.
    pub(super) const fn shared(
        phase: &'static str,
        name: &'static str,
        tasks: Tasks,
        reads: &'static [Read],
    ) -> Self {
        Self { phase, name: Some(name), tasks, steps: Steps::One, reads }
    }

    /// A stage of a product.
    pub(super) const fn own(phase: &'static str, tasks: Tasks, reads: &'static [Read]) -> Self {
        Self { phase, name: None, tasks, steps: Steps::One, reads }
    }

    /// The same stage in steps.
    pub(super) const fn in_steps(self, steps: fn(&TrainingSpec) -> u32) -> Self {
        Self { steps: Steps::Exactly(steps), ..self }
    }
}

impl Read {
    /// All outputs of a source.
    pub(super) const fn all(phase: &'static str, source: Source) -> Self {
        Self { phase, source, shards: Shards::All, presence: Presence::Required }
    }

    /// The output for the task's own shard.
    pub(super) const fn same(phase: &'static str, source: Source) -> Self {
        Self { phase, source, shards: Shards::Same, presence: Presence::Required }
    }

    /// The same where the job makes it.
    pub(super) const fn if_made(self) -> Self {
        Self { presence: Presence::IfMade, ..self }
    }
}
