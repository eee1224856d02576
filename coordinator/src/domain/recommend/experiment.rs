//! Answers within an experiment: the user's arm, the last place, and the log of what was shown.

use std::{collections::HashSet, sync::Arc};

use mercer_common::{event::attribution_hash, rpc::Deadline, time::EventTime, token};
use mercer_proto::{
    internal::Exposure,
    v1::{Arm, Experiment, ExperimentState, RecommendResponse, Recommendation},
};

use super::{Query, RecommendError, Recommender};
use crate::domain::experiment::{Draw, arm_of};

impl Query {
    /// The query as an arm wants it.
    fn under(&self, arm: &Arm, draw: Option<Draw>) -> Self {
        let or = |own: &String, arm: &String| if arm.is_empty() { own } else { arm }.clone();
        Self {
            algorithm: or(&self.algorithm, &arm.algorithm),
            by_default: self.by_default && arm.algorithm.is_empty(),
            rule_set: or(&self.rule_set, &arm.rule_set),
            reranking: arm.reranking.filter(super::request::reorders).or(self.reranking),
            version: (!arm.version.is_empty()).then(|| arm.version.clone()),
            draw,
            ..self.clone()
        }
    }
}

impl Recommender {
    /// Answers a checked call as the user's arm wants it. Users who are not known, and those of no
    /// name, get what the control gets, and are not logged: whoever is never seen again would only
    /// blur the comparison.
    pub(super) async fn run_in_experiment(
        &self,
        query: Query,
        experiment_id: &str,
        user_id: &str,
        deadline: Deadline,
    ) -> Result<RecommendResponse, RecommendError> {
        let experiment = self.experiments.get(experiment_id)?;
        if experiment.state() != ExperimentState::Running {
            return self.run(&query, deadline).await;
        }
        if !user_id.is_empty() {
            let arm = &experiment.arms[arm_of(&experiment, user_id)];
            let answer_id = query.answer_id.as_bytes();
            let draw = Draw::new(arm.exploration, experiment_id, user_id, answer_id);
            let response = self.run(&query.under(arm, draw), deadline).await?;
            // What another version answers is not the arm's.
            if !response.fallback_reason.is_empty() {
                return Ok(response);
            }
            if response.user_known {
                return self.shown(&experiment, arm, draw, user_id, response).await;
            }
        }
        let control = &experiment.arms[0];
        let mut response = self.run(&query.under(control, None), deadline).await?;
        if response.fallback_reason.is_empty() {
            response.arm_id.clone_from(&control.arm_id);
        }
        Ok(response)
    }

    /// Logs what a user is shown; it is durable before they see it.
    async fn shown(
        &self,
        experiment: &Arc<Experiment>,
        arm: &Arm,
        draw: Option<Draw>,
        user_id: &str,
        mut response: RecommendResponse,
    ) -> Result<RecommendResponse, RecommendError> {
        response.arm_id.clone_from(&arm.arm_id);
        if draw.is_none() {
            response.items.iter_mut().for_each(|item| item.propensity = 1.0);
        }
        let Some(last) = response.items.last() else { return Ok(response) };
        let seconds = self.clock.now_ms().div_euclid(1_000);
        let exposure = Exposure {
            user_id: user_id.to_owned(),
            experiment_id: experiment.experiment_id.clone(),
            arm_id: arm.arm_id.clone(),
            attribution: attribution_hash(&response.attribution_token),
            time: EventTime::from_unix_seconds(seconds).unwrap_or_default().0,
            item_ids: response.items.iter().map(|item| item.item_id.clone()).collect(),
            propensity: last.propensity,
            explored: last.explored,
        };
        let logged = self.ingest.expose(exposure).await?;
        response.token = token::combine(&[std::mem::take(&mut response.token), logged])?;
        Ok(response)
    }
}

/// Fills the last of `n` places as the draw decides, and notes with which probability each item
/// came to its place. `ranked` holds what may stand there too, if the call reached that far.
pub(super) fn fill_last_place(
    items: &mut [Recommendation],
    ranked: Vec<Recommendation>,
    n: usize,
    draw: Draw,
) {
    items.iter_mut().for_each(|item| item.propensity = 1.0);
    let shown: HashSet<&str> = items.iter().map(|item| item.item_id.as_str()).collect();
    let mut below: Vec<Recommendation> =
        ranked.into_iter().filter(|item| !shown.contains(item.item_id.as_str())).collect();
    let Some(last) = items.get_mut(n - 1).filter(|_| !below.is_empty()) else { return };
    if draw.explores() {
        let propensity = draw.share() / below.len() as f64;
        let drawn = below.swap_remove(draw.pick(below.len()));
        *last = Recommendation { propensity, explored: true, ..drawn };
    } else {
        last.propensity = 1.0 - draw.share();
    }
}

#[cfg(test)]
mod tests;
