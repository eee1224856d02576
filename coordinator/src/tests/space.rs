//! What is refused when space is low, and what an operator sees of processes and their disks.

use std::{fs, time::Duration};

use mercer_common::{config::FreeBytesFloor, rpc::status::Describe as _, space::LowSpace};
use mercer_proto::v1::{
    DescribeClusterRequest, DescribeClusterResponse, GetJobRequest, Job, JobState,
    ProcessDescription, StartJobRequest,
};
use tonic::{Code, Status};

use super::{TestCluster, details};

async fn start(cluster: &TestCluster, request_id: &str) -> Result<Job, Status> {
    let request_id = Some(request_id.to_owned());
    let request = StartJobRequest { kinds: vec!["p3".into()], request_id };
    cluster.jobs().start_job(request).await.map(tonic::Response::into_inner)
}

async fn described(cluster: &TestCluster) -> DescribeClusterResponse {
    let answer = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    answer.expect("described").into_inner()
}

/// Asks until the cluster is as it should be.
async fn until(cluster: &TestCluster, is_so: impl Fn(&DescribeClusterResponse) -> bool) {
    for _ in 0..2_000 {
        if is_so(&described(cluster).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", described(cluster).await);
}

fn low() -> ProcessDescription {
    ProcessDescription {
        folder: "/data/worker-1".into(),
        free_bytes: 5 << 20,
        floor_bytes: 1 << 30,
        ..ProcessDescription::default()
    }
}

#[tokio::test]
async fn a_job_is_refused_while_the_coordinator_is_low_on_space() {
    let mut cluster = TestCluster::start(1).await;
    let first = start(&cluster, "first").await.expect("there is space");
    cluster.config.coordinator.free_bytes_floor = FreeBytesFloor::Bytes(u64::MAX);
    cluster.restart().await;
    let refused = start(&cluster, "second").await.expect_err("there is none");
    assert_eq!(details(&refused).0, Code::ResourceExhausted);
    assert_eq!(details(&refused).1, "LOW_ON_SPACE");
    for part in ["the coordinator is low on space", "coordinator.free_bytes_floor", "MiB are free"]
    {
        assert!(refused.message().contains(part), "{refused:?}");
    }
    // What is there already takes no space.
    let again = start(&cluster, "first").await.expect("it is the same request");
    assert_eq!(again.job_id, first.job_id);

    cluster.config.coordinator.free_bytes_floor = FreeBytesFloor::Bytes(0);
    cluster.restart().await;
    cluster.until_live(1).await;
    let second = start(&cluster, "second").await.expect("there is no floor");
    assert_ne!(second.job_id, first.job_id);
}

#[tokio::test]
async fn a_job_is_refused_while_a_worker_is_low_on_space() {
    let cluster = TestCluster::start(2).await;
    let set = |process| cluster.workers[1].script.lock().process = process;
    set(Some(low()));
    until(&cluster, |described| described.workers[1].process == Some(low())).await;
    let refused = start(&cluster, "first").await.expect_err("there is no space");
    assert_eq!(details(&refused).1, "LOW_ON_SPACE");
    for part in
        ["worker `worker-2` is low on space", "5 MiB are free in /data/worker-1", "1024 MiB"]
    {
        assert!(refused.message().contains(part), "{refused:?}");
    }
    set(Some(ProcessDescription { free_bytes: 2 << 30, ..low() }));
    until(&cluster, |described| {
        described.workers[1].process.as_ref().is_some_and(|one| one.free_bytes == 2 << 30)
    })
    .await;
    start(&cluster, "first").await.expect("there is space again");
}

#[tokio::test]
async fn a_job_that_runs_out_of_space_fails_at_once_with_the_reason() {
    let cluster = TestCluster::start(1).await;
    let low = LowSpace {
        key: "worker.free_bytes_floor",
        folder: "/artifacts".into(),
        free_bytes: 5 << 20,
        floor_bytes: 1 << 30,
    };
    cluster.workers[0].script.lock().fail("run_task", low.to_status());
    let job = start(&cluster, "first").await.expect("starts");
    let request = GetJobRequest { job_id: job.job_id };
    let mut watch = cluster.jobs().watch_job(request).await.expect("exists").into_inner();
    let mut last = Job::default();
    while let Some(job) = watch.message().await.expect("goes on") {
        last = job;
    }
    assert_eq!(last.state(), JobState::Failed);
    for part in ["5 MiB are free in /artifacts", "worker.free_bytes_floor", "attempt 1"] {
        assert!(last.error.contains(part), "{}", last.error);
    }
}

#[tokio::test]
async fn what_was_set_aside_and_a_step_of_the_clock_are_shown() {
    const HOUR: i64 = 3_600_000;
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_owned();
    let cluster = TestCluster::with(0, |config| config.coordinator.data_dir = data.clone()).await;
    let coordinator = described(&cluster).await.coordinator.expect("is told");
    assert_eq!((coordinator.set_aside_count, coordinator.wall_clock_step_ms), (0, 0));
    assert!(coordinator.free_bytes > 0 && coordinator.floor_bytes <= 1 << 30);

    fs::create_dir_all(data.join("log/segments")).expect("created");
    fs::write(data.join("log/segments/00000000000000000001.set-aside"), [0; 9]).expect("written");
    fs::create_dir_all(data.join("metadata.set-aside-2")).expect("created");
    fs::write(data.join("metadata.set-aside-2/db"), [0; 90]).expect("written");
    let artifacts = cluster.config.artifacts.folder().expect("a folder");
    fs::create_dir_all(artifacts.join("job-000001.set-aside")).expect("created");
    fs::write(artifacts.join("job-000001.set-aside/x"), [0; 5]).expect("written");
    let told = described(&cluster).await.coordinator.expect("is told");
    assert_eq!((told.set_aside_count, told.set_aside_bytes), (3, 104));
    assert!(told.oldest_set_aside_time.is_some());

    for (step, shown) in [(HOUR / 2, 0), (HOUR, HOUR * 3 / 2), (-4 * HOUR, -HOUR * 5 / 2)] {
        cluster.clock.step(step);
        let told = described(&cluster).await.coordinator.expect("is told").wall_clock_step_ms;
        assert!((told - shown).abs() < HOUR / 10, "{told} ms for {shown} ms");
    }
}
