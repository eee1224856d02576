use std::{fs, path::Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const GOLDEN_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/artifact.bin");
const GOLDEN_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/artifact_2.bin");

fn store() -> (TempDir, ArtifactStore) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    (folder, store)
}

/// The files below a folder, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().expect("named").to_string_lossy().into_owned());
        }
    }
    found
}

fn write_example(store: &ArtifactStore) -> ArtifactRef {
    let mut writer = store.writer("job", "rows", "p3-00", "example").expect("begins");
    writer.section(&[1_u32, 2, 3]).expect("written");
    writer.section::<f64>(&[]).expect("written");
    writer.begin_section().expect("begun");
    writer.append(&[1.5_f64]).expect("written");
    writer.append(&[-2.5_f64]).expect("written");
    writer.finish().expect("finished")
}

#[test]
fn the_format_does_not_change() {
    let (_folder, store) = store();
    let artifact = write_example(&store);
    let written = fs::read(store.folder().join(&artifact.path)).expect("readable");
    let golden = fs::read(GOLDEN_2).expect("the golden file is committed");
    assert_eq!(written, golden);
    assert_eq!(artifact.path, "jobs/job/rows/p3-00-17934a0b45e59d36");
}

/// The example as format 1 had it.
fn example_of_before(store: &ArtifactStore) -> ArtifactRef {
    let golden = fs::read(GOLDEN_1).expect("the golden file is committed");
    let path = "jobs/job/rows/p3-00-2eded1025998ee66".to_owned();
    fs::create_dir_all(store.folder().join("jobs/job/rows")).expect("created");
    fs::write(store.folder().join(&path), &golden).expect("written");
    ArtifactRef { path, bytes: golden.len() as u64 }
}

#[test]
fn sections_come_back_as_written() {
    for (write, resident_bytes) in [
        (write_example as fn(&ArtifactStore) -> ArtifactRef, 0),
        (write_example, 1 << 20),
        (example_of_before, 0),
        (example_of_before, 1 << 20),
    ] {
        let (_folder, store) = store();
        let store = store.with_resident_bytes(resident_bytes);
        let artifact = write(&store);
        assert_eq!(store.find("job", "rows", "p3-00").expect("found"), Some(artifact.clone()));
        assert_eq!(store.find("job", "rows", "00").expect("found"), None);
        assert_eq!(store.list().expect("listed"), std::slice::from_ref(&artifact));
        check_example(&store, &artifact);
    }
}

fn check_example(store: &ArtifactStore, artifact: &ArtifactRef) {
    let opened = store.open_artifact(artifact).expect("opens");
    assert_eq!((opened.kind(), opened.sections()), ("example", 3));
    assert_eq!(opened.bytes(), artifact.bytes);
    assert_eq!(opened.section::<u32>(0).expect("numbers"), [1, 2, 3]);
    assert_eq!(opened.section::<u64>(1).expect("empty"), [0; 0]);
    assert_eq!(opened.section::<f64>(2).expect("floats"), [1.5, -2.5]);
    assert_eq!(opened.section::<u8>(2).expect("bytes").as_ptr() as usize % 64, 0);
    assert!(matches!(opened.section::<u64>(0), Err(ArtifactError::Layout { .. })));
    assert!(matches!(opened.section::<u8>(3), Err(ArtifactError::Layout { .. })));
    assert!(matches!(opened.expect_kind("postings"), Err(ArtifactError::Layout { .. })));
}

#[test]
fn the_same_work_gives_the_same_file_and_other_bytes_fail() {
    let (_folder, store) = store();
    let first = store.put("job", "cut", "00", "k", &[b"abc"]).expect("written");
    assert_eq!(store.put("job", "cut", "00", "k", &[b"abc"]).expect("the same"), first);
    let error = store.put("job", "cut", "00", "k", &[b"abd"]).expect_err("other bytes");
    assert!(matches!(error, ArtifactError::Nondeterministic { .. }), "{error}");
    // The same bytes in other sections are another file, too.
    let error = store.put("job", "cut", "00", "k", &[b"ab", b"c"]).expect_err("other sections");
    assert!(matches!(error, ArtifactError::Nondeterministic { .. }), "{error}");
    assert_eq!(store.list().expect("listed"), [first]);
    assert_eq!(files(store.folder()).len(), 1, "nothing unfinished stays");
}

#[test]
fn an_unfinished_artifact_is_invisible_and_leaves_nothing() {
    let (_folder, store) = store();
    let mut writer = store.writer("job", "cut", "00", "k").expect("begins");
    writer.section(&[1_u8]).expect("written");
    assert_eq!(store.find("job", "cut", "00").expect("found"), None);
    assert_eq!(store.list().expect("listed"), []);
    drop(writer);
    assert_eq!(files(store.folder()), [""; 0]);
}

#[test]
fn files_that_are_set_aside_are_no_job_s() {
    let (_folder, store) = store();
    for aside in ["job.set-aside", "job.set-aside-2"] {
        assert_eq!(store.set_aside_job("job").expect("none"), None);
        store.put("job", "cut", "00", "k", &[b"abc"]).expect("written");
        let aside = store.folder().join(aside);
        assert_eq!(store.set_aside_job("job").expect("moved"), Some(aside.clone()));
        assert_eq!(files(&aside).len(), 1);
        assert_eq!(store.find("job", "cut", "00").expect("looked for"), None);
        assert_eq!(
            (store.list().expect("listed"), store.jobs().expect("listed")),
            (vec![], vec![])
        );
    }
}

#[test]
fn removal_keeps_what_is_open() {
    let (_folder, store) = store();
    let first = store.put("job", "cut", "00", "k", &[b"abc"]).expect("written");
    let second = store.put("job", "rows", "00", "k", &[b"def"]).expect("written");
    let third = store.put("other", "rows", "00", "k", &[b"def"]).expect("written");
    let open = store.open_artifact(&first).expect("opens");
    // What is not Mercer's stays where it is.
    let foreign = store.folder().join("jobs/job/cut/notes");
    fs::create_dir(&foreign).expect("created");
    store.remove_job_phase("job", "cut").expect("removed");
    assert!(foreign.exists());
    fs::remove_dir(&foreign).expect("removed");
    store.remove_job_phase("job", "cut").expect("nothing to remove");
    assert_eq!(open.section::<u8>(0).expect("bytes"), b"abc");
    store.remove(&second).expect("removed");
    store.remove(&second).expect("nothing to remove");
    assert_eq!(store.list().expect("listed"), [third]);
    assert!(!store.folder().join("jobs/job").exists());
    drop(open);
    assert!(matches!(store.open_artifact(&first), Err(ArtifactError::Missing { .. })));
}

#[test]
fn paths_cannot_leave_the_store() {
    let (_folder, store) = store();
    for name in ["", "..", "a/b", ".hidden", "a\\b", "ä"] {
        assert!(matches!(store.put("job", "cut", name, "k", &[]), Err(ArtifactError::Name { .. })));
    }
    let hash = "0123456789abcdef";
    for path in ["", "/etc/passwd", &format!("jobs/../../x-{hash}"), "jobs/job/cut/00"] {
        let artifact = ArtifactRef { path: path.to_owned(), bytes: 0 };
        assert!(matches!(store.open_artifact(&artifact), Err(ArtifactError::Name { .. })));
        assert!(matches!(store.remove(&artifact), Err(ArtifactError::Name { .. })));
    }
}

#[test]
fn a_file_of_a_newer_release_is_named_and_left() {
    let (_folder, store) = store();
    let artifact = write_example(&store);
    let path = store.folder().join(&artifact.path);
    let mut newer = fs::read(&path).expect("readable");
    newer[8..12].copy_from_slice(&3_u32.to_le_bytes());
    let end = newer.len() - 16;
    newer[end..end + 8].copy_from_slice(b"3ARECREM");
    fs::write(&path, &newer).expect("written");
    let error = store.open_artifact(&artifact).expect_err("newer");
    assert!(matches!(error, ArtifactError::Newer { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains(&*path.to_string_lossy()), "{error}");
    assert!(error.contains("it is of format 3, and format 2 is the newest"), "{error}");
    assert_eq!(fs::read(&path).expect("readable"), newer);

    let put = |kind: &str| {
        let written = store.put("job", "norms", kind, kind, &[&[0; 4]]).expect("written");
        store.open_artifact(&written).expect("opens")
    };
    let error = put("norms-12").expect_kind("norms-2").expect_err("newer").to_string();
    assert!(error.contains("it is of kind `norms-12`, and `norms-2` is the newest"), "{error}");
    for (found, read) in [("norms-1", "norms-2"), ("rows-3", "norms-2"), ("cut", "norms-2")] {
        let error = put(found).expect_kind(read).expect_err("of another kind");
        assert!(matches!(error, ArtifactError::Layout { .. }), "{error}");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    for (write, resident_bytes) in [
        (write_example as fn(&ArtifactStore) -> ArtifactRef, 0),
        (write_example, 1 << 20),
        (example_of_before, 0),
    ] {
        let (_folder, store) = store();
        let store = store.with_resident_bytes(resident_bytes);
        let artifact = write(&store);
        let path = store.folder().join(&artifact.path);
        let good = fs::read(&path).expect("readable");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).expect("written");
            let error = store.open_artifact(&artifact).expect_err("damaged");
            assert!(matches!(error, ArtifactError::Damaged { .. }), "bit {bit}: {error}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).expect("written");
            let found = ArtifactRef { bytes: length as u64, ..artifact.clone() };
            for artifact in [&artifact, &found] {
                let error = store.open_artifact(artifact).expect_err("cut short");
                assert!(matches!(error, ArtifactError::Damaged { .. }), "{length} bytes: {error}");
            }
        }
        fs::write(&path, &good).expect("written");
        store.open_artifact(&artifact).expect("whole again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_do_not_matter(
        sections in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..200), 0..8),
        piece in 1_usize..50,
        // Long enough for several blocks, every now and then.
        repeat in prop::sample::select(vec![1_usize, 1, 1, 700]),
    ) {
        let (_folder, store) = store();
        let sections: Vec<Vec<u32>> =
            sections.into_iter().map(|section| section.repeat(repeat)).collect();
        let piece = piece * repeat;
        let mut writer = store.writer("job", "rows", "a", "k").expect("begins");
        for section in &sections {
            writer.begin_section().expect("begun");
            for piece in section.chunks(piece) {
                writer.append(piece).expect("written");
            }
        }
        let pieced = writer.finish().expect("finished");
        let whole: Vec<&[u8]> = sections.iter().map(|s| bytemuck::cast_slice(s)).collect();
        prop_assert_eq!(&store.put("job", "rows", "a", "k", &whole).expect("the same"), &pieced);
        let opened = store.open_artifact(&pieced).expect("opens");
        for (index, section) in sections.iter().enumerate() {
            prop_assert_eq!(opened.section::<u32>(index).expect("numbers"), section);
        }
    }
}
