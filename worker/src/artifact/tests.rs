use std::collections::BTreeSet;

use bytemuck::Pod;
use mercer_common::{
    artifact::{ArtifactError, ArtifactStore, Section, SectionWriter},
    slot::{Subject, compare},
};
use mercer_proto::internal::LocationShare;
use proptest::prelude::*;

use super::{
    ItemTable, ItemTableWriter, Records, RecordsWriter, item_table::File, read_message,
    write_message,
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
        ids.sort_by(|left, right| compare(Subject::Item, left, right));
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
    ids.sort_by(|left, right| compare(Subject::Item, right, left));
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

/// Writes the table of one item with one section that does not fit the others.
struct Spoilt {
    writer: SectionWriter,
    /// Place of that section.
    section: Option<usize>,
}

impl Spoilt {
    fn write<T: Pod>(&mut self, section: Section<T>, sound: &[T], spoilt: &[T]) {
        let values = if self.section == Some(section.index()) { spoilt } else { sound };
        self.writer.write(section, values).expect("written");
    }
}

#[test]
fn a_table_whose_parts_disagree_is_refused() {
    let open = |section: Option<usize>| {
        let (_folder, store) = store();
        let writer = File::LAYOUT.writer(&store, "job", "dictionary", "00").expect("a writer");
        let mut table = Spoilt { writer, section };
        let wide = &[5, 9, 3];
        table.write(File::FACTS, &[7], wide);
        table.write(File::ID_OFFSETS, &[0, 1], wide);
        table.write(File::ID_BYTES, b"x", &[0xff]);
        table.write(File::SHARD_ROWS, &[0, 1], &[9]);
        table.write(File::INDEX, &[1, 0], wide);
        table.write(File::RANKS, &[0], &[9]);
        table.write(File::ROWS_BY_RANK, &[0], &[9]);
        table.write(File::CATEGORIES, &[0], &[9]);
        table.write(File::PATH_LEVELS, &[0, 1], &[9]);
        table.write(File::LEVEL_OFFSETS, &[0, 1], &[9]);
        table.write(File::LEVEL_BYTES, b"x", &[0xff]);
        table.write(File::POPULARITY, &[3], wide);
        let artifact = table.writer.finish().expect("finishes");
        ItemTable::open(&store, &artifact).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(open(None), Ok(()));
    for section in 0..=File::POPULARITY.index() {
        let error = open(Some(section)).expect_err("refused");
        assert!(error.contains("are inconsistent"), "{section}: {error}");
    }
}
