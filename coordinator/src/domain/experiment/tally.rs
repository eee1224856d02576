//! What came of an experiment: sums over all shards, or no answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mercer_common::{ids::Checker, rpc::Deadline, slot::ShardId};
use mercer_proto::{
    internal::{ShardPosition, StoredTally, TallyExperimentRequest},
    v1::{ReportRequest, ReportResponse},
};

use super::{Experiments, ReportError, check::check_confidence, report::report};
use crate::ask::{AskError, Engine, Required, Verdict, judge, reserve};

/// Reports on experiments.
pub(crate) struct Reports {
    pub(crate) engine: Engine,
    pub(crate) experiments: Arc<Experiments>,
}

impl Reports {
    /// Compares the arms of an experiment.
    pub(crate) async fn report(
        &self,
        request: ReportRequest,
        deadline: Deadline,
    ) -> Result<ReportResponse, ReportError> {
        let mut checker = Checker::default();
        checker.known_id(|| "experiment_id".into(), &request.experiment_id);
        let confidence = check_confidence(&mut checker, request.confidence);
        checker.finish()?;
        let required = self.engine.required(&request.tokens)?;
        let experiment = self.experiments.get(&request.experiment_id)?;
        let (tallies, positions) =
            self.tallies(&request.experiment_id, &required, deadline).await?;
        let token = self.engine.token(&positions);
        Ok(ReportResponse { token, ..report(&experiment, &tallies, confidence) })
    }

    /// The sums of an experiment by arm, over every shard.
    async fn tallies(
        &self,
        experiment_id: &str,
        required: &Required,
        deadline: Deadline,
    ) -> Result<(BTreeMap<String, StoredTally>, Vec<ShardPosition>), AskError> {
        let mut restarted = false;
        loop {
            let routes = self.engine.fanout.routes()?;
            let fanout = &self.engine.fanout;
            let parts = fanout
                .ask_all(
                    &routes,
                    reserve(deadline),
                    |shards| TallyExperimentRequest {
                        shards: required.at_all(shards),
                        experiment_id: experiment_id.to_owned(),
                    },
                    |mut client, request| async move { client.tally_experiment(request).await },
                )
                .await;
            let owners = routes.placement.owners();
            let covered = match judge(owners.len(), parts, |answer| &answer.answered)? {
                Verdict::Answer(covered) => covered,
                Verdict::Restart(_) if !restarted => {
                    restarted = true;
                    continue;
                }
                Verdict::Restart(restart) => return Err(restart.into_error()),
            };
            let answered: BTreeSet<u32> =
                covered.positions.iter().map(|position| position.shard).collect();
            let mut shards = (0..).zip(owners);
            if let Some((shard, worker_id)) =
                shards.find(|(shard, _): &(ShardId, _)| !answered.contains(&(*shard).into()))
            {
                return Err(AskError::ShardUnavailable {
                    shard,
                    worker_id: worker_id.clone(),
                    reason: "did not report".into(),
                });
            }
            let mut sums: BTreeMap<String, StoredTally> = BTreeMap::new();
            for tally in covered.answers.into_iter().flat_map(|answer| answer.tallies) {
                match sums.get_mut(&tally.arm_id) {
                    Some(sum) => add(sum, &tally),
                    None => drop(sums.insert(tally.arm_id.clone(), tally)),
                }
            }
            return Ok((sums, covered.positions));
        }
    }
}

fn add(sum: &mut StoredTally, other: &StoredTally) {
    sum.exposures += other.exposures;
    sum.users += other.users;
    sum.greedy_exposures += other.greedy_exposures;
    sum.explored_exposures += other.explored_exposures;
    for (sum, other) in sum.outcomes.iter_mut().zip(&other.outcomes) {
        sum.count += other.count;
        sum.users += other.users;
        sum.squares += other.squares;
        sum.greedy += other.greedy;
        sum.explored += other.explored;
    }
}
