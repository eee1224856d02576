//! Where a job is: the phases, steps and tasks of its graph, by the numbers that records and calls have.

use std::collections::BTreeSet;

pub(super) use mercer_common::pipeline::numbers::{name, number};
use mercer_common::pipeline::{self, Graph, GraphError, MERCER, Output, numbers::PUBLISH};
use mercer_proto::internal::{CutPart, JobRecord, Phase, TaskInput, TrainingSpec};

/// The phase in which shards write what the job reads of them, and its part that holds sales.
pub(super) const CUT: &str = "cut";
pub(super) const SERIES: &str = "series";
/// Where users and interactions are counted.
pub(super) const STATISTICS: &str = "statistics";
/// Weight of publishing in the progress of a job, beside those of its other phases.
const PUBLISH_WEIGHT: f64 = 0.05;

/// What a job of this spec does.
pub(super) fn graph(spec: &TrainingSpec) -> Result<Graph<'_>, GraphError> {
    Graph::new(&MERCER, spec)
}

/// The phase after `phase` that has something to do; the first one for a job that has not begun.
pub(super) fn next(phase: Phase, graph: &Graph<'_>) -> Phase {
    let mut phases = graph.phases().map(|one| number(one.name));
    if phase != Phase::Unspecified && !phases.by_ref().any(|one| one == phase) {
        return Phase::Publish;
    }
    phases.next().unwrap_or(Phase::Publish)
}

/// The folders that a job may have.
pub(super) fn folders() -> impl Iterator<Item = &'static str> {
    MERCER.phases.iter().map(|phase| phase.name).chain([PUBLISH])
}

/// What the cut of a job holds.
pub(super) fn cut_parts(graph: &Graph<'_>) -> Vec<CutPart> {
    let mut parts: Vec<CutPart> = Vec::new();
    for Output { name, .. } in graph.tasks(CUT, 0) {
        let part = match name {
            "" => CutPart::Interactions,
            name => {
                let name = format!("CUT_PART_{}", name.to_ascii_uppercase());
                CutPart::from_str_name(&name).unwrap_or_default()
            }
        };
        if parts.last() != Some(&part) {
            parts.push(part);
        }
    }
    parts
}

/// Progress of the whole job when `fraction` of `phase` is done.
pub(super) fn progress(phase: Phase, fraction: f64, graph: &Graph<'_>) -> f64 {
    let (mut done, mut all) = (0.0, 0.0);
    let publish = pipeline::Phase { name: PUBLISH, weight: PUBLISH_WEIGHT };
    for one in graph.phases().chain([&publish]) {
        if one.name == name(phase) {
            done = all + one.weight * fraction.clamp(0.0, 1.0);
        }
        all += one.weight;
    }
    done / all
}

/// What is left of the present step of a job's present phase. Most phases have one step.
#[derive(Debug)]
pub(super) struct Open {
    /// Tasks of the step that have no output yet; none when the phase is done.
    pub(super) tasks: Vec<Output>,
    /// All tasks of the step.
    pub(super) all: usize,
    step: u32,
    steps: u32,
    /// How many steps back a step reads.
    reads_back: u32,
}

impl Open {
    /// How much of the phase is done when `of_step` of the step is.
    pub(super) fn fraction(&self, of_step: f64) -> f64 {
        (f64::from(self.step) + of_step) / f64::from(self.steps)
    }

    /// How much of the phase is done.
    pub(super) fn done(&self) -> f64 {
        let done = self.all - self.tasks.len();
        if self.all == 0 { 0.0 } else { self.fraction(done as f64 / self.all as f64) }
    }
}

/// The open tasks of the job's present phase.
pub(super) fn open(record: &JobRecord, graph: &Graph<'_>) -> Open {
    let phase = name(record.phase());
    let steps = graph.steps(phase).max(1);
    let step = step(record, graph.tasks(phase, 0).len(), steps);
    let mut done = BTreeSet::new();
    for output in &record.outputs {
        if (output.phase, output.step) == (record.phase, step) {
            done.insert((output.shard, output.algorithm.as_str()));
        }
    }
    let mut tasks = graph.tasks(phase, step);
    let all = tasks.len();
    tasks.retain(|task| !done.contains(&(task.shard, task.name)));
    Open { tasks, all, step, steps, reads_back: graph.reads_back(phase) }
}

/// The first step with an open task; the last one when there is none. Steps are finished in order,
/// and the outputs of old ones are released.
fn step(record: &JobRecord, tasks: usize, steps: u32) -> u32 {
    let outputs = || record.outputs.iter().filter(|output| output.phase == record.phase);
    let newest = outputs().map(|output| output.step).max().unwrap_or_default();
    let done = outputs().filter(|output| output.step == newest).count();
    if done == tasks && newest + 1 < steps { newest + 1 } else { newest }
}

/// Whether an output that a record names is this one.
pub(super) fn is_output(one: &TaskInput, output: &Output) -> bool {
    (one.step, one.shard) == (output.step, output.shard)
        && one.algorithm == output.name
        && name(one.phase()) == output.phase
}

/// Whether an output of the job's present phase is read by no step that is open.
pub(super) fn is_outdated(output: &TaskInput, present: &Open, phase: Phase) -> bool {
    output.phase() == phase && output.step + present.reads_back < present.step
}

#[cfg(test)]
mod tests;
