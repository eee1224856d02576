//! A worker that knows more than a log that was restored from an earlier state.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use mercer_common::log::Mark;
use tokio::runtime::Runtime;

use super::{
    coordinator::{BATCH, Coordinator, Refuses, SHARDS, layout},
    lifecycle::{check, soon, start},
};
use crate::{
    WorkerHandle,
    shard::{
        Shard, ShardError, ShardStatus,
        snapshot::{Snapshots, Stamp},
    },
};

fn stamp() -> Stamp {
    Stamp { incarnation: 7, ancestors: Vec::new(), layout: layout(), zone: TimeZone::UTC }
}

async fn stop(worker: WorkerHandle) {
    assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
}

/// Snapshots, and those that were set aside.
fn files(folder: &Path) -> (usize, usize) {
    let entries = fs::read_dir(folder.join("worker-1/shards")).expect("readable");
    let names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII"))
        .collect();
    let of = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    (of(".snapshot"), of(".set-aside"))
}

/// Whether the worker holds another shard in the place of `old`.
fn is_replaced(worker: &WorkerHandle, old: &Arc<Shard>) -> bool {
    worker.shards().get(old.id()).is_ok_and(|shard| !Arc::ptr_eq(&shard, old))
}

/// Records that the shards replayed when they came up.
fn replayed(worker: &WorkerHandle) -> u64 {
    worker.shards().all().iter().map(|shard| shard.describe().last_replay_records).sum()
}

#[test]
fn a_snapshot_of_a_lost_future_is_set_aside_however_far_the_log_has_come() {
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        // The restored log is shorter than what the worker has, or has grown past it.
        for since in [0, 1, 40] {
            let folder = tempfile::tempdir().expect("a folder");
            let coordinator = Coordinator::start().await;
            coordinator.append_events(1, 1_000);
            let backup = coordinator.end();
            coordinator.append_events(2, 1_000);
            coordinator.append_events(3, 1_000);
            let before = coordinator.end();
            let worker = start(&coordinator, folder.path()).await;
            check(&worker, &coordinator).await;
            stop(worker).await;

            coordinator.restore(backup);
            coordinator.append_batches(since);
            assert_eq!(coordinator.end() > before, since == 40);
            let worker = start(&coordinator, folder.path()).await;
            check(&worker, &coordinator).await;
            assert_eq!(replayed(&worker), 2 * (1_000 + since * BATCH), "all of this history");
            assert_eq!(files(folder.path()).1, usize::from(SHARDS));
            // What is new is seen, and the next restart loads what this one wrote.
            coordinator.append_events(4, 500);
            check(&worker, &coordinator).await;
            stop(worker).await;
            let worker = start(&coordinator, folder.path()).await;
            check(&worker, &coordinator).await;
            assert_eq!(replayed(&worker), 0);
            stop(worker).await;
        }
    });
}

#[test]
fn of_an_old_and_a_newer_snapshot_the_one_of_this_history_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.append_events(1, 2_000);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        stop(worker).await;
        coordinator.append_events(2, 300);
        let backup = coordinator.end();
        // Too little for a snapshot before the end.
        coordinator.append_events(3, 50);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        stop(worker).await;
        assert_eq!(files(folder.path()), (2 * usize::from(SHARDS), 0));

        coordinator.restore(backup);
        coordinator.append_batches(10);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        assert_eq!(replayed(&worker), 2 * (300 + 10 * BATCH), "from the old one");
        assert_eq!(files(folder.path()).1, usize::from(SHARDS));
        stop(worker).await;
    });
}

#[test]
fn a_running_worker_drops_what_the_log_has_lost_and_answers_nothing_from_it() {
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        for (only, since) in [(Refuses::Fetches, 1), (Refuses::Heartbeats, 40)] {
            let folder = tempfile::tempdir().expect("a folder");
            let coordinator = Coordinator::start().await;
            coordinator.append_events(1, 1_000);
            let backup = coordinator.end();
            coordinator.append_events(2, 1_000);
            let worker = start(&coordinator, folder.path()).await;
            check(&worker, &coordinator).await;
            let before = worker.shards().all();

            coordinator.refuse_only(only);
            coordinator.restore(backup);
            coordinator.append_batches(since);
            while !before.iter().all(|old| is_replaced(&worker, old)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            for old in &before {
                assert_eq!(old.status(), ShardStatus::Refused);
                let waited = old.wait_applied(0, soon()).await;
                assert!(matches!(waited, Err(ShardError::Recovering { .. })), "{waited:?}");
            }
            for shard in worker.shards().all() {
                shard.recovered().await;
            }
            check(&worker, &coordinator).await;
            let [fetches, heartbeats] = coordinator.refusals();
            assert_eq!(fetches > 0, only == Refuses::Fetches);
            assert_eq!(heartbeats > 0, only == Refuses::Heartbeats);
            assert_eq!(fetches + heartbeats, 1, "refused once, then rebuilt");
            stop(worker).await;
        }
    });
}

#[test]
fn heartbeats_say_where_the_shards_stand() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.append_events(1, 300);
        coordinator.restore(coordinator.end());
        coordinator.append_events(2, 300);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        let marks = loop {
            match coordinator.marks_at_end() {
                Some(marks) => break marks,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let expected = Mark { epoch: coordinator.epoch(), position: coordinator.end() };
        assert!(marks.values().all(|mark| *mark == expected), "{marks:?}");
        stop(worker).await;
    });
}

/// Slots of a snapshot stand above the position from which a replay goes on: where only they are of
/// a lost future, they would skip what the log has now.
#[test]
fn slots_ahead_of_a_cursor_that_the_log_accepts_are_refused_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    let coordinator = runtime.block_on(Coordinator::start());
    coordinator.append_events(1, 100);
    let watermark = coordinator.end();
    coordinator.append_events(2, 100);
    let highest = coordinator.end();
    // A snapshot whose slots were all copied at the end, long after it was begun.
    let config = coordinator.config(folder.path()).worker;
    for id in 0..SHARDS {
        let mut state = coordinator.state_at(id, highest);
        for slot in &mut state.slots {
            slot.loaded_through = highest;
        }
        let begun = coordinator.state_at(id, watermark);
        (state.dedup, state.directory, state.applied) = (begun.dedup, begun.directory, watermark);
        let shard = Shard::new(state, "worker-1".into(), Instant::now());
        Snapshots::open(&config, stamp()).expect("opens").write(&shard).expect("written");
    }
    runtime.block_on(async {
        // After the snapshots were accepted, the log goes back; it then grows past all slots.
        coordinator.restore_at_fetch(watermark, 40);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        assert_eq!(coordinator.refusals()[0], 1);
        stop(worker).await;
    });
}
