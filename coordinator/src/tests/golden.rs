//! Golden files of what a coordinator stores, in `tests/golden`, which load for ever.
//!
//! With `MERCER_WRITE_GOLDEN` set, a file that is not there is written; one that is there never is.

use std::{fs, path::PathBuf};

use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    manifest::with_parts,
};
use mercer_proto::internal::{KindResults, Model, ModelSet, TrainingSpec, VersionManifest};

use crate::jobs::published;

/// The content of a golden file, which is `content` when it is written.
pub(crate) fn golden(name: &str, content: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() && !path.exists() {
        fs::write(&path, content).expect("written");
    }
    fs::read(&path).unwrap_or_else(|error| panic!("the golden file {name}: {error}"))
}

/// A golden file as an artifact; what was written just now must be the same.
pub(crate) fn artifact(store: &ArtifactStore, name: &str, written: &ArtifactRef) -> ArtifactRef {
    let now = fs::read(store.folder().join(&written.path)).expect("readable");
    let content = golden(&format!("{name}.artifact"), &now);
    assert!(content == now, "{name}: what is written now is not what the golden file holds");
    placed(store, name, &content)
}

/// The content of a file of the store, which ends in the hash that its name tells.
fn placed(store: &ArtifactStore, name: &str, content: &[u8]) -> ArtifactRef {
    let hash = content.last_chunk().map(|hash| u64::from_le_bytes(*hash)).expect("a hash");
    let path = format!("jobs/golden/files/{name}-{hash:016x}");
    let file = store.folder().join(&path);
    fs::create_dir_all(file.parent().expect("a folder")).expect("created");
    fs::write(file, content).expect("written");
    ArtifactRef { path, bytes: content.len() as u64 }
}

/// A golden file that an older release wrote, as an artifact.
fn older_artifact(store: &ArtifactStore, name: &str) -> ArtifactRef {
    placed(store, name, &golden(&format!("{name}.artifact"), &[]))
}

/// A manifest with one model set and one kind; what its messages hold otherwise is proven by their
/// own golden files.
pub(crate) fn manifest() -> VersionManifest {
    with_parts(manifest_of_before())
}

/// The same as it was written before parts had names.
pub(crate) fn manifest_of_before() -> VersionManifest {
    let file = |path: &str| ArtifactRef { path: format!("jobs/job-000003/{path}"), bytes: 192 };
    let spec = TrainingSpec { shard_count: 1, top_k: 50, ..TrainingSpec::default() };
    let p3 = Model {
        algorithm: "p3".into(),
        postings: vec![file("postings/p3-00-0123456789abcdef")],
        norms: Some(file("norms/p3-00-0123456789abcdef")),
        ..Model::default()
    };
    let set = ModelSet {
        job_id: "job-000003".into(),
        items: 3,
        spec: Some(spec.clone()),
        item_table: Some(file("dictionary/00-0123456789abcdef")),
        models: vec![p3],
        ..ModelSet::default()
    };
    let demand = KindResults {
        kind: "demand".into(),
        job_id: "job-000003".into(),
        results: vec![file("results/demand-00-0123456789abcdef")],
        pool: Some(file("pool/demand-00-0123456789abcdef")),
        spec: Some(spec),
        ..KindResults::default()
    };
    VersionManifest {
        version: "v2".into(),
        job_id: "job-000003".into(),
        create_time_ms: 1_700_000_000_000,
        model_sets: vec![set],
        kinds: vec![demand],
    }
}

#[test]
fn a_manifest_of_a_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let written = published::write(&store, &manifest()).expect("written");
    let older = older_artifact(&store, "manifest-1");
    for golden in [artifact(&store, "manifest-2", &written), older] {
        let (loaded, _) = published::read(&store, &golden).expect("loads");
        assert_eq!(loaded, manifest());
    }
}
