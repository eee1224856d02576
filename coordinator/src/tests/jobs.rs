//! Jobs from their start to their version, with everything that can come between.

use std::time::Duration;

use mercer_common::{
    artifact::ArtifactError, event::event_hash, metadata::Metadata as _, rpc::status::Describe as _,
};
use mercer_proto::{
    internal::Phase,
    v1::{
        CancelJobRequest, DescribeClusterRequest, GetJobRequest, Job, JobState, ListJobsRequest,
        StartJobRequest,
    },
};
use tonic::{Code, Status};

use super::{TestCluster, details, internal_error};

async fn start(cluster: &TestCluster, kinds: &[&str]) -> Job {
    let kinds = kinds.iter().map(ToString::to_string).collect();
    let request = StartJobRequest { kinds, request_id: None };
    cluster.jobs().start_job(request).await.expect("starts").into_inner()
}

async fn get(cluster: &TestCluster, job_id: &str) -> Job {
    let request = GetJobRequest { job_id: job_id.into() };
    cluster.jobs().get_job(request).await.expect("exists").into_inner()
}

/// The job when it has ended, as its watcher sees it; checks that progress never falls.
async fn ended(cluster: &TestCluster, job_id: &str) -> Job {
    let request = GetJobRequest { job_id: job_id.into() };
    let mut watch = cluster.jobs().watch_job(request).await.expect("exists").into_inner();
    let mut last = Job::default();
    while let Some(job) = watch.message().await.expect("goes on") {
        assert!(job.progress >= last.progress, "{last:?} before {job:?}");
        last = job;
    }
    last
}

async fn until(cluster: &TestCluster, job_id: &str, reached: impl Fn(&Job) -> bool) -> Job {
    loop {
        let job = get(cluster, job_id).await;
        if reached(&job) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn current_version(cluster: &TestCluster) -> String {
    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    described.expect("described").into_inner().current_version
}

#[tokio::test]
async fn a_job_goes_through_its_phases_and_publishes() {
    let cluster = TestCluster::start(2).await;
    let job = start(&cluster, &["similarity"]).await;
    assert_eq!((job.job_id.as_str(), job.state()), ("job-000001", JobState::Queued));
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
    assert_eq!((job.version.as_str(), job.progress), ("v1", 1.0));
    let phases: Vec<&str> = job.phase_times.iter().map(|time| time.phase.as_str()).collect();
    assert_eq!(
        phases,
        ["cut", "dictionary", "encode", "statistics", "rows", "postings", "norms", "publish"]
    );
    assert_eq!(current_version(&cluster).await, "v1");
    for time in &job.phase_times {
        let works = time.phase != "publish";
        assert_eq!(time.bytes_written > 0, works, "{time:?}");
        assert_eq!(time.bytes_read > 0, works && time.phase != "cut", "{time:?}");
    }

    // Four shards, two algorithms; cuts by the shards' owners.
    let mut tasks: Vec<String> = Vec::new();
    for worker in &cluster.workers {
        let script = worker.script.lock();
        let run = script.calls.iter().filter(|(method, _)| *method == "run_task");
        for (_, task) in run {
            if let Some(cut) = task.strip_prefix("PHASE_CUT/") {
                let shard: u32 = cut.trim_end_matches('/').parse().expect("a shard");
                assert!(script.shards.contains(&shard), "{task} at {}", worker.id);
            }
            tasks.push(task.clone());
        }
        assert_eq!(script.count("prepare_version"), 1);
    }
    assert_eq!(tasks.len(), 4 + 1 + 4 + 1 + 8 + 8 + 2, "{tasks:?}");

    // One marker a shard, in one append, and nobody waits for cuts any more.
    let markers: Vec<u16> = cluster
        .log
        .sections()
        .into_iter()
        .filter(|(_, section)| section.marker.as_ref().is_some_and(|m| m.job_id == "job-000001"))
        .map(|(shard, _)| shard)
        .collect();
    assert_eq!(markers, [0, 1, 2, 3]);
}

#[tokio::test]
async fn only_the_newest_versions_are_kept() {
    let cluster = TestCluster::start(1).await;
    for number in 1..=4 {
        let job = start(&cluster, &["p3"]).await;
        let job = ended(&cluster, &job.job_id).await;
        assert_eq!(job.version, format!("v{number}"), "{job:?}");
    }
    // The runner lets go of old versions after the job has ended.
    loop {
        let open = cluster.workers[0].script.lock().open_versions.clone();
        if open.len() == 2 {
            assert_eq!(open.into_iter().collect::<Vec<_>>(), ["v3", "v4"]);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_restarted_coordinator_goes_on_in_any_phase() {
    let phases = [
        Phase::Cut,
        Phase::Dictionary,
        Phase::Encode,
        Phase::Statistics,
        Phase::Rows,
        Phase::Postings,
        Phase::Norms,
        Phase::Publish,
    ];
    let mut cluster = TestCluster::start(2).await;
    for (number, phase) in (1..).zip(phases) {
        for worker in &cluster.workers {
            let mut script = worker.script.lock();
            script.stuck = Some(phase);
            script.calls.clear();
        }
        let job = start(&cluster, &["p3"]).await;
        let name = phase.as_str_name().trim_start_matches("PHASE_").to_lowercase();
        until(&cluster, &job.job_id, |job| job.phase == name).await;
        let called = if phase == Phase::Publish { "prepare_version" } else { "run_task" };
        while cluster.workers.iter().all(|worker| worker.script.lock().count(called) == 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let generations = generations(&cluster);
        cluster.restart().await;
        for worker in &cluster.workers {
            worker.script.lock().stuck = None;
        }
        let job = ended(&cluster, &job.job_id).await;
        assert_eq!(job.state(), JobState::Succeeded, "{name}: {job:?}");
        assert_eq!(job.version, format!("v{number}"), "{name}");
        assert_eq!(generations, self::generations(&cluster), "{name}");
        // What an earlier phase had finished was not asked for again.
        let mut tasks: Vec<String> = Vec::new();
        for worker in &cluster.workers {
            let script = worker.script.lock();
            tasks.extend(script.calls.iter().filter(|c| c.0 == "run_task").map(|c| c.1.clone()));
        }
        tasks.retain(|task| !task.starts_with(phase.as_str_name()));
        let all = tasks.len();
        tasks.sort();
        tasks.dedup();
        assert_eq!(tasks.len(), all, "{name}: {tasks:?}");
    }
}

fn generations(cluster: &TestCluster) -> Vec<u64> {
    cluster.workers.iter().map(|worker| worker.script.lock().generation).collect()
}

#[tokio::test]
async fn a_running_and_a_waiting_job_can_be_cancelled() {
    let cluster = TestCluster::start(1).await;
    cluster.workers[0].script.lock().stuck = Some(Phase::Rows);
    let running = start(&cluster, &["p3"]).await;
    let waiting = start(&cluster, &["p3"]).await;
    until(&cluster, &running.job_id, |job| job.phase == "rows" && job.progress > 0.3).await;
    for job in [&waiting, &running] {
        let request = CancelJobRequest { job_id: job.job_id.clone() };
        let job = cluster.jobs().cancel_job(request).await.expect("cancelled").into_inner();
        assert_eq!(job.state(), JobState::Cancelled);
        assert!(job.end_time.is_some() && job.version.is_empty());
    }
    let calls = cluster.workers[0].script.lock().calls.clone();
    assert!(calls.contains(&("cancel_tasks", running.job_id)), "{calls:?}");
    assert_eq!(current_version(&cluster).await, "");
}

#[tokio::test]
async fn a_job_that_is_publishing_can_be_cancelled_until_it_commits() {
    let cluster = TestCluster::start(1).await;
    cluster.workers[0].script.lock().stuck = Some(Phase::Publish);
    let job = start(&cluster, &["p3"]).await;
    until(&cluster, &job.job_id, |job| job.phase == "publish").await;
    let request = CancelJobRequest { job_id: job.job_id.clone() };
    cluster.jobs().cancel_job(request).await.expect("cancelled");
    assert_eq!(current_version(&cluster).await, "");

    // The name is not used again: a worker may have it open.
    cluster.workers[0].script.lock().stuck = None;
    let job = start(&cluster, &["p3"]).await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Succeeded);
    let request = CancelJobRequest { job_id: job.job_id };
    let status = cluster.jobs().cancel_job(request).await.expect_err("too late");
    assert_eq!(details(&status).0, Code::FailedPrecondition);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let cluster = TestCluster::start(1).await;
    cluster.workers[0].script.lock().stuck = Some(Phase::Cut);
    let running = start(&cluster, &["p3"]).await;
    until(&cluster, &running.job_id, |job| job.state() == JobState::Running).await;
    for _ in 0..16 {
        start(&cluster, &["p3"]).await;
    }
    let request = StartJobRequest { kinds: vec!["p3".into()], request_id: None };
    let status = cluster.jobs().start_job(request).await.expect_err("full");
    assert_eq!(details(&status).0, Code::ResourceExhausted);

    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListJobsRequest { page_size: 5, page_token };
        let page = cluster.jobs().list_jobs(request).await.expect("listed").into_inner();
        listed.extend(page.jobs.into_iter().map(|job| job.job_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = (1..=17).rev().map(|n| format!("job-{n:06}")).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_repeated_request_returns_the_job_that_it_started() {
    let mut cluster = TestCluster::start(1).await;
    let request = |kinds: &[&str]| StartJobRequest {
        kinds: kinds.iter().map(ToString::to_string).collect(),
        request_id: Some("nightly".into()),
    };
    let first = cluster.jobs().start_job(request(&["p3"])).await.expect("starts").into_inner();
    let again = cluster.jobs().start_job(request(&["p3"])).await.expect("known").into_inner();
    assert_eq!(first.job_id, again.job_id);
    cluster.restart().await;
    let again = cluster.jobs().start_job(request(&["p3"])).await.expect("known").into_inner();
    assert_eq!(first.job_id, again.job_id);
    let other = start(&cluster, &["p3"]).await;
    assert_ne!(first.job_id, other.job_id);
    // Under the same id, other kinds are another request.
    let clash = cluster.jobs().start_job(request(&["ease"])).await.expect("starts").into_inner();
    assert_ne!(first.job_id, clash.job_id);
    let again = cluster.jobs().start_job(request(&["ease"])).await.expect("known").into_inner();
    assert_eq!(clash.job_id, again.job_id);
}

#[tokio::test]
async fn a_request_of_before_matches_any_content() {
    let mut cluster = TestCluster::start(1).await;
    let request = |kinds: &[&str]| StartJobRequest {
        kinds: kinds.iter().map(ToString::to_string).collect(),
        request_id: Some("nightly".into()),
    };
    let first = cluster.jobs().start_job(request(&["p3"])).await.expect("starts").into_inner();
    // As it was remembered before ids stood for their content.
    let metadata = &cluster.metadata;
    let entry = metadata.list("requests/").await.expect("listed").remove(0);
    metadata.compare_and_set(&entry.key, Some(entry.revision), None).await.expect("removed");
    let hash: String = event_hash("nightly").iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("requests/{hash}");
    metadata.compare_and_set(&key, None, Some(entry.value)).await.expect("stored");
    cluster.restart().await;
    for kinds in [["p3"], ["ease"]] {
        let again = cluster.jobs().start_job(request(&kinds)).await.expect("known").into_inner();
        assert_eq!(first.job_id, again.job_id, "{kinds:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_started_or_found_is_said() {
    let cluster = TestCluster::start(0).await;
    for (kinds, field) in [(vec![], "kinds"), (vec!["p3", "popular"], "kinds[1]")] {
        let kinds = kinds.into_iter().map(String::from).collect();
        let request = StartJobRequest { kinds, request_id: None };
        let status = cluster.jobs().start_job(request).await.expect_err("refused");
        assert_eq!(
            details(&status),
            (Code::InvalidArgument, "INVALID_REQUEST".into(), vec![field.into()])
        );
    }
    for job_id in ["", "job-000001", "job-1", "../current"] {
        let request = GetJobRequest { job_id: job_id.into() };
        let status = cluster.jobs().get_job(request).await.expect_err("unknown");
        assert_eq!(details(&status).0, Code::NotFound);
    }
    let request = ListJobsRequest { page_size: 1_001, page_token: String::new() };
    let status = cluster.jobs().list_jobs(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["page_size"]);
    let request = ListJobsRequest { page_size: 0, page_token: "?".into() };
    let status = cluster.jobs().list_jobs(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["page_token"]);
}

#[tokio::test]
async fn nothing_ingested_is_nothing_to_train_on() {
    let cluster = TestCluster::start(1).await;
    cluster.workers[0].script.lock().cut_items = 0;
    let job = start(&cluster, &["p3"]).await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Failed);
    assert!(job.error.contains("nothing to train on"), "{}", job.error);
}

#[tokio::test]
async fn a_failure_that_repeats_everywhere_fails_the_job_with_its_reason() {
    let cluster = TestCluster::start(1).await;
    let damaged = ArtifactError::Damaged { path: "jobs/x".into(), detail: "a bit flipped".into() };
    cluster.workers[0].script.lock().fail("run_task", damaged.to_status());
    let job = start(&cluster, &["p3"]).await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Failed);
    assert!(job.error.contains("a bit flipped") && job.error.contains("worker-1"), "{}", job.error);
}

#[tokio::test]
async fn a_cut_that_a_shard_could_not_write_fails_its_job_at_once_and_the_next_one_runs() {
    let cluster = TestCluster::start(1).await;
    let failed = internal_error(Code::Aborted, "CUT_FAILED");
    cluster.workers[0].script.lock().fail("run_task", failed);
    let job = start(&cluster, &["p3"]).await;
    let next = start(&cluster, &["p3"]).await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!((job.state(), job.phase.as_str()), (JobState::Failed, "cut"));
    assert!(job.error.contains("phase cut, shard") && job.error.contains("CUT_FAILED"), "{job:?}");
    assert!(job.error.contains("attempt 1"), "it is not tried again: {}", job.error);
    assert_eq!(ended(&cluster, &next.job_id).await.state(), JobState::Succeeded);
}

#[tokio::test]
async fn the_tasks_of_a_cut_name_the_marker() {
    let cluster = TestCluster::start(1).await;
    cluster.train(&["p3"]).await;
    let markers: Vec<u64> = cluster.workers[0].script.lock().markers.iter().copied().collect();
    assert_eq!(markers, [8], "the last of four sections after those that raised the log");
}

#[tokio::test]
async fn attempts_are_bounded() {
    let cluster = TestCluster::with(1, |config| config.training.task_attempts = 2).await;
    for _ in 0..2 {
        cluster.workers[0].script.lock().fail("run_task", Status::internal("a panic"));
    }
    let job = start(&cluster, &["p3"]).await;
    // Two shards are tried at once, so that each failure may hit another task; the next ones
    // succeed unless the same task failed twice.
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Succeeded);
    for _ in 0..20 {
        cluster.workers[0].script.lock().fail("run_task", Status::internal("a panic"));
    }
    let job = start(&cluster, &["p3"]).await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Failed);
    assert!(job.error.contains("attempt 2"), "{}", job.error);
}

#[tokio::test]
async fn the_tasks_of_a_lost_worker_go_to_others() {
    let mut cluster = TestCluster::start(2).await;
    for worker in &cluster.workers {
        worker.script.lock().stuck = Some(Phase::Rows);
    }
    let job = start(&cluster, &["p3"]).await;
    until(&cluster, &job.job_id, |job| job.phase == "rows").await;
    while cluster.workers.iter().any(|worker| {
        !worker.script.lock().calls.iter().any(|(_, task)| task.starts_with("PHASE_ROWS"))
    }) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let survivor = cluster.workers.remove(0);
    cluster.workers.clear();
    survivor.script.lock().stuck = None;
    until(&cluster, &job.job_id, |job| job.phase == "publish").await;
    // Its shards cannot serve the version: publishing waits for it.
    let job = get(&cluster, &job.job_id).await;
    assert_eq!((job.state(), current_version(&cluster).await.as_str()), (JobState::Running, ""));
    cluster.workers.push(survivor);
    cluster.add_worker("worker-2").await;
    let job = ended(&cluster, &job.job_id).await;
    assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
}

#[tokio::test]
async fn setting_the_wall_clock_holds_up_no_job() {
    const HOUR_MS: i64 = 3_600_000;
    let cluster = TestCluster::start(1).await;
    let script = || cluster.workers[0].script.lock();
    script().stuck = Some(Phase::Rows);
    let job = start(&cluster, &["p3"]).await;
    until(&cluster, &job.job_id, |job| job.phase == "rows" && job.progress > 0.0).await;
    cluster.clock.step(HOUR_MS);
    // Under suspicion, the worker is used again as soon as it is heard of again.
    script().fail("run_task", Status::internal("a panic"));
    while script().failures.values().any(|left| !left.is_empty()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    cluster.clock.step(-2 * HOUR_MS);
    script().stuck = None;
    let ended = tokio::time::timeout(Duration::from_secs(60), ended(&cluster, &job.job_id)).await;
    let job = ended.expect("goes on");
    assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
    let seconds: f64 = job.phase_times.iter().map(|time| time.seconds).sum();
    assert!(seconds > 0.0 && seconds < 60.0, "{:?}", job.phase_times);
}
