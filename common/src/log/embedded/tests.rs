use std::{fs, path::Path, sync::atomic::Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{embedded::Database, log::conformance};

/// Every commit begins a new segment.
const TINY: EmbeddedLogOptions = EmbeddedLogOptions { segment_bytes: 1, cache_bytes: 1 };
/// One segment; everything is read from disk.
const UNCACHED: EmbeddedLogOptions = EmbeddedLogOptions { segment_bytes: u64::MAX, cache_bytes: 1 };
const LOTS: usize = 64 << 20;

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn founding() -> Founding {
    Founding::new(4, "USD", "UTC")
}

fn open(folder: &TempDir, options: EmbeddedLogOptions) -> EmbeddedLog {
    EmbeddedLog::open(folder.path(), &founding(), options).expect("opens")
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Bytes {
    let words = (0..len as u64 / 8 + 1)
        .map(|word| xxhash_rust::xxh3::xxh3_64_with_seed(&word.to_le_bytes(), seed).to_le_bytes());
    Bytes::from(words.flatten().take(len).collect::<Vec<u8>>())
}

async fn append(log: &EmbeddedLog, sections: &[(ShardId, Bytes)]) -> Vec<Sequence> {
    log.append(sections.to_vec()).await.expect("appended").sequences
}

/// The sections of a shard after a position.
async fn read(log: &EmbeddedLog, shard: ShardId, after: Sequence) -> Vec<(Sequence, Bytes)> {
    let mut cursor = Cursor { shard, after, epoch: Epoch::NONE };
    let mut found = Vec::new();
    while cursor.after < log.end() {
        let fetched = log.fetch(&[cursor], LOTS, Duration::ZERO).await.expect("fetched");
        let [shard] = &fetched.shards[..] else { panic!("one cursor, one answer") };
        cursor.after = shard.next;
        found.extend(shard.sections.iter().map(|it| (it.sequence, it.section.clone())));
    }
    found
}

/// The database of the segment that begins at `first`.
fn database(folder: &Path, first: Sequence) -> Database {
    Database::open(&folder.join(format!("segments/{first:020}")), 1 << 20).expect("opens")
}

fn segments(folder: &TempDir) -> usize {
    fs::read_dir(folder.path().join("segments")).expect("readable").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folders = Mutex::new(Vec::new());
    let create = |options| {
        let folder = folder();
        let log = open(&folder, options);
        folders.lock().push(folder);
        Arc::new(log)
    };
    conformance::run(|| create(EmbeddedLogOptions::default())).await;
    conformance::run(|| create(UNCACHED)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_opening_again() {
    let folder = folder();
    let log = open(&folder, TINY);
    let incarnation = log.incarnation();
    assert_eq!(append(&log, &[(0, noise(1, 10)), (3, noise(2, 20))]).await, [1, 2]);
    assert_eq!(append(&log, &[(3, Bytes::new())]).await, [3]);
    drop(log);
    for end in 3..5 {
        let log = open(&folder, TINY);
        assert_eq!((log.end(), log.incarnation(), log.trimmed_through()), (end, incarnation, 0));
        assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 10))]);
        assert_eq!(read(&log, 3, 0).await[..2], [(2, noise(2, 20)), (3, Bytes::new())]);
        assert_eq!(append(&log, &[(3, noise(end, 5))]).await, [end + 1]);
    }
    assert_ne!(open(&self::folder(), TINY).incarnation(), incarnation);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_last_commit_is_removed() {
    // What a crash may leave of a commit of four parts.
    type Crash = fn(&Database, Vec<(sled::IVec, sled::IVec)>);
    let crashes: [Crash; 4] = [
        |db, parts| drop(db.remove(&parts[3].0).expect("removed")),
        |db, parts| drop(db.remove(&parts[0].0).expect("removed")),
        |db, parts| parts[..3].iter().for_each(|part| drop(db.remove(&part.0).expect("removed"))),
        |db, parts| {
            let mut bad = parts[2].1.to_vec();
            bad[100] ^= 1;
            drop(db.insert(&parts[2].0, bad).expect("changed"));
        },
    ];
    for crash in crashes {
        let folder = folder();
        let log = open(&folder, UNCACHED);
        append(&log, &[(0, noise(1, 100_000))]).await;
        append(&log, &[(0, noise(2, 100_000)), (1, noise(3, 100_000))]).await;
        drop(log);
        let db = database(folder.path(), 1);
        let parts: Vec<_> =
            db.scan_prefix(2_u64.to_be_bytes()).map(|item| item.expect("readable")).collect();
        assert_eq!(parts.len(), 4);
        crash(&db, parts);
        db.sync().expect("synced");
        drop(db);
        let error =
            EmbeddedLog::open(folder.path(), &founding(), UNCACHED).expect_err("was acknowledged");
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        Witness::open(folder.path()).expect("opens").write(1).expect("written");

        let log = open(&folder, UNCACHED);
        assert_eq!(log.end(), 1);
        assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 100_000))]);
        assert_eq!(append(&log, &[(1, noise(4, 10))]).await, [2]);
        drop(log);
        let log = open(&folder, UNCACHED);
        assert_eq!(read(&log, 0, 0).await.len(), 1, "nothing of the removed commit is left");
        assert_eq!(read(&log, 1, 0).await, [(2, noise(4, 10))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_elsewhere_is_reported_where_it_is() {
    let folder = folder();
    let log = open(&folder, UNCACHED);
    for number in 1..=5 {
        append(&log, &[(0, noise(number, 100))]).await;
    }
    drop(log);
    let db = database(folder.path(), 1);
    let key = |first| codec::Key { first, part: 0, parts: 1 }.encode();
    let mut bad = db.get(key(2)).expect("read").expect("stored").to_vec();
    *bad.last_mut().expect("not empty") ^= 0x80;
    db.insert(key(2), bad).expect("changed");
    db.remove(key(4)).expect("removed");
    db.sync().expect("synced");
    drop(db);

    let log = open(&folder, UNCACHED);
    assert_eq!(log.end(), 5);
    assert_eq!(append(&log, &[(0, noise(6, 100))]).await, [6]);
    for (after, expected) in [(0, Some(2)), (1, Some(2)), (2, Some(4)), (3, Some(4)), (4, None)] {
        let fetched = log
            .fetch(&[Cursor { shard: 0, after, epoch: Epoch::NONE }], LOTS, Duration::ZERO)
            .await;
        let found = fetched.err().map(|error| match error {
            LogError::Damaged { sequence, detail } => {
                assert!(detail.contains("segments/"), "names the folder: {detail}");
                sequence
            }
            other => panic!("{other}"),
        });
        assert_eq!(found, expected, "after {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_commit_before_a_torn_one_is_damage() {
    let folder = folder();
    let log = open(&folder, UNCACHED);
    for number in 1..=3 {
        append(&log, &[(0, noise(number, 100))]).await;
    }
    drop(log);
    let db = database(folder.path(), 1);
    let key = |first| codec::Key { first, part: 0, parts: 1 }.encode();
    db.remove(key(2)).expect("removed");
    db.insert(key(3), b"torn").expect("changed");
    db.sync().expect("synced");
    drop(db);
    fs::remove_file(folder.path().join("end")).expect("removed");
    let error = EmbeddedLog::open(folder.path(), &founding(), UNCACHED).expect_err("damaged");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_stay_in_the_file_that_is_synced() {
    let folder = folder();
    let log = open(&folder, EmbeddedLogOptions { segment_bytes: 96 << 20, cache_bytes: 1 });
    for number in 0..12 {
        append(&log, &[(0, noise(number, 7 << 20)), (1, noise(number, 5 << 20))]).await;
        append(&log, &[(2, noise(number, 60 << 10))]).await;
        append(&log, &[(2, noise(number, 100))]).await;
    }
    assert!(segments(&folder) > 1);
    for segment in fs::read_dir(folder.path().join("segments")).expect("readable") {
        let blobs = segment.expect("readable").path().join("blobs");
        assert_eq!(fs::read_dir(blobs).expect("readable").count(), 0);
    }
    assert_eq!(read(&log, 0, 0).await.len(), 12);
    assert_eq!(read(&log, 2, 0).await.len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_segments_are_trimmed() {
    let folder = folder();
    let log = open(&folder, TINY);
    for number in 0..5 {
        append(&log, &[(0, noise(number, 10)), (1, noise(number, 10))]).await;
    }
    assert_eq!((segments(&folder), log.end()), (5, 10));
    let before = log.disk_bytes();
    for (through, trimmed) in [(0, 0), (1, 0), (2, 2), (5, 4)] {
        assert_eq!(log.trim(through).await.expect("trimmed"), trimmed);
    }
    assert_eq!(segments(&folder), 3);
    assert!(log.disk_bytes() < before);
    assert_eq!(read(&log, 1, 4).await.len(), 3);
    let error =
        log.fetch(&[Cursor { shard: 1, after: 3, epoch: Epoch::NONE }], 1, Duration::ZERO).await;
    assert!(matches!(error, Err(LogError::Trimmed { shard: 1, after: 3, trimmed_through: 4 })));
    assert_eq!(log.trim(Sequence::MAX).await.expect("trimmed"), 8, "the active one stays");
    assert_eq!(append(&log, &[(0, noise(9, 10))]).await, [11]);
    drop(log);

    // What crashes may leave of a removal and of a creation.
    let unfinished = folder.path().join("segments");
    fs::create_dir(unfinished.join("00000000000000000001.trimmed")).expect("created");
    drop(Database::open(&unfinished.join("00000000000000000012"), 1 << 20).expect("created"));
    let log = open(&folder, TINY);
    assert_eq!((log.trimmed_through(), log.end(), segments(&folder)), (8, 11, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = folder();
    let log = open(&folder, TINY);
    let name = folder.path().canonicalize().expect("a path").display().to_string();
    let error =
        EmbeddedLog::open(folder.path(), &founding(), TINY).expect_err("in use").to_string();
    assert!(error.contains(&name) && error.contains("in use"), "{error}");
    append(&log, &[(0, noise(1, 10))]).await;
    drop(log);

    // sled would take this for an empty store.
    let db = folder.path().join("segments/00000000000000000001/db");
    let db = File::options().write(true).open(db).expect("opens");
    db.lock().expect("sled lets go of it");
    std::os::unix::fs::FileExt::write_all_at(&db, &[0x55; 40], 4).expect("written");
    drop(db);
    let error =
        EmbeddedLog::open(folder.path(), &founding(), TINY).expect_err("damaged").to_string();
    assert!(error.contains(&name) && error.contains("damaged"), "{error}");
    fs::remove_file(folder.path().join("identity")).expect("removed");
    let error =
        EmbeddedLog::open(folder.path(), &founding(), TINY).expect_err("damaged").to_string();
    assert!(error.contains(&name) && error.contains("identity"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_nothing_is_appended() {
    let folder = folder();
    let log = open(&folder, EmbeddedLogOptions::default());
    append(&log, &[(0, noise(1, 10))]).await;
    log.shared.fail_writes.store(true, Ordering::SeqCst);
    let sections = vec![(0, noise(2, 10))];
    for _ in 0..2 {
        let error = log.append(sections.clone()).await.expect_err("failed");
        assert!(matches!(error, LogError::Poisoned(_)), "{error}");
        log.shared.fail_writes.store(false, Ordering::SeqCst);
    }
    assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 10))]);
    drop(log);
    assert_eq!(append(&open(&folder, EmbeddedLogOptions::default()), &sections).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_keep_up_never_touch_the_disk() {
    let folder = folder();
    let log = open(&folder, EmbeddedLogOptions::default());
    for number in 0..100 {
        append(&log, &[(0, noise(number, 1_000))]).await;
        assert_eq!(read(&log, 0, number).await.len(), 1);
    }
    assert_eq!(read(&log, 0, 0).await.len(), 100);
    assert!(log.shared.decoded.lock().get(1).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_lag_do_not_starve_each_other() {
    let folder = folder();
    let log = open(&folder, EmbeddedLogOptions { cache_bytes: 4 << 20, ..UNCACHED });
    for number in 0..48 {
        append(&log, &[(0, noise(number, 500 << 10)), (1, noise(number, 500 << 10))]).await;
        append(&log, &[(2, noise(number, 10))]).await;
    }
    // Far behind, less far behind, and up to date.
    let mut cursors = [(0, 0), (1, 60), (2, log.end() - 2)].map(|(shard, after)| Cursor {
        shard,
        after,
        epoch: Epoch::NONE,
    });
    let fetched = log.fetch(&cursors, 1 << 20, Duration::ZERO).await.expect("fetched");
    for (cursor, shard) in cursors.iter_mut().zip(&fetched.shards) {
        assert!(!shard.sections.is_empty(), "shard {}", shard.shard);
        assert!(shard.next < log.end() || shard.shard == 2);
        cursor.after = shard.next;
    }
    let bytes: usize =
        fetched.shards.iter().flat_map(|shard| &shard.sections).map(|it| it.section.len()).sum();
    assert!(bytes <= (1 << 20));
    for (cursor, left) in cursors.into_iter().zip([48, 28, 1]) {
        let read = read(&log, cursor.shard, cursor.after).await;
        let taken = &fetched.shards[usize::from(cursor.shard)].sections;
        assert_eq!(read.len() + taken.len(), left, "shard {}", cursor.shard);
    }
}

/// What a user of the log does.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(ShardId, usize)>),
    Fetch { cursors: Vec<(ShardId, u64)>, max_bytes: usize },
    Trim(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let sections = prop::collection::vec((0..4_u16, 0..3_000_usize), 1..6);
    let cursors = prop::collection::vec((0..5_u16, 0..60_u64), 1..6);
    prop_oneof![
        8 => sections.prop_map(Step::Append),
        8 => (cursors, 0..8_000_usize)
            .prop_map(|(cursors, max_bytes)| Step::Fetch { cursors, max_bytes }),
        1 => (0..60_u64).prop_map(Step::Trim),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn behaves_like_a_list(steps in prop::collection::vec(step(), 1..25), tiny: bool) {
        let options = if tiny { TINY } else { UNCACHED };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = folder();
        let mut log = open(&folder, options);
        // All sections ever appended, at their position less one.
        let mut model: Vec<(ShardId, Bytes)> = Vec::new();
        for step in steps {
            let end = model.len() as u64;
            prop_assert_eq!(log.end(), end);
            match step {
                Step::Append(sizes) => {
                    let sections: Vec<(ShardId, Bytes)> = sizes
                        .into_iter()
                        .map(|(shard, len)| (shard, noise(end, len)))
                        .collect();
                    model.extend(sections.iter().cloned());
                    let expected: Vec<u64> = (end + 1..=model.len() as u64).collect();
                    prop_assert_eq!(runtime.block_on(append(&log, &sections)), expected);
                }
                Step::Fetch { cursors, max_bytes } => {
                    let trimmed = log.trimmed_through();
                    let cursors: Vec<Cursor> = cursors
                        .into_iter()
                        .map(|(shard, after)| Cursor {
                            shard,
                            after: after.max(trimmed).min(end),
                            epoch: Epoch::NONE,
                        })
                        .collect();
                    let fetched = runtime
                        .block_on(log.fetch(&cursors, max_bytes, Duration::ZERO))
                        .expect("fetched");
                    for (cursor, shard) in cursors.iter().zip(fetched.shards) {
                        let between = (1..).zip(&model).filter(|(at, (of, _))| {
                            *of == cursor.shard && *at > cursor.after && *at <= shard.next
                        });
                        let expected: Vec<(u64, Bytes)> =
                            between.map(|(at, (_, section))| (at, section.clone())).collect();
                        let found: Vec<(u64, Bytes)> =
                            shard.sections.into_iter().map(|it| (it.sequence, it.section)).collect();
                        let left = (1..).zip(&model).filter(|(at, (of, _))| {
                            *of == cursor.shard && *at > shard.next
                        });
                        prop_assert!(!found.is_empty() || left.count() == 0 || shard.next > cursor.after);
                        prop_assert_eq!(found, expected);
                        prop_assert!(shard.next >= cursor.after);
                    }
                }
                Step::Trim(through) => {
                    let trimmed = runtime.block_on(log.trim(through)).expect("trimmed");
                    prop_assert!(trimmed <= through || trimmed == log.trimmed_through());
                }
                Step::Reopen => {
                    let incarnation = log.incarnation();
                    drop(log);
                    log = open(&folder, options);
                    prop_assert_eq!(log.incarnation(), incarnation);
                }
            }
        }
    }
}
