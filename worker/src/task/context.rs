//! What a phase works with, beside its inputs.

use mercer_common::{artifact::ArtifactStore, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::internal::Phase;

use super::{TrainingError, blocks::Watch, held::Held, names::artifact_name};
use crate::compute::TrainingPool;

/// What a task is given: where it writes, what it computes with, and which task it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) store: &'a ArtifactStore,
    pub(crate) pool: &'a TrainingPool,
    pub(crate) watch: &'a Watch,
    pub(crate) held: &'a Held,
    pub(crate) job: &'a str,
    pub(crate) shard: ShardId,
    pub(crate) phase: Phase,
    /// Name of the output: the algorithm or the kind; empty where the phase has one output.
    pub(crate) algorithm: &'a str,
    pub(crate) step: u32,
}

impl Context<'_> {
    /// The name of the shard's artifact; `algorithm` is empty where the phase has none.
    pub(crate) fn name(&self, algorithm: &str) -> String {
        artifact_name(self.phase, self.shard, algorithm, self.step)
    }

    /// The method that the algorithm names, as `parse` reads it.
    ///
    /// # Errors
    /// [`TrainingError::Invalid`] when it names none.
    pub(crate) fn method<T>(&self, parse: fn(&str) -> Option<T>) -> Result<T, TrainingError> {
        parse(self.algorithm).ok_or_else(|| {
            let description = format!("`{}` is no method of this stage", self.algorithm);
            InvalidRequest::field("task.algorithm", description).into()
        })
    }
}
