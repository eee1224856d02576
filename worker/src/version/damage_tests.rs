//! What becomes of a version whose files are damaged, before it is opened and while it serves.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    manifest,
    rpc::status::{Code, Describe as _, datum, reason},
};
use mercer_proto::internal::VersionManifest;

use super::{OpenVersions, VersionError};
use crate::domain::recommend::training::{
    Bench,
    shop::{Job, Shop, spec, write_cuts},
};

const HELD: [u16; 2] = [0, 1];
const MAPPED: u64 = 0;
const IN_MEMORY: u64 = u64::MAX;

/// Does something to a file.
type Damage = fn(&PathBuf);

/// Two versions that share nothing.
async fn trained() -> (Bench, [VersionManifest; 2]) {
    let bench = Bench::new(1);
    let states = Shop::random(23, 10, 20, 100).states(2);
    let mut manifests = Vec::new();
    for (name, version) in [("old", "v1"), ("new", "v2")] {
        write_cuts(&states, name, &bench.store);
        let mut job = Job::new(name, spec(2), &bench.runner);
        job.run().await.expect("trains");
        manifests.push(job.manifest(version));
    }
    (bench, <[_; 2]>::try_from(manifests).expect("two versions"))
}

/// The versions of a worker that was just started.
fn started(bench: &Bench, resident_bytes: u64) -> OpenVersions {
    let store = ArtifactStore::open(bench.store.folder()).expect("opens");
    let store = store.with_resident_bytes(resident_bytes);
    OpenVersions::new(store, bench.store.folder())
}

fn path(bench: &Bench, file: &ArtifactRef) -> PathBuf {
    bench.store.folder().join(&file.path)
}

/// Flips a bit of a file in place.
fn flip(path: &PathBuf) {
    let file = fs::File::options().read(true).write(true).open(path).expect("there");
    let middle = file.metadata().expect("there").len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).expect("long enough");
    file.write_all_at(&[byte[0] ^ 1], middle).expect("written");
}

/// The version is gone, as a coordinator is told, and operators are told why.
fn assert_damaged(versions: &OpenVersions, version: &str, file: &ArtifactRef) {
    let error = versions.named(version).expect_err("damaged");
    assert!(matches!(error, VersionError::Damaged { .. }), "{error:?}");
    let status = error.to_status();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(reason(&status).as_deref(), Some("VERSION_GONE"));
    assert_eq!(datum(&status, "version").as_deref(), Some(version));
    assert!(datum(&status, "damage").expect("says so").contains(&file.path), "{status:?}");
    let problems = versions.problems();
    let problem = problems.iter().find(|one| one.version == version).expect("told");
    let problem = problem.problem.as_ref().expect("set");
    assert!(problem.gone && problem.reason.contains(&file.path), "{problem:?}");
}

fn assert_sound(versions: &OpenVersions, version: &str) {
    versions.named(version).expect("open").expect("named");
    assert!(versions.problems().iter().all(|one| one.version != version));
}

/// Any trial is due.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

#[tokio::test]
async fn a_damaged_file_closes_its_version_at_a_start_until_it_is_sound() {
    let (bench, [v1, v2]) = trained().await;
    let damages: [(&str, Damage); 4] = [
        ("removed", |path| fs::remove_file(path).expect("removed")),
        ("emptied", |path| fs::write(path, b"").expect("emptied")),
        ("cut", |path| {
            let file = fs::File::options().write(true).open(path).expect("there");
            file.set_len(file.metadata().expect("there").len() - 1).expect("cut");
        }),
        ("flipped", flip),
    ];
    for file in manifest::files(&v2) {
        let path = path(&bench, file);
        let whole = fs::read(&path).expect("there");
        for (name, damage) in damages {
            for resident_bytes in [MAPPED, IN_MEMORY] {
                damage(&path);
                let versions = started(&bench, resident_bytes);
                let manifests = vec![v2.clone(), v1.clone()];
                versions.replace(manifests, &HELD).expect_err("v2 is damaged");
                assert_damaged(&versions, "v2", file);
                assert_sound(&versions, "v1");
                versions.mend(later());
                assert_damaged(&versions, "v2", file);

                fs::write(&path, &whole).expect("restored");
                versions.mend(Instant::now());
                assert!(versions.named("v2").is_err(), "{name}: no trial is due");
                versions.mend(later());
                assert_sound(&versions, "v2");
            }
        }
    }
}

#[tokio::test]
async fn a_mapped_file_that_is_damaged_while_it_serves_closes_its_version() {
    let (bench, [v1, v2]) = trained().await;
    let versions = started(&bench, MAPPED);
    versions.replace(vec![v2.clone(), v1.clone()], &HELD).expect("sound");
    let mut found = 0;
    for file in manifest::files(&v2) {
        let path = path(&bench, file);
        flip(&path);
        versions.scrub(u64::MAX);
        // What lies in the worker's own memory since it was opened is not read again.
        let is_read = versions.named("v2").is_err();
        if is_read {
            found += 1;
            assert_damaged(&versions, "v2", file);
            versions.mend(later());
            assert_damaged(&versions, "v2", file);
        }
        assert_sound(&versions, "v1");
        flip(&path);
        versions.mend(later());
        assert_sound(&versions, "v2");
    }
    let all = manifest::files(&v2).count();
    assert!(found == all, "{found} of {all}");
    // An answer under way keeps what it has.
    let answering = versions.named("v2").expect("open").expect("named");
    let file = v2.model_sets[0].item_table.as_ref().expect("set");
    flip(&path(&bench, file));
    versions.scrub(u64::MAX);
    assert_damaged(&versions, "v2", file);
    assert!(answering.newest_models().is_some());
}

#[tokio::test]
async fn what_is_held_in_memory_serves_on_and_its_lost_file_is_told() {
    let (bench, [v1, v2]) = trained().await;
    let versions = started(&bench, IN_MEMORY);
    versions.replace(vec![v2.clone(), v1], &HELD).expect("sound");
    let postings = |model: usize| &v2.model_sets[0].models[model].parts[0].files;
    let files = [&postings(0)[1], &postings(1)[0]];
    let paths = files.map(|file| path(&bench, file));
    let whole = fs::read(&paths[0]).expect("there");
    fs::remove_file(&paths[0]).expect("removed");
    flip(&paths[1]);
    versions.scrub(u64::MAX);
    versions.named("v2").expect("open").expect("named");
    let [problem] = &versions.problems()[..] else { panic!("{:?}", versions.problems()) };
    let told = problem.problem.as_ref().expect("set");
    assert_eq!((problem.version.as_str(), told.gone), ("v2", false));
    assert!(told.reason.contains("serves, but could not be opened again"), "{told:?}");
    assert!(told.reason.contains(" (and 1 more)"), "{told:?}");
    flip(&paths[1]);
    fs::write(&paths[0], whole).expect("restored");
    versions.scrub(u64::MAX);
    assert_sound(&versions, "v2");
}

#[tokio::test]
async fn versions_that_share_a_damaged_file_are_closed_and_opened_together() {
    let (bench, [v1, mut v2]) = trained().await;
    v2.model_sets.extend(v1.model_sets.clone());
    let versions = started(&bench, MAPPED);
    versions.replace(vec![v2, v1.clone()], &HELD).expect("sound");
    let file = v1.model_sets[0].item_table.as_ref().expect("set");
    flip(&path(&bench, file));
    // Bit by bit, as in a running worker.
    let mut steps = 0;
    while versions.problems().is_empty() {
        versions.scrub(1);
        steps += 1;
        assert!(steps < 100, "it comes round");
    }
    assert!(steps > 1);
    for version in ["v1", "v2"] {
        assert_damaged(&versions, version, file);
    }
    // One that is retired meanwhile does not come back.
    versions.retire("v1");
    flip(&path(&bench, file));
    versions.mend(later());
    assert_sound(&versions, "v2");
    assert!(matches!(versions.named("v1"), Err(VersionError::Gone { .. })));
}
