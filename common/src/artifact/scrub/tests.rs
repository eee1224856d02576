use std::{fs, os::unix::fs::FileExt as _, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::artifact::ArtifactRef;

struct Files {
    _folder: TempDir,
    store: ArtifactStore,
    scrub: Scrub,
}

/// A store that maps every file, or none.
fn files(resident_bytes: u64) -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let store = store.with_resident_bytes(resident_bytes);
    Files { _folder: folder, scrub: Scrub::new(store.clone()), store }
}

impl Files {
    fn put(&self, name: &str, bytes: usize) -> (ArtifactRef, PathBuf) {
        let content: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        let artifact = self.store.put("job", "rows", name, "k", &[&content]).expect("written");
        let path = self.store.folder().join(&artifact.path);
        (artifact, path)
    }

    /// What a whole round finds, by name.
    fn round(&mut self) -> Vec<(String, Condition)> {
        let ended = self.scrub.step(u64::MAX).into_iter();
        ended
            .map(|(path, condition)| {
                let name = path.rsplit('/').next().expect("a file");
                (name.split('-').next().expect("a name").to_owned(), condition)
            })
            .collect()
    }
}

/// One bit of the file, in place.
fn flip(path: &PathBuf, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).expect("there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("long enough");
    file.write_all_at(&[byte[0] ^ 4], at).expect("written");
}

#[test]
fn a_flip_in_a_mapped_file_is_found_and_the_file_verified_when_it_is_opened_again() {
    let mut files = files(0);
    let bytes = 700_000;
    let (artifact, path) = files.put("a", bytes);
    let (other, _) = files.put("b", 10);
    let _open = [&artifact, &other].map(|one| files.store.open_artifact(one).expect("sound"));
    let places = [0, 100, bytes as u64 / 2, bytes as u64, fs::metadata(&path).unwrap().len() - 1];
    for at in places {
        let open = files.store.open_artifact(&artifact).expect("sound");
        let round = files.round();
        assert!(matches!(&round[..], [(_, Condition::Sound), (_, Condition::Sound)]), "{round:?}");
        flip(&path, at);
        let round = files.round();
        let [(name, Condition::Damaged(error)), (_, Condition::Sound)] = &round[..] else {
            panic!("byte {at}: {round:?}")
        };
        assert_eq!(name, "a");
        assert!(error.to_string().contains("do not fit their checksum"), "{error}");
        files.store.open_artifact(&artifact).expect_err("verified again");
        drop(open);
        flip(&path, at);
    }
    files.store.open_artifact(&artifact).expect("sound again");
}

#[test]
fn a_mapped_file_that_is_cut_is_found_without_a_touch() {
    let mut files = files(0);
    let (artifact, path) = files.put("a", 300_000);
    let mut open = vec![files.store.open_artifact(&artifact).expect("sound")];
    let whole = fs::read(&path).expect("readable");
    for length in [299_000, 0] {
        let file = fs::File::options().write(true).open(&path).expect("there");
        file.set_len(length).expect("cut");
        let round = files.round();
        assert!(matches!(&round[..], [(_, Condition::Damaged(_))]), "{round:?}");
        fs::write(&path, &whole).expect("written");
        assert_eq!(files.round().len(), 0, "nobody has it open");
        open.push(files.store.open_artifact(&artifact).expect("sound again"));
    }
}

#[test]
fn what_is_read_may_be_sound_though_its_file_is_lost() {
    for resident_bytes in [0, 1 << 20] {
        let mut files = files(resident_bytes);
        let (artifact, path) = files.put("a", 300_000);
        let open = files.store.open_artifact(&artifact).expect("sound");
        let whole = fs::read(&path).expect("readable");
        fs::remove_file(&path).expect("removed");
        let round = files.round();
        assert!(
            matches!(&round[..], [(_, Condition::Lost(ArtifactError::Missing { .. }))]),
            "{round:?}"
        );
        // Another file in its place.
        fs::write(&path, &whole[1..]).expect("written");
        let round = files.round();
        assert!(matches!(&round[..], [(_, Condition::Lost(_))]), "{round:?}");
        fs::write(&path, &whole).expect("written");
        flip(&path, 1_000);
        let round = files.round();
        assert!(matches!(&round[..], [(_, Condition::Lost(_))]), "{round:?}");
        assert_eq!(open.section::<u8>(0).expect("bytes")[..3], [0, 1, 2]);
        flip(&path, 1_000);
        let round = files.round();
        assert!(matches!(&round[..], [(_, Condition::Sound)]), "{round:?}");
    }
}

#[test]
fn steps_go_round_all_open_files_and_come_to_an_end() {
    let mut files = files(0);
    assert_eq!(files.scrub.step(u64::MAX).len(), 0, "nothing is open");
    let put = ["a", "b", "c"].map(|name| files.put(name, 600_000).0);
    let mut open: Vec<_> =
        put.iter().map(|one| files.store.open_artifact(one).expect("sound")).collect();
    // Three blocks and a footer each: one piece a step.
    let steps: Vec<usize> = (0..24).map(|_| files.scrub.step(1).len()).collect();
    assert_eq!(steps.iter().sum::<usize>(), 6, "{steps:?}");
    // One that goes in the middle of its turn.
    files.scrub.step(1);
    open.remove(0);
    let round = files.round();
    let names: Vec<&str> = round.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}
