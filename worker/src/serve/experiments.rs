//! What users did in an experiment.

use std::{collections::BTreeMap, time::Instant};

use mercer_proto::internal::{StoredTally, TallyExperimentRequest, TallyExperimentResponse};

use super::{ServeError, Serving, position};
use crate::shard::experiments::Tally;

impl Serving {
    /// Sums over the asked shards that can answer.
    pub(crate) async fn tally_experiment(
        &self,
        request: TallyExperimentRequest,
        deadline: Instant,
    ) -> Result<TallyExperimentResponse, ServeError> {
        let shards = self.shards_at(&request.shards, deadline).await?;
        let sum = move || {
            let mut response = TallyExperimentResponse::default();
            let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
            for shard in &shards {
                let state = shard.read();
                for (arm, tally) in state.tally(&request.experiment_id) {
                    sums.entry(arm.to_owned()).or_default().add(&tally);
                }
                response.answered.push(position(&state));
            }
            let stored =
                |(arm, tally): (&String, &Tally)| tally.encode(&request.experiment_id, arm);
            response.tallies = sums.iter().map(stored).collect::<Vec<StoredTally>>();
            response
        };
        Ok(self.compute.serve(sum).await?)
    }
}
