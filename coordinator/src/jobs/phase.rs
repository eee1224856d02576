//! The phases of a job and their tasks.

use mercer_proto::internal::{JobRecord, Phase, Task, TaskInput};

/// All phases in order, each with its share of a job's progress.
const PHASES: [(Phase, &str, f64); 7] = [
    (Phase::Cut, "cut", 0.10),
    (Phase::Dictionary, "dictionary", 0.05),
    (Phase::Encode, "encode", 0.10),
    (Phase::Statistics, "statistics", 0.05),
    (Phase::Rows, "rows", 0.50),
    (Phase::Postings, "postings", 0.15),
    (Phase::Publish, "publish", 0.05),
];

/// The phase after `phase`; the first one for a job that has not begun.
pub(super) fn next(phase: Phase) -> Phase {
    let place = PHASES.iter().position(|(one, ..)| *one == phase);
    let next = place.map_or(0, |place| (place + 1).min(PHASES.len() - 1));
    PHASES[next].0
}

/// The phase as callers and folders name it; empty before the first.
pub(super) fn name(phase: Phase) -> &'static str {
    PHASES.iter().find(|(one, ..)| *one == phase).map_or("", |(_, name, _)| name)
}

/// The names of the phases whose files a published version does not refer to, and of the others.
pub(super) fn folders(published: bool) -> impl Iterator<Item = &'static str> {
    PHASES
        .iter()
        .filter(move |(phase, ..)| {
            !published || !matches!(phase, Phase::Dictionary | Phase::Postings)
        })
        .map(|(_, name, _)| *name)
}

/// Progress of the whole job when `fraction` of `phase` is done.
pub(super) fn progress(phase: Phase, fraction: f64) -> f64 {
    let mut before = 0.0;
    for (one, _, share) in PHASES {
        if one == phase {
            return (before + share * fraction.clamp(0.0, 1.0)).min(1.0);
        }
        before += share;
    }
    0.0
}

/// The tasks of the job's present phase that have no output yet, and the number of all of them.
pub(super) fn open_tasks(record: &JobRecord) -> (Vec<Task>, usize) {
    let spec = record.spec.clone().unwrap_or_default();
    let phase = record.phase();
    let task = |shard, algorithm: &str| Task {
        job_id: record.job_id.clone(),
        phase: phase.into(),
        shard,
        algorithm: algorithm.to_owned(),
    };
    let tasks: Vec<Task> = match phase {
        Phase::Cut | Phase::Encode => (0..spec.shard_count).map(|shard| task(shard, "")).collect(),
        Phase::Dictionary | Phase::Statistics => vec![task(0, "")],
        Phase::Rows | Phase::Postings => spec
            .algorithms
            .iter()
            .flat_map(|algorithm| (0..spec.shard_count).map(move |shard| (shard, algorithm)))
            .map(|(shard, algorithm)| task(shard, algorithm))
            .collect(),
        _ => Vec::new(),
    };
    let all = tasks.len();
    let done = |task: &Task| record.outputs.iter().any(|output| is_output_of(output, task));
    (tasks.into_iter().filter(|task| !done(task)).collect(), all)
}

fn is_output_of(output: &TaskInput, task: &Task) -> bool {
    (output.phase, output.shard, &output.algorithm) == (task.phase, task.shard, &task.algorithm)
}

#[cfg(test)]
mod tests {
    use mercer_proto::internal::TrainingSpec;

    use super::*;

    #[test]
    fn phases_follow_each_other_and_progress_grows_to_1() {
        let mut phase = Phase::Unspecified;
        let mut last = 0.0;
        for expected in PHASES {
            phase = next(phase);
            assert_eq!(phase, expected.0);
            assert!((progress(phase, 0.0) - last).abs() < 1e-9);
            last = progress(phase, 1.0);
        }
        assert!((last - 1.0).abs() < 1e-9);
    }

    #[test]
    fn finished_tasks_are_not_open() {
        let spec = TrainingSpec {
            algorithms: vec!["item-cosine".into(), "p3".into()],
            shard_count: 3,
            ..Default::default()
        };
        let mut record = JobRecord { spec: Some(spec), ..Default::default() };
        for (phase, count) in [(Phase::Cut, 3), (Phase::Dictionary, 1), (Phase::Rows, 6)] {
            record.set_phase(phase);
            let (open, all) = open_tasks(&record);
            assert_eq!((open.len(), all), (count, count), "{phase:?}");
        }
        record.outputs.push(TaskInput {
            phase: Phase::Rows.into(),
            shard: 1,
            algorithm: "p3".into(),
            artifact: None,
        });
        let (open, all) = open_tasks(&record);
        assert_eq!((open.len(), all), (5, 6));
        assert!(!open.iter().any(|task| task.shard == 1 && task.algorithm == "p3"));
    }
}
