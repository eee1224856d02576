//! Logs of before are converted whole, or not at all.

use std::{cell::RefCell, collections::BTreeMap};

use tempfile::TempDir;

use super::*;
use crate::{
    log::{
        Cursor, Epoch, EventLog as _, Founding, Mark,
        embedded::{
            EmbeddedLog, EmbeddedLogOptions, LogFolder,
            disk::MachineDisk,
            position_file::{self, END},
        },
    },
    slot::ShardId,
};

const INCARNATION: u64 = 0x0123_4567_89ab_cdef;

fn sections(number: u64) -> Vec<(ShardId, Bytes)> {
    // `append_time_ms`, field 1 of a section, as a varint.
    let time = 1_700_000_000_000_u64 + number;
    let mut stamp = vec![8];
    let mut left = time;
    while left >= 128 {
        stamp.push(u8::try_from(left % 128).expect("small") | 128);
        left /= 128;
    }
    stamp.push(u8::try_from(left).expect("small"));
    let large = usize::try_from(number % 3).expect("small") * 70_000;
    let body: Vec<u8> = (0..large).map(|at| ((at as u64 * (number + 7)) >> 3) as u8).collect();
    // Field 31 as bytes holds the rest.
    let mut long = stamp.clone();
    if large > 0 {
        long.extend([0xfa, 0x01]);
        let mut length = body.len();
        while length >= 128 {
            long.push(u8::try_from(length % 128).expect("small") | 128);
            length /= 128;
        }
        long.push(u8::try_from(length).expect("small"));
        long.extend(body);
    }
    vec![(0, Bytes::from(long)), (1, Bytes::from(stamp))]
}

/// A log as the version before wrote it: three segments of some commits.
fn old_log(folder: &Path, first_segment: u64) {
    let identity = [
        b"MERCERLG".as_slice(),
        &[1, 0, 0, 0],
        &INCARNATION.to_le_bytes(),
        &[0x0e, 0xdb, 0xee, 0x03],
    ];
    fs::create_dir_all(folder.join("segments")).expect("created");
    fs::write(folder.join("identity"), identity.concat()).expect("written");
    let mut compressor = codec::compressor().expect("zstd");
    for segment in first_segment..3 {
        let first = segment * 20 + 1;
        let path = folder.join("segments").join(format!("{first:020}"));
        let db = Database::open(&path, 1 << 20).expect("created");
        for number in segment * 10..(segment + 1) * 10 {
            let commit = Commit::new(number * 2 + 1, sections(number));
            let encoded = codec::encode(&mut compressor, &commit).expect("encoded");
            for (key, part) in codec::parts(commit.first(), &encoded).expect("parts") {
                db.insert(key, part).expect("written");
            }
        }
        db.sync().expect("synced");
        fs::write(path.join("created"), "").expect("written");
    }
    position_file::write(&MachineDisk, &folder.join(END), 60).expect("written");
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.clone(), fs::read(&path).expect("readable"));
        }
    }
    found
}

fn open(data: &TempDir) -> Result<EmbeddedLog, OpenError> {
    open_telling(data, &|_, _| ())
}

fn open_telling(data: &TempDir, tell: &dyn Fn(usize, usize)) -> Result<EmbeddedLog, OpenError> {
    let drawn = Founding::new(4, "USD", "UTC");
    let founding = Founding { item_visit_key: 1, ..drawn };
    let options = EmbeddedLogOptions::default();
    EmbeddedLog::open_telling(&data.path().join("log"), &founding, options, tell)
}

async fn check(log: &EmbeddedLog, first_segment: u64) {
    assert_eq!((log.incarnation(), log.end()), (INCARNATION, 60));
    assert_eq!(log.trimmed_through(), first_segment * 20);
    assert!(log.log_time_ms() >= 1_700_000_000_029, "goes on where append times ended");
    assert!(log.accepts(Mark { epoch: Epoch::NONE, position: 60 }), "without epochs it counts");
    for shard in 0..2 {
        let mut cursor = Cursor { shard, after: first_segment * 20, epoch: Epoch::NONE };
        let mut found = Vec::new();
        while cursor.after < 60 {
            let fetched = log.fetch(&[cursor], 1 << 20, std::time::Duration::ZERO).await;
            let shard = fetched.expect("fetched").shards.remove(0);
            cursor.after = shard.next;
            found.extend(shard.sections.into_iter().map(|one| (one.sequence, one.section)));
        }
        let expected = (first_segment * 10..30).map(|number| {
            let (_, section) = sections(number).swap_remove(usize::from(shard));
            (number * 2 + 1 + u64::from(shard), section)
        });
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn converted_at_the_first_start() {
    for first_segment in [0, 1] {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join("log");
        old_log(&folder, first_segment);
        // The empty file that told a whole segment from one that was never used is no matter any
        // more.
        let marker = folder.join(format!("segments/{:020}/created", first_segment * 20 + 1));
        fs::remove_file(marker).expect("removed");
        let before = files(&folder);
        let told = RefCell::new(Vec::new());
        let log = open_telling(&data, &|segment, of| told.borrow_mut().push((segment, of)))
            .expect("converted");
        let segments = usize::try_from(3 - first_segment).expect("small");
        let each: Vec<_> = (1..=segments).map(|segment| (segment, segments)).collect();
        assert_eq!(told.into_inner(), each);
        check(&log, first_segment).await;
        let sections = vec![(0, Bytes::from_static(b"later"))];
        assert_eq!(log.append(sections).await.expect("appended").sequences, [61]);
        drop(log);
        let moved = files(&data.path().join("log.old"));
        let moved: Vec<_> = moved.into_values().collect();
        assert_eq!(
            moved,
            before.into_values().collect::<Vec<_>>(),
            "the old one is kept as it was"
        );
        assert_eq!(open(&data).expect("opens").end(), 61);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_conversion_goes_on() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("log");
    old_log(&folder, 0);
    // As a crash leaves it after the first segment, in the middle of the second.
    let whole = tempfile::tempdir().expect("a folder");
    old_log(&whole.path().join("log"), 0);
    let founding = open(&whole).expect("converted").identity().founding.clone();
    // Founded alike, as the second conversion is, but for the key that is drawn.
    let new = data.path().join("log.new");
    fs::create_dir_all(new.join("segments")).expect("created");
    for name in ["identity", "segments/00000000000000000001.log"] {
        fs::copy(whole.path().join("log").join(name), new.join(name)).expect("copied");
    }
    let second = "segments/00000000000000000021.log";
    let content = fs::read(whole.path().join("log").join(second)).expect("read");
    fs::write(new.join(second), &content[..content.len() / 2]).expect("written");
    fs::create_dir(new.join("copy")).expect("created");
    let log = open(&data).expect("converted");
    check(&log, 0).await;
    assert_eq!(log.identity().founding, founding, "it was begun anew");
    drop(log);

    // Between the last two steps.
    fs::rename(&folder, data.path().join("log.new")).expect("renamed");
    assert!(matches!(EmbeddedLog::look(&folder), Ok(LogFolder::Founded(_))));
    check(&open(&data).expect("goes on"), 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_refuses_the_conversion_and_changes_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("log");
    old_log(&folder, 0);
    let good = files(&folder);
    for segment in [1, 21, 41] {
        let db = folder.join(format!("segments/{segment:020}/db"));
        let content = good[&db].clone();
        for place in [40, content.len() / 3] {
            let mut bad = content.clone();
            bad[place] ^= 0x10;
            fs::write(&db, &bad).expect("written");
            let before = files(&folder);
            match open(&data) {
                Err(OpenError::Damaged { .. }) => {
                    assert_eq!(files(&folder), before, "byte {place} of segment {segment}");
                }
                Err(error) => panic!("{error}"),
                Ok(log) => {
                    // sled does not look at that byte.
                    check(&log, 0).await;
                    drop(log);
                    fs::remove_dir_all(&folder).expect("removed");
                    fs::rename(data.path().join("log.old"), &folder).expect("renamed");
                }
            }
            fs::write(&db, &content).expect("mended");
        }
    }
    fs::remove_dir_all(folder.join("segments/00000000000000000021")).expect("removed");
    let error = open(&data).expect_err("a segment is missing").to_string();
    assert!(error.contains("positions 21 to 40 are missing"), "{error}");
    old_log(&folder, 0);
    check(&open(&data).expect("converted"), 0).await;
}
