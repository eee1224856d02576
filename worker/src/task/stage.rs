//! Stages of training: what each domain declares, and the runner finds by phase and name.

use std::fmt;

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::{Phase, TaskCounts, TrainingSpec};

use super::{Context, Inputs, TrainingError};
use crate::artifact::Records;

/// The work of a stage: artifacts in, one artifact out.
pub(crate) type Run =
    fn(&Context<'_>, &Inputs, &TrainingSpec) -> Result<ArtifactRef, TrainingError>;

/// What a finished task reports, read from its artifact, so that a task found finished reports the
/// same.
pub(crate) type Counts = fn(&ArtifactStore, &ArtifactRef) -> Result<TaskCounts, ArtifactError>;

/// What makes some of the outputs of a phase.
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    phase: Phase,
    makes: fn(&str) -> bool,
    run: Run,
    counts: Counts,
}

impl Stage {
    /// A stage of `phase` that makes the outputs whose name `makes` accepts: an algorithm, a kind,
    /// or nothing where the phase has one output.
    pub(crate) const fn new(phase: Phase, makes: fn(&str) -> bool, run: Run) -> Self {
        Self { phase, makes, run, counts: whole }
    }

    /// The same stage, whose tasks report these counts.
    pub(crate) const fn counting(self, counts: Counts) -> Self {
        Self { counts, ..self }
    }

    /// Whether it makes the output of `phase` that is named `algorithm`; no two stages do.
    pub(crate) fn makes(&self, phase: Phase, algorithm: &str) -> bool {
        self.phase == phase && (self.makes)(algorithm)
    }

    pub(super) fn run(
        &self,
        context: &Context<'_>,
        inputs: &Inputs,
        spec: &TrainingSpec,
    ) -> Result<ArtifactRef, TrainingError> {
        (self.run)(context, inputs, spec)
    }

    pub(super) fn counts(
        &self,
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<TaskCounts, ArtifactError> {
        (self.counts)(store, artifact)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stage").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// No counts of an artifact that is whole: damage is found before the next phase reads the file.
fn whole(store: &ArtifactStore, artifact: &ArtifactRef) -> Result<TaskCounts, ArtifactError> {
    store.open_artifact(artifact).map(|_| TaskCounts::default())
}

/// The number of records by item.
pub(crate) fn records(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let items = Records::open(store, artifact)?.len() as u64;
    Ok(TaskCounts { items, ..TaskCounts::default() })
}
