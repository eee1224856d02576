//! A worker that is killed, loses its folder, is reassigned or meets a bad section.

use std::{fs, path::Path, time::Duration};

use mercer_common::{
    artifact::ArtifactStore,
    config::FreeBytesFloor,
    event::{APPLY_VERSION, encode_section},
};
use mercer_proto::{
    internal::{CutPart, Section, UseApplyVersion},
    v1,
};
use tokio::{runtime::Runtime, time::Instant};

use super::coordinator::{Coordinator, SHARDS, layout};
use crate::{
    Worker, WorkerHandle,
    artifact::cut::Cut,
    shard::{
        ShardStatus,
        cut::{self, series::SeriesCut},
    },
};

/// Long enough on a machine that is busy with other things.
pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(super) async fn start(coordinator: &Coordinator, folder: &Path) -> WorkerHandle {
    let worker = Worker::start(coordinator.config(folder)).await.expect("starts");
    worker.ready().await;
    worker
}

pub(super) async fn check(worker: &WorkerHandle, coordinator: &Coordinator) {
    let end = coordinator.end();
    for shard in worker.shards().all() {
        shard.wait_applied(end, soon()).await.expect("serves");
        let (found, applied) = {
            let state = shard.read();
            (state.canonical_encoding(), state.applied())
        };
        let same = found == coordinator.expected(shard.id(), end);
        assert!(same, "shard {} at {applied:?}, {end} of {}", shard.id(), coordinator.end());
    }
}

#[tokio::test]
async fn heartbeats_say_what_is_free_and_what_was_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let coordinator = Coordinator::start().await;
    let mut config = coordinator.config(folder.path());
    config.worker.free_bytes_floor = FreeBytesFloor::Bytes(7);
    let data = config.worker.data_dir.clone();
    fs::create_dir_all(data.join("shards")).expect("created");
    fs::write(data.join("shards/00-7.snapshot.set-aside"), [0; 5]).expect("written");
    fs::write(data.join("store.set-aside"), [0; 6]).expect("written");
    let worker = Worker::start(config).await.expect("starts");
    let late = soon();
    let told = loop {
        if let Some(told) = coordinator.process() {
            break told;
        }
        assert!(Instant::now() < late, "no heartbeat");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((told.set_aside_count, told.set_aside_bytes, told.floor_bytes), (2, 11, 7));
    assert!(told.free_bytes > 0 && told.wall_clock_step_ms == 0, "{told:?}");
    assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
}

/// Runs `work` in a process of its own, so to say, and then kills it.
fn then_kill<T>(work: impl Future<Output = T>) -> T {
    let runtime = Runtime::new().expect("threads");
    let result = runtime.block_on(work);
    // Tasks are dropped where they stand; nothing is asked to stop.
    runtime.shutdown_timeout(Duration::from_secs(60));
    result
}

#[test]
fn a_killed_worker_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    let coordinator = runtime.block_on(Coordinator::start());
    let mut restored = 0;
    for seed in 0..4 {
        coordinator.append_catalogue(seed);
        coordinator.append_events(seed, 3_000);
        let handle = then_kill(async {
            let worker = start(&coordinator, folder.path()).await;
            restored += worker
                .shards()
                .all()
                .iter()
                .filter(|shard| shard.describe().snapshot_sequence > 0)
                .count();
            coordinator.append_catalogue(100 + seed);
            coordinator.append_events(100 + seed, 2_000);
            check(&worker, &coordinator).await;
            // Some shards have been snapshotted since, at any point of the log.
            tokio::time::sleep(Duration::from_millis(20 * seed)).await;
            worker
        });
        drop(handle);
    }
    assert!(restored > 0, "no restart loaded a snapshot");
}

#[test]
fn a_stopped_worker_replays_nothing_and_a_lost_folder_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.append_events(1, 5_000);
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());

        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        for shard in worker.shards().all() {
            let description = shard.describe();
            assert_eq!(description.last_replay_records, 0);
            assert!(description.snapshot_sequence > 0);
        }
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());

        std::fs::remove_dir_all(folder.path().join("worker-1")).expect("removed");
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        let replayed: u64 =
            worker.shards().all().iter().map(|shard| shard.describe().last_replay_records).sum();
        assert_eq!(replayed, 10_000);
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}

#[test]
fn only_the_waiting_job_gets_its_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.append_events(1, 500);
        coordinator.append_marker("cancelled", &[], "");
        let worker = start(&coordinator, folder.path()).await;
        check(&worker, &coordinator).await;
        coordinator.append_marker("waiting", &[], "waiting");
        let before: Vec<usize> = worker
            .shards()
            .all()
            .iter()
            .map(|shard| shard.read().users().map(|(_, user)| user.window().len()).sum())
            .collect();
        coordinator.append_events(2, 500);
        check(&worker, &coordinator).await;
        let store = ArtifactStore::open(&folder.path().join("artifacts")).expect("a folder");
        for shard in 0..SHARDS {
            let found = |job| {
                store.find(job, cut::PHASE, &cut::interactions::name(shard)).expect("readable")
            };
            assert_eq!(found("cancelled"), None);
            let cut = Cut::open(&store, &found("waiting").expect("cut")).expect("whole");
            assert_eq!(cut.entries(), before[usize::from(shard)], "nothing after the marker");
            let state = worker.shards().get(shard).expect("held");
            assert_eq!(cut.items(), state.read().item_count());
            let series = store.find("waiting", cut::PHASE, &cut::series::name(shard));
            assert_eq!(series.expect("readable"), None, "not asked for");
        }

        // A part that exists stays, another one is written where the marker is.
        let units = |shard| -> f64 {
            let shard = worker.shards().get(shard).expect("held");
            shard.read().items().map(|item| item.units()).sum()
        };
        let before: Vec<f64> = (0..SHARDS).map(units).collect();
        let written = |shard| {
            let found = store.find("waiting", cut::PHASE, &cut::interactions::name(shard));
            found.expect("readable").expect("cut")
        };
        let interactions: Vec<_> = (0..SHARDS).map(written).collect();
        let parts = [CutPart::Interactions, CutPart::Series];
        coordinator.append_marker("waiting", &parts, "waiting");
        coordinator.append_events(3, 500);
        check(&worker, &coordinator).await;
        assert_eq!((0..SHARDS).map(written).collect::<Vec<_>>(), interactions);
        for shard in 0..SHARDS {
            let series = store.find("waiting", cut::PHASE, &cut::series::name(shard));
            let series = series.expect("readable").expect("cut");
            let series = SeriesCut::open(&store, &series).expect("whole");
            let items = (0..series.len()).map(|index| series.item(index).expect("whole"));
            let units_in_cut: f64 = items.map(|item| item.units()).sum();
            assert_eq!(units_in_cut, before[usize::from(shard)]);
            assert!(units_in_cut < units(shard), "events followed the marker");
        }
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}

#[test]
fn another_generation_brings_other_shards() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.reassign(&[0, 2]);
        coordinator.append_events(1, 500);
        let worker = start(&coordinator, folder.path()).await;
        let held = || worker.shards().all().iter().map(|shard| shard.id()).collect::<Vec<_>>();
        assert_eq!(held(), [0, 2]);
        let kept = worker.shards().get(2).expect("held");
        check(&worker, &coordinator).await;

        let registrations = coordinator.registrations();
        coordinator.reassign(&[2, 3]);
        coordinator.append_events(2, 500);
        while coordinator.registrations() == registrations || held() != [2, 3] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let added = worker.shards().get(3).expect("held");
        added.recovered().await;
        check(&worker, &coordinator).await;
        assert!(std::sync::Arc::ptr_eq(&kept, &worker.shards().get(2).expect("held")));
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}

#[test]
fn a_bad_section_stops_its_shard_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        let worker = start(&coordinator, folder.path()).await;
        let position = coordinator.append(1, b"\xff\xff\xff".as_slice());
        coordinator.append_events(1, 200);
        for shard in worker.shards().all() {
            let waited = shard.wait_applied(coordinator.end(), soon()).await;
            assert_eq!(waited.is_ok(), shard.id() != 1);
            if let ShardStatus::Failed(reason) = shard.status() {
                assert!(reason.starts_with(&format!("position {position}: ")), "{reason}");
            }
        }
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}

#[test]
fn a_log_that_means_more_than_a_worker_knows_stops_its_shards_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        let worker = start(&coordinator, folder.path()).await;
        let raise = |version| {
            let use_apply_version = Some(UseApplyVersion { version, id_key: 1 });
            encode_section(&Section { use_apply_version, ..Section::default() })
        };
        for shard in 0..SHARDS {
            coordinator.append(shard, raise(APPLY_VERSION));
        }
        coordinator.append_events(1, 200);
        check(&worker, &coordinator).await;
        let position = coordinator.append(1, raise(APPLY_VERSION + 1));
        let shard = worker.shards().get(1).expect("held");
        shard.wait_applied(position, soon()).await.expect_err("it has failed");
        let described = shard.describe();
        assert_eq!(described.state(), v1::ShardState::Failed);
        assert_eq!(
            described.reason,
            format!(
                "position {position}: records mean what apply version {} says from here on, and \
                 this release knows {APPLY_VERSION}; upgrade this worker",
                APPLY_VERSION + 1
            )
        );
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}

#[test]
fn a_log_that_lost_what_is_needed_stops_the_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let coordinator = Coordinator::start().await;
        coordinator.append_events(1, 200);
        coordinator.trim(2);
        let worker = start(&coordinator, folder.path()).await;
        for shard in worker.shards().all() {
            let ShardStatus::Failed(reason) = shard.status() else { panic!("serves") };
            assert!(reason.contains("trimmed through 2"), "{reason}");
        }
        assert_eq!(worker.shards().all().len(), usize::from(layout().shards()));
        assert!(worker.shutdown(Duration::from_secs(60)).await.is_empty());
    });
}
