//! A cut that cannot be written fails its job, with the reason, and no other.

use std::{fs, sync::Arc, time::Instant};

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    config::FreeBytesFloor,
    rpc::status::{Code, Describe as _},
    space::Floor,
};
use mercer_proto::internal::{Marker, Phase, RunTaskRequest, Section, Task, TrainingSpec};
use tempfile::TempDir;

use super::{
    refold::MemoryLog,
    workload::{SHARD, layout},
};
use crate::{
    compute::Compute,
    domain,
    shard::{
        CutError, Shard, ShardState, Shards,
        apply::{Prepared, apply},
        follow::{LaneContext, lane::write_cut},
    },
    task::{TaskRunner, TrainingError},
};

struct Bench {
    folder: TempDir,
    context: LaneContext,
    shards: Arc<Shards>,
    runner: TaskRunner,
}

impl Bench {
    fn new(shard: Shard) -> Self {
        Self::with_floor(shard, 0)
    }

    /// One below whose floor of free space nothing is written.
    fn with_floor(shard: Shard, bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        let setting = FreeBytesFloor::Bytes(bytes);
        let store = store.with_floor(Floor::new("worker.x", folder.path(), setting));
        let compute = Arc::new(Compute::new(1).expect("threads"));
        let shards = Arc::new(Shards::default());
        shards.hold(shard);
        let runner = TaskRunner::new(
            store.clone(),
            Arc::clone(&compute),
            Arc::clone(&shards),
            domain::stages(),
        );
        let context = LaneContext::new(compute, store, Arc::new(MemoryLog::default()));
        Self { folder, context, shards, runner }
    }

    /// The shard comes to the marker of a job, as its lane does.
    async fn reach(&self, job: &str, sequence: u64) {
        let shard = self.shards.get(SHARD).expect("held");
        let marker = Marker { job_id: job.into(), parts: Vec::new() };
        write_cut(&shard, &marker, sequence, &self.context).await;
    }

    /// What the task of a job's cut is told; `Ok` is whether it is done.
    async fn ask(&self, job: &str, marker: u64) -> Result<bool, Arc<TrainingError>> {
        let task = Task {
            job_id: job.into(),
            phase: Phase::Cut.into(),
            shard: SHARD.into(),
            ..Task::default()
        };
        let spec = TrainingSpec { shard_count: layout().shards().into(), ..Default::default() };
        let request =
            RunTaskRequest { task: Some(task), spec: Some(spec), marker, ..Default::default() };
        let deadline = Instant::now() + std::time::Duration::from_secs(60);
        self.runner.run(request, deadline).await.map(|response| response.done)
    }
}

/// Why a task was refused, as its coordinator sees it.
fn told(answer: Result<bool, Arc<TrainingError>>) -> String {
    let error = answer.expect_err("no cut");
    let description = error.describe();
    assert_eq!((description.code, description.reason), (Code::Aborted, "CUT_FAILED"), "{error}");
    assert_eq!(description.metadata, [("shard", SHARD.to_string())]);
    error.to_string()
}

/// A shard that has applied the log through `sequence`.
fn at(sequence: u64) -> Shard {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    let section = Prepared::new(layout(), SHARD, Section::default()).expect("of this shard");
    apply(&mut state, sequence, section).expect("applies");
    Shard::serving(state)
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_cannot_be_written_is_reported_and_the_next_job_gets_its_own() {
    let bench = Bench::new(at(4));
    assert!(!bench.ask("first", 5).await.expect("not yet"), "the marker is not reached");
    // A file where a folder should be: nobody can write below it.
    let in_the_way = bench.folder.path().join("jobs/first");
    fs::create_dir_all(bench.folder.path().join("jobs")).expect("created");
    fs::write(&in_the_way, b"").expect("written");
    let began = tokio::time::Instant::now();
    bench.reach("first", 5).await;
    let waited = began.elapsed();
    assert!((9..30).contains(&waited.as_secs()), "it is tried again, but not for ever: {waited:?}");
    let told = told(bench.ask("first", 5).await);
    assert!(told.contains("start the job again once the folder can be written"), "{told}");
    assert!(told.contains("first") && told.contains(&in_the_way.display().to_string()), "{told}");

    bench.reach("second", 6).await;
    assert!(bench.ask("second", 6).await.expect("written"));
    // Space for it later does not help: the shard is beyond the marker.
    fs::remove_file(&in_the_way).expect("removed");
    bench.ask("first", 5).await.expect_err("still not there");
    // Unless the marker comes again, as after a restart from an old snapshot.
    bench.reach("first", 5).await;
    assert!(bench.ask("first", 5).await.expect("written"));
}

#[tokio::test(start_paused = true)]
async fn below_the_floor_of_free_space_a_cut_is_refused_at_once() {
    let bench = Bench::with_floor(at(4), u64::MAX);
    let began = tokio::time::Instant::now();
    bench.reach("job", 5).await;
    assert_eq!(began.elapsed().as_secs(), 0, "there is no use in trying again soon");
    let told = told(bench.ask("job", 5).await);
    for part in ["MiB are free in", "worker.x", "start the job again then"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!bench.folder.path().join("jobs").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_snapshot_beyond_the_marker_is_reported_at_once() {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    state.slots[3].loaded_through = 6;
    let bench = Bench::new(Shard::serving(state));
    bench.reach("job", 5).await;
    let told = told(bench.ask("job", 0).await);
    assert!(told.contains("newer than the marker"), "{told}");
}

#[tokio::test]
async fn a_marker_that_was_passed_without_a_cut_is_noticed_after_a_restart() {
    let bench = Bench::new(at(7));
    assert!(!bench.ask("job", 8).await.expect("not yet"));
    assert!(!bench.ask("job", 0).await.expect("not known"), "of an older coordinator");
    let told = told(bench.ask("job", 7).await);
    assert!(told.contains("passed the marker at 7"), "{told}");
    // Of a shard that is elsewhere now nothing is known.
    bench.shards.retain(&[]);
    assert!(!bench.ask("job", 7).await.expect("not yet"));
}

#[test]
fn a_bounded_number_of_failures_is_remembered() {
    let shard = at(1);
    for number in 0..100 {
        shard.cut_failed(&format!("job-{number}"), CutError::Newer { marker: number });
        shard.cut_failed(&format!("job-{number}"), CutError::Newer { marker: 1_000 + number });
    }
    let known = (0..100).filter(|number| shard.failed_cut(&format!("job-{number}")).is_some());
    assert_eq!(known.collect::<Vec<_>>(), (84..100).collect::<Vec<_>>());
    let last = shard.failed_cut("job-99").expect("the last one");
    assert!(matches!(*last, CutError::Newer { marker: 1_099 }), "the latest cause");
    let damaged = ArtifactError::Missing { path: "x".into() };
    assert!(!CutError::from(damaged).is_transient());
}
