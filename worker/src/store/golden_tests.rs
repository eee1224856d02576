//! A database of results of every format loads for ever; one of a newer release is set aside and built
//! again.

use std::{fs, path::PathBuf};

use mercer_common::artifact::{ArtifactRef, ArtifactStore};
use mercer_proto::internal::{DemandResult, LocationShare};

use super::{ResultsStore, results::Results};
use crate::{
    tests::golden::{Goldens, is_missing, pack, path, unpack},
    version::RecordsWriter,
};

const GOLDEN: &str = "results-2.sled";
/// What the golden database was loaded from, by shard of two.
const LOADED: [&str; 2] =
    ["jobs/job/results/demand-00-7331a3f609ddaecc", "jobs/job/results/demand-01-6d347d6d432b759b"];
/// By (slot, id): two in either shard.
const ITEMS: [[&str; 2]; 2] = [["42", "1000000"], ["käse", "é"]];

fn result(id: &str) -> DemandResult {
    let share = |location: &str, share| LocationShare { location_id: location.into(), share };
    DemandResult {
        item_id: id.to_owned(),
        shares: vec![share("north", 0.25), share("south", 0.75)],
        paid_price_micros: 1_990_000,
        ..DemandResult::default()
    }
}

/// A worker's folder, and artifacts.
struct Bench {
    goldens: Goldens,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { goldens: Goldens::new(), folder: tempfile::tempdir().expect("a folder") }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("results/job-demand")
    }

    /// Writes what a database is loaded from.
    fn written(&self) -> Vec<ArtifactRef> {
        let shards = ITEMS.iter().enumerate().map(|(shard, items)| {
            let (store, name) = (&self.goldens.store, format!("demand-{shard:02}"));
            let mut writer = RecordsWriter::new(store, "job", "results", &name).expect("begins");
            for id in items {
                writer.push(id, &result(id)).expect("written");
            }
            writer.finish().expect("written")
        });
        shards.collect()
    }

    /// The database as a worker that has just started loads it.
    fn load(&self, artifacts: &ArtifactStore, written: &[ArtifactRef]) -> std::sync::Arc<Results> {
        let shards: Vec<_> = (0..).zip(written).collect();
        let store = ResultsStore::new(self.folder.path());
        store.load(artifacts, "job", "demand", &shards).expect("loads")
    }
}

fn check(results: &Results) {
    for id in ITEMS.as_flattened() {
        assert_eq!(results.get(id).expect("reads"), Some(result(id)), "{id}");
    }
    assert_eq!(results.get::<DemandResult>("1").expect("reads"), None);
    let all = results.after::<DemandResult>(0..4_096, "");
    let ids: Vec<String> = all.map(|one| one.expect("reads").item_id).collect();
    assert_eq!(ids, ITEMS.as_flattened());
}

#[test]
fn a_database_of_results() {
    let bench = Bench::new();
    if is_missing(GOLDEN) {
        let written = bench.written();
        let paths: Vec<&str> = written.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, LOADED, "as the golden file is to name them");
        drop(bench.load(&bench.goldens.store, &written));
        fs::write(path(GOLDEN), pack(&bench.database())).expect("written");
        fs::remove_dir_all(bench.database()).expect("removed");
    }
    unpack(&fs::read(path(GOLDEN)).expect("the golden file is there"), &bench.database());
    // There is nothing that it could be built from again.
    let written = LOADED.map(|path| ArtifactRef { path: path.to_owned(), bytes: 1 });
    check(&bench.load(&Goldens::new().store, &written));
}

#[test]
fn a_database_of_a_newer_release_is_set_aside_whole_and_built_again() {
    let bench = Bench::new();
    let written = bench.written();
    drop(bench.load(&bench.goldens.store, &written));
    let newer = b"\x03and what a later release says of it".as_slice();
    let stored = |folder: PathBuf| {
        let db = super::open_sled(&folder).expect("opens");
        let shard = [0xff, 0, 1];
        (db.clone(), db.get(shard).expect("reads"))
    };
    let (db, found) = stored(bench.database());
    assert_eq!(found.map(|value| value[0]), Some(2));
    db.insert([0xff, 0, 1], newer).expect("stored");
    db.flush().expect("stored");
    drop(db);
    check(&bench.load(&bench.goldens.store, &written));
    let (_, found) = stored(bench.folder.path().join("results/job-demand.set-aside"));
    assert_eq!(found.as_deref(), Some(newer));
}
