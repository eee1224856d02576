//! What a phase works with, beside its inputs.

use mercer_common::{artifact::ArtifactStore, slot::ShardId};
use mercer_proto::internal::Phase;

use super::{blocks::Watch, held::Held, plan::artifact_name};
use crate::compute::TrainingPool;

/// What a task is given: where it writes, what it computes with, and which task it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) store: &'a ArtifactStore,
    pub(super) pool: &'a TrainingPool,
    pub(super) watch: &'a Watch,
    pub(super) held: &'a Held,
    pub(super) job: &'a str,
    pub(super) shard: ShardId,
    pub(super) phase: Phase,
    pub(super) step: u32,
}

impl Context<'_> {
    /// The name of the shard's artifact; `algorithm` is empty where the phase has none.
    pub(super) fn name(&self, algorithm: &str) -> String {
        artifact_name(self.phase, self.shard, algorithm, self.step)
    }
}
