//! What users did in an experiment.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use mercer_proto::internal::{TallyExperimentRequest, TallyExperimentResponse};

use super::{ServeError, Serving, position};
use crate::shard::{Shard, experiments::Tally};

impl Serving {
    /// Sums over the asked shards that can answer.
    pub(crate) async fn tally_experiment(
        &self,
        request: TallyExperimentRequest,
        deadline: Instant,
    ) -> Result<TallyExperimentResponse, ServeError> {
        let shards = self.shards_at(&request.shards, deadline).await?;
        Ok(self.compute.serve(move || sum(&shards, &request.experiment_id)).await?)
    }
}

/// Sums over these shards by arm, and where each of them stands.
fn sum(shards: &[Arc<Shard>], experiment: &str) -> TallyExperimentResponse {
    let mut response = TallyExperimentResponse::default();
    let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
    for shard in shards {
        let state = shard.read();
        for (arm, tally) in state.tally(experiment) {
            sums.entry(arm.to_owned()).or_default().add(&tally);
        }
        response.answered.push(position(&state));
    }
    for (arm, tally) in &sums {
        response.tallies.push(tally.encode(experiment, arm));
    }
    response
}
