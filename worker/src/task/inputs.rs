//! The artifacts that a task was handed.

use mercer_common::{artifact::ArtifactRef, slot::ShardId};
use mercer_proto::internal::{Phase, TaskInput};

use super::TrainingError;

/// The outputs of earlier phases that a request names.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Phase of the task.
    phase: &'static str,
    shards: ShardId,
    inputs: Vec<TaskInput>,
}

impl Inputs {
    /// Inputs of a task of `phase` in a job over `shards` shards.
    pub(crate) fn new(phase: &'static str, shards: ShardId, inputs: Vec<TaskInput>) -> Self {
        Self { phase, shards, inputs }
    }

    /// The only output of `phase`; here and below `algorithm` is the algorithm, the kind or the
    /// part, and empty where the phase has none.
    pub(crate) fn one(&self, phase: Phase, algorithm: &str) -> Result<&ArtifactRef, TrainingError> {
        self.of_shard(phase, 0, algorithm)
    }

    /// The output of `phase` for a shard.
    pub(crate) fn of_shard(
        &self,
        phase: Phase,
        shard: ShardId,
        algorithm: &str,
    ) -> Result<&ArtifactRef, TrainingError> {
        self.of_shard_at(phase, shard, algorithm, 0)
    }

    /// The outputs of `phase` for all shards, in order.
    pub(crate) fn of_all_shards(
        &self,
        phase: Phase,
        algorithm: &str,
    ) -> Result<Vec<&ArtifactRef>, TrainingError> {
        self.of_all_shards_at(phase, algorithm, 0)
    }

    /// The outputs of a step of `phase` for all shards, in order.
    pub(crate) fn of_all_shards_at(
        &self,
        phase: Phase,
        algorithm: &str,
        step: u32,
    ) -> Result<Vec<&ArtifactRef>, TrainingError> {
        (0..self.shards).map(|shard| self.of_shard_at(phase, shard, algorithm, step)).collect()
    }

    /// Whether there is an output of `phase` for a shard.
    pub(crate) fn has(&self, phase: Phase, shard: ShardId, algorithm: &str) -> bool {
        self.of_shard(phase, shard, algorithm).is_ok()
    }

    /// The output of a step of `phase` for a shard.
    pub(crate) fn of_shard_at(
        &self,
        phase: Phase,
        shard: ShardId,
        algorithm: &str,
        step: u32,
    ) -> Result<&ArtifactRef, TrainingError> {
        self.inputs
            .iter()
            .find(|input| {
                input.phase() == phase
                    && input.shard == u32::from(shard)
                    && input.algorithm == algorithm
                    && input.step == step
            })
            .and_then(|input| input.artifact.as_ref())
            .ok_or_else(|| TrainingError::Inputs {
                phase: self.phase,
                detail: format!("{} of shard {shard} {algorithm}", phase.as_str_name()),
            })
    }
}
