//! What operators are told, and how it fits their screen.

use mercer_proto::v1::{LaggingWorker, ProcessDescription, WorkerDescription};

use super::*;
use crate::show::output::screen;

#[test]
fn names_versions_that_do_not_serve() {
    let problem = |worker: &str, gone| VersionProblem {
        worker_id: worker.into(),
        gone,
        reason: "artifact x is damaged".into(),
    };
    let version = mercer_proto::v1::VersionDescription {
        version: "v2".into(),
        problems: vec![problem("worker-1", true), problem("worker-2", false)],
        ..Default::default()
    };
    let versions = vec![version];
    let status = Status::new(DescribeClusterResponse { versions, ..Default::default() });
    let text = status.table(Timestamp::UNIX_EPOCH);
    assert!(text.contains("version v2 does not serve at worker-1: artifact x is damaged"));
    assert!(text.contains("version v2 is endangered at worker-2"), "{text}");
}

#[test]
fn says_which_process_is_low_on_space_and_for_whom_a_version_waits() {
    let low = ProcessDescription {
        folder: "/data".into(),
        free_bytes: 5 << 20,
        floor_bytes: 1 << 30,
        ..Default::default()
    };
    let worker = WorkerDescription {
        worker_id: "worker-2".into(),
        process: Some(low.clone()),
        ..Default::default()
    };
    let lagging = |id: &str, apply_version| LaggingWorker { worker_id: id.into(), apply_version };
    let log = LogDescription {
        apply_version: 1,
        newest_apply_version: 2,
        waits_for: vec![lagging("worker-2", 1), lagging("worker-3", 0)],
        ..Default::default()
    };
    let cluster = DescribeClusterResponse {
        coordinator: Some(low),
        workers: vec![worker, WorkerDescription::default()],
        log: Some(log.clone()),
        ..Default::default()
    };
    let text = Status::new(cluster).table(Timestamp::UNIX_EPOCH);
    for line in [
        "\ncoordinator: low on space, no jobs are started: 5.0 MiB are free in /data, and 1.0 GiB must stay free\n",
        "\nworker-2: low on space, no tasks of jobs and no snapshots: 5.0 MiB are free",
        "\napply version 1; version 2 waits for worker-2, which knows only 1; worker-3, which was not heard of\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let waits = |log: LogDescription| Log::new(log).waits();
    assert_eq!(waits(LogDescription { apply_version: 2, ..log.clone() }), None);
    let nobody = LogDescription { waits_for: Vec::new(), ..log };
    let told = waits(nobody).expect("it is behind");
    assert!(told.ends_with("waits for all workers to join"), "{told}");
}

/// A cluster of everyday numbers with a shard that has something to say.
fn busy() -> DescribeClusterResponse {
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let shard = |number: u32| mercer_proto::v1::ShardDescription {
        shard: number,
        worker_id: "worker-1".into(),
        users: 123_456,
        items: 45_678,
        interactions: Some(AppliedRecords { count: 12_345_678, ..Default::default() }),
        item_events: Some(AppliedRecords { count: 12_345_678, ..Default::default() }),
        ..Default::default()
    };
    let failed = mercer_proto::v1::ShardDescription {
        reason: "the section at 1234567 is of a kind that this worker does not know".into(),
        clashes: 7,
        ..shard(1)
    };
    let algorithms = ["bought-together", "content", "fresh", "hybrid", "ials", "item-transitions"];
    DescribeClusterResponse {
        mercer_version: "0.1.0".into(),
        incarnation: "0123456789abcdef".into(),
        currency: "USD".into(),
        time_zone: "America/New_York".into(),
        shard_count: 2,
        expected_workers: 1,
        current_version: "v-000000000012".into(),
        shards: vec![shard(0), failed],
        workers: vec![WorkerDescription {
            worker_id: "worker-1".into(),
            address: "http://127.0.0.1:34567".into(),
            shards: vec![0, 1],
            last_heartbeat: time(1_700_000_000),
            process: Some(ProcessDescription {
                folder: "/data".into(),
                free_bytes: 1 << 40,
                ..Default::default()
            }),
            ..Default::default()
        }],
        versions: vec![mercer_proto::v1::VersionDescription {
            version: "v-000000000012".into(),
            create_time: time(1_700_000_000),
            as_of: time(1_700_000_000),
            algorithms: algorithms.map(Into::into).into(),
            job_id: "12".into(),
            users: 123_456,
            items: 45_678,
            interactions: 12_345_678,
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn fits_a_terminal_of_80_columns() {
    let status = Status::new(busy());
    let whole = status.table(Timestamp::UNIX_EPOCH);
    assert!(whole.lines().any(|line| line.chars().count() > 120), "{whole}");
    let shown = screen::at(80, || status.table(Timestamp::UNIX_EPOCH));
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{shown}");
    for words in ["worker-1", "item-transitions", "behind", "left out: duplicates", "of a kind"] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
}

#[test]
fn says_that_nothing_is_catalogued() {
    let shards = vec![mercer_proto::v1::ShardDescription {
        items: 6,
        nothing_catalogued: true,
        ..Default::default()
    }];
    let status = Status::new(DescribeClusterResponse { shards, ..Default::default() });
    let text = status.table(Timestamp::UNIX_EPOCH);
    assert!(text.contains("\nnone of the 6 known items is catalogued"), "{text}");
}
