use std::{collections::BTreeMap, path::Path, sync::Arc};

use mercer_common::{
    config::ClusterConfig,
    log::embedded::{EmbeddedLog, EmbeddedLogOptions},
    metadata::NewMetadata,
};

use super::*;
use crate::tests::TestMetadata;

fn log(incarnation: u64) -> LogIdentity {
    let founding = Founding {
        shards: 16,
        currency: "USD".into(),
        time_zone: "UTC".into(),
        item_visit_key: 7,
        user_visit_key: 8,
    };
    LogIdentity { incarnation, founding, ancestors: Vec::new() }
}

/// Metadata of the cluster of a log, in a folder.
async fn write_metadata(folder: &Path, log: &LogIdentity) -> MetadataCopy {
    let options = EmbeddedLogOptions::default();
    let tied = EmbeddedLog::open(&folder.join("log"), &log.founding, options).expect("opens");
    let metadata = folder.join("metadata");
    let new = NewMetadata::lock(&metadata).expect("locks");
    new.replace(BTreeMap::from([entry_of(log)]), Arc::new(tied)).await.expect("written");
    MetadataCopy::open(&metadata).expect("opens")
}

#[tokio::test]
async fn a_log_says_how_its_cluster_was_founded() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = MetadataCopy::open(&folder.path().join("none")).expect("nothing");
    let stored = write_metadata(folder.path(), &log(5)).await;
    let config = ClusterConfig::default();
    let founded = |log| LogFolder::Founded(log);

    let new = founding(LogFolder::Absent, &none, &config).expect("a new cluster");
    assert_eq!((new.shards, &*new.currency, &*new.time_zone), (config.shards, "USD", "UTC"));
    assert_ne!(new.item_visit_key, new.user_visit_key);
    let other = founding(LogFolder::Absent, &none, &config).expect("a new cluster");
    assert_ne!(new.item_visit_key, other.item_visit_key);
    for metadata in [&none, &stored] {
        let known = founding(founded(log(5)), metadata, &config).expect("continues");
        assert_eq!(known, log(5).founding);
    }
    // A log of before takes over what metadata says, and gets the key that did not exist.
    let before = LogFolder::Unfounded { incarnation: 5 };
    let taken = founding(before, &stored, &config).expect("taken over");
    assert_eq!(taken, Founding { user_visit_key: taken.user_visit_key, ..log(5).founding });
    assert_ne!(taken.user_visit_key, taken.item_visit_key);

    let refused = |log, metadata, words: &str| {
        let error = founding(log, metadata, &config).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(
        LogFolder::Unfounded { incarnation: 5 },
        &none,
        "the metadata that holds them is missing",
    );
    refused(LogFolder::Unfounded { incarnation: 6 }, &stored, "belongs to log 0000000000000005");
    refused(founded(log(6)), &stored, "belongs to log 0000000000000005");
    refused(LogFolder::Absent, &stored, "there is no log");
    let with = |change: &dyn Fn(&mut Founding)| {
        let mut log = log(5);
        change(&mut log.founding);
        founded(log)
    };
    refused(with(&|one| one.item_visit_key = 9), &stored, "the key of visits is 0000000000000007");
    refused(with(&|one| one.shards = 8), &stored, "the number of shards is 16 in the metadata");
    refused(with(&|one| one.currency = "EUR".into()), &stored, "the currency is USD");
    refused(with(&|one| one.time_zone = "Asia/Tokyo".into()), &stored, "the time zone is UTC");
    refused(with(&|one| one.shards = 8), &none, "cluster.shards is 16 in the configuration");
}

#[tokio::test]
async fn a_restored_log_takes_its_metadata_along() {
    let (metadata, config) = (TestMetadata::default(), ClusterConfig::default());
    let identity = Identity::establish(&metadata, &config, &log(5)).await.expect("new");
    assert_eq!((identity.cluster.incarnation, identity.context.visit_key), (5, 7));
    let foreign = Identity::establish(&metadata, &config, &log(6)).await.expect_err("foreign");
    assert!(matches!(foreign, IdentityError::ForeignLog { stored: 5, found: 6 }), "{foreign}");

    let mut restored = log(6);
    restored.ancestors = vec![Ancestor { incarnation: 5, through: 100 }];
    let identity = Identity::establish(&metadata, &config, &restored).await.expect("its own");
    assert_eq!(identity.cluster.incarnation, 6);
    let again = Identity::establish(&metadata, &config, &log(6)).await.expect("stored");
    assert_eq!(again.cluster.incarnation, 6);
    let left = Identity::establish(&metadata, &config, &log(5)).await.expect_err("another now");
    assert!(matches!(left, IdentityError::ForeignLog { stored: 6, found: 5 }), "{left}");
}
