//! What users of experiments are shown, and the end of experiments.

use mercer_common::{ids::Checker, limits, slot::Subject};
use mercer_proto::{
    internal::{Exposure, Section, mutation},
    v1::MutationResponse,
};

use super::{Ingest, IngestError, encode, mutation::Destination};

impl Ingest {
    /// Logs what a user is shown, in the user's shard; returns its token.
    pub(crate) async fn expose(&self, exposure: Exposure) -> Result<String, IngestError> {
        let shard = self.context.layout.shard_of(Subject::User, &exposure.user_id);
        let section = Section { exposures: vec![exposure], ..Section::default() };
        self.append(encode([(shard, section)], None, self.stamp())).await
    }

    /// Has every shard forget what it counted for an experiment.
    pub(crate) async fn forget_experiment(
        &self,
        experiment_id: String,
    ) -> Result<MutationResponse, IngestError> {
        let mut checker = Checker::default();
        checker.known_id(|| "experiment_id".into(), &experiment_id);
        let kind = mutation::Kind::ForgetExperiment(experiment_id);
        let mutations = vec![(Destination::Everywhere, kind)];
        self.mutate(checker, None, mutations, limits::ID_BYTES).await
    }
}
