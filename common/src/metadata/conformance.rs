//! What every implementation of [`Metadata`] must do, as one suite that its tests run.

use std::sync::Arc;

use bytes::Bytes;

use super::{Entry, Metadata, MetadataError};

const TASKS: u64 = 8;
const INCREMENTS: u64 = 20;

/// Runs the suite on an empty store.
///
/// # Panics
/// When the store breaks the contract.
pub(crate) async fn run(metadata: Arc<dyn Metadata>) {
    changes_name_the_revision(metadata.as_ref()).await;
    lists_by_prefix_in_order(metadata.as_ref()).await;
    concurrent_changes_are_not_lost(metadata).await;
}

async fn changes_name_the_revision(metadata: &dyn Metadata) {
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b""));
    assert_eq!(metadata.get("a").await.expect("read"), None);
    conflict(metadata, "a", Some(1), None).await;
    let set = metadata.compare_and_set("a", None, Some(first.clone())).await;
    assert_eq!(set.expect("created"), 1);
    conflict(metadata, "a", None, Some(1)).await;
    conflict(metadata, "a", Some(2), Some(1)).await;
    let entry = metadata.get("a").await.expect("read");
    assert_eq!(entry, Some(Entry { key: "a".into(), value: first.clone(), revision: 1 }));

    let set = metadata.compare_and_set("a", Some(1), Some(second.clone())).await;
    assert_eq!(set.expect("changed"), 2);
    let entry = metadata.get("a").await.expect("read");
    assert_eq!(entry, Some(Entry { key: "a".into(), value: second, revision: 2 }));
    conflict(metadata, "a", Some(1), Some(2)).await;

    metadata.compare_and_set("a", Some(2), None).await.expect("removed");
    assert_eq!(metadata.get("a").await.expect("read"), None);
    conflict(metadata, "a", Some(2), None).await;
    let revision = metadata.compare_and_set("a", None, Some(first)).await.expect("created again");
    assert!(revision > 2, "a key that comes back is not at an old revision");
    metadata.compare_and_set("a", Some(revision), None).await.expect("removed");
}

/// Requires a change to fail, and to say what it found.
async fn conflict(metadata: &dyn Metadata, key: &str, named: Option<u64>, stored: Option<u64>) {
    let value = Some(Bytes::from_static(b"refused"));
    match metadata.compare_and_set(key, named, value).await {
        Err(MetadataError::Conflict { key: of, expected, found }) => {
            assert_eq!((of.as_str(), expected, found), (key, named, stored));
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
}

async fn lists_by_prefix_in_order(metadata: &dyn Metadata) {
    for key in ["p/b", "p/a", "p", "p/ä", "q/a", "p0"] {
        let value = Some(Bytes::copy_from_slice(key.as_bytes()));
        metadata.compare_and_set(key, None, value).await.expect("created");
    }
    metadata.compare_and_set("p/b", Some(1), None).await.expect("removed");
    for (prefix, expected) in [
        ("p/", vec!["p/a", "p/ä"]),
        ("q", vec!["q/a"]),
        ("none", vec![]),
        ("p", vec!["p", "p/a", "p/ä", "p0"]),
    ] {
        let entries = metadata.list(prefix).await.expect("listed");
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, expected);
        assert!(entries.iter().all(|entry| entry.value == entry.key.as_bytes()));
    }
}

/// Adds 1 to the counter so many times, each time until nobody else changed it in between.
async fn increment(metadata: Arc<dyn Metadata>) {
    for _ in 0..INCREMENTS {
        loop {
            let entry = metadata.get("counter").await.expect("read");
            let (count, revision) = entry.map_or((0, None), |entry| {
                let bytes = entry.value.as_ref().try_into().expect("8 bytes");
                (u64::from_be_bytes(bytes), Some(entry.revision))
            });
            let next = Bytes::copy_from_slice(&(count + 1).to_be_bytes());
            match metadata.compare_and_set("counter", revision, Some(next)).await {
                Ok(_) => break,
                Err(MetadataError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn concurrent_changes_are_not_lost(metadata: Arc<dyn Metadata>) {
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(tokio::spawn(increment(Arc::clone(&metadata))));
    }
    for task in tasks {
        task.await.expect("counted");
    }
    let counter = metadata.get("counter").await.expect("read").expect("set");
    assert_eq!(counter.value, (TASKS * INCREMENTS).to_be_bytes().as_slice());
    assert_eq!(counter.revision, TASKS * INCREMENTS);
}
