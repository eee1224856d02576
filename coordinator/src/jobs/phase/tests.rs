use mercer_proto::internal::FactorSpec;

use super::*;
use crate::jobs::algorithms;

fn spec(algorithms: &[&str], kinds: &[&str]) -> TrainingSpec {
    TrainingSpec {
        algorithms: algorithms.iter().map(ToString::to_string).collect(),
        kinds: kinds.iter().map(ToString::to_string).collect(),
        shard_count: 3,
        factors: Some(FactorSpec { iterations: 2, ..FactorSpec::default() }),
        ..TrainingSpec::default()
    }
}

fn record(spec: &TrainingSpec, phase: Phase) -> JobRecord {
    JobRecord { spec: Some(spec.clone()), phase: phase.into(), ..JobRecord::default() }
}

/// The output of a task as a record names it.
fn output(task: &Output) -> TaskInput {
    TaskInput {
        phase: number(task.phase).into(),
        shard: task.shard,
        algorithm: task.name.to_owned(),
        step: task.step,
        artifact: None,
    }
}

#[test]
fn phases_follow_each_other_and_progress_grows_to_1() {
    let factors = "encode columns statistics factors side rows postings";
    let cases = [
        (spec(&["p3"], &[]), "dictionary encode statistics rows postings norms"),
        (spec(&["ease"], &[]), "dictionary encode statistics rows postings norms"),
        (spec(&["item-transitions"], &[]), "dictionary encode rows postings norms"),
        (spec(&["content"], &[]), "dictionary statistics rows postings norms"),
        (spec(&["ials"], &[]), &format!("dictionary {factors}")),
        (spec(&["user-cosine"], &[]), "dictionary encode columns statistics rows"),
        (spec(&["fresh", "repurchase"], &[]), "dictionary encode scores"),
        (
            spec(&["fresh", "hybrid", "ials", "p3"], &[]),
            &format!("dictionary {factors} norms scores learn"),
        ),
        (spec(&[], &["demand"]), "estimates pool results"),
        (spec(&[], &["elasticity"]), "estimates pool results"),
        (spec(&[], &["demand", "inventory"]), "estimates pool results policies"),
        (
            spec(&["p3"], &["demand", "elasticity", "inventory"]),
            "dictionary encode statistics rows postings norms estimates pool results policies",
        ),
    ];
    for (spec, expected) in cases {
        let graph = graph(&spec).expect("declared");
        let mut phase = Phase::Unspecified;
        let mut last = 0.0;
        let mut names = Vec::new();
        while phase != Phase::Publish {
            phase = next(phase, &graph);
            names.push(name(phase));
            assert!((progress(phase, 0.0, &graph) - last).abs() < 1e-9, "{phase:?}");
            last = progress(phase, 1.0, &graph);
        }
        assert_eq!(names.join(" "), format!("cut {expected} publish"));
        assert!((last - 1.0).abs() < 1e-9);
        assert_eq!(next(phase, &graph), Phase::Publish);
        assert_eq!(progress(Phase::Unspecified, 0.0, &graph), 0.0);
    }
}

#[test]
fn every_phase_has_its_tasks_and_finished_ones_are_not_open() {
    let names: Vec<&str> = algorithms().collect();
    let everything = spec(&names, &["demand", "elasticity", "inventory"]);
    let graph = graph(&everything).expect("declared");
    let counts = [
        (Phase::Cut, 12),
        (Phase::Dictionary, 1),
        (Phase::Encode, 6),
        (Phase::Columns, 3),
        (Phase::Statistics, 2),
        (Phase::Factors, 6),
        (Phase::Side, 2),
        // Ten similarities, two by order, two linear, content, two of factors, two of users.
        (Phase::Rows, 17 * 3 + 2),
        (Phase::Postings, 17 * 3),
        (Phase::Norms, 15),
        (Phase::Scores, 4),
        (Phase::Learn, 1),
        (Phase::Estimates, 6),
        (Phase::Pool, 2),
        (Phase::Results, 6),
        (Phase::Policies, 3),
    ];
    let mut all = record(&everything, Phase::Cut);
    for (phase, count) in counts {
        all.set_phase(phase);
        let open = open(&all, &graph);
        assert_eq!((open.tasks.len(), open.all), (count, count), "{phase:?}");
        assert_eq!(open.done(), 0.0);
    }
    all.set_phase(Phase::Rows);
    let done = open(&all, &graph).tasks.remove(7);
    all.outputs.push(output(&done));
    let rest = open(&all, &graph);
    assert_eq!((rest.tasks.len(), rest.all), (52, 53));
    assert!(!rest.tasks.contains(&done));
    assert!((rest.done() - 1.0 / 53.0).abs() < 1e-9);
}

#[test]
fn a_linear_model_is_one_task() {
    let spec = spec(&["ease", "p3", "slim"], &[]);
    let open = open(&record(&spec, Phase::Rows), &graph(&spec).expect("declared"));
    let tasks: Vec<(&str, u32)> = open.tasks.iter().map(|task| (task.name, task.shard)).collect();
    assert_eq!(tasks, [("ease", 0), ("p3", 0), ("p3", 1), ("p3", 2), ("slim", 0)]);
}

#[test]
fn steps_follow_each_other_and_let_go_of_what_nobody_reads() {
    let spec = spec(&["als", "ials"], &[]);
    let graph = graph(&spec).expect("declared");
    let mut job = record(&spec, Phase::Factors);
    let mut fractions = Vec::new();
    for step in 0..4 {
        let present = open(&job, &graph);
        assert_eq!((present.step, present.steps, present.all), (step, 4, 6));
        job.outputs.retain(|one| !is_outdated(one, &present, Phase::Factors));
        let kept = job.outputs.iter().map(|one| one.step).min();
        assert_eq!(kept, (step > 0).then(|| step.saturating_sub(2)));
        for task in &present.tasks {
            let read = graph.reads(task).into_iter().filter(|read| read.phase == "factors");
            for read in read {
                assert!(job.outputs.iter().any(|one| is_output(one, &read)), "{task:?}: {read:?}");
            }
        }
        for task in &present.tasks {
            job.outputs.push(output(task));
            fractions.push(open(&job, &graph).done());
        }
    }
    assert!(fractions.is_sorted());
    assert_eq!((fractions.len(), fractions[5], fractions[23]), (24, 0.25, 1.0));
    assert_eq!(open(&job, &graph).tasks, []);
}

#[test]
fn a_cut_holds_what_the_job_reads() {
    let parts = |algorithms: &[&str], kinds: &[&str]| {
        cut_parts(&graph(&spec(algorithms, kinds)).expect("declared"))
    };
    assert_eq!(parts(&["p3"], &[]), [CutPart::Interactions]);
    assert_eq!(parts(&[], &["demand"]), [CutPart::Series]);
    assert_eq!(parts(&["p3"], &["demand"]), [CutPart::Interactions, CutPart::Series]);
    assert_eq!(parts(&["content"], &[]), [CutPart::Interactions, CutPart::Content]);
    assert_eq!(parts(&["hybrid", "p3"], &[]), [CutPart::Interactions, CutPart::Content]);
    assert_eq!(parts(&["user-pearson"], &[]), [CutPart::Interactions, CutPart::Users]);
}
