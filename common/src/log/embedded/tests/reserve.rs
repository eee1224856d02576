//! Space that is held back: what it is for, and that it is never in the way.

use std::path::{Path, PathBuf};

use super::{
    fake_disk::{FOLDER, FakeDisk, Operation, open_on},
    *,
};
use crate::log::embedded::disk::Disk as _;

const RESERVED: u64 = 100_000;
/// So large that the reserve is not too large a part of it.
const CAPACITY: u64 = 4_000_000;
const OPTIONS: EmbeddedLogOptions = EmbeddedLogOptions { reserve_bytes: RESERVED, ..UNCACHED };

fn reserve() -> PathBuf {
    Path::new(FOLDER).join("reserve")
}

/// Bytes of the reserve, if there is one.
fn reserved(disk: &FakeDisk) -> Option<usize> {
    disk.files().get(&reserve()).map(Vec::len)
}

/// A file of another program that leaves so many bytes free.
fn fill(disk: &FakeDisk, free: u64) {
    let other = disk.create(Path::new("/shop/other")).expect("created");
    other.allocate(CAPACITY - disk.used() - free).expect("there is space");
}

fn note(changes: u64) -> MetadataNote {
    MetadataNote { changes, digest: changes.into() }
}

/// Appends until the disk is full; how many were stored.
async fn append_until_full(log: &EmbeddedLog, first: u64) -> u64 {
    for number in first.. {
        match log.append(vec![(0, noise(number, 9_000))]).await {
            Ok(_) => assert!(number < 1_000, "the disk is never full"),
            Err(LogError::Unconfirmed) => return number - first,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("numbers do not end")
}

async fn append_at_last(log: &EmbeddedLog, section: Bytes) -> Sequence {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match log.append(vec![(0, section.clone())]).await {
            Ok(appended) => return appended.sequences[0],
            Err(LogError::Stopped(_)) => assert!(Instant::now() < deadline, "it stays stopped"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_notes_and_the_end_still_fit_and_appends_do_not() {
    let disk = FakeDisk::default();
    disk.limit(CAPACITY);
    let log = open_on(&disk, OPTIONS).expect("opens");
    assert_eq!(reserved(&disk), Some(100_000));
    let bytes = log.disk_bytes();
    append(&log, &[(0, noise(1, 10))]).await;
    assert!(log.disk_bytes() - bytes < RESERVED, "it is no part of the log");
    fill(&disk, 500_000);
    let stored = 1 + append_until_full(&log, 2).await;
    assert_eq!(reserved(&disk), Some(0), "it is given up");
    let stopped = log.health().stopped.expect("is told");
    assert!(stopped.contains("no space left") && stopped.contains("1 MiB are free"), "{stopped}");
    // However often it is tried: nothing but notes gets what was held back.
    for changes in 1..=10 {
        log.note(note(changes)).await.expect("fits");
        let refused = log.append(vec![(0, noise(0, 10))]).await;
        assert!(matches!(refused, Err(LogError::Stopped(_))), "{refused:?}");
    }
    assert_eq!(read(&log, 0, 0).await.len() as u64, stored);
    drop(log);

    // The next start knows that the disk was full, as long as it is.
    let log = open_on(&disk, OPTIONS).expect("opens");
    assert_eq!((log.end(), log.noted()), (stored, Some(note(10))));
    let refused = log.append(vec![(0, noise(0, 10))]).await;
    assert!(matches!(refused, Err(LogError::Stopped(_))), "{refused:?}");
    log.note(note(11)).await.expect("fits");
    assert_eq!((reserved(&disk), log.health().notes), (Some(0), Vec::new()));

    disk.remove(Path::new("/shop/other")).expect("there");
    assert_eq!(append_at_last(&log, noise(2, 10)).await, stored + 1);
    assert_eq!((reserved(&disk), log.health().stopped), (Some(100_000), None));
    drop(log);
    let log = open_on(&disk, OPTIONS).expect("opens");
    assert_eq!((log.end(), log.noted()), (stored + 1, Some(note(11))));
    assert_eq!(log.health(), LogHealth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_meets_the_full_disk_is_stored_too() {
    let disk = FakeDisk::default();
    disk.limit(CAPACITY);
    let log = open_on(&disk, OPTIONS).expect("opens");
    append(&log, &[(0, noise(1, 10))]).await;
    fill(&disk, 0);
    let mut changes = 0;
    // Space that was reserved ahead takes some.
    while reserved(&disk) != Some(0) {
        changes += 1;
        assert!(changes < 100_000, "the disk is never full");
        log.note(note(changes)).await.expect("fits");
    }
    assert_eq!(log.noted(), Some(note(changes)));
    drop(log);
    assert_eq!(open_on(&disk, OPTIONS).expect("opens").noted(), Some(note(changes)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_fits() {
    let disk = FakeDisk::default();
    disk.limit(CAPACITY);
    let log = open_on(&disk, OPTIONS).expect("opens");
    append(&log, &[(0, noise(1, 10))]).await;
    // The segment has no space left of its own.
    let segment = Path::new(FOLDER).join("segments/00000000000000000001.log");
    let used = log.disk_bytes();
    let file = disk.open_writable(&segment).expect("there");
    file.truncate(used).and_then(|()| file.sync()).expect("cut");
    fill(&disk, 0);
    drop(log);
    assert_eq!(reserved(&disk), Some(0), "it was needed");
    let found = survey::survey(&disk, Path::new(FOLDER)).expect("whole");
    assert!(found.tail.is_some_and(|tail| tail.closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_in_its_place_it_is_made_again() {
    let disk = FakeDisk::default();
    disk.limit(CAPACITY);
    let open = || open_on(&disk, OPTIONS).expect("opens");
    drop(open());
    for length in [1, 99_999, 300_000] {
        let file = disk.create(&reserve()).expect("created");
        file.write_at(&noise(length, length as usize), 0).expect("written");
        drop(open());
        assert_eq!(reserved(&disk), Some(100_000), "{length} bytes");
    }
    disk.remove(&reserve()).expect("there");
    drop(open());
    assert_eq!(reserved(&disk), Some(100_000));
    // A twentieth of a small file system; where none is wanted it is left alone.
    disk.limit(1_000_000);
    drop(open());
    assert_eq!(reserved(&disk), Some(50_000));
    drop(open_on(&disk, UNCACHED).expect("opens"));
    assert_eq!(reserved(&disk), Some(50_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reserve_the_log_opens_and_says_so() {
    for operation in [Operation::Allocate, Operation::Create] {
        let disk = FakeDisk::default();
        drop(open_on(&disk, UNCACHED).expect("creates"));
        disk.fail(operation, std::io::ErrorKind::Other);
        let log = open_on(&disk, OPTIONS).expect("opens");
        let notes = log.health().notes;
        assert!(notes.iter().any(|note| note.contains("`reserve` is not there")), "{notes:?}");
        disk.heal();
        append(&log, &[(0, noise(1, 10))]).await;
        drop(log);
        assert_eq!(open_on(&disk, OPTIONS).expect("opens").health(), LogHealth::default());
    }
    // Too little space for it is no reason either, and what was never held is no full disk.
    let disk = FakeDisk::default();
    disk.limit(CAPACITY);
    drop(open_on(&disk, UNCACHED).expect("creates"));
    fill(&disk, RESERVED);
    let log = open_on(&disk, OPTIONS).expect("opens");
    let notes = log.health().notes;
    assert!(notes.iter().any(|note| note.contains("must be free for it")), "{notes:?}");
    append(&log, &[(0, noise(1, 10))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_this_machine_it_is_allocated_also_where_a_copy_left_a_hole() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = folder();
    let options = EmbeddedLogOptions { reserve_bytes: 1 << 20, ..UNCACHED };
    let path = folder.path().join("reserve");
    let allocated = || fs::metadata(&path).expect("there").blocks() * 512;
    let log = open(&folder, options);
    assert!(log.health().notes.is_empty(), "{:?}", log.health());
    assert!(allocated() >= 1 << 20, "{} bytes", allocated());
    append(&log, &[(0, noise(1, 10))]).await;
    drop(log);
    fs::remove_file(&path).expect("removed");
    fs::File::create(&path).and_then(|file| file.set_len(1 << 20)).expect("a hole");
    assert_eq!(allocated(), 0);
    let log = open(&folder, options);
    assert!(allocated() >= 1 << 20);
    // Copies of the log are without it, and a folder in its place does no harm.
    let copy = folder.path().join("copy");
    log.copy_to(&copy).expect("copied");
    assert!(!copy.join("reserve").exists());
    drop(log);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("created");
    let log = open(&folder, options);
    assert_eq!(log.end(), 1);
    assert!(log.health().notes.iter().any(|note| note.contains("`reserve`")), "{:?}", log.health());
}
