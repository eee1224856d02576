//! The phases of a job and their tasks.

use std::collections::BTreeSet;

use mercer_proto::internal::{CutPart, JobRecord, Phase, Task, TaskInput, TrainingSpec};

use super::{
    family::Family,
    kinds::{DEMAND, ELASTICITY, INVENTORY},
};

/// Parts of a cut, as tasks name them; the part that holds interactions has no name.
pub(super) const SERIES: &str = "series";
const CONTENT: &str = "content";
const USERS: &str = "users";
/// Encoded events in their order.
const SEQUENCES: &str = "sequences";

/// All phases in order, each with its weight in the progress of a job that has it.
const PHASES: [(Phase, &str, f64); 17] = [
    (Phase::Cut, "cut", 0.10),
    (Phase::Dictionary, "dictionary", 0.05),
    (Phase::Encode, "encode", 0.10),
    (Phase::Columns, "columns", 0.05),
    (Phase::Statistics, "statistics", 0.05),
    (Phase::Factors, "factors", 1.00),
    (Phase::Side, "side", 0.03),
    (Phase::Rows, "rows", 0.50),
    (Phase::Postings, "postings", 0.15),
    (Phase::Norms, "norms", 0.02),
    (Phase::Scores, "scores", 0.05),
    (Phase::Learn, "learn", 0.50),
    (Phase::Estimates, "estimates", 0.10),
    (Phase::Pool, "pool", 0.02),
    (Phase::Results, "results", 0.60),
    (Phase::Policies, "policies", 0.15),
    (Phase::Publish, "publish", 0.05),
];

/// The phase after `phase` that has something to do; the first one for a job that has not begun.
pub(super) fn next(phase: Phase, spec: &TrainingSpec) -> Phase {
    let after = PHASES.iter().position(|(one, ..)| *one == phase).map_or(0, |place| place + 1);
    let mut later = PHASES[after..].iter().map(|(phase, ..)| *phase);
    later.find(|phase| is_part(*phase, spec)).unwrap_or(Phase::Publish)
}

/// The phase as callers and folders name it; empty before the first.
pub(super) fn name(phase: Phase) -> &'static str {
    PHASES.iter().find(|(one, ..)| *one == phase).map_or("", |(_, name, _)| name)
}

/// The folders that a job may have.
pub(super) fn folders() -> impl Iterator<Item = &'static str> {
    PHASES.iter().map(|(_, name, _)| *name)
}

/// What the cut of a job holds.
pub(super) fn cut_parts(spec: &TrainingSpec) -> Vec<CutPart> {
    let needed = [
        (CutPart::Interactions, !spec.algorithms.is_empty()),
        (CutPart::Series, !spec.kinds.is_empty()),
        (CutPart::Content, trains(spec, Family::reads_content)),
        (CutPart::Users, trains(spec, |family| family == Family::Users)),
    ];
    needed.into_iter().filter_map(|(part, is_needed)| is_needed.then_some(part)).collect()
}

/// Progress of the whole job when `fraction` of `phase` is done.
pub(super) fn progress(phase: Phase, fraction: f64, spec: &TrainingSpec) -> f64 {
    let (mut done, mut all) = (0.0, 0.0);
    for (one, _, weight) in PHASES.iter().filter(|(one, ..)| is_part(*one, spec)) {
        if *one == phase {
            done = all + weight * fraction.clamp(0.0, 1.0);
        }
        all += weight;
    }
    done / all
}

/// What is left of the present step of a job's present phase. Most phases have one step.
#[derive(Debug)]
pub(super) struct Open {
    /// Tasks of the step that have no output yet; none when the phase is done.
    pub(super) tasks: Vec<Task>,
    /// All tasks of the step.
    pub(super) all: usize,
    step: u32,
    steps: u32,
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
pub(super) fn open(record: &JobRecord) -> Open {
    let spec = record.spec.clone().unwrap_or_default();
    let phase = record.phase();
    let names = tasks(phase, &spec);
    let steps = steps(phase, &spec);
    let step = step(record, names.len(), steps);
    let mut done = BTreeSet::new();
    for output in &record.outputs {
        if (output.phase, output.step) == (record.phase, step) {
            done.insert((output.shard, output.algorithm.as_str()));
        }
    }
    let all = names.len();
    let mut tasks = Vec::new();
    for (shard, name) in names {
        if done.contains(&(shard, name)) {
            continue;
        }
        tasks.push(Task {
            job_id: record.job_id.clone(),
            phase: phase.into(),
            shard,
            algorithm: name.to_owned(),
            step,
        });
    }
    Open { tasks, all, step, steps }
}

/// Steps of a phase, each of which reads what the one before gave.
fn steps(phase: Phase, spec: &TrainingSpec) -> u32 {
    match phase {
        // Users and items in turn.
        Phase::Factors => 2 * spec.factors.unwrap_or_default().iterations.max(1),
        _ => 1,
    }
}

/// The first step with an open task; the last one when there is none. Steps are finished in order,
/// and the outputs of old ones are released.
fn step(record: &JobRecord, tasks: usize, steps: u32) -> u32 {
    let outputs = || record.outputs.iter().filter(|output| output.phase == record.phase);
    let newest = outputs().map(|output| output.step).max().unwrap_or_default();
    let done = outputs().filter(|output| output.step == newest).count();
    if done == tasks && newest + 1 < steps { newest + 1 } else { newest }
}

/// Whether an output of the job's present phase is read by no step that is open.
pub(super) fn is_outdated(output: &TaskInput, present: &Open, phase: Phase) -> bool {
    output.phase() == phase && output.step + READ_BACK < present.step
}

/// How many steps back a step reads.
const READ_BACK: u32 = 2;

/// Shard and name of every task of a step of a phase.
fn tasks(phase: Phase, spec: &TrainingSpec) -> Vec<(u32, &str)> {
    let by_shard = |name| (0..spec.shard_count).map(move |shard| (shard, name));
    let with = |holds: fn(Family) -> bool| {
        let names = spec.algorithms.iter().map(String::as_str);
        names.filter(move |name| Family::of(name).is_some_and(holds))
    };
    let when = |name, is_needed: bool| is_needed.then_some(name);
    let pooled = || {
        let kinds = spec.kinds.iter().map(String::as_str);
        kinds.filter(|kind| [DEMAND, ELASTICITY].contains(kind))
    };
    let is_factors = |family| family == Family::Factors;
    let users = when("", trains(spec, Family::reads_users));
    match phase {
        Phase::Cut => {
            let parts: Vec<&str> = cut_parts(spec).into_iter().map(part_name).collect();
            parts.into_iter().flat_map(by_shard).collect()
        }
        Phase::Dictionary => {
            let table = when("", !spec.algorithms.is_empty());
            table.into_iter().map(|name| (0, name)).collect()
        }
        Phase::Encode => {
            let sequences = when(SEQUENCES, trains(spec, Family::reads_sequences));
            users.into_iter().chain(sequences).flat_map(by_shard).collect()
        }
        Phase::Columns => {
            let columns = when("", trains(spec, Family::reads_columns));
            columns.into_iter().flat_map(by_shard).collect()
        }
        Phase::Statistics => {
            let content = when(CONTENT, trains(spec, |family| family == Family::Content));
            users.into_iter().chain(content).map(|name| (0, name)).collect()
        }
        Phase::Factors => with(is_factors).flat_map(by_shard).collect(),
        Phase::Side => with(is_factors).map(|name| (0, name)).collect(),
        Phase::Rows => {
            let mut rows = Vec::new();
            for name in with(Family::has_rows) {
                // What is dear of a linear model, an inverse or the neighbourhoods of all items, is
                // not done again in every shard.
                let is_one = Family::of(name) == Some(Family::Linear);
                let shards = if is_one { 1 } else { spec.shard_count };
                rows.extend((0..shards).map(|shard| (shard, name)));
            }
            rows
        }
        Phase::Postings => with(Family::has_postings).flat_map(by_shard).collect(),
        Phase::Norms => with(Family::has_norms).map(|name| (0, name)).collect(),
        Phase::Scores => with(|family| family == Family::Scores).map(|name| (0, name)).collect(),
        Phase::Learn => with(|family| family == Family::Hybrid).map(|_| (0, "")).collect(),
        Phase::Estimates | Phase::Results => pooled().flat_map(by_shard).collect(),
        Phase::Pool => pooled().map(|kind| (0, kind)).collect(),
        Phase::Policies => {
            let is_trained = spec.kinds.iter().any(|kind| kind == INVENTORY);
            when(INVENTORY, is_trained).into_iter().flat_map(by_shard).collect()
        }
        Phase::Publish | Phase::Unspecified => Vec::new(),
    }
}

fn part_name(part: CutPart) -> &'static str {
    match part {
        CutPart::Series => SERIES,
        CutPart::Content => CONTENT,
        CutPart::Users => USERS,
        CutPart::Interactions | CutPart::Unspecified => "",
    }
}

/// Whether the job trains an algorithm of such a family.
fn trains(spec: &TrainingSpec, holds: impl Fn(Family) -> bool) -> bool {
    spec.algorithms.iter().filter_map(|name| Family::of(name)).any(holds)
}

fn is_part(phase: Phase, spec: &TrainingSpec) -> bool {
    matches!(phase, Phase::Cut | Phase::Publish) || !tasks(phase, spec).is_empty()
}

/// Whether a task reads the output of an earlier phase or step. What it does not read is not sent:
/// there may be thousands.
pub(super) fn reads(task: &Task, output: &TaskInput) -> bool {
    let (of_shard, of_algorithm) = (output.shard == task.shard, output.algorithm == task.algorithm);
    match (task.phase(), output.phase()) {
        (phase, Phase::Dictionary) => phase != Phase::Dictionary,
        (Phase::Dictionary, Phase::Cut) => output.algorithm.is_empty(),
        (Phase::Encode, Phase::Cut) => of_shard && output.algorithm.is_empty(),
        (Phase::Statistics | Phase::Learn, Phase::Cut) => output.algorithm == CONTENT,
        (Phase::Rows, Phase::Cut) => of_shard && output.algorithm == USERS,
        (
            Phase::Columns | Phase::Statistics | Phase::Factors | Phase::Rows | Phase::Scores,
            Phase::Encode,
        )
        | (Phase::Factors, Phase::Columns)
        | (Phase::Rows, Phase::Statistics) => true,
        (Phase::Learn, Phase::Encode) => output.algorithm == SEQUENCES,
        (Phase::Learn, Phase::Rows) => output.algorithm == CONTENT,
        (Phase::Factors, Phase::Factors) => {
            of_algorithm && output.step < task.step && output.step + READ_BACK >= task.step
        }
        (Phase::Side, Phase::Factors)
        | (Phase::Rows, Phase::Side)
        | (Phase::Postings | Phase::Norms, Phase::Rows) => of_algorithm,
        (Phase::Estimates | Phase::Results | Phase::Policies, Phase::Cut) => {
            output.algorithm == SERIES
        }
        (
            Phase::Pool | Phase::Results | Phase::Policies,
            Phase::Estimates | Phase::Pool | Phase::Results,
        ) => true,
        _ => false,
    }
}

#[cfg(test)]
mod declared_tests;
#[cfg(test)]
mod tests;
