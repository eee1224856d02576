//! Backups, and the metadata of every kind in them, are read for ever.

use std::{collections::BTreeMap, fs, sync::Arc};

use mercer_common::{
    clock::SystemClock,
    metadata::{Entry, memory::MemoryMetadata},
};
use mercer_proto::{
    internal::{ClusterIdentity, JobRecord, TaskCounts},
    v1::{Arm, Experiment, ExperimentState, JobState},
};
use prost::Message;

use super::{
    BackedUpFile, BackupManifest, ENTRIES,
    entries::Entries,
    manifest::{FILE, FORMAT},
};
use crate::{
    cluster::{
        record::{
            ApplyVersionRecord, CurrentRecord, GenerationRecord, IdentityRecord, NumbersRecord,
            PlacementRecord, RequestRecord, WorkerRecord,
        },
        versions::Versions,
    },
    domain::experiment::Experiments,
    imports::{self, files_of},
    ingest::APPLY_VERSION_KEY,
    jobs::JobStore,
    tests::golden::{golden, manifest, manifest_of_before},
};

/// What a cluster keeps in metadata: an entry of every kind, by key.
fn metadata() -> BTreeMap<String, Vec<u8>> {
    let identity = IdentityRecord {
        cluster: Some(ClusterIdentity {
            incarnation: 0x0123_4567_89ab_cdef,
            shard_count: 2,
            currency: "USD".into(),
            time_zone: "America/New_York".into(),
            ancestors: Vec::new(),
        }),
        visit_key: 7,
    };
    let worker = WorkerRecord {
        address: "http://127.0.0.1:7071".into(),
        instance: "instance".into(),
        generation: 41,
    };
    let apply_version = ApplyVersionRecord { version: 4, position: 9, epoch: vec![1; 16] };
    let mut job = JobRecord {
        job_id: "job-000003".into(),
        kinds: vec!["recommend".into()],
        version: "v2".into(),
        create_time_ms: 1_700_000_000_000,
        end_time_ms: 1_700_000_100_000,
        marker: 8,
        counts: Some(TaskCounts { users: 5, items: 3, ..TaskCounts::default() }),
        ..JobRecord::default()
    };
    job.set_state(JobState::Succeeded);
    let arm = |arm_id: &str, weight| Arm { arm_id: arm_id.into(), weight, ..Arm::default() };
    let mut experiment = Experiment {
        experiment_id: "front".into(),
        arms: vec![arm("old", 3), arm("new", 1)],
        ..Experiment::default()
    };
    experiment.set_state(ExperimentState::Running);
    let request = RequestRecord { job_id: "job-000003".into() };
    let owners = vec!["worker-1".to_owned(), "worker-2".to_owned()];
    let entries = [
        ("cluster/identity", identity.encode_to_vec()),
        ("cluster/generation", GenerationRecord { generation: 42 }.encode_to_vec()),
        (APPLY_VERSION_KEY, apply_version.encode_to_vec()),
        ("workers/worker-1", worker.encode_to_vec()),
        ("placement", PlacementRecord { owners }.encode_to_vec()),
        ("versions/v2", manifest_of_before().encode_to_vec()),
        ("current", CurrentRecord { version: "v2".into() }.encode_to_vec()),
        ("jobs/job-000003", job.encode_to_vec()),
        ("requests/key-00112233", request.encode_to_vec()),
        ("job-numbers", NumbersRecord { last: 2 }.encode_to_vec()),
        ("experiments/front", experiment.encode_to_vec()),
    ];
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
    entries.chain(imports::golden_tests::entries()).collect()
}

fn entry((key, value): (String, Vec<u8>)) -> Entry {
    Entry { key, value: value.into(), revision: 1 }
}

#[tokio::test]
async fn metadata_of_every_kind() {
    let expected = Entries::new(metadata().into_iter().map(entry).collect());
    let folder = tempfile::tempdir().expect("a folder");
    let content = golden(ENTRIES, &expected.encode_to_vec());
    fs::write(folder.path().join(ENTRIES), &content).expect("written");
    let read = Entries::read(folder.path()).expect("loads");
    assert_eq!(read, expected);
    assert_eq!(expected.encode_to_vec(), content);
    assert_eq!((read.workers(), read.current()), (vec!["worker-1".into()], Some("v2".into())));

    // Whoever keeps them finds them under these keys.
    let stored = Arc::<MemoryMetadata>::default();
    for (key, value) in metadata() {
        use mercer_common::metadata::Metadata as _;
        stored.compare_and_set(&key, None, Some(value.into())).await.expect("stored");
    }
    let versions = Arc::new(Versions::load(stored.clone()).await.expect("loads"));
    assert_eq!(versions.current().as_deref(), Some(&manifest()));
    let clock = Arc::new(SystemClock);
    let jobs = JobStore::load(stored.clone(), clock.clone(), &[]).await.expect("loads");
    let (listed, more) = jobs.list(u64::MAX, 10);
    assert_eq!(
        (listed[0].job_id.as_str(), listed[0].state(), more),
        ("job-000003", JobState::Succeeded, false)
    );
    let experiments = Experiments::load(stored, clock, versions).await.expect("loads");
    assert_eq!(experiments.get("front").expect("known").arms[0].weight, 3);
    let metadata: Vec<Entry> = metadata().into_iter().map(entry).collect();
    let named = files_of(metadata.iter().map(|entry| (entry.key.as_str(), &entry.value)));
    let named: Vec<String> = named.expect("read").into_iter().collect();
    let file = |name: &str| format!("jobs/shop/one/{name}-0123456789abcdef");
    assert_eq!(named, [file("2024-02"), file("taken")]);
}

#[test]
fn a_manifest_of_every_format() {
    for format in 1..=FORMAT {
        let expected = BackupManifest {
            format,
            mercer_version: "0.1.0".into(),
            create_time_ms: 1_700_000_000_000,
            incarnation: "0123456789abcdef".into(),
            shards: 2,
            currency: "USD".into(),
            time_zone: "America/New_York".into(),
            end: 9,
            metadata_position: 8,
            version: Some("v2".into()),
            problems: vec!["log/end is missing".into()],
            files: vec![BackedUpFile {
                path: "log/identity".into(),
                bytes: 83,
                xxh3: "fedcba9876543210".into(),
            }],
            checksum: String::new(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let expected = expected.write(folder.path()).expect("written");
        let path = folder.path().join(FILE);
        let content = golden(&format!("backup-{format}.json"), &fs::read(&path).expect("reads"));
        fs::write(path, content).expect("written");
        assert_eq!(BackupManifest::read(folder.path()).expect("loads"), expected);
    }
}
