use std::{collections::BTreeSet, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    slot::{Kind, compare},
};
use mercer_proto::internal::{
    DemandResult, KindResults, LocationShare, ModelSet, TrainingSpec, VersionManifest,
};
use proptest::prelude::*;

use super::{
    ItemTable, ItemTableWriter, OpenVersions, Records, RecordsWriter, VersionError,
    item_table::{KIND, Section},
    read_message, write_message,
};
use crate::training::tests::{
    Bench,
    shop::{Job, Shop, spec, write_cuts},
};

fn store() -> (tempfile::TempDir, ArtifactStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    (folder, store)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn finds_every_id_and_no_other(
        ids in prop::collection::btree_set("\\PC{1,12}", 0..300),
        strangers in prop::collection::vec("\\PC{0,12}", 0..50),
        shards in 1_usize..9,
    ) {
        let (_folder, store) = store();
        let mut writer = ItemTableWriter::default();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let paths = [vec![], vec!["a"], vec!["a", "b"]];
        let numbers: Vec<u32> =
            paths.iter().map(|path| writer.path(path.iter().copied())).collect();
        let mut bounds = vec![0];
        for shard in ids.chunks(ids.len().div_ceil(shards).max(1)) {
            for id in shard {
                writer.push(id, id.len() as u64, numbers[id.len() % 3]);
            }
            writer.end_shard();
            bounds.push(bounds[bounds.len() - 1] + shard.len() as u32);
        }
        let artifact = writer.finish(&store, "job", 7).expect("writes");
        let table = ItemTable::open(&store, &artifact).expect("opens");
        prop_assert_eq!((table.rows() as usize, table.as_of()), (ids.len(), 7));
        for (row, id) in (0..).zip(&ids) {
            prop_assert_eq!(table.row(id), Some(row));
            prop_assert_eq!(table.id(row), *id);
            let path: Vec<&str> = table.category_path(table.category(row)).collect();
            prop_assert_eq!(&path, &paths[id.len() % 3]);
        }
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        for stranger in strangers.iter().filter(|one| !known.contains(one.as_str())) {
            prop_assert_eq!(table.row(stranger), None);
        }
        for (shard, bounds) in (0..).zip(bounds.windows(2)) {
            prop_assert_eq!(table.shard_rows(shard), bounds[0]..bounds[1]);
        }
        prop_assert!(table.shard_rows(60).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn records_come_back_by_place_and_by_id(
        ids in prop::collection::btree_set("\\PC{1,12}", 0..200),
        strangers in prop::collection::vec("\\PC{0,12}", 0..50),
    ) {
        let (_folder, store) = store();
        let mut ids: Vec<String> = ids.into_iter().collect();
        ids.sort_by(|left, right| compare(Kind::Item, left, right));
        let share = |id: &str| LocationShare { location_id: id.repeat(id.len() % 3), share: 0.5 };
        let mut writer = RecordsWriter::new(&store, "job", "results", "00").expect("begins");
        for id in &ids {
            writer.push(id, &share(id)).expect("written");
        }
        let artifact = writer.finish().expect("finished");
        let records = Records::open(&store, &artifact).expect("opens");
        prop_assert_eq!(records.len(), ids.len());
        for (index, id) in ids.iter().enumerate() {
            prop_assert_eq!(records.id(index), id);
            prop_assert_eq!(records.find(id), Some(index));
            prop_assert_eq!(records.decode::<LocationShare>(index).expect("a share"), share(id));
        }
        for stranger in strangers.iter().filter(|one| !ids.contains(one)) {
            prop_assert_eq!(records.find(stranger), None);
        }
    }
}

#[test]
fn records_out_of_order_and_other_kinds_are_refused() {
    let (_folder, store) = store();
    let mut ids = vec!["a", "b", "c"];
    ids.sort_by(|left, right| compare(Kind::Item, right, left));
    let mut writer = RecordsWriter::new(&store, "job", "results", "00").expect("begins");
    for id in ids {
        writer.push(id, &LocationShare::default()).expect("written");
    }
    let artifact = writer.finish().expect("finished");
    let error = Records::open(&store, &artifact).expect_err("out of order");
    assert!(error.to_string().contains("out of order"), "{error}");
    let share = LocationShare { location_id: "x".into(), share: 1.0 };
    let mut writer = RecordsWriter::new(&store, "job", "results", "01").expect("begins");
    writer.push("item", &share).expect("written");
    let golden = writer.finish().expect("finished");
    assert_eq!(golden.path, "jobs/job/results/01-6fee125d42fbabf3", "the format does not change");
    let message = write_message(&store, "job", "pool", "00", &share).expect("written");
    assert_eq!(read_message::<LocationShare>(&store, &message).expect("reads"), share);
    let error = Records::open(&store, &message).expect_err("a message");
    assert!(matches!(error, ArtifactError::Layout { .. }), "{error}");
}

#[test]
fn a_version_of_results_alone_opens_and_keeps_what_others_share() {
    let (_folder, store) = store();
    let versions = OpenVersions::new(store.clone(), store.folder());
    let demand = |job: &str| {
        let mut writer = RecordsWriter::new(&store, job, "results", "00").expect("begins");
        let result = DemandResult { item_id: "item".into(), ..DemandResult::default() };
        writer.push("item", &result).expect("written");
        let pool = LocationShare::default();
        KindResults {
            kind: "demand".into(),
            job_id: job.to_owned(),
            results: vec![writer.finish().expect("finished")],
            pool: Some(write_message(&store, job, "pool", "00", &pool).expect("written")),
            ..KindResults::default()
        }
    };
    let manifest = |version: &str, kinds: Vec<KindResults>| VersionManifest {
        version: version.to_owned(),
        kinds,
        ..VersionManifest::default()
    };
    let (old, new) = (demand("old"), demand("new"));
    let folder = |job: &str| store.folder().join(format!("results/{job}-demand"));

    versions.prepare(manifest("v1", vec![old.clone()]), &[0]).expect("opens");
    assert!(versions.newest_models("v1").expect("open").is_none(), "as before the first training");
    let open = versions.named("v1").expect("open").expect("named");
    let results = open.results_of(0).expect("loaded");
    assert!(results.demand("item").expect("reads").expect("trained").0.is_some());
    assert!(results.demand("other").expect("reads").expect("trained").0.is_none());
    assert!(results.elasticity("item").expect("reads").is_none());
    assert!(matches!(open.results_of(1), Err(VersionError::Gone { .. })), "not held then");
    versions.prepare(manifest("v2", vec![old.clone()]), &[0]).expect("shares");
    versions.prepare(manifest("v3", vec![new.clone()]), &[0]).expect("opens");
    versions.retire("v1");
    assert!(folder("old").exists(), "v2 needs it");
    versions.retire("v2");
    assert!(folder("old").exists(), "an answer under way reads it");
    drop(open);
    assert!(!folder("old").exists() && folder("new").exists());

    // At a start only what the present versions need is there afterwards.
    drop(versions);
    let versions = OpenVersions::new(store.clone(), store.folder());
    versions.replace(vec![manifest("v1", vec![old])], &[0]).expect("opens");
    assert!(folder("old").exists() && !folder("new").exists());

    for (kinds, told) in [
        (vec![], "no results"),
        (vec![KindResults { pool: None, ..new.clone() }], "no pool of demand"),
        (vec![KindResults { results: vec![], ..new.clone() }], "no demand of shard 0"),
        (vec![KindResults { kind: "weather".into(), ..new }], "`weather` is no kind"),
    ] {
        let error = versions.prepare(manifest("v9", kinds), &[0]).expect_err("incomplete");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_table_whose_parts_disagree_is_refused() {
    let sections = |spoiled: Option<Section>| {
        let (_folder, store) = store();
        let spoiled = spoiled.map(|section| section as usize);
        let mut writer = store.writer("job", "dictionary", "00", KIND).expect("a writer");
        let wide: [(usize, &[u64]); 4] = [
            (Section::Facts as usize, &[7]),
            (Section::IdOffsets as usize, &[0, 1]),
            (Section::Index as usize, &[1, 0]),
            (Section::Popularity as usize, &[3]),
        ];
        let narrow: [(usize, &[u32]); 6] = [
            (Section::ShardRows as usize, &[0, 1]),
            (Section::Ranks as usize, &[0]),
            (Section::RowsByRank as usize, &[0]),
            (Section::Categories as usize, &[0]),
            (Section::PathLevels as usize, &[0, 1]),
            (Section::LevelOffsets as usize, &[0, 1]),
        ];
        for section in 0..=Section::Popularity as usize {
            let is_spoiled = spoiled == Some(section);
            if let Some((_, values)) = wide.iter().find(|(number, _)| *number == section) {
                let values: &[u64] = if is_spoiled { &[5, 9, 3] } else { values };
                writer.section(values).expect("writes");
            } else if let Some((_, values)) = narrow.iter().find(|(number, _)| *number == section) {
                let values: &[u32] = if is_spoiled { &[9] } else { values };
                writer.section(values).expect("writes");
            } else {
                let text: &[u8] = if is_spoiled { &[0xff] } else { b"x" };
                writer.section(text).expect("writes");
            }
        }
        let artifact = writer.finish().expect("finishes");
        ItemTable::open(&store, &artifact).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(sections(None), Ok(()));
    let all = [
        Section::Facts,
        Section::IdOffsets,
        Section::IdBytes,
        Section::ShardRows,
        Section::Index,
        Section::Ranks,
        Section::RowsByRank,
        Section::Categories,
        Section::PathLevels,
        Section::LevelOffsets,
        Section::LevelBytes,
        Section::Popularity,
    ];
    for section in all {
        let error = sections(Some(section)).expect_err("refused");
        assert!(error.contains("are inconsistent"), "{section:?}: {error}");
    }
}

#[tokio::test]
async fn versions_open_once_grow_with_the_shards_and_close() {
    let bench = Bench::new(1);
    write_cuts(&Shop::random(21, 10, 20, 100).states(3), "job", &bench.store);
    let mut job = Job::new("job", spec(3), &bench.runner);
    job.run().await.expect("trains");
    let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
    let named = |name: &str| {
        let models = versions.models(name, "p3");
        models.map(|models| models.expect("trained"))
    };

    versions.prepare(job.manifest("v1"), &[0]).expect("opens");
    let first = named("v1").expect("open");
    versions.prepare(job.manifest("v1"), &[0]).expect("is open");
    assert!(Arc::ptr_eq(&first, &named("v1").expect("open")));
    assert!(first.model("p3").expect("trained").postings(2).is_none());
    versions.prepare(job.manifest("v1"), &[0, 2]).expect("opens more");
    assert!(named("v1").expect("open").model("p3").expect("trained").postings(2).is_some());
    let missing = versions.models("v1", "popular").expect_err("not trained");
    assert!(matches!(missing, VersionError::NoAlgorithm { .. }));

    versions.replace(vec![job.manifest("v2")], &[0]).expect("opens");
    assert!(matches!(named("v1"), Err(VersionError::Gone { .. })));
    named("v2").expect("open");
    versions.retire("v2");
    versions.retire("v2");
    assert!(matches!(named("v2"), Err(VersionError::Gone { .. })));
    assert!(versions.named("").expect("before the first training").is_none());

    let mut incomplete = job.manifest("v3");
    incomplete.model_sets[0].models[0].postings.truncate(1);
    let refused = versions.prepare(incomplete, &[2]);
    assert!(matches!(refused, Err(VersionError::Manifest { .. })), "{refused:?}");
}

#[tokio::test]
async fn versions_share_what_a_job_trained_and_the_newest_serves() {
    let bench = Bench::new(1);
    let states = Shop::random(22, 10, 20, 100).states(2);
    let mut trained = Vec::new();
    for (job, algorithms) in [("old", vec!["item-cosine", "p3"]), ("new", vec!["p3"])] {
        write_cuts(&states, job, &bench.store);
        let algorithms = algorithms.into_iter().map(String::from).collect();
        let spec = TrainingSpec { algorithms, ..spec(2) };
        let mut job = Job::new(job, spec, &bench.runner);
        job.run().await.expect("trains");
        trained.extend(job.manifest("v").model_sets);
    }
    let [old, new] = <[_; 2]>::try_from(trained).expect("two sets");
    let manifest = |version: &str, model_sets: &[&ModelSet]| VersionManifest {
        version: version.to_owned(),
        model_sets: model_sets.iter().map(|&set| set.clone()).collect(),
        ..VersionManifest::default()
    };
    let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
    versions.prepare(manifest("v1", &[&old]), &[0, 1]).expect("opens");
    versions.prepare(manifest("v2", &[&new, &old]), &[0, 1]).expect("opens");
    let models = |version: &str, algorithm: &str| {
        versions.models(version, algorithm).expect("trained").expect("open")
    };
    let shared = models("v1", "item-cosine");
    assert!(Arc::ptr_eq(&shared, &models("v1", "p3")));
    assert!(Arc::ptr_eq(&shared, &models("v2", "item-cosine")), "opened once");
    assert!(!Arc::ptr_eq(&shared, &models("v2", "p3")), "the newest serves");
    let newest = versions.newest_models("v2").expect("open").expect("trained");
    assert!(Arc::ptr_eq(&newest, &models("v2", "p3")));
    // Back to the older version, after a start too.
    versions.retire("v2");
    assert!(Arc::ptr_eq(&shared, &models("v1", "p3")));
    versions.replace(vec![manifest("v2", &[&new, &old])], &[1]).expect("opens");
    assert!(models("v2", "item-cosine").model("p3").is_some(), "a set is whole");

    let mut wrong = new.clone();
    wrong.item_table = None;
    let refused = versions.prepare(manifest("v3", &[&wrong]), &[0]).expect_err("incomplete");
    assert!(refused.to_string().contains("no item table"), "{refused}");
}
