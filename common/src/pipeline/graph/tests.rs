use std::collections::BTreeMap;

use mercer_proto::internal::FactorSpec;
use proptest::{prelude::*, sample::subsequence};

use super::*;
use crate::pipeline::{MERCER, Published};

fn spec(names: &[&str]) -> TrainingSpec {
    TrainingSpec {
        algorithms: names.iter().map(ToString::to_string).collect(),
        shard_count: 3,
        factors: Some(FactorSpec { iterations: 2, ..FactorSpec::default() }),
        ..TrainingSpec::default()
    }
}

/// All tasks in the order in which they run.
fn all_tasks(graph: &Graph<'_>) -> Vec<Output> {
    let mut tasks = Vec::new();
    for phase in graph.phases() {
        for step in 0..graph.steps(phase.name) {
            tasks.extend(graph.tasks(phase.name, step));
        }
    }
    tasks
}

fn names() -> Vec<&'static str> {
    MERCER.products().map(|product| product.name).collect()
}

proptest! {
    /// Whatever is trained together: nothing is read before it is made, everything that must be there is
    /// read, and nothing depends on the order in which products are named.
    #[test]
    fn every_read_is_made_before(mut trained in subsequence(names(), 1..names().len()), seed: u64) {
        if trained.contains(&"inventory") && !trained.contains(&"demand") {
            trained.push("demand");
        }
        let plain = spec(&trained);
        let graph = Graph::new(&MERCER, &plain).expect("declared");
        let mut made = BTreeSet::new();
        for task in all_tasks(&graph) {
            let reads = graph.reads(&task);
            prop_assert!(reads.iter().all(|read| made.contains(read)), "{:?}: {:?}", task, reads);
            prop_assert_eq!(reads.is_empty(), task.phase == "cut", "{:?}", task);
            prop_assert_eq!(graph.is_of_owner(&task), task.phase == "cut", "{:?}", task);
            prop_assert!(made.insert(task), "twice: {:?}", task);
        }
        for name in &trained {
            let published = graph.published(name);
            prop_assert!(!published.is_empty(), "{}", name);
            let files = published.iter().flat_map(|(_, files)| files);
            prop_assert!(files.clone().all(|file| made.contains(file)), "{:?}", published);
        }
        let mut mixed = trained.clone();
        let middle = usize::try_from(seed % trained.len() as u64).expect("small");
        mixed.rotate_left(middle);
        mixed.push(mixed[0]);
        let mixed = spec(&mixed);
        let other = Graph::new(&MERCER, &mixed).expect("declared");
        prop_assert_eq!(all_tasks(&other), all_tasks(&graph));
    }
}

#[test]
fn declarations_name_what_there_is() {
    let all = names();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "each name once");
    let everything = spec(&all);
    let graph = Graph::new(&MERCER, &everything).expect("declared");
    for product in MERCER.products() {
        for stage in product.stages {
            assert!(stage.name.is_none(), "{}: a stage of a product has its name", product.name);
            for read in stage.reads {
                let name = read.source.name(product.name);
                assert!(graph.node(read.phase, name).is_some(), "{}: {read:?}", product.name);
                assert!(
                    !matches!(read.source, Source::Back(_)) || read.phase == stage.phase,
                    "{}: {read:?}",
                    product.name
                );
            }
        }
        for part in product.publishes.parts() {
            assert!(!matches!(part.source, Source::Back(_)), "{}: {part:?}", product.name);
        }
    }
    for stage in MERCER.shared {
        let name = stage.name.expect("a shared stage is named");
        assert!(graph.node(stage.phase, name).is_some(), "{stage:?}: nobody reads it");
        for read in stage.reads {
            assert!(!matches!(read.source, Source::Own | Source::Back(_)), "{stage:?}: {read:?}");
        }
    }
    for phase in MERCER.phases {
        assert!(graph.steps(phase.name) > 0, "{}: nothing runs in it", phase.name);
    }
}

#[test]
fn steps_read_the_other_side_and_their_own_shard() {
    let spec = spec(&["ials"]);
    let graph = Graph::new(&MERCER, &spec).expect("declared");
    assert_eq!((graph.steps("factors"), graph.steps("rows"), graph.steps("scores")), (4, 1, 0));
    assert_eq!((graph.reads_back("factors"), graph.reads_back("rows")), (2, 0));
    let found = graph.find("factors", "ials", 3, 2);
    assert_eq!(found, Some(Output { phase: "factors", name: "ials", step: 3, shard: 2 }));
    assert_eq!(graph.find("factors", "ials", 4, 0), None);
    assert_eq!(graph.find("side", "ials", 0, 1), None);
    let sent = |step: u32| {
        let task = Output { phase: "factors", name: "ials", step, shard: 1 };
        let reads = graph.reads(&task).into_iter().filter(|read| read.phase == "factors");
        reads.map(|read| (read.step, read.shard)).collect::<Vec<_>>()
    };
    assert_eq!(sent(0), []);
    assert_eq!(sent(1), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(sent(3), [(2, 0), (2, 1), (2, 2), (1, 1)]);
    // Whoever reads factors reads the last ones.
    let side = Output { phase: "side", name: "ials", step: 0, shard: 0 };
    let read: BTreeSet<u32> = (graph.reads(&side).iter())
        .filter_map(|read| (read.phase == "factors").then_some(read.step))
        .collect();
    assert_eq!(read, BTreeSet::from([3]));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let unknown = spec(&["p3", "popular"]);
    let error = Graph::new(&MERCER, &unknown).expect_err("unknown");
    assert_eq!(error, GraphError::Unknown("popular".into()));
    let alone = spec(&["inventory"]);
    let error = Graph::new(&MERCER, &alone).expect_err("reads forecasts").to_string();
    assert_eq!(error, "`inventory` needs `demand`, which the job does not train");
}

#[test]
fn parts_are_of_the_product_or_of_all() {
    let spec = spec(&["hybrid", "ials", "user-cosine", "fresh", "demand", "inventory"]);
    let graph = Graph::new(&MERCER, &spec).expect("declared");
    let parts = |product: &str| -> BTreeMap<&str, usize> {
        graph.published(product).into_iter().map(|(name, files)| (name, files.len())).collect()
    };
    assert_eq!(parts("hybrid"), BTreeMap::from([("learned", 1)]));
    assert_eq!(parts("ials"), BTreeMap::from([("postings", 3), ("side", 1), ("learned", 1)]));
    let of_users = BTreeMap::from([("columns", 3), ("rows", 3), ("learned", 1)]);
    assert_eq!(parts("user-cosine"), of_users);
    assert_eq!(parts("fresh"), BTreeMap::from([("scores", 1), ("learned", 1)]));
    assert_eq!(parts("demand"), BTreeMap::from([("results", 3), ("pool", 1)]));
    assert_eq!(parts("inventory"), BTreeMap::from([("results", 3)]));
    assert_eq!(parts("slim"), BTreeMap::new());
    let kinds = ["demand", "inventory"].map(|name| MERCER.product(name).expect("declared"));
    assert!(kinds.iter().all(|product| matches!(product.publishes, Published::Records(_))));
}
