//! A data folder that is not what was left there is refused, and nothing in it changes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mercer_common::rpc::connect;
use mercer_proto::v1::{
    Arm, Experiment, ExperimentState, ListExperimentsRequest, SetExperimentRequest,
    experiment_service_client::ExperimentServiceClient,
};
use tonic::transport::Channel;

use super::*;

/// All files below a folder, with their content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            let content = fs::read(&path).expect("reads");
            files.insert(path, content);
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

async fn experiments(handle: &CoordinatorHandle) -> ExperimentServiceClient<Channel> {
    let url = format!("http://{}", handle.public_address());
    ExperimentServiceClient::new(connect(&url).expect("a URL"))
}

/// Starts, stores an experiment in metadata, and stops.
async fn add_experiment(folder: &TempDir, id: &str) {
    let handle = start(config(folder)).await.expect("starts");
    let arm = |id: &str| Arm { arm_id: id.into(), weight: 1, ..Default::default() };
    let mut experiment = Experiment {
        experiment_id: id.into(),
        arms: vec![arm("a"), arm("b")],
        ..Default::default()
    };
    experiment.set_state(ExperimentState::Running);
    let request = SetExperimentRequest { experiment: Some(experiment) };
    experiments(&handle).await.set_experiment(request).await.expect("set");
    stop(handle).await;
}

/// Starts, names the experiments, and stops.
async fn list(folder: &TempDir) -> Vec<String> {
    let handle = start(config(folder)).await.expect("starts");
    let request = ListExperimentsRequest::default();
    let listed = experiments(&handle).await.list_experiments(request).await.expect("listed");
    stop(handle).await;
    listed.into_inner().experiments.into_iter().map(|one| one.experiment_id).collect()
}

async fn unchanged(folder: &TempDir, config: Config) -> String {
    let both = || ["metadata", "log"].map(|part| tree(&folder.path().join(part)));
    let before = both();
    let error = refused(config).await;
    assert!(both() == before, "something changed: {error}");
    error
}

#[tokio::test]
async fn metadata_that_is_removed_old_or_foreign_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (metadata, kept) = (folder.path().join("metadata"), folder.path().join("kept"));
    add_experiment(&folder, "first").await;
    copy(&metadata, &kept);
    add_experiment(&folder, "second").await;

    let newest = folder.path().join("newest");
    fs::rename(&metadata, &newest).expect("moved");
    let error = unchanged(&folder, config(&folder)).await;
    assert!(error.contains("is missing") && error.contains("metadata rebuild"), "{error}");
    let mut other = config(&folder);
    other.cluster.shards = 3;
    let error = unchanged(&folder, other).await;
    assert!(error.contains("cluster.shards is 3"), "{error}");
    assert!(!metadata.exists());

    fs::rename(&kept, &metadata).expect("restored");
    let error = unchanged(&folder, config(&folder)).await;
    assert!(error.contains("old copy"), "{error}");
    fs::remove_dir_all(&metadata).expect("removed");

    let stranger = tempfile::tempdir().expect("a folder");
    add_experiment(&stranger, "theirs").await;
    copy(&stranger.path().join("metadata"), &metadata);
    let error = unchanged(&folder, config(&folder)).await;
    assert!(error.contains("belongs to log"), "{error}");
    fs::remove_dir_all(&metadata).expect("removed");

    fs::rename(&newest, &metadata).expect("restored");
    assert_eq!(list(&folder).await, ["first", "second"]);
}

#[tokio::test]
async fn an_old_log_beside_newer_metadata_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, old) = (folder.path().join("log"), folder.path().join("old"));
    add_experiment(&folder, "first").await;
    copy(&log, &old);
    add_experiment(&folder, "second").await;
    add_experiment(&folder, "third").await;
    let newest = folder.path().join("newest");
    fs::rename(&log, &newest).expect("moved");
    fs::rename(&old, &log).expect("restored");
    let error = unchanged(&folder, config(&folder)).await;
    assert!(error.contains("does not belong to this log"), "{error}");
    fs::remove_dir_all(&log).expect("removed");
    fs::rename(&newest, &log).expect("restored");
    assert_eq!(list(&folder).await, ["first", "second", "third"]);
}

#[tokio::test]
async fn damaged_metadata_is_refused_and_starts_when_it_is_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    add_experiment(&folder, "first").await;
    let (metadata, kept) = (folder.path().join("metadata"), folder.path().join("kept"));
    copy(&metadata, &kept);
    let mut refusals = 0;
    for (path, content) in tree(&metadata) {
        let mut flipped = content.clone();
        if let Some(byte) = flipped.iter_mut().find(|byte| **byte != 0) {
            *byte ^= 4;
        }
        let written = content.iter().rposition(|byte| *byte != 0).unwrap_or_default();
        let cut = content[..written / 2].to_vec();
        for damage in [None, Some(Vec::new()), Some(cut), Some(flipped)] {
            match &damage {
                Some(damaged) => fs::write(&path, damaged).expect("damages"),
                None => fs::remove_file(&path).expect("removes"),
            }
            let before = tree(&metadata);
            match start(config(&folder)).await {
                // What sled derives from its file is not missed: all of it is there.
                Ok(handle) => {
                    stop(handle).await;
                    assert!(!path.ends_with("db"), "{:?}", damage.map(|content| content.len()));
                    assert_eq!(list(&folder).await, ["first"], "{}", path.display());
                }
                Err(error) => {
                    refusals += 1;
                    let error = error.to_string();
                    assert!(error.contains("metadata rebuild"), "{error}");
                    assert_eq!(tree(&metadata), before, "{error}");
                }
            }
            fs::remove_dir_all(&metadata).expect("removed");
            copy(&kept, &metadata);
        }
    }
    assert!(refusals >= 4, "{refusals}");
    assert_eq!(list(&folder).await, ["first"]);
}

#[tokio::test]
async fn the_folder_of_a_newer_release_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    add_experiment(&folder, "first").await;
    let path = folder.path().join("FORMAT");
    let written = fs::read(&path).expect("written at the start");
    for (content, words) in [
        (&b"mercer-format 2\n"[..], "a newer one wrote the folder"),
        (b"mercer-forma", "restore it from a backup"),
        (b"", "restore it from a backup"),
    ] {
        fs::write(&path, content).expect("written");
        let before = tree(folder.path());
        let error = refused(config(&folder)).await;
        assert!(error.contains(words) && error.contains("coordinator.data_dir"), "{error}");
        assert_eq!(tree(folder.path()), before);
    }
    // A folder of before there were such files.
    fs::remove_file(&path).expect("removed");
    assert_eq!(list(&folder).await, ["first"]);
    assert_eq!(fs::read(&path).expect("written again"), written);
}
