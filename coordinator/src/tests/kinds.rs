//! Jobs for every combination of kinds, what they carry over, and which files they leave.

use std::collections::BTreeSet;

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    metadata::Metadata as _,
};
use mercer_proto::{
    internal::{CutPart, Phase},
    v1::{
        DescribeClusterRequest, GetJobRequest, Job, JobState, RecommendRequest, StartJobRequest,
        VersionDescription,
    },
};

use super::TestCluster;

/// The names of a job's phases.
fn phases(job: &Job) -> String {
    let names: Vec<&str> = job.phase_times.iter().map(|time| time.phase.as_str()).collect();
    names.join(" ")
}

/// The tasks that workers ran since the last call, sorted.
fn tasks(cluster: &TestCluster) -> Vec<String> {
    let mut tasks = Vec::new();
    for worker in &cluster.workers {
        let calls = std::mem::take(&mut worker.script.lock().calls);
        tasks.extend(calls.into_iter().filter(|c| c.0 == "run_task").map(|c| c.1));
    }
    tasks.sort();
    tasks
}

async fn current(cluster: &TestCluster) -> VersionDescription {
    let request = DescribeClusterRequest::default();
    let described = cluster.cluster().describe_cluster(request).await.expect("described");
    let described = described.into_inner();
    let mut versions = described.versions.into_iter();
    versions.find(|one| one.version == described.current_version).expect("a version serves")
}

/// The kinds of a version with their jobs.
fn kinds(version: &VersionDescription) -> Vec<(&str, &str)> {
    version.kinds.iter().map(|kind| (kind.kind.as_str(), kind.job_id.as_str())).collect()
}

#[tokio::test]
async fn every_combination_of_kinds_has_its_phases_and_tasks() {
    let neighbours = "dictionary encode statistics rows postings norms";
    let hybrid = "dictionary encode columns statistics factors side rows postings norms scores \
                  learn";
    let results = "estimates pool results";
    let cases: [(&[&str], String, &[Phase]); 6] = [
        (&["demand"], format!("cut {results} publish"), &[]),
        (&["elasticity"], format!("cut {results} publish"), &[]),
        (&["inventory"], format!("cut {results} policies publish"), &[Phase::Policies]),
        (
            &["elasticity", "inventory", "demand"],
            format!("cut {results} policies publish"),
            &[Phase::Policies],
        ),
        (&["p3", "demand"], format!("cut {neighbours} {results} publish"), &[Phase::Rows]),
        (
            &["all"],
            format!("cut {hybrid} {results} policies publish"),
            &[Phase::Rows, Phase::Learn, Phase::Policies],
        ),
    ];
    for (kinds, expected, also) in cases {
        let cluster = TestCluster::start(1).await;
        let job = cluster.train(kinds).await;
        assert_eq!(phases(&job), expected, "{kinds:?}");
        assert_eq!(job.kinds, kinds);
        let tasks = tasks(&cluster);
        let of = |phase: Phase, name: &str| {
            let prefix = format!("{}/", phase.as_str_name());
            let suffix = format!("/{name}");
            tasks.iter().filter(|t| t.starts_with(&prefix) && t.ends_with(&suffix)).count()
        };
        for kind in ["demand", "elasticity"] {
            let is_trained = kinds.contains(&kind)
                || kinds.contains(&"all")
                || (kind == "demand" && kinds.contains(&"inventory"));
            let (each, one) = if is_trained { (4, 1) } else { (0, 0) };
            assert_eq!(of(Phase::Estimates, kind), each, "{kinds:?}: {tasks:?}");
            assert_eq!(of(Phase::Pool, kind), one, "{kinds:?}: {tasks:?}");
            assert_eq!(of(Phase::Results, kind), each, "{kinds:?}: {tasks:?}");
        }
        assert_eq!(of(Phase::Cut, "series"), 4);
        let with_neighbours = also.contains(&Phase::Rows);
        assert_eq!(of(Phase::Cut, ""), if with_neighbours { 4 } else { 0 }, "{tasks:?}");
        let policies = if also.contains(&Phase::Policies) { 4 } else { 0 };
        assert_eq!(of(Phase::Policies, "inventory"), policies);
        // A marker says what to cut.
        let markers = cluster.log.sections().into_iter().filter_map(|(_, one)| one.marker);
        for marker in markers {
            let mut parts = vec![i32::from(CutPart::Series)];
            if with_neighbours {
                parts.insert(0, CutPart::Interactions.into());
            }
            if also.contains(&Phase::Learn) {
                parts.push(CutPart::Content.into());
            }
            assert_eq!(marker.parts, parts);
        }
        // Four cuts of one item and one sale day each.
        assert_eq!((job.items, job.sale_days), (if with_neighbours { 1 } else { 4 }, 4));
    }
}

#[tokio::test]
async fn a_version_carries_over_what_its_job_did_not_train() {
    let cluster = TestCluster::start(1).await;
    cluster.train(&["inventory"]).await;
    let version = current(&cluster).await;
    assert_eq!(kinds(&version), [("demand", "job-000001"), ("inventory", "job-000001")]);
    assert!(version.algorithms.is_empty());
    assert_eq!((version.kinds[0].items, version.kinds[0].as_of.is_some()), (4, true));

    // Recommendations know nothing of a version without neighbours.
    let recommend = || async {
        let request = RecommendRequest { user_id: "anna".into(), ..Default::default() };
        let response = cluster.recommend().recommend(request).await;
        response.expect("answered").into_inner().version
    };
    assert_eq!(recommend().await, "");
    tasks(&cluster);

    cluster.train(&["p3"]).await;
    let version = current(&cluster).await;
    assert_eq!(kinds(&version), [("demand", "job-000001"), ("inventory", "job-000001")]);
    assert_eq!(version.algorithms, ["p3"]);
    assert_eq!(recommend().await, "v2");
    assert!(tasks(&cluster).iter().all(|task| !task.contains("demand")));

    // What was not trained goes on serving.
    let job = cluster.train(&["demand", "elasticity"]).await;
    assert_eq!(phases(&job), "cut estimates pool results publish");
    let version = current(&cluster).await;
    let expected =
        [("demand", "job-000003"), ("elasticity", "job-000003"), ("inventory", "job-000001")];
    assert_eq!(kinds(&version), expected);
    assert_eq!(
        (version.job_id.as_str(), version.algorithms.as_slice()),
        ("job-000003", &["p3".to_owned()][..])
    );
    assert_eq!(recommend().await, "v3");
    cluster.train(&["item-cosine", "elasticity"]).await;
    let version = current(&cluster).await;
    assert_eq!(version.algorithms, ["item-cosine", "p3"]);
    let expected =
        [("demand", "job-000003"), ("elasticity", "job-000004"), ("inventory", "job-000001")];
    assert_eq!(kinds(&version), expected);
}

/// Whether a worker was asked for a task of a phase.
fn has_reached(cluster: &TestCluster, phase: Phase) -> bool {
    let script = cluster.workers[0].script.lock();
    script.calls.iter().any(|(_, task)| task.starts_with(phase.as_str_name()))
}

#[tokio::test]
async fn a_restarted_coordinator_goes_on_in_the_phases_of_results() {
    let mut cluster = TestCluster::start(1).await;
    for phase in [Phase::Estimates, Phase::Pool, Phase::Results, Phase::Policies] {
        tasks(&cluster);
        cluster.workers[0].script.lock().stuck = Some(phase);
        let request = StartJobRequest {
            kinds: vec!["inventory".into(), "elasticity".into()],
            request_id: None,
        };
        let job = cluster.jobs().start_job(request).await.expect("starts").into_inner();
        while !has_reached(&cluster, phase) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        cluster.restart().await;
        cluster.workers[0].script.lock().stuck = None;
        let request = GetJobRequest { job_id: job.job_id };
        let mut watch = cluster.jobs().watch_job(request).await.expect("exists").into_inner();
        let mut job = Job::default();
        while let Some(next) = watch.message().await.expect("goes on") {
            assert!(next.progress >= job.progress, "{job:?} before {next:?}");
            job = next;
        }
        assert_eq!(job.state(), JobState::Succeeded, "{phase:?}: {job:?}");
        // What an earlier phase had finished was not asked for again.
        let mut others = tasks(&cluster);
        others.retain(|task| !task.starts_with(phase.as_str_name()));
        let all = others.len();
        others.dedup();
        assert_eq!(others.len(), all, "{phase:?}: {others:?}");
    }
}

/// Writes a file into every folder that a job may have, as workers do.
fn fill(store: &ArtifactStore, job_id: &str) {
    for folder in ["cut", "dictionary", "postings", "estimates", "pool", "results", "policies"] {
        // The end of the job may be removing what it left in the folder, and the folder with it.
        while let Err(error) = store.put(job_id, folder, "x", "test", &[]) {
            assert!(matches!(error, ArtifactError::Io { .. }), "{error}");
        }
    }
}

/// The folders that are left, by job.
fn folders(store: &ArtifactStore) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for artifact in store.list().expect("listed") {
        let parts: Vec<&str> = artifact.path.split('/').skip(1).take(2).collect();
        folders.insert(parts.join("/"));
    }
    folders
}

#[tokio::test]
async fn files_stay_while_any_kept_version_refers_to_them() {
    let mut cluster = TestCluster::start(1).await;
    let folder = cluster.config.artifacts.folder().expect("a folder");
    let store = ArtifactStore::open(&folder).expect("opens");
    let jobs: [(&[&str], &str); 4] = [
        (&["inventory"], "job-000001"),
        (&["p3"], "job-000002"),
        (&["demand"], "job-000003"),
        (&["demand"], "job-000004"),
    ];
    for (kinds, job_id) in jobs {
        cluster.train(kinds).await;
        fill(&store, job_id);
    }
    // Starting and stopping collects garbage as the end of a job does.
    cluster.restart().await;
    let kept = || folders(&store).into_iter().collect::<Vec<_>>();
    let expected = [
        // Policies of the first job are carried over; its forecasts are not any more.
        "job-000001/policies",
        "job-000002/dictionary",
        "job-000002/postings",
        // The version before the current one, and the manifests of both.
        "job-000003/pool",
        "job-000003/publish",
        "job-000003/results",
        "job-000004/pool",
        "job-000004/publish",
        "job-000004/results",
    ];
    for _ in 0..400 {
        if kept() == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(kept(), expected);
}

/// Waits until the coordinator has had time to remove what it would.
async fn settled(store: &ArtifactStore) -> BTreeSet<String> {
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    folders(store)
}

#[tokio::test]
async fn nothing_is_removed_that_metadata_may_have_lost() {
    let mut cluster = TestCluster::start(1).await;
    let folder = cluster.config.artifacts.folder().expect("a folder");
    let store = ArtifactStore::open(&folder).expect("opens");
    cluster.train(&["p3"]).await;
    store.put("job-000001", "publish", "x", "test", &[]).expect("written");
    store.put("job-000001", "cut", "x", "test", &[]).expect("written");
    // Of a job that nobody has heard of.
    store.put("job-000007", "rows", "x", "test", &[]).expect("written");
    cluster.train(&["p3"]).await;
    while folders(&store).contains("job-000001/cut") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let expected = ["job-000001/publish", "job-000002/publish", "job-000007/rows"];
    let expected = expected.map(str::to_owned);
    assert_eq!(settled(&store).await, BTreeSet::from(expected.clone()));

    // A manifest with a field that this version does not know may name any file.
    let entry = cluster.metadata.get("versions/v1").await.expect("read").expect("stored");
    let more = [&entry.value[..], &[0xfa, 0x3f, 1, b'x']].concat();
    cluster.stop().await;
    let changed =
        cluster.metadata.compare_and_set(&entry.key, Some(entry.revision), Some(more.into()));
    changed.await.expect("changed");
    store.put("job-000002", "cut", "x", "test", &[]).expect("written");
    cluster.restart().await;
    assert!(settled(&store).await.contains("job-000002/cut"));
    // Once that version is gone, the rest is removed.
    cluster.train(&["p3"]).await;
    cluster.train(&["p3"]).await;
    while folders(&store).contains("job-000002/cut") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
