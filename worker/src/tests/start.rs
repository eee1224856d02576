//! What prevents a start is named with its configuration key.

use std::time::Duration;

use mercer_common::config::Config;
use mercer_proto::internal::SnapshotHeader;
use prost::Message as _;

use super::coordinator::secret_file;
use crate::{StartError, StoreError, Worker};

fn config(folder: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.cluster.secret_file = secret_file(folder);
    // Nobody listens there: starting does not need the coordinator.
    config.worker.coordinator = "http://127.0.0.1:1".into();
    config.worker.data_dir = folder.join("worker-1");
    config.artifacts.url = format!("file://{}", folder.join("artifacts").display());
    config
}

#[tokio::test]
async fn names_what_prevents_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let worker = Worker::start(config(folder.path())).await.expect("starts");

    let locked = Worker::start(config(folder.path())).await.expect_err("in use");
    assert!(matches!(locked, StartError::Store(StoreError::Locked { .. })), "{locked}");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut taken = config(elsewhere.path());
    taken.worker.listen = worker.address().to_string();
    let taken = Worker::start(taken).await.expect_err("in use").to_string();
    assert!(taken.starts_with("worker.listen: cannot listen on 127.0.0.1:"), "{taken}");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut open = config(elsewhere.path());
    open.worker.listen = "0.0.0.0:0".into();
    let open = Worker::start(open).await.expect_err("not encrypted").to_string();
    assert!(open.contains("worker.insecure_plaintext"), "{open}");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut lost = config(elsewhere.path());
    lost.worker.coordinator = "localhost".into();
    let lost = Worker::start(lost).await.expect_err("no URL").to_string();
    assert!(lost.starts_with("worker.coordinator: `localhost`"), "{lost}");

    assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    let again = Worker::start(config(folder.path())).await.expect("the folder is free again");
    assert!(again.shutdown(Duration::from_secs(60)).await.is_empty());
}

#[tokio::test]
async fn a_damaged_store_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("worker-1");
    std::fs::create_dir_all(data.join("store")).expect("created");
    let conf = data.join("store/conf");
    std::fs::write(&conf, b"not a configuration of sled").expect("written");
    let worker = Worker::start(config(folder.path())).await.expect("starts");
    assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    let kept = std::fs::read(data.join("store.set-aside/conf")).expect("set aside");
    assert_eq!(kept, b"not a configuration of sled");
}

#[tokio::test]
async fn the_folder_of_a_newer_release_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("worker-1");
    let worker = Worker::start(config(folder.path())).await.expect("starts");
    assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    let format = data.join("FORMAT");
    assert_eq!(std::fs::read(&format).expect("written"), b"mercer-format 1\n");

    std::fs::remove_dir_all(data.join("store")).expect("removed");
    std::fs::write(&format, b"mercer-format 2\n").expect("written");
    let error = Worker::start(config(folder.path())).await.expect_err("newer").to_string();
    assert!(error.starts_with("worker.data_dir: "), "{error}");
    assert!(error.contains("a newer one wrote the folder"), "{error}");
    assert!(!data.join("store").exists());
}

#[tokio::test]
async fn a_snapshot_of_a_later_release_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let shards = folder.path().join("worker-1/shards");
    std::fs::create_dir_all(&shards).expect("created");
    let header = SnapshotHeader { format: 1_000, ..SnapshotHeader::default() }.encode_to_vec();
    let length = u32::try_from(header.len()).expect("small");
    let crc = crc32fast::hash(&header);
    let file = [&length.to_le_bytes()[..], &crc.to_le_bytes(), &header, b"whatever"].concat();
    let path = shards.join("00-7.snapshot");
    std::fs::write(&path, &file).expect("written");
    let error = Worker::start(config(folder.path())).await.expect_err("newer").to_string();
    assert!(error.starts_with("worker.data_dir: ") && error.contains("format 1000"), "{error}");
    assert_eq!(std::fs::read(&path).expect("readable"), file);
    assert!(!folder.path().join("worker-1/store").exists(), "nothing else was touched");
}
