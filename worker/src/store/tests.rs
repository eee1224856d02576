use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    rpc::status::{Code, Describe as _},
    slot::{ShardId, ShardLayout, Subject, compare, slot},
};
use mercer_proto::internal::DemandResult;
use proptest::prelude::*;

use super::{Results, ResultsError, ResultsStore, Store};
use crate::artifact::RecordsWriter;

const SHARDS: ShardId = 3;

/// Items of all shards with results of different sizes, in an artifact a shard.
struct Bench {
    folder: tempfile::TempDir,
    artifacts: ArtifactStore,
    /// Results by (slot, id).
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
        items.sort_by(|left, right| compare(Subject::Item, &left.item_id, &right.item_id));
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
    ShardLayout::new(SHARDS).shard_of(Subject::Item, id)
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
fn results_of_a_lost_history_do_not_stay_among_those_that_replace_them() {
    let bench = Bench::new(400);
    let store = bench.store();
    drop(bench.load(&store, &[0, 1]).expect("loads"));
    // Another history gave the same job other results of fewer items, in blocks that begin elsewhere.
    let others = (0..400).step_by(3).map(|item| result(format!("item-{item}"), 5)).collect();
    let other = Bench::of(others);
    let load = |store: &ResultsStore| {
        let held = [(0, &other.written[0]), (1, &other.written[1])];
        store.load(&other.artifacts, "job", "demand", &held).expect("loads")
    };
    let check = |results: &Results| {
        other.check(results, &[0, 1]);
        for item in bench
            .items
            .iter()
            .filter(|item| !other.items.iter().any(|of| of.item_id == item.item_id))
        {
            let found = results.get::<DemandResult>(&item.item_id).expect("reads");
            assert_eq!(found, None, "{}", item.item_id);
        }
    };
    let results = load(&store);
    check(&results);
    drop((results, store));
    check(&load(&bench.store()));
}

#[test]
fn blocks_of_a_load_that_was_killed_do_not_stay_among_other_results() {
    let bench = Bench::new(400);
    let results = bench.load(&bench.store(), &[0]).expect("loads");
    // As if shard 1 had been loaded up to the word that it is complete.
    let stray = bench.items.iter().find(|item| shard_of(&item.item_id) == 1).expect("an item");
    let mut block = Vec::new();
    super::block::push(&mut block, &stray.item_id, b"half of it");
    results.overwrite(&stray.item_id, &block);
    drop(results);
    let results = bench.load(&bench.store(), &[0]).expect("loads");
    assert_eq!(results.get::<DemandResult>(&stray.item_id).expect("reads"), None);
    bench.check(&results, &[0]);
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
    let slot = slot(Subject::Item, &some.item_id).to_be_bytes();
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
    // As the releases before wrote it, which said nothing of the blocks.
    spoil(&|folder| {
        let db = sled::open(folder).expect("opens");
        db.insert([&[0xff], 1_u16.to_be_bytes().as_slice()].concat(), b"\x01a path".to_vec())
            .expect("format 1");
    });
    // Blocks that sled lost or that are others.
    let key = |item: usize| {
        let id = &bench.items[item].item_id;
        [&slot(Subject::Item, id).to_be_bytes(), id.as_bytes()].concat()
    };
    spoil(&|folder| {
        let db = sled::open(folder).expect("opens");
        let (last, _) = db.get_lt(key(200)).expect("reads").expect("a block");
        db.remove(last).expect("removes");
    });
    spoil(&|folder| {
        let db = sled::open(folder).expect("opens");
        db.insert(key(0), vec![1, 2, 3]).expect("inserts");
    });
    spoil(&|folder| fs::remove_dir_all(folder).expect("removes"));
    let aside = bench.folder.path().join("results/job-demand.set-aside");
    assert!(aside.exists());
    bench.store().retain(&BTreeSet::from([("job".to_owned(), "demand".to_owned())]));
    assert!(!aside.exists() && bench.folder().exists());
}

#[test]
fn no_damage_of_any_file_is_answered_from() {
    let bench = Bench::new(120);
    drop(bench.load(&bench.store(), &[0, 1, 2]).expect("loads"));
    let mut files = Vec::new();
    for entry in fs::read_dir(bench.folder()).expect("listed") {
        let path = entry.expect("an entry").path();
        files.extend(path.is_file().then_some(path));
    }
    for path in files {
        let content = fs::read(&path).expect("reads");
        let written: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
        let mut damages = vec![None, Some(Vec::new())];
        damages.extend([1, 2, 3].map(|part| {
            let end = written.get(written.len() * part / 4).copied().unwrap_or_default();
            Some(content[..end].to_vec())
        }));
        damages.extend((0..12).filter_map(|part| {
            let mut flipped = content.clone();
            flipped[*written.get(written.len() * part / 12)?] ^= 16;
            Some(Some(flipped))
        }));
        for damage in damages {
            match damage {
                None => drop(fs::remove_file(&path)),
                Some(content) => fs::write(&path, content).expect("damages"),
            }
            let results = bench.load(&bench.store(), &[0, 1, 2]).expect("opens");
            bench.check(&results, &[0, 1, 2]);
            drop(results);
        }
    }
}

#[test]
fn what_is_damaged_while_it_serves_is_built_again_beside_it() {
    let bench = Bench::new(300);
    let store = bench.store();
    let results = bench.load(&store, &[0, 1, 2]).expect("loads");
    let item = &bench.items[0];
    let until_whole = || {
        for _ in 0..1_000 {
            match results.get::<DemandResult>(&item.item_id) {
                Ok(found) => {
                    assert_eq!(found.as_ref(), Some(item));
                    bench.check(&results, &[0, 1, 2]);
                    return;
                }
                Err(error) => {
                    let told = error.describe();
                    assert_eq!((told.code, told.reason), (Code::Unavailable, "RESULTS_DAMAGED"));
                    assert!(told.retry_after.is_some());
                    // Its shards stay, so that no version is closed for it.
                    assert!(results.holds(&[0, 1, 2]));
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not built again");
    };
    let spoil = || results.overwrite(&item.item_id, &[1, 2, 3]);
    spoil();
    let error = results.get::<DemandResult>(&item.item_id).expect_err("damaged");
    assert!(matches!(error, ResultsError::Damaged { .. }), "{error}");
    until_whole();

    // What it is built from is missing for a while.
    let path = bench.artifacts.folder().join(&bench.written[1].path);
    let kept = fs::read(&path).expect("reads");
    fs::remove_file(&path).expect("removes");
    spoil();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        results.get::<DemandResult>(&item.item_id).expect_err("damaged");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::write(&path, kept).expect("restores");
    until_whole();

    // A version that opens does not wait for a question.
    spoil();
    results.get::<DemandResult>(&item.item_id).expect_err("damaged");
    bench.load(&store, &[0, 1, 2]).expect("is built again");
    until_whole();
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
    // What is somebody else's does not.
    let foreign = bench.folder.path().join("results/notes");
    fs::create_dir(&foreign).expect("created");
    let store = bench.store();
    store.retain(&kept);
    assert!(!bench.folder().exists() && foreign.exists());
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
                let mut expected = Vec::new();
                for DemandResult { item_id, .. } in &bench.items {
                    let is_after = compare(Subject::Item, item_id, after).is_gt();
                    if shard_of(item_id) == shard && (after.is_empty() || is_after) {
                        expected.push(item_id.clone());
                    }
                }
                prop_assert_eq!(page, expected, "{} after `{}`", shard, after);
            }
        }
    }
}

#[test]
fn a_store_that_is_damaged_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || Store::open(folder.path());
    {
        let _store = open().expect("opens");
        assert!(matches!(open(), Err(super::StoreError::Locked { .. })));
    }
    let entries = fs::read_dir(folder.path().join("store")).expect("listed");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_file());
    for path in paths {
        let content = fs::read(&path).expect("reads");
        let mut flipped = content.clone();
        if let Some(byte) = flipped.iter_mut().find(|byte| **byte != 0) {
            *byte ^= 8;
        }
        let cut = content[..content.len() / 2].to_vec();
        for damage in [None, Some(Vec::new()), Some(cut), Some(flipped)] {
            match damage {
                None => drop(fs::remove_file(&path)),
                Some(content) => fs::write(&path, content).expect("damages"),
            }
            let _store = open().expect("opens");
            assert!(matches!(open(), Err(super::StoreError::Locked { .. })));
        }
    }
}
