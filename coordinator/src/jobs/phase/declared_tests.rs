//! The declared pipeline gives the same tasks, steps, parts of cuts and published files as the phases here,
//! for whatever is trained together, and reads nothing that is not sent.

use std::collections::BTreeSet;

use mercer_common::pipeline::{Graph, MERCER, Output, Published};
use mercer_proto::internal::FactorSpec;
use proptest::{prelude::*, sample::subsequence};

use super::*;
use crate::jobs::family::algorithms;

const KINDS: [&str; 3] = [DEMAND, ELASTICITY, INVENTORY];

fn spec(algorithms: &[&str], kinds: &[&str]) -> TrainingSpec {
    TrainingSpec {
        algorithms: algorithms.iter().map(ToString::to_string).collect(),
        kinds: kinds.iter().map(ToString::to_string).collect(),
        shard_count: 3,
        factors: Some(FactorSpec { iterations: 2, ..FactorSpec::default() }),
        ..TrainingSpec::default()
    }
}

/// The phases of a job with all its tasks, in order.
fn phases(spec: &TrainingSpec) -> Vec<(Phase, Vec<TaskInput>)> {
    let mut phases = Vec::new();
    let mut phase = next(Phase::Unspecified, spec);
    while phase != Phase::Publish {
        let mut all = Vec::new();
        for step in 0..steps(phase, spec) {
            for (shard, name) in tasks(phase, spec) {
                let (phase, algorithm) = (phase.into(), name.to_owned());
                all.push(TaskInput { phase, shard, algorithm, step, artifact: None });
            }
        }
        phases.push((phase, all));
        phase = next(phase, spec);
    }
    phases
}

fn is_output(declared: &Output, output: &TaskInput) -> bool {
    declared.phase == name(output.phase())
        && declared.name == output.algorithm
        && (declared.shard, declared.step) == (output.shard, output.step)
}

fn task(output: &TaskInput) -> Task {
    let TaskInput { phase, shard, algorithm, step, .. } = output.clone();
    Task { phase, shard, algorithm, step, ..Task::default() }
}

proptest! {
    #[test]
    fn tasks_and_steps_are_the_same(
        trained in subsequence(algorithms().collect::<Vec<_>>(), 0..algorithms().count()),
        results in subsequence(KINDS.to_vec(), 0..=KINDS.len()),
    ) {
        let mut algorithms = trained;
        algorithms.sort_unstable();
        let mut results = results;
        if results.contains(&INVENTORY) && !results.contains(&DEMAND) {
            results.insert(0, DEMAND);
        }
        prop_assume!(!algorithms.is_empty() || !results.is_empty());
        let spec = spec(&algorithms, &results);
        let graph = Graph::new(&MERCER, &spec).expect("declared");
        let here = phases(&spec);
        let declared: Vec<(&str, f64)> =
            graph.phases().map(|phase| (phase.name, phase.weight)).collect();
        let mut named = Vec::new();
        for (phase, _) in &here {
            let listed = PHASES.iter().find(|(one, ..)| one == phase).expect("listed");
            named.push((listed.1, listed.2));
        }
        prop_assert_eq!(declared, named);
        let parts: Vec<&str> = cut_parts(&spec).into_iter().map(part_name).collect();
        let mut cut: Vec<&str> = graph.tasks("cut", 0).iter().map(|task| task.name).collect();
        cut.dedup();
        prop_assert_eq!(cut, parts);
        let mut made: Vec<&TaskInput> = Vec::new();
        for (phase, all) in &here {
            let mut declared = Vec::new();
            for step in 0..graph.steps(name(*phase)) {
                declared.extend(graph.tasks(name(*phase), step));
            }
            prop_assert_eq!(declared.len(), all.len(), "{:?}", phase);
            for (declared, output) in declared.iter().zip(all) {
                prop_assert!(is_output(declared, output), "{:?}: {:?}", declared, output);
                let sent: Vec<&TaskInput> = (made.iter().copied().chain(all))
                    .filter(|one| reads(&task(output), one))
                    .collect();
                for read in graph.reads(declared) {
                    let is_sent = sent.iter().any(|one| is_output(&read, one));
                    prop_assert!(is_sent, "{:?} is not sent {:?}", declared, read);
                }
            }
            made.extend(all);
        }
    }
}

#[test]
fn what_is_sent_in_excess_is_known() {
    let names: Vec<&str> = algorithms().collect();
    let spec = spec(&names, &KINDS);
    let graph = Graph::new(&MERCER, &spec).expect("declared");
    let here = phases(&spec);
    let all: Vec<&TaskInput> = here.iter().flat_map(|(_, all)| all).collect();
    let mut excess = BTreeSet::new();
    for output in &all {
        let tasks = graph.tasks(name(output.phase()), output.step);
        let declared = tasks.iter().find(|declared| is_output(declared, output)).expect("declared");
        let read = graph.reads(declared);
        // What is made later is not there to be sent.
        let earlier =
            all.iter().take_while(|one| (one.phase, one.step) != (output.phase, output.step));
        for sent in earlier.filter(|one| reads(&task(output), one)) {
            if read.iter().any(|read| is_output(read, sent)) {
                continue;
            }
            let what = match (read.iter())
                .find(|read| read.phase == name(sent.phase()) && read.name == sent.algorithm)
            {
                None => "unread",
                Some(read) if read.step == sent.step => "of other shards",
                Some(_) => "of other steps",
            };
            excess.insert(format!("{} <- {} {what}", declared.phase, name(sent.phase())));
        }
    }
    let listed: Vec<&str> = excess.iter().map(String::as_str).collect();
    assert_eq!(listed, EXCESS);
}

#[test]
fn every_method_and_kind_is_declared() {
    let mut named: Vec<&str> = algorithms().chain(KINDS).collect();
    let mut declared: Vec<&str> = MERCER.products().map(|product| product.name).collect();
    named.sort_unstable();
    declared.sort_unstable();
    assert_eq!(declared, named);
    for product in MERCER.products() {
        let is_kind = matches!(product.publishes, Published::Records(_));
        assert_eq!(is_kind, KINDS.contains(&product.name), "{}", product.name);
    }
}

/// By the phases of tasks and of what they are sent and do not read.
const EXCESS: [&str; 29] = [
    "columns <- encode unread",
    "estimates <- dictionary unread",
    "factors <- columns of other shards",
    "factors <- encode of other shards",
    "factors <- encode unread",
    "factors <- factors of other steps",
    "policies <- cut of other shards",
    "policies <- dictionary unread",
    "policies <- estimates unread",
    "policies <- pool unread",
    "policies <- results of other shards",
    "policies <- results unread",
    "pool <- dictionary unread",
    "pool <- estimates unread",
    "results <- cut of other shards",
    "results <- cut unread",
    "results <- dictionary unread",
    "results <- estimates of other shards",
    "results <- estimates unread",
    "results <- pool unread",
    "rows <- cut unread",
    "rows <- dictionary unread",
    "rows <- encode of other shards",
    "rows <- encode unread",
    "rows <- statistics unread",
    "scores <- encode unread",
    "side <- factors of other steps",
    "statistics <- cut unread",
    "statistics <- encode unread",
];
