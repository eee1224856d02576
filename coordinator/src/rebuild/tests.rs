use std::fs;

use mercer_common::{clock::SystemClock, config::Config, rpc::connect};
use mercer_proto::{
    internal::VersionManifest,
    v1::{
        DescribeClusterRequest, GetJobRequest, Job, JobState, StartJobRequest,
        cluster_service_client::ClusterServiceClient, job_service_client::JobServiceClient,
    },
};
use tempfile::TempDir;
use tonic::Status;

use super::*;
use crate::{Coordinator, CoordinatorHandle, tests::FakeWorker};

/// A coordinator with one worker in a folder of its own.
struct Bench {
    folder: TempDir,
}

struct Running {
    handle: CoordinatorHandle,
    worker: FakeWorker,
    channel: tonic::transport::Channel,
}

impl Bench {
    fn config(&self) -> Config {
        let mut config = Config::default();
        config.recommend.default_algorithm = "p3".into();
        config.cluster.shards = 3;
        config.training.keep_versions = 3;
        config.coordinator.listen = "127.0.0.1:0".into();
        config.coordinator.internal_listen = "127.0.0.1:0".into();
        config.coordinator.data_dir = self.folder.path().to_owned();
        config.artifacts.url = format!("file://{}", self.artifacts().display());
        config
    }

    fn artifacts(&self) -> PathBuf {
        self.folder.path().join("artifacts")
    }

    async fn start(&self) -> Running {
        let handle =
            Coordinator::start(self.config(), Arc::new(SystemClock)).await.expect("starts");
        let worker = FakeWorker::start("worker-1", &handle).await;
        while worker.script.lock().shards.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let url = format!("http://{}", handle.public_address());
        Running { handle, worker, channel: connect(&url).expect("a URL") }
    }

    async fn plan(&self) -> Result<Rebuild, RebuildError> {
        Rebuild::plan(self.folder.path(), &self.artifacts(), &SystemClock).await
    }

    /// Damages the metadata, and checks that it is refused.
    async fn spoil(&self) {
        fs::write(self.folder.path().join("metadata/db"), b"").expect("emptied");
        let started = Coordinator::start(self.config(), Arc::new(SystemClock)).await;
        let error = started.expect_err("refused").to_string();
        assert!(error.contains("metadata rebuild"), "{error}");
    }
}

impl Running {
    async fn train(&self) -> Job {
        let mut jobs = JobServiceClient::new(self.channel.clone());
        let request = StartJobRequest { kinds: vec!["p3".into()], request_id: None };
        let job_id = jobs.start_job(request).await.expect("starts").into_inner().job_id;
        let mut watch = jobs.watch_job(GetJobRequest { job_id }).await.expect("is").into_inner();
        let mut last = Job::default();
        while let Some(job) = watch.message().await.expect("goes on") {
            last = job;
        }
        last
    }

    async fn current(&self) -> String {
        let mut cluster = ClusterServiceClient::new(self.channel.clone());
        let described = cluster.describe_cluster(DescribeClusterRequest::default()).await;
        described.expect("described").into_inner().current_version
    }

    async fn stop(self) {
        drop(self.channel);
        assert_eq!(self.handle.shutdown(Duration::from_secs(20)).await, [""; 0]);
    }
}

/// Writes the files that a version stands on, which a pretended worker only names.
fn write_files(artifacts: &Path, manifest: &VersionManifest) {
    for file in manifest::files(manifest) {
        let path = artifacts.join(&file.path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, vec![0; usize::try_from(file.bytes).expect("small")]).expect("written");
    }
}

#[tokio::test]
async fn versions_serve_again_and_no_number_is_given_twice() {
    let bench = Bench { folder: tempfile::tempdir().expect("a folder") };
    let running = bench.start().await;
    let held = bench.plan().await.expect_err("it runs");
    assert!(matches!(held, RebuildError::Metadata(MetadataOpenError::Locked { .. })), "{held}");
    for job in ["job-000001", "job-000002", "job-000003"] {
        let trained = running.train().await;
        assert_eq!((trained.job_id.as_str(), trained.state()), (job, JobState::Succeeded));
    }
    // A job that leaves nothing but its marker in the log.
    let refused = Status::invalid_argument("no");
    running.worker.script.lock().failures.insert("run_task", [refused].into());
    assert_eq!(running.train().await.state(), JobState::Failed);
    let generation = running.worker.script.lock().generation;
    running.stop().await;

    let store = ArtifactStore::open(&bench.artifacts()).expect("opens");
    let manifests = store.list().expect("listed").into_iter().filter(published::is_manifest);
    let manifests: Vec<VersionManifest> =
        manifests.map(|one| published::read(&store, &one).expect("reads").0).collect();
    assert_eq!(manifests.len(), 3);
    // The newest has lost a file, the second is whole, and the first one has a file cut short.
    for manifest in &manifests {
        write_files(&bench.artifacts(), manifest);
    }
    let some = |index: usize| manifest::files(&manifests[index]).last().expect("a file");
    fs::remove_file(bench.artifacts().join(&some(2).path)).expect("removed");
    fs::write(bench.artifacts().join(&some(0).path), b"").expect("cut");
    bench.spoil().await;

    let plan = bench.plan().await.expect("plans");
    let report = plan.report().clone();
    assert_eq!((report.founding.shards, &*report.founding.currency), (3, "USD"));
    let named: Vec<&str> = report.versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(named, ["v3", "v2", "v1"]);
    let lost: Vec<&str> =
        report.versions.iter().map(|one| one.lost.as_deref().unwrap_or_default()).collect();
    assert!(lost[0].ends_with("is missing") && lost[1].is_empty(), "{lost:?}");
    assert!(lost[2].ends_with("has 0 bytes instead of 1"), "{lost:?}");
    assert_eq!((report.current.as_deref(), report.next_job), (Some("v2"), 5));
    drop(plan);
    // Only looked at so far.
    bench.spoil().await;

    let aside = bench.plan().await.expect("plans").apply().await.expect("builds").expect("kept");
    assert_eq!(aside, bench.folder.path().join("metadata.set-aside"));
    assert_eq!(fs::read(aside.join("db")).expect("kept"), b"");
    let running = bench.start().await;
    assert_eq!(running.current().await, "v2");
    let opened = running.worker.script.lock().open_versions.clone();
    assert_eq!(opened, ["v2".to_owned()].into());
    assert!(running.worker.script.lock().generation > generation);
    assert_eq!(running.train().await.job_id, "job-000005");
    assert_eq!(running.current().await, "v5");
    running.stop().await;
    // And once more from what it has become.
    let running = bench.start().await;
    assert_eq!(running.current().await, "v5");
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_built_anew_is_named_and_left() {
    let bench = Bench { folder: tempfile::tempdir().expect("a folder") };
    let error = bench.plan().await.expect_err("no log").to_string();
    assert!(error.contains("there is no log in"), "{error}");
    assert_eq!(fs::read_dir(bench.folder.path()).expect("listed").count(), 0);

    fs::write(bench.folder.path().join("FORMAT"), b"mercer-format 9\n").expect("written");
    let error = bench.plan().await.expect_err("newer").to_string();
    assert!(error.contains("a newer one wrote the folder"), "{error}");
    fs::remove_file(bench.folder.path().join("FORMAT")).expect("removed");

    let missing = bench.folder.path().join("elsewhere");

    // Without any version there is still the cluster.
    bench.start().await.stop().await;
    bench.spoil().await;
    let elsewhere = Rebuild::plan(bench.folder.path(), &missing, &SystemClock).await;
    let error = elsewhere.expect_err("missing").to_string();
    assert!(error.contains("elsewhere") && error.contains("artifacts"), "{error}");
    assert!(!missing.exists());
    let plan = bench.plan().await.expect("plans");
    assert_eq!((plan.report().current.as_deref(), plan.report().next_job), (None, 1));
    plan.apply().await.expect("builds");
    let running = bench.start().await;
    assert_eq!(running.current().await, "");
    running.stop().await;
}

#[test]
fn what_a_newer_release_said_of_a_version_comes_back_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let manifest = VersionManifest { version: "v7".into(), ..VersionManifest::default() };
    let put = |job: &str, kind: &str, encoded: &[u8]| {
        store.put(job, "publish", "manifest", kind, &[encoded]).expect("written")
    };
    // A field 15 that is not known here, and a kind of file that is not.
    let encoded = [&manifest.encode_to_vec()[..], &[15 << 3, 1]].concat();
    put("job-000007", "manifest-2", &encoded);
    let newer = put("job-000008", "manifest-3", &encoded);
    let found = found_versions(&store).expect("read");
    assert_eq!(found.whole, BTreeMap::from([(7, ("v7".into(), Bytes::from(encoded)))]));
    assert_eq!((found.last_job, found.versions[0].version.as_str()), (8, newer.path.as_str()));
    let lost = found.versions[0].lost.as_deref().expect("cannot be read");
    assert!(lost.contains("newer release"), "{lost}");
}
