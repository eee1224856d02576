//! The phases of a job and their tasks.

use mercer_proto::internal::{CutPart, JobRecord, Phase, Task, TaskInput, TrainingSpec};

use super::kinds::{DEMAND, ELASTICITY, INVENTORY};

/// The part of a cut that holds items with their series, as tasks name it.
pub(super) const SERIES: &str = "series";

/// All phases in order, each with its weight in the progress of a job that has it.
const PHASES: [(Phase, &str, f64); 11] = [
    (Phase::Cut, "cut", 0.10),
    (Phase::Dictionary, "dictionary", 0.05),
    (Phase::Encode, "encode", 0.10),
    (Phase::Statistics, "statistics", 0.05),
    (Phase::Rows, "rows", 0.50),
    (Phase::Postings, "postings", 0.15),
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
    let neighbours = (!spec.algorithms.is_empty()).then_some(CutPart::Interactions);
    let results = (!spec.kinds.is_empty()).then_some(CutPart::Series);
    neighbours.into_iter().chain(results).collect()
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

/// The tasks of the job's present phase that have no output yet, and the number of all of them.
pub(super) fn open_tasks(record: &JobRecord) -> (Vec<Task>, usize) {
    let spec = record.spec.clone().unwrap_or_default();
    let phase = record.phase();
    let task = |(shard, name): (u32, &str)| Task {
        job_id: record.job_id.clone(),
        phase: phase.into(),
        shard,
        algorithm: name.to_owned(),
        step: 0,
    };
    let tasks: Vec<Task> = tasks(phase, &spec).into_iter().map(task).collect();
    let all = tasks.len();
    let done = |task: &Task| record.outputs.iter().any(|output| is_output_of(output, task));
    (tasks.into_iter().filter(|task| !done(task)).collect(), all)
}

/// Shard and name of every task of a phase.
fn tasks(phase: Phase, spec: &TrainingSpec) -> Vec<(u32, &str)> {
    let by_shard = |name| (0..spec.shard_count).map(move |shard| (shard, name));
    let algorithms = || spec.algorithms.iter().map(String::as_str);
    let pooled = || {
        let kinds = spec.kinds.iter().map(String::as_str);
        kinds.filter(|kind| [DEMAND, ELASTICITY].contains(kind))
    };
    match phase {
        Phase::Cut => {
            let part = |part| if part == CutPart::Series { SERIES } else { "" };
            cut_parts(spec).into_iter().map(part).flat_map(by_shard).collect()
        }
        Phase::Encode => by_shard("").collect(),
        Phase::Dictionary | Phase::Statistics => vec![(0, "")],
        Phase::Rows | Phase::Postings => algorithms().flat_map(by_shard).collect(),
        Phase::Estimates | Phase::Results => pooled().flat_map(by_shard).collect(),
        Phase::Pool => pooled().map(|kind| (0, kind)).collect(),
        Phase::Policies => by_shard(INVENTORY).collect(),
        Phase::Publish | Phase::Unspecified => Vec::new(),
        Phase::Columns
        | Phase::Factors
        | Phase::Side
        | Phase::Norms
        | Phase::Scores
        | Phase::Learn
        | Phase::Lists => Vec::new(),
    }
}

fn is_part(phase: Phase, spec: &TrainingSpec) -> bool {
    let trains = |kind: &str| spec.kinds.iter().any(|one| one == kind);
    match phase {
        Phase::Unspecified
        | Phase::Columns
        | Phase::Factors
        | Phase::Side
        | Phase::Norms
        | Phase::Scores
        | Phase::Learn
        | Phase::Lists => false,
        Phase::Cut | Phase::Publish => true,
        Phase::Dictionary | Phase::Encode | Phase::Statistics | Phase::Rows | Phase::Postings => {
            !spec.algorithms.is_empty()
        }
        Phase::Estimates | Phase::Pool | Phase::Results => trains(DEMAND) || trains(ELASTICITY),
        Phase::Policies => trains(INVENTORY),
    }
}

fn is_output_of(output: &TaskInput, task: &Task) -> bool {
    (output.phase, output.shard, &output.algorithm) == (task.phase, task.shard, &task.algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(algorithms: &[&str], kinds: &[&str]) -> TrainingSpec {
        TrainingSpec {
            algorithms: algorithms.iter().map(ToString::to_string).collect(),
            kinds: kinds.iter().map(ToString::to_string).collect(),
            shard_count: 3,
            ..Default::default()
        }
    }

    #[test]
    fn phases_follow_each_other_and_progress_grows_to_1() {
        const NEIGHBOURS: &str = "dictionary encode statistics rows postings";
        let cases = [
            (spec(&["p3"], &[]), format!("cut {NEIGHBOURS} publish")),
            (spec(&[], &["demand"]), "cut estimates pool results publish".into()),
            (spec(&[], &["elasticity"]), "cut estimates pool results publish".into()),
            (
                spec(&[], &["demand", "inventory"]),
                "cut estimates pool results policies publish".into(),
            ),
            (
                spec(&["p3"], &["demand", "elasticity", "inventory"]),
                format!("cut {NEIGHBOURS} estimates pool results policies publish"),
            ),
        ];
        for (spec, expected) in cases {
            let mut phase = Phase::Unspecified;
            let mut last = 0.0;
            let mut names = Vec::new();
            while phase != Phase::Publish {
                phase = next(phase, &spec);
                names.push(name(phase));
                assert!((progress(phase, 0.0, &spec) - last).abs() < 1e-9, "{phase:?}");
                last = progress(phase, 1.0, &spec);
            }
            assert_eq!(names.join(" "), expected);
            assert!((last - 1.0).abs() < 1e-9);
            assert_eq!(next(phase, &spec), Phase::Publish);
            assert_eq!(progress(Phase::Unspecified, 0.0, &spec), 0.0);
        }
    }

    #[test]
    fn every_phase_has_its_tasks_and_finished_ones_are_not_open() {
        let everything = spec(&["item-cosine", "p3"], &["demand", "elasticity", "inventory"]);
        let mut record = JobRecord { spec: Some(everything), ..Default::default() };
        let counts = [
            (Phase::Cut, 6),
            (Phase::Dictionary, 1),
            (Phase::Encode, 3),
            (Phase::Rows, 6),
            (Phase::Estimates, 6),
            (Phase::Pool, 2),
            (Phase::Results, 6),
            (Phase::Policies, 3),
        ];
        for (phase, count) in counts {
            record.set_phase(phase);
            let (open, all) = open_tasks(&record);
            assert_eq!((open.len(), all), (count, count), "{phase:?}");
        }
        record.set_phase(Phase::Rows);
        record.outputs.push(TaskInput {
            phase: Phase::Rows.into(),
            shard: 1,
            algorithm: "p3".into(),
            step: 0,
            artifact: None,
        });
        let (open, all) = open_tasks(&record);
        assert_eq!((open.len(), all), (5, 6));
        assert!(!open.iter().any(|task| task.shard == 1 && task.algorithm == "p3"));
    }

    #[test]
    fn a_cut_holds_what_the_job_reads() {
        let parts = |algorithms: &[&str], kinds: &[&str]| cut_parts(&spec(algorithms, kinds));
        assert_eq!(parts(&["p3"], &[]), [CutPart::Interactions]);
        assert_eq!(parts(&[], &["demand"]), [CutPart::Series]);
        assert_eq!(parts(&["p3"], &["demand"]), [CutPart::Interactions, CutPart::Series]);
    }
}
