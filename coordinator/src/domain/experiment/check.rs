//! What a definition must keep to.

use std::collections::HashSet;

use mercer_common::{ids::Checker, limits, rpc::status::InvalidRequest};
use mercer_proto::v1::{Arm, Experiment, ExperimentState};

use crate::{
    ask::algorithm,
    validate::{reranking, within},
};

/// Largest weight of an arm.
const WEIGHT: u32 = 1_000_000;
/// Confidence of intervals where the caller names none.
const CONFIDENCE: f64 = 0.95;

/// Checks a definition as a caller sends it; the versions it names are checked elsewhere.
pub(super) fn check(mut experiment: Experiment) -> Result<Experiment, InvalidRequest> {
    let mut checker = Checker::default();
    checker.id(|| "experiment.experiment_id".into(), &experiment.experiment_id);
    if ExperimentState::try_from(experiment.state).is_err() {
        let problem = format!("{} is not a state of experiments", experiment.state);
        checker.violation("experiment.state", problem);
    } else if experiment.state() == ExperimentState::Unspecified {
        experiment.set_state(ExperimentState::Running);
    }
    if experiment.arms.len() < 2 {
        checker.violation("experiment.arms", "must be at least 2, the first being the control");
    } else if experiment.arms.iter().all(|arm| arm.weight == 0) {
        checker.violation("experiment.arms", "must have a weight above 0");
    }
    checker.count(|| "experiment.arms".into(), experiment.arms.len(), limits::ARMS);
    let mut ids = HashSet::new();
    for (index, arm) in experiment.arms.iter().enumerate().take(limits::ARMS) {
        let path = format!("experiment.arms[{index}]");
        check_arm(&mut checker, &path, arm);
        if !ids.insert(&arm.arm_id) {
            checker.violation(format!("{path}.arm_id"), "must name one arm only");
        }
    }
    checker.finish()?;
    Ok(experiment)
}

fn check_arm(checker: &mut Checker, path: &str, arm: &Arm) {
    let field = |name: &str| format!("{path}.{name}");
    checker.id(|| field("arm_id"), &arm.arm_id);
    within(checker, || field("weight"), Some(arm.weight), 0..=WEIGHT);
    within(checker, || field("exploration"), Some(arm.exploration), 0.0..=1.0);
    if !arm.algorithm.is_empty()
        && let Err(invalid) = algorithm::resolve(&arm.algorithm, algorithm::POPULAR)
    {
        for violation in invalid.violations {
            checker.violation(field(&violation.field), violation.description);
        }
    }
    for (name, id) in [("rule_set", &arm.rule_set), ("version", &arm.version)] {
        if !id.is_empty() {
            checker.id(|| field(name), id);
        }
    }
    if let Some(wanted) = &arm.reranking {
        reranking(checker, &field("reranking"), wanted);
    }
}

/// The confidence of a report's intervals.
pub(super) fn check_confidence(checker: &mut Checker, confidence: f64) -> f64 {
    let confidence = if confidence == 0.0 { CONFIDENCE } else { confidence };
    within(checker, || "confidence".into(), Some(confidence), 0.5..=0.9999);
    confidence
}
