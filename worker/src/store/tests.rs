use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::{Kind, ShardId, ShardLayout, compare},
};
use mercer_proto::internal::DemandResult;
use proptest::prelude::*;

use super::{Results, ResultsError, ResultsStore};
use crate::version::RecordsWriter;

const SHARDS: ShardId = 3;

/// Items of all shards with results of different sizes, in an artifact a shard.
struct Bench {
    folder: tempfile::TempDir,
    artifacts: ArtifactStore,
    /// By (slot, id).
    items: Vec<DemandResult>,
    written: Vec<ArtifactRef>,
}

fn result(id: String, size: usize) -> DemandResult {
    DemandResult {
        shares: vec![mercer_proto::internal::LocationShare {
            location_id: "l".repeat(size),
            share: 0.5,
        }],
        item_id: id,
        ..DemandResult::default()
    }
}

impl Bench {
    fn new(count: usize) -> Self {
        Self::of((0..count).map(|item| result(format!("item-{item}"), item * 37 % 3_000)).collect())
    }

    fn of(mut items: Vec<DemandResult>) -> Self {
        items.sort_by(|left, right| compare(Kind::Item, &left.item_id, &right.item_id));
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = ArtifactStore::open(&folder.path().join("artifacts")).expect("opens");
        let written = (0..SHARDS).map(|shard| write(&artifacts, "job", shard, &items)).collect();
        Self { folder, artifacts, items, written }
    }

    /// The store of a process that has just started.
    fn store(&self) -> ResultsStore {
        ResultsStore::new(self.folder.path())
    }

    fn load(&self, store: &ResultsStore, shards: &[ShardId]) -> Result<Arc<Results>, ResultsError> {
        let held: Vec<_> =
            shards.iter().map(|&shard| (shard, &self.written[usize::from(shard)])).collect();
        store.load(&self.artifacts, "job", "demand", &held)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("results/job-demand")
    }

    fn check(&self, results: &Results, shards: &[ShardId]) {
        for item in &self.items {
            let found = results.get::<DemandResult>(&item.item_id).expect("reads");
            let held = shards.contains(&shard_of(&item.item_id));
            assert_eq!(found.as_ref(), held.then_some(item), "{}", item.item_id);
        }
        assert_eq!(results.get::<DemandResult>("stranger").expect("reads"), None);
        for shard in 0..SHARDS {
            assert_eq!(results.holds(&[shard]), shards.contains(&shard));
        }
    }
}

fn shard_of(id: &str) -> ShardId {
    ShardLayout::new(SHARDS).shard_of(Kind::Item, id)
}

fn write(
    artifacts: &ArtifactStore,
    job: &str,
    shard: ShardId,
    items: &[DemandResult],
) -> ArtifactRef {
    let name = format!("demand-{shard:02}");
    let mut writer = RecordsWriter::new(artifacts, job, "results", &name).expect("begins");
    for item in items.iter().filter(|item| shard_of(&item.item_id) == shard) {
        writer.push(&item.item_id, item).expect("written");
    }
    writer.finish().expect("finished")
}

#[test]
fn results_are_loaded_by_shard_and_once() {
    let bench = Bench::new(400);
    let store = bench.store();
    let results = bench.load(&store, &[1]).expect("loads");
    bench.check(&results, &[1]);
    bench.load(&store, &[0, 1]).expect("loads more");
    bench.check(&results, &[0, 1]);
    drop(results);

    // What is complete is not read again, not even from the artifact.
    fs::remove_file(bench.artifacts.folder().join(&bench.written[0].path)).expect("removes");
    let store = bench.store();
    let results = bench.load(&store, &[0, 1]).expect("is there");
    bench.check(&results, &[0, 1]);
    let missing = ArtifactRef { path: bench.written[2].path.clone(), bytes: 1 };
    let held = [(2, &missing)];
    fs::remove_file(bench.artifacts.folder().join(&missing.path)).expect("removes");
    let error = store.load(&bench.artifacts, "job", "demand", &held).expect_err("missing");
    assert!(matches!(error, ResultsError::Artifact(ArtifactError::Missing { .. })), "{error}");
    bench.check(&results, &[0, 1]);
}

#[test]
fn a_load_that_was_killed_begins_again() {
    let bench = Bench::new(300);
    let results = bench.load(&bench.store(), &[0]).expect("loads");
    drop(results);
    // A process that died after some blocks of shard 1, before the word that they are complete.
    let db = sled::open(bench.folder()).expect("opens");
    let some = bench.items.iter().find(|item| shard_of(&item.item_id) == 1).expect("an item");
    let mut block = Vec::new();
    super::block::push(&mut block, &some.item_id, b"half a message");
    let slot = mercer_common::slot::slot(Kind::Item, &some.item_id).to_be_bytes();
    db.insert([&slot, some.item_id.as_bytes()].concat(), block).expect("inserts");
    db.flush().expect("flushes");
    drop(db);
    let results = bench.load(&bench.store(), &[0]).expect("opens");
    assert!(!results.holds(&[1]));
    bench.load(&bench.store(), &[0, 1]).expect_err("one process has one store");
    drop(results);
    let results = bench.load(&bench.store(), &[0, 1, 2]).expect("loads");
    bench.check(&results, &[0, 1, 2]);
}

#[test]
fn what_is_damaged_is_built_again() {
    let bench = Bench::new(300);
    drop(bench.load(&bench.store(), &[0, 1, 2]).expect("loads"));
    let spoil = |how: &dyn Fn(&Path)| {
        how(&bench.folder());
        let results = bench.load(&bench.store(), &[0, 1, 2]).expect("is built again");
        bench.check(&results, &[0, 1, 2]);
    };
    spoil(&|folder| fs::write(folder.join("conf"), b"nonsense").expect("writes"));
    spoil(&|folder| {
        let db = sled::open(folder).expect("opens");
        db.insert([&[0xff], 1_u16.to_be_bytes().as_slice()].concat(), b"\x09a path".to_vec())
            .expect("another format");
    });
    // A block that reads as none is told at the question, and noted for the next start.
    let id = &bench.items[0].item_id;
    let slot = mercer_common::slot::slot(Kind::Item, id).to_be_bytes();
    let db = sled::open(bench.folder()).expect("opens");
    db.insert([&slot, id.as_bytes()].concat(), vec![1, 2, 3]).expect("inserts");
    drop(db);
    let results = bench.load(&bench.store(), &[0, 1, 2]).expect("opens");
    let error = results.get::<DemandResult>(id).expect_err("damaged");
    assert!(matches!(error, ResultsError::Damaged { .. }), "{error}");
    drop(results);
    let results = bench.load(&bench.store(), &[0, 1, 2]).expect("is built again");
    bench.check(&results, &[0, 1, 2]);
}

#[test]
fn what_no_version_needs_is_removed_when_nobody_reads_it() {
    let bench = Bench::new(20);
    let other = write(&bench.artifacts, "other", 0, &bench.items);
    let store = bench.store();
    let results = bench.load(&store, &[0]).expect("loads");
    let others = store.load(&bench.artifacts, "other", "demand", &[(0, &other)]).expect("loads");
    let kept = BTreeSet::from([("other".to_owned(), "demand".to_owned())]);
    store.retain(&kept);
    bench.check(&results, &[0]);
    // Wanted again before the last reader has gone.
    let again = bench.load(&store, &[0]).expect("is open");
    drop(results);
    drop(again);
    assert!(bench.folder().exists());
    let results = bench.load(&store, &[0]).expect("opens");
    store.retain(&kept);
    assert!(bench.folder().exists());
    drop(results);
    assert!(!bench.folder().exists());
    drop(others);
    // At a start nothing is open, and folders that nothing refers to go as well.
    drop(bench.load(&bench.store(), &[0]).expect("loads"));
    let store = bench.store();
    store.retain(&kept);
    assert!(!bench.folder().exists());
    assert!(bench.folder.path().join("results/other-demand").exists());
    for (job, kind) in [("..", "demand"), ("a/b", "demand"), ("", "demand")] {
        let refused = store.load(&bench.artifacts, job, kind, &[]);
        assert!(matches!(refused, Err(ResultsError::Name { .. })), "{job}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Every item is found, and pages of any shard begin after any id, whatever the sizes.
    #[test]
    fn lookups_and_pages_equal_a_sorted_list(
        sizes in prop::collection::vec(prop_oneof![0_usize..80, 10_000_usize..20_000], 0..60),
        strangers in prop::collection::vec("[a-z]{1,6}", 1..10),
    ) {
        let sizes = sizes.into_iter().enumerate();
        let bench = Bench::of(sizes.map(|(item, size)| result(format!("i{item}"), size)).collect());
        let results = bench.load(&bench.store(), &[0, 1, 2]).expect("loads");
        bench.check(&results, &[0, 1, 2]);
        let layout = ShardLayout::new(SHARDS);
        let known = bench.items.iter().map(|item| &item.item_id);
        for after in known.chain(&strangers).map(String::as_str).chain([""]) {
            for shard in 0..SHARDS {
                let page: Result<Vec<DemandResult>, _> =
                    results.after(layout.slots(shard), after).collect();
                let page: Vec<String> =
                    page.expect("reads").into_iter().map(|result| result.item_id).collect();
                let follows = |item: &&DemandResult| {
                    let is_after = compare(Kind::Item, &item.item_id, after).is_gt();
                    shard_of(&item.item_id) == shard && (after.is_empty() || is_after)
                };
                let expected: Vec<String> =
                    bench.items.iter().filter(follows).map(|it| it.item_id.clone()).collect();
                prop_assert_eq!(page, expected, "{} after `{}`", shard, after);
            }
        }
    }
}
