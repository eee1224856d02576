//! Manifests of published versions lie beside the files that they name, for as long as they do.

use std::{fs, path::PathBuf};

use mercer_common::artifact::ArtifactStore;
use mercer_proto::v1::DescribeClusterRequest;

use super::TestCluster;
use crate::jobs::published;

fn artifacts(cluster: &TestCluster) -> ArtifactStore {
    let folder = cluster.config.artifacts.folder().expect("a folder");
    ArtifactStore::open(&folder).expect("opens")
}

/// The versions whose manifests are artifacts, by path.
fn kept(cluster: &TestCluster) -> Vec<String> {
    let store = artifacts(cluster);
    let listed = store.list().expect("listed").into_iter();
    let manifests = listed.filter(published::is_manifest);
    manifests.map(|one| published::read(&store, &one).expect("reads").0.version).collect()
}

/// Waits until the collection after a job has gone by.
async fn until_kept(cluster: &TestCluster, expected: &[&str]) {
    for _ in 0..500 {
        if kept(cluster) == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(kept(cluster), expected);
}

#[tokio::test]
async fn a_manifest_is_kept_as_long_as_its_version() {
    let mut cluster = TestCluster::with(1, |config| config.training.keep_versions = 1).await;
    for version in ["v1", "v2", "v3"] {
        cluster.train(&["p3"]).await;
        assert!(kept(&cluster).contains(&version.to_owned()), "before it serves");
    }
    // The one before the current one is kept for calls under way.
    until_kept(&cluster, &["v2", "v3"]).await;

    // Versions that were published before manifests were written get theirs at the next start.
    let store = artifacts(&cluster);
    let listed = store.list().expect("listed").into_iter();
    let manifests: Vec<_> = listed.filter(published::is_manifest).collect();
    let path = |path: &str| -> PathBuf { store.folder().join(path) };
    let written: Vec<_> = manifests.iter().map(|one| fs::read(path(&one.path))).collect();
    let written: Vec<Vec<u8>> = written.into_iter().map(|read| read.expect("reads")).collect();
    for manifest in &manifests {
        fs::remove_file(path(&manifest.path)).expect("removed");
    }
    cluster.restart().await;
    until_kept(&cluster, &["v2", "v3"]).await;
    let again: Vec<_> = manifests.iter().map(|one| fs::read(path(&one.path))).collect();
    let again: Vec<Vec<u8>> = again.into_iter().map(|read| read.expect("reads")).collect();
    assert_eq!(again, written);
    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    assert_eq!(described.expect("described").into_inner().current_version, "v3");
}
