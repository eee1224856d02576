//! What a newer release wrote is whole, however little of it is understood: the start is refused by
//! name, and not a byte changes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::*;
use crate::log::embedded::{
    frame::{FrameKind, HEADER, Header},
    position_file::{self, END},
    segment::{SEGMENT_HEADER, SegmentHeader},
    survey::survey,
};

/// A log of a few records that was closed in order, and its only segment.
async fn closed() -> (TempDir, PathBuf) {
    let folder = folder();
    let log = open(&folder, UNCACHED);
    for number in 0..3 {
        append(&log, &[(1, noise(number, 40))]).await;
    }
    drop(log);
    let mut segments = fs::read_dir(folder.path().join("segments")).expect("listed");
    let segment = segments.next().expect("one").expect("an entry").path();
    (folder, segment)
}

fn tree(folder: &TempDir) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [folder.path().to_owned(), folder.path().join("segments")] {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                found.insert(path.clone(), fs::read(path).expect("readable"));
            }
        }
    }
    found
}

fn refused(folder: &TempDir, part: &str) {
    let before = tree(folder);
    let errors = [
        try_open(folder, UNCACHED).expect_err("newer"),
        inspect(folder.path(), &mut |_, _| ()).expect_err("newer"),
        EmbeddedLog::stand(folder.path()).expect_err("newer"),
    ];
    for error in errors {
        assert!(matches!(error, OpenError::Newer { .. }), "{error}");
        let error = error.to_string();
        let told = error.contains(part) && error.contains("start that release");
        assert!(told && !error.contains("salvage"), "{error}");
    }
    assert_eq!(tree(folder), before);
}

/// Puts a frame after the last one of a segment, as a newer release would write it.
fn put_frame(folder: &TempDir, path: &Path, change: impl Fn(&mut [u8; HEADER])) {
    let found = survey(&disk::MachineDisk, folder.path()).expect("whole");
    let tail = found.tail.expect("a segment");
    let mut bytes = fs::read(path).expect("readable");
    let (segment, _) = SegmentHeader::decode(&bytes).expect("whole");
    let header =
        Header { previous: tail.checksum, ..Header::plain(FrameKind::Control, b"new", found.end) };
    let mut frame = header.encode(segment.seed);
    change(&mut frame);
    let checked = HEADER - 8;
    let checksum = xxh3_64_with_seed(&frame[..checked], segment.seed);
    frame[checked..].copy_from_slice(&checksum.to_le_bytes());
    bytes.truncate(usize::try_from(tail.end).expect("small"));
    bytes.extend(frame);
    bytes.extend(b"new");
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn a_last_frame_of_another_format_or_kind_is_not_torn() {
    for (place, value, told) in [(8, 2, "a frame has a format"), (9, 9, "a frame is of a kind")] {
        let (folder, path) = closed().await;
        put_frame(&folder, &path, |frame| frame[place] = value);
        refused(&folder, told);
        // Where it is not known how far the log was acknowledged, too.
        fs::remove_file(folder.path().join(END)).expect("removed");
        refused(&folder, told);
    }
    // One that is known is read, as far as it says anything.
    let (folder, path) = closed().await;
    put_frame(&folder, &path, |_| ());
    assert_eq!(open(&folder, UNCACHED).end(), 3);
}

#[tokio::test]
async fn a_torn_frame_before_one_of_another_format_is_damage() {
    let (folder, path) = closed().await;
    put_frame(&folder, &path, |_| ());
    let torn = survey(&disk::MachineDisk, folder.path()).expect("whole").tail.expect("a segment");
    let torn = usize::try_from(torn.end).expect("small") - 1;
    put_frame(&folder, &path, |frame| frame[8] = 2);
    let mut bytes = fs::read(&path).expect("readable");
    bytes[torn] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let error = try_open(&folder, UNCACHED).expect_err("damaged").to_string();
    assert!(error.contains("and a valid one follows"), "{error}");
    assert_eq!(fs::read(&path).expect("readable"), bytes);
}

#[tokio::test]
async fn a_segment_or_an_identity_of_another_format_is_named() {
    let (folder, path) = closed().await;
    let mut bytes = fs::read(&path).expect("readable");
    bytes[8] = 2;
    let checksum = xxh3_64(&bytes[..SEGMENT_HEADER - 8]);
    bytes[SEGMENT_HEADER - 8..SEGMENT_HEADER].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, bytes).expect("written");
    refused(&folder, ".log`: its format is not known");

    let (folder, _) = closed().await;
    let path = folder.path().join("identity");
    let mut bytes = fs::read(&path).expect("readable");
    bytes[8] = 3;
    let end = bytes.len() - 4;
    let crc = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).expect("written");
    refused(&folder, "`identity`: its format is not known");
    position_file::read(&disk::MachineDisk, &folder.path().join(END)).expect("still there");
}
