//! The embedded log: what it keeps, what it refuses, and what it survives.

mod copy;
mod damage;
mod fake_disk;
mod full;
mod golden;
mod newer;
mod power_cut;
mod reserve;
mod salvage;

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::log::{Founding, conformance};

/// Every commit begins a new segment.
const TINY: EmbeddedLogOptions = EmbeddedLogOptions {
    segment_bytes: 1,
    cache_bytes: 1,
    scrub_bytes_a_second: 0,
    reserve_bytes: 0,
};
/// One segment; everything is read from disk.
const UNCACHED: EmbeddedLogOptions = EmbeddedLogOptions {
    segment_bytes: u64::MAX,
    cache_bytes: 1,
    scrub_bytes_a_second: 0,
    reserve_bytes: 0,
};
const LOTS: usize = 64 << 20;

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn founding() -> Founding {
    Founding::new(4, "USD", "UTC")
}

fn open(folder: &TempDir, options: EmbeddedLogOptions) -> EmbeddedLog {
    try_open(folder, options).expect("opens")
}

fn try_open(folder: &TempDir, options: EmbeddedLogOptions) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::open(folder.path(), &founding(), options)
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(len);
    for _ in 0..len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push((state >> 32) as u8);
    }
    bytes.into()
}

async fn append(log: &EmbeddedLog, sections: &[(ShardId, Bytes)]) -> Vec<Sequence> {
    log.append(sections.to_vec()).await.expect("appended").sequences
}

fn cursor(log: &EmbeddedLog, shard: ShardId, after: Sequence) -> Cursor {
    Cursor { shard, after, epoch: log.epoch_at(after) }
}

/// Everything of a shard after a position.
async fn read(log: &EmbeddedLog, shard: ShardId, after: Sequence) -> Vec<(Sequence, Bytes)> {
    let mut cursor = cursor(log, shard, after);
    let mut found = Vec::new();
    while cursor.after < log.end() {
        let fetched = log.fetch(&[cursor], LOTS, Duration::ZERO).await.expect("fetched");
        let shard = &fetched.shards[0];
        assert!(shard.next > cursor.after, "stuck at position {}", cursor.after);
        found.extend(shard.sections.iter().map(|it| (it.sequence, it.section.clone())));
        (cursor.after, cursor.epoch) = (shard.next, shard.epoch);
    }
    found
}

fn segments(folder: &TempDir) -> Vec<String> {
    let listed = fs::read_dir(folder.path().join("segments")).expect("readable");
    let names = listed.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name")).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    for options in [EmbeddedLogOptions::default(), UNCACHED, TINY] {
        let folders = Mutex::new(Vec::new());
        conformance::run(|| {
            let folder = folder();
            let log = open(&folder, options);
            folders.lock().push(folder);
            Arc::new(log)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_opening_again() {
    for options in [EmbeddedLogOptions::default(), UNCACHED, TINY] {
        let folder = folder();
        let log = open(&folder, options);
        let identity = log.identity().clone();
        for number in 0..10 {
            append(&log, &[(0, noise(number, 1_000)), (1, noise(number, 10))]).await;
        }
        let (end, before, time) = (log.end(), read(&log, 0, 0).await, log.log_time_ms());
        drop(log);
        for _ in 0..3 {
            let log = open(&folder, options);
            assert_eq!((log.end(), log.identity(), log.trimmed_through()), (end, &identity, 0));
            assert_eq!(read(&log, 0, 0).await, before);
            assert!(log.log_time_ms() >= time);
        }
        let log = open(&folder, options);
        assert_eq!(append(&log, &[(0, noise(11, 10))]).await, [end + 1]);
        assert_ne!(open(&self::folder(), TINY).incarnation(), identity.incarnation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_that_of_the_open_that_wrote() {
    let folder = folder();
    let mut epochs = vec![Epoch::NONE];
    for round in 1..=3 {
        // Opening alone begins none.
        drop(open(&folder, UNCACHED));
        let log = open(&folder, UNCACHED);
        append(&log, &[(0, noise(round, 10)), (0, noise(round, 11))]).await;
        epochs.push(log.epoch_at(log.end()));
        for (index, epoch) in epochs.iter().enumerate() {
            let position = index as u64 * 2;
            assert_eq!(log.epoch_at(position), *epoch, "after round {round}");
            assert!(log.accepts(Mark { epoch: *epoch, position }));
            assert!(!log.accepts(Mark { epoch: *epoch, position: position + 1 }) || position == 0);
        }
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 4, "each is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_of_metadata_are_kept() {
    for options in [UNCACHED, TINY] {
        let folder = folder();
        let log = open(&folder, options);
        assert_eq!(log.noted(), None);
        let note = |changes| MetadataNote { changes, digest: u128::from(changes) << 70 };
        for changes in 1..=5 {
            log.note(note(changes)).await.expect("noted");
            append(&log, &[(0, noise(changes, 10))]).await;
        }
        drop(log);
        let log = open(&folder, options);
        assert_eq!((log.noted(), log.end()), (Some(note(5)), 5));
        log.note(note(6)).await.expect("noted");
        drop(log);
        let log = open(&folder, options);
        assert_eq!((log.noted(), log.end()), (Some(note(6)), 5));
        assert_eq!(read(&log, 0, 0).await.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_segments_are_trimmed() {
    let folder = folder();
    let log = open(&folder, TINY);
    for number in 0..5 {
        append(&log, &[(0, noise(number, 10)), (1, noise(number, 10))]).await;
    }
    assert_eq!((segments(&folder).len(), log.end()), (5, 10));
    let before = log.disk_bytes();
    for (through, trimmed) in [(0, 0), (1, 0), (2, 2), (5, 4)] {
        assert_eq!(log.trim(through).await.expect("trimmed"), trimmed);
    }
    assert_eq!(segments(&folder).len(), 3);
    assert!(log.disk_bytes() < before);
    assert_eq!(read(&log, 1, 4).await.len(), 3);
    let error = log.fetch(&[cursor(&log, 1, 3)], 1, Duration::ZERO).await;
    assert!(matches!(error, Err(LogError::Trimmed { shard: 1, after: 3, trimmed_through: 4 })));
    let kept = folder.path().join("segments/00000000000000000005.log");
    let copy = fs::read(&kept).expect("read");
    assert_eq!(log.trim(Sequence::MAX).await.expect("trimmed"), 8, "the active one stays");
    assert_eq!(append(&log, &[(0, noise(9, 10))]).await, [11]);
    drop(log);

    // A crash came before the last file was removed.
    fs::write(&kept, copy).expect("written");
    let log = open(&folder, TINY);
    assert_eq!((log.trimmed_through(), log.end(), segments(&folder).len()), (8, 11, 2));
    assert_eq!(read(&log, 0, 8).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_named() {
    let folder = folder();
    let _log = open(&folder, TINY);
    let name = folder.path().canonicalize().expect("a path").display().to_string();
    let error = try_open(&folder, TINY).expect_err("in use").to_string();
    assert!(error.contains(&name) && error.contains("in use"), "{error}");
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
    assert!(log.shared.runs.lock().get(0, 100).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_without_a_section_of_the_shards_asked_for_are_not_read() {
    let folder = folder();
    let log = open(&folder, UNCACHED);
    append(&log, &[(0, noise(0, 100))]).await;
    for number in 0..40 {
        append(&log, &[(1, noise(number, 10_000))]).await;
    }
    append(&log, &[(0, noise(1, 100)), (1, noise(1, 10))]).await;
    let found = read(&log, 0, 0).await;
    assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 42]);
    assert_eq!(read(&log, 2, 0).await, []);
    let read_ones = log.shared.runs.lock().len();
    assert!(
        read_ones <= 2,
        "{read_ones} runs were read for one section each in the first and last"
    );
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
    let mut cursors =
        [(0, 0), (1, 60), (2, log.end() - 2)].map(|(shard, after)| cursor(&log, shard, after));
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
enum Action {
    Append(Vec<(ShardId, usize)>),
    Fetch { cursors: Vec<(ShardId, u64)>, max_bytes: usize },
    Trim(u64),
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    let sections = prop::collection::vec((0..4_u16, 0..3_000_usize), 1..6);
    let cursors = prop::collection::vec((0..5_u16, 0..60_u64), 1..6);
    prop_oneof![
        8 => sections.prop_map(Action::Append),
        8 => (cursors, 0..8_000_usize)
            .prop_map(|(cursors, max_bytes)| Action::Fetch { cursors, max_bytes }),
        1 => (0..60_u64).prop_map(Action::Trim),
        1 => Just(Action::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_like_a_list(steps in prop::collection::vec(action(), 1..40), segment_bytes in 1..60_000_u64) {
        let options = EmbeddedLogOptions { segment_bytes, cache_bytes: 1, scrub_bytes_a_second: 0, reserve_bytes: 0 };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = folder();
        let mut log = open(&folder, options);
        // All sections ever appended, at their position less one.
        let mut model: Vec<(ShardId, Bytes)> = Vec::new();
        for step in steps {
            let end = model.len() as u64;
            prop_assert_eq!(log.end(), end);
            match step {
                Action::Append(sizes) => {
                    let sections: Vec<(ShardId, Bytes)> = sizes
                        .into_iter()
                        .map(|(shard, len)| (shard, noise(end, len)))
                        .collect();
                    model.extend(sections.iter().cloned());
                    let expected: Vec<u64> = (end + 1..=model.len() as u64).collect();
                    prop_assert_eq!(runtime.block_on(append(&log, &sections)), expected);
                }
                Action::Fetch { cursors, max_bytes } => {
                    let trimmed = log.trimmed_through();
                    let cursors: Vec<Cursor> = cursors
                        .into_iter()
                        .map(|(shard, after)| cursor(&log, shard, after.max(trimmed).min(end)))
                        .collect();
                    let fetched = runtime
                        .block_on(log.fetch(&cursors, max_bytes, Duration::ZERO))
                        .expect("fetched");
                    let sections = fetched.shards.iter().flat_map(|shard| &shard.sections);
                    let sizes: Vec<usize> = sections.map(|it| it.section.len()).collect();
                    prop_assert!(sizes.iter().sum::<usize>() <= max_bytes || sizes.len() == 1);
                    let mut nobody_lags_before = true;
                    for (cursor, shard) in cursors.iter().zip(fetched.shards) {
                        let of_shard = || {
                            (1..).zip(&model).filter(|(at, (of, _))| {
                                *of == cursor.shard && *at > cursor.after
                            })
                        };
                        let expected: Vec<(u64, Bytes)> = of_shard()
                            .filter(|(at, _)| *at <= shard.next)
                            .map(|(at, (_, section))| (at, section.clone()))
                            .collect();
                        let found: Vec<(u64, Bytes)> =
                            shard.sections.into_iter().map(|it| (it.sequence, it.section)).collect();
                        prop_assert_eq!(found, expected);
                        prop_assert!(shard.next >= cursor.after);
                        if of_shard().next().is_some() {
                            prop_assert!(shard.next > cursor.after || !nobody_lags_before);
                            nobody_lags_before = false;
                        }
                    }
                }
                Action::Trim(through) => {
                    let trimmed = runtime.block_on(log.trim(through)).expect("trimmed");
                    prop_assert!(trimmed <= through || trimmed == log.trimmed_through());
                }
                Action::Reopen => {
                    let incarnation = log.incarnation();
                    drop(log);
                    log = open(&folder, options);
                    prop_assert_eq!(log.incarnation(), incarnation);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_stored_and_not_published_yet_is_not_read() {
    for options in [UNCACHED, TINY] {
        let folder = folder();
        let log = open(&folder, options);
        for number in 0..10 {
            append(&log, &[(0, noise(number, 100))]).await;
        }
        // As if the last five had only just been written.
        let cursors = [0, 1].map(|shard| cursor(&log, shard, 0));
        let mut collector = Collector::new(&cursors, LOTS);
        log.shared.collect_stored(&mut collector, LOTS, 5).expect("read");
        let fetched = collector.finish(5, 0, &log.shared.epochs.read());
        assert_eq!(fetched.shards[0].sections.len(), 5);
        assert!(fetched.shards.iter().all(|shard| shard.next <= 5), "{fetched:?}");
    }
}
