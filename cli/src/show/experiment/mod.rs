//! Experiments as they are shown.

mod arm;
mod report;

use mercer_proto::v1::{Experiment, ExperimentState};
use serde::Serialize;

use crate::show::output;

pub(crate) use arm::ArmRow;
pub(crate) use report::ReportAnswer;

#[derive(Debug, Serialize)]
pub(crate) struct ExperimentRow {
    experiment_id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    created: String,
    arms: Vec<ArmRow>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Experiments {
    pub(crate) experiments: Vec<ExperimentRow>,
}

impl ExperimentRow {
    pub(crate) fn new(experiment: &Experiment) -> Self {
        Self {
            experiment_id: experiment.experiment_id.clone(),
            state: match experiment.state() {
                ExperimentState::Running => "running",
                ExperimentState::Stopped => "stopped",
                ExperimentState::Unspecified => "unspecified",
            },
            created: experiment.create_time.as_ref().map(output::time).unwrap_or_default(),
            arms: ArmRow::all(&experiment.arms),
        }
    }
}

impl Experiments {
    pub(crate) fn table(&self) -> String {
        if self.experiments.is_empty() {
            return "no experiments; `mercer experiment set --help` says how to set one".into();
        }
        let rows = self.experiments.iter().flat_map(|experiment| {
            experiment.arms.iter().enumerate().map(move |(index, arm)| {
                let once = |text: &str| if index == 0 { text.to_owned() } else { String::new() };
                vec![
                    once(&experiment.experiment_id),
                    once(experiment.state),
                    once(&experiment.created),
                    arm.arm_id.clone(),
                    output::percent(arm.share),
                    arm.changes(),
                ]
            })
        });
        output::table(&["experiment", "state", "created", "arm", ">users", "changes"], rows)
    }
}
