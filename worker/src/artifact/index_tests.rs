//! Every number in a file by which something else is found is looked at when the file is opened.

use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{cast_slice, pod_read_unaligned};
use mercer_algorithms::{
    linalg::sparse::CsrBuf,
    recommend::{postings::PostingsBuf, sequences::SequencesBuf},
};
use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::LocationShare;
use proptest::{prelude::*, sample::Index};

use super::{item_table::File as Table, postings::ShardPostings, *};

/// A section of numbers that are indexes.
struct Column {
    section: usize,
    /// Bytes of a number.
    width: usize,
    /// No number of it may be as great as this.
    limit: u64,
}

fn narrow(section: usize, limit: usize) -> Column {
    Column { section, width: 4, limit: limit as u64 }
}

fn wide(section: usize, limit: usize) -> Column {
    Column { section, width: 8, limit: limit as u64 }
}

/// Opens a file and lets go of it.
type Open = fn(&ArtifactStore, &ArtifactRef) -> Result<(), ArtifactError>;

/// A file, how it is opened, and its columns.
struct Case {
    file: ArtifactRef,
    open: Open,
    columns: Vec<Column>,
}

/// One file of each kind that serving or training maps.
fn cases(store: &ArtifactStore) -> Vec<Case> {
    let mut table = ItemTableWriter::default();
    let paths = [vec![], vec!["a"], vec!["a", "bc"]];
    let numbers: Vec<u32> = paths.iter().map(|path| table.path(path.iter().copied())).collect();
    for (id, number) in [("p", 0), ("qq", 1), ("rrr", 2)] {
        table.push(id, 3, numbers[number]);
    }
    table.end_shard();
    let table = table.finish(store, "job", 7).expect("written");

    let postings = PostingsBuf {
        offsets: vec![0, 2, 2, 3],
        candidates: vec![0, 3, 1],
        weights: vec![1.0, 0.5, 0.25],
        items: 4,
    };
    let postings = write_postings(store, "job", "a", 0, &postings).expect("written");

    let mut rows = CsrBuf::new(true);
    rows.push_row(&mut [(0, 1.0), (4, 2.0)]);
    rows.push_row(&mut [(3, 0.5)]);
    let columns = write_item_users(store, "job", "a", 5, &[rows.clone()]).expect("written");
    let view = rows.view(5).expect("sound");
    let users = write_user_rows(store, "job", "b", view, ["ann", "bo"].into_iter());
    let users = users.expect("written");

    let mut run = SequencesBuf::default();
    for (item, time) in [(0, 1), (2, 4)] {
        run.push(item, time, 5, 2.0);
        run.close_user();
    }
    let sequences = write_sequences(store, "job", "a", 3, &[run]).expect("written");

    let mut ids = vec!["a", "b", "c"];
    ids.sort_by(|left, right| {
        mercer_common::slot::compare(mercer_common::slot::Subject::Item, left, right)
    });
    let mut records = RecordsWriter::new(store, "job", "results", "00").expect("begins");
    for id in ids {
        let share = LocationShare { location_id: "x".into(), share: 1.0 };
        records.push(id, &share).expect("written");
    }
    let records = records.finish().expect("finished");

    let case = |file, open: Open, columns| Case { file, open, columns };
    vec![
        case(
            table,
            |store, file| ItemTable::open(store, file).map(drop),
            vec![
                wide(Table::ID_OFFSETS.index(), 7),
                narrow(Table::SHARD_ROWS.index(), 4),
                wide(Table::INDEX.index(), 4),
                narrow(Table::RANKS.index(), 3),
                narrow(Table::ROWS_BY_RANK.index(), 3),
                narrow(Table::CATEGORIES.index(), 3),
                narrow(Table::PATH_LEVELS.index(), 4),
                narrow(Table::LEVEL_OFFSETS.index(), 5),
            ],
        ),
        case(
            postings,
            |store, file| ShardPostings::open(store, file, 0, 4, 3).map(drop),
            vec![wide(1, 4), narrow(2, 4)],
        ),
        case(
            columns,
            |store, file| ItemUsers::open(store, file, 2).map(drop),
            vec![wide(1, 4), narrow(2, 5)],
        ),
        case(
            users,
            |store, file| UserRows::open(store, file, 5).map(drop),
            vec![wide(1, 4), narrow(2, 5), wide(4, 6)],
        ),
        case(
            sequences,
            |store, file| UserSequences::open(store, file, 3).map(drop),
            vec![wide(1, 3), narrow(2, 3)],
        ),
        case(
            records,
            |store, file| Records::open(store, file).map(drop),
            vec![wide(1, 31), wide(3, 4)],
        ),
    ]
}

/// The file with one number of a column replaced.
fn spoiled(
    store: &ArtifactStore,
    file: &ArtifactRef,
    column: &Column,
    place: Index,
    value: u64,
) -> ArtifactRef {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let open = store.open_artifact(file).expect("sound");
    let mut sections: Vec<Vec<u8>> = (0..open.sections())
        .map(|section| open.section::<u8>(section).expect("bytes").to_vec())
        .collect();
    let bytes = &mut sections[column.section];
    let number = place.index(bytes.len() / column.width) * column.width;
    let number = &mut bytes[number..][..column.width];
    match column.width {
        4 => {
            let sound = u64::from(pod_read_unaligned::<u32>(number));
            assert!(sound < column.limit, "a column of indexes");
            number.copy_from_slice(&(value as u32).to_le_bytes());
        }
        _ => number.copy_from_slice(cast_slice(&[value])),
    }
    let sections: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
    let name = format!("s{}", NAMES.fetch_add(1, Ordering::Relaxed));
    store.put("spoiled", "phase", &name, open.kind(), &sections).expect("written")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_index_out_of_range_is_refused_in_every_column(
        place in any::<Index>(),
        beyond in prop_oneof![Just(0_u64), 1..9_u64, any::<u32>().prop_map(u64::from)],
        is_huge in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        for Case { file, open, columns } in cases(&store) {
            open(&store, &file).expect("sound as written");
            for column in &columns {
                let most = if column.width == 4 { u64::from(u32::MAX) } else { u64::MAX };
                let value = if is_huge { most } else { (column.limit + beyond).min(most) };
                let file = spoiled(&store, &file, column, place, value);
                let opened = open(&store, &file);
                prop_assert!(
                    matches!(opened, Err(ArtifactError::Layout { .. })),
                    "section {} of {} with {}: {:?}", column.section, file.path, value, opened
                );
            }
        }
    }
}
