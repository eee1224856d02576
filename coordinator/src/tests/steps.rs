//! A phase in steps: what a restart keeps, and which files are released on the way.

use std::{fs, time::Duration};

use mercer_common::artifact::ArtifactStore;
use mercer_proto::{
    internal::Phase,
    v1::{GetJobRequest, Job, JobState, StartJobRequest},
};

use super::{TestCluster, worker::STUCK_STEP};

/// Half-steps of the job.
const STEPS: u32 = 6;

fn name(step: u32, shard: u32) -> String {
    format!("ials-{step:03}-{shard:02}-0000000000000000")
}

/// Whether the worker was asked for a task of the phase before the first steps.
fn is_begun(cluster: &TestCluster) -> bool {
    let script = cluster.workers[0].script.lock();
    script.calls.iter().any(|(_, about)| about.starts_with("PHASE_DICTIONARY"))
}

#[tokio::test]
async fn steps_go_on_after_a_restart_and_old_ones_are_let_go_of() {
    let mut cluster = TestCluster::with(1, |config| {
        config.recommend.factors.iterations = STEPS / 2;
    })
    .await;
    let folder = cluster.config.artifacts.folder().expect("a folder");
    let store = ArtifactStore::open(&folder).expect("opens");
    let factors = folder.join("jobs/job-000001/factors");
    let left = || {
        let listed = store.list().expect("listed").into_iter();
        listed.filter_map(|one| Some(one.path.rsplit_once('/')?.1.to_owned())).collect::<Vec<_>>()
    };

    cluster.workers[0].script.lock().stuck = Some(Phase::Dictionary);
    let request = StartJobRequest { kinds: vec!["ials".into()], request_id: None };
    let job = cluster.jobs().start_job(request).await.expect("starts").into_inner();
    while !is_begun(&cluster) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its files; what is there before it begins is not.
    fs::create_dir_all(&factors).expect("created");
    for step in 0..STEPS {
        (0..4).for_each(|shard| fs::write(factors.join(name(step, shard)), []).expect("written"));
    }
    cluster.workers[0].script.lock().stuck = Some(Phase::Factors);
    let asked = |cluster: &TestCluster, step: u32, shard: u32| {
        let task = format!("PHASE_FACTORS/{shard}/ials/{step}");
        let script = cluster.workers[0].script.lock();
        script.calls.iter().filter(|(_, about)| *about == task).count()
    };
    while asked(&cluster, STUCK_STEP, 0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A step reads the two before it.
    let kept = STUCK_STEP - 2..STEPS;
    let expected: Vec<String> =
        kept.flat_map(|step| (0..4).map(move |shard| name(step, shard))).collect();
    assert_eq!(left(), expected);

    cluster.restart().await;
    cluster.workers[0].script.lock().stuck = None;
    let request = GetJobRequest { job_id: job.job_id };
    let mut watch = cluster.jobs().watch_job(request).await.expect("exists").into_inner();
    let mut job = Job::default();
    while let Some(next) = watch.message().await.expect("goes on") {
        assert!(next.progress >= job.progress, "{job:?} before {next:?}");
        job = next;
    }
    assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
    for step in (0..STEPS).filter(|step| *step != STUCK_STEP) {
        (0..4).for_each(|shard| assert_eq!(asked(&cluster, step, shard), 1, "{step} {shard}"));
    }
    assert_eq!(asked(&cluster, STEPS, 0), 0);
    let phases: Vec<&str> = job.phase_times.iter().map(|time| time.phase.as_str()).collect();
    let expected = "cut dictionary encode columns statistics factors side rows postings publish";
    assert_eq!(phases.join(" "), expected);
    // Nothing that serves refers to them: only the manifest of the version is left.
    while !left().iter().all(|name| name.starts_with("manifest-")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
