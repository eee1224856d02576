use std::collections::BTreeSet;

use mercer_common::artifact::ArtifactStore;
use proptest::prelude::*;

use super::{
    ItemTable, ItemTableWriter, OpenVersions, VersionError,
    item_table::{KIND, Section},
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

#[test]
fn a_table_whose_parts_disagree_is_refused() {
    let sections = |spoiled: Option<Section>| {
        let (_folder, store) = store();
        let spoiled = spoiled.map(|section| section as usize);
        let mut writer = store.writer("job", "dictionary", "00", KIND).expect("a writer");
        let wide: [(usize, &[u64]); 3] = [
            (Section::Facts as usize, &[7]),
            (Section::IdOffsets as usize, &[0, 1]),
            (Section::Index as usize, &[1, 0]),
        ];
        let narrow: [(usize, &[u32]); 6] = [
            (Section::ShardRows as usize, &[0, 1]),
            (Section::Ranks as usize, &[0]),
            (Section::RowsByRank as usize, &[0]),
            (Section::Categories as usize, &[0]),
            (Section::PathLevels as usize, &[0, 1]),
            (Section::LevelOffsets as usize, &[0, 1]),
        ];
        for section in 0..=Section::LevelBytes as usize {
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
        let version = versions.neighbours(name);
        version.map(|neighbours| neighbours.expect("trained"))
    };

    versions.prepare(job.manifest("v1"), &[0]).expect("opens");
    let first = named("v1").expect("open");
    versions.prepare(job.manifest("v1"), &[0]).expect("is open");
    assert!(std::sync::Arc::ptr_eq(&first, &named("v1").expect("open")));
    assert!(first.algorithm("p3").expect("trained").shard(2).is_none());
    versions.prepare(job.manifest("v1"), &[0, 2]).expect("opens more");
    assert!(named("v1").expect("open").algorithm("p3").expect("trained").shard(2).is_some());
    let missing = first.algorithm("popular").expect_err("not trained");
    assert!(matches!(missing, VersionError::NoAlgorithm { .. }));

    versions.replace(vec![job.manifest("v2")], &[0]).expect("opens");
    assert!(matches!(named("v1"), Err(VersionError::Gone { .. })));
    named("v2").expect("open");
    versions.retire("v2");
    versions.retire("v2");
    assert!(matches!(named("v2"), Err(VersionError::Gone { .. })));
    assert!(versions.named("").expect("before the first training").is_none());

    let mut incomplete = job.manifest("v3");
    incomplete.algorithms[0].postings.truncate(1);
    let refused = versions.prepare(incomplete, &[2]);
    assert!(matches!(refused, Err(VersionError::Manifest { .. })), "{refused:?}");
}
