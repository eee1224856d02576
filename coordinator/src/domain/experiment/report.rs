//! What can be said of the arms, from the sums over their users.

use std::collections::BTreeMap;

use mercer_algorithms::{
    experiment::{self, Estimate, OffPolicy},
    stats::{self, Mean, Rate, mean_difference, rate_difference},
};
use mercer_proto::{
    internal::{StoredOutcome, StoredTally},
    v1::{
        ArmReport, Experiment, ExplorationReport, Interval, Outcome, OutcomeReport, PolicyEstimate,
        ReportResponse, policy_estimate::Policy,
    },
};

/// In the order in which workers count them.
const OUTCOMES: [Outcome; 3] = [Outcome::Click, Outcome::AddToCart, Outcome::Purchase];

/// Compares the arms by what was counted, by arm. The token is left empty.
pub(super) fn report(
    experiment: &Experiment,
    tallies: &BTreeMap<String, StoredTally>,
    confidence: f64,
) -> ReportResponse {
    let nothing = StoredTally::default();
    let arms = experiment.arms.iter();
    let of_arms: Vec<&StoredTally> =
        arms.map(|arm| tallies.get(&arm.arm_id).unwrap_or(&nothing)).collect();
    let users: Vec<u64> = of_arms.iter().map(|tally| tally.users).collect();
    let weights: Vec<u32> = experiment.arms.iter().map(|arm| arm.weight).collect();
    let control = of_arms.first().copied().unwrap_or(&nothing);
    let mut arms = Vec::new();
    for (index, (arm, tally)) in experiment.arms.iter().zip(of_arms).enumerate() {
        let control = (index > 0).then_some(control);
        let mut outcomes = Vec::new();
        for (place, outcome) in OUTCOMES.into_iter().enumerate() {
            outcomes.push(of_outcome(tally, control, place, outcome, confidence));
        }
        arms.push(ArmReport {
            arm_id: arm.arm_id.clone(),
            exposures: tally.exposures,
            users: tally.users,
            outcomes,
            exploration: of_exploration(tally, arm.exploration, confidence),
        });
    }
    ReportResponse {
        experiment: Some(experiment.clone()),
        arms,
        confidence,
        sample_ratio_probability: experiment::sample_ratio(&users, &weights),
        token: String::new(),
    }
}

fn counted(tally: &StoredTally, place: usize) -> StoredOutcome {
    tally.outcomes.get(place).copied().unwrap_or_default()
}

fn of_outcome(
    tally: &StoredTally,
    control: Option<&StoredTally>,
    place: usize,
    outcome: Outcome,
    confidence: f64,
) -> OutcomeReport {
    let rate =
        |tally: &StoredTally| Rate { successes: counted(tally, place).users, trials: tally.users };
    let mean = |tally: &StoredTally| Mean {
        count: tally.users,
        sum: counted(tally, place).count as f64,
        squares: counted(tally, place).squares as f64,
    };
    let own = counted(tally, place);
    let rates = control.and_then(|one| rate_difference(rate(tally), rate(one), confidence));
    let means = control.and_then(|one| mean_difference(mean(tally), mean(one), confidence));
    OutcomeReport {
        outcome: outcome.into(),
        count: own.count,
        users: own.users,
        user_rate: rate(tally).interval(confidence).map(interval),
        mean: mean(tally).interval(confidence).map(interval),
        user_rate_difference: rates.map(interval),
        mean_difference: means.map(interval),
    }
}

/// The last place has two actions, by rank and by a draw, of the probabilities 1 - share and share:
/// which item is drawn does not matter to policies that draw alike.
fn of_exploration(tally: &StoredTally, share: f64, confidence: f64) -> Option<ExplorationReport> {
    let (greedy, explored) = (tally.greedy_exposures, tally.explored_exposures);
    if greedy + explored == 0 {
        return None;
    }
    let mut estimates = Vec::new();
    for (policy, shown) in [(Policy::Greedy, greedy), (Policy::Explore, explored)] {
        // Nothing is known of what was never shown.
        if shown == 0 {
            continue;
        }
        let target = f64::from(policy == Policy::Greedy);
        for (place, outcome) in OUTCOMES.into_iter().enumerate() {
            let counted = counted(tally, place);
            let mut log = OffPolicy::default();
            let actions = [
                (greedy, counted.greedy, 1.0 - share, target),
                (explored, counted.explored, share, 1.0 - target),
            ];
            for (exposures, rewarded, propensity, target) in actions {
                let others = exposures.saturating_sub(rewarded);
                log.add_equal(rewarded, propensity, target, 1.0);
                log.add_equal(others, propensity, target, 0.0);
            }
            let error = |estimate: Option<Estimate>| {
                estimate.map_or(0.0, |estimate| estimate.standard_error)
            };
            let within =
                |estimate: Option<Estimate>| Some(interval(estimate?.interval(confidence)));
            let (ips, snips) = (log.ips(), log.snips());
            estimates.push(PolicyEstimate {
                policy: policy.into(),
                outcome: outcome.into(),
                ips: within(ips),
                ips_standard_error: error(ips),
                snips: within(snips),
                snips_standard_error: error(snips),
                effective_exposures: log.effective_count(),
            });
        }
    }
    Some(ExplorationReport { greedy_exposures: greedy, explored_exposures: explored, estimates })
}

fn interval(interval: stats::Interval) -> Interval {
    let stats::Interval { estimate, low, high } = interval;
    Interval { estimate, low, high }
}

#[cfg(test)]
mod tests;
