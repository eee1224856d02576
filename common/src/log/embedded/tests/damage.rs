//! Damage of every file: the start is refused by name and changes no byte, or everything is there;
//! and it is there once the damage is undone.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{fake_disk::Random, *};

/// Several commits a segment.
const SMALL: EmbeddedLogOptions = EmbeddedLogOptions {
    segment_bytes: 40_000,
    cache_bytes: 1,
    scrub_bytes_a_second: 0,
    reserve_bytes: 0,
};

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    for path in paths(folder) {
        let content = fs::read(&path).expect("readable");
        files.insert(path, content);
    }
    files
}

/// All files but the one that is locked.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("lock") {
                found.push(path);
            }
        }
    }
    found
}

/// Makes a folder hold these files, and no others.
fn put(folder: &Path, wanted: &Files) {
    for path in files(folder).keys().filter(|path| !wanted.contains_key(*path)) {
        fs::remove_file(path).expect("removed");
    }
    for (path, content) in wanted {
        fs::write(path, content).expect("written");
    }
}

/// What becomes of a file.
fn damages(content: &[u8], random: &mut Random) -> Vec<Option<Vec<u8>>> {
    let mut damages = vec![None, Some(Vec::new())];
    for length in [content.len() / 2, content.len().saturating_sub(1)] {
        damages.push(Some(content[..length].to_vec()));
    }
    let bits = content.len() as u64 * 8;
    let places = [0, 70, bits / 3, bits / 2, bits.saturating_sub(1), random.below(bits)];
    for bit in places.into_iter().filter(|bit| *bit < bits) {
        let mut flipped = content.to_vec();
        flipped[usize::try_from(bit / 8).expect("small")] ^= 1 << (bit % 8);
        damages.push(Some(flipped));
    }
    damages
}

/// All sections by shard, or where the log says that it is damaged.
async fn all(log: &EmbeddedLog) -> Result<Vec<Vec<(Sequence, Bytes)>>, LogError> {
    let trimmed = log.trimmed_through();
    let mut found = Vec::new();
    for shard in 0..2 {
        let mut cursor = cursor(log, shard, trimmed);
        let mut sections = Vec::new();
        while cursor.after < log.end() {
            let fetched = log.fetch(&[cursor], LOTS, Duration::ZERO).await?;
            let shard = &fetched.shards[0];
            sections.extend(shard.sections.iter().map(|it| (it.sequence, it.section.clone())));
            (cursor.after, cursor.epoch) = (shard.next, shard.epoch);
        }
        found.push(sections);
    }
    Ok(found)
}

/// Damages each file of a folder in turn. How many starts were refused, how many served with damage
/// that reading tells, and how many had everything.
async fn damage_each(folder: &TempDir, expected: &[Vec<(Sequence, Bytes)>]) -> [usize; 3] {
    let good = files(folder.path());
    let mut random = Random(7);
    let mut outcomes = [0; 3];
    for (path, content) in &good {
        for damage in damages(content, &mut random) {
            let mut bad = good.clone();
            match &damage {
                Some(content) => bad.insert(path.clone(), content.clone()),
                None => bad.remove(path),
            };
            put(folder.path(), &bad);
            let what = || {
                let length = damage.as_ref().map(Vec::len);
                format!("{} of {} bytes, now {length:?}", path.display(), content.len())
            };
            match try_open(folder, SMALL) {
                Err(error) => {
                    let text = error.to_string();
                    assert!(matches!(error, OpenError::Damaged { .. }), "{}: {text}", what());
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    let named = text.contains(&name) || text.contains("positions");
                    assert!(named, "{}: {text}", what());
                    assert_eq!(files(folder.path()), bad, "{}: {text}", what());
                    outcomes[0] += 1;
                }
                Ok(log) => match all(&log).await {
                    Err(LogError::Damaged { detail, .. }) => {
                        let name = path.file_name().expect("a name").to_string_lossy();
                        assert!(detail.contains(&*name), "{}: {detail}", what());
                        assert!(!log.health().notes.is_empty());
                        outcomes[1] += 1;
                    }
                    Err(error) => panic!("{}: {error}", what()),
                    Ok(found) => {
                        assert_eq!(found, expected, "{}", what());
                        outcomes[2] += 1;
                    }
                },
            }
            // What was written meanwhile stays, the damage is undone.
            let mut undone = files(folder.path());
            undone.insert(path.clone(), content.clone());
            put(folder.path(), &undone);
            let log = open(folder, SMALL);
            assert_eq!(all(&log).await.expect("readable"), expected, "{} undone", what());
            drop(log);
            put(folder.path(), &good);
        }
    }
    outcomes
}

/// Some segments of some commits, the first of them trimmed, with notes.
async fn filled(folder: &TempDir) -> EmbeddedLog {
    let log = open(folder, SMALL);
    for number in 0..30 {
        append(&log, &[(0, noise(number, 3_000)), (1, noise(number, 500))]).await;
        if number % 7 == 0 {
            let note = MetadataNote { changes: number, digest: 1 };
            log.note(note).await.expect("noted");
        }
    }
    assert!(log.trim(25).await.expect("trimmed") > 0);
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_file_after_an_orderly_stop() {
    let folder = folder();
    let log = filled(&folder).await;
    let expected = all(&log).await.expect("readable");
    drop(log);
    let outcomes = damage_each(&folder, &expected).await;
    assert!(outcomes.iter().all(|count| *count > 2), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_file_after_a_crash() {
    let folder = folder();
    let log = filled(&folder).await;
    let expected = all(&log).await.expect("readable");
    // As a killed process leaves it.
    let crashed = files(folder.path());
    drop(log);
    put(folder.path(), &crashed);
    let outcomes = damage_each(&folder, &expected).await;
    assert!(outcomes.iter().all(|count| *count > 2), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_empty_or_foreign_file_removes_nothing() {
    let folder = folder();
    let log = filled(&folder).await;
    let expected = all(&log).await.expect("readable");
    drop(log);
    let segments = folder.path().join("segments");
    for name in ["created", "00000000000000000099.log.new", "note.txt", "7.log"] {
        fs::write(segments.join(name), "something").expect("written");
    }
    fs::create_dir(segments.join("00000000000000000050")).expect("created");
    fs::write(segments.join("00000000000000000050/data"), "something").expect("written");
    let before = files(folder.path());
    let log = open(&folder, SMALL);
    assert_eq!(all(&log).await.expect("readable"), expected);
    let notes = log.health().notes.join("\n");
    for name in ["created", "note.txt", "7.log", "00000000000000000050"] {
        assert!(notes.contains(name), "{name} is named: {notes}");
    }
    drop(log);
    assert_eq!(files(folder.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_crash_tore_is_taken_off_and_kept() {
    for lost_end in [false, true] {
        let folder = folder();
        let log = open(&folder, UNCACHED);
        append(&log, &[(0, noise(1, 1_000))]).await;
        append(&log, &[(0, noise(2, 1_000)), (1, noise(3, 1_000))]).await;
        let crashed = files(folder.path());
        drop(log);
        put(folder.path(), &crashed);
        let path = folder.path().join("segments/00000000000000000001.log");
        let content = crashed[&path.canonicalize().expect("a path")].clone();
        let written = content.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
        // The last page of the last frame is not there.
        let mut torn = content.clone();
        torn[written - 900..written].fill(0);
        fs::write(&path, &torn).expect("written");
        if !lost_end {
            let error = try_open(&folder, UNCACHED).expect_err("was acknowledged").to_string();
            assert!(error.contains("acknowledged"), "{error}");
            assert_eq!(fs::read(&path).expect("read"), torn);
            let end = folder.path().join("end");
            super::position_file::write(&disk::MachineDisk, &end, 1).expect("written");
        } else {
            fs::remove_file(folder.path().join("end")).expect("removed");
        }
        let log = open(&folder, UNCACHED);
        assert_eq!(log.end(), 1);
        assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 1_000))]);
        assert_eq!(append(&log, &[(1, noise(4, 10))]).await, [2]);
        assert!(log.health().notes.iter().any(|note| note.contains("set-aside")), "is told");
        drop(log);
        let log = open(&folder, UNCACHED);
        assert_eq!(read(&log, 0, 0).await.len(), 1, "nothing of the torn one is left");
        assert_eq!(read(&log, 1, 0).await, [(2, noise(4, 10))]);
        let kept = folder.path().join("segments/00000000000000000001.set-aside");
        assert!(fs::read(kept).expect("kept").len() > 1_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_running_log_are_a_whole_prefix_or_refused() {
    let folder = folder();
    let log = Arc::new(open(
        &folder,
        EmbeddedLogOptions {
            segment_bytes: 200_000,
            cache_bytes: 1,
            scrub_bytes_a_second: 0,
            reserve_bytes: 0,
        },
    ));
    let writing = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            for number in 0..1_500 {
                append(&log, &[(0, noise(number, 2_000)), (1, noise(number, 50))]).await;
            }
        }
    });
    let mut opened = 0;
    for turn in 0..20_u64 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let copy = self::folder();
        // File by file, as tools do, in some order.
        let mut paths = paths(folder.path());
        paths.sort_by_key(|path| Random(turn ^ path.as_os_str().len() as u64).next());
        for path in paths {
            let target = copy.path().join(path.strip_prefix(folder.path()).expect("within"));
            fs::create_dir_all(target.parent().expect("a folder")).expect("created");
            let _ = fs::copy(&path, &target);
        }
        match try_open(&copy, UNCACHED) {
            Err(error) => assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
            Ok(copied) => {
                opened += 1;
                let end = copied.end();
                assert_eq!(end % 2, 0, "appends are whole");
                let expected: Vec<_> =
                    (0..end / 2).map(|number| (number * 2 + 1, noise(number, 2_000))).collect();
                assert_eq!(read(&copied, 0, 0).await, expected);
                let mark = Mark { epoch: log.epoch_at(end), position: end };
                assert!(copied.accepts(mark), "it knows the epoch that it was copied in");
                append(&copied, &[(0, noise(9, 10))]).await;
                let grown = Mark { position: end + 1, ..mark };
                assert!(!copied.accepts(grown), "but not what came after in the other");
            }
        }
    }
    writing.await.expect("written");
    assert!(opened > 3, "{opened} of 20 copies could be opened");
}
