//! The cluster secret: without it no process of the cluster answers anything but health checks, and
//! with it nothing changes for anybody else.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    clock::SystemClock,
    config::{ClusterConfig, Config},
    rpc::{connect_peer, status::reason},
    secret::ClusterSecret,
};
use mercer_coordinator::{Coordinator, CoordinatorHandle};
use mercer_proto::{
    internal::{RegisterRequest, membership_service_client::MembershipServiceClient},
    v1::{CreateBackupRequest, DescribeClusterResponse, ShardState},
};
use mercer_tests::{
    answers::{connect, request},
    processes::describe,
};
use mercer_worker::{Worker, WorkerHandle};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tempfile::TempDir;
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataValue};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;

use super::BINARY;

const LIMIT: Duration = Duration::from_secs(60);
const OLD: &str = "an-old-secret-of-the-cluster";
const NEW: &str = "a-new-secret-of-the-cluster";
const WRONG: &str = "a-secret-of-another-cluster";

/// A coordinator and a worker, each with a secret file of its own.
struct Cluster {
    folder: TempDir,
    config: Config,
    coordinator: Option<CoordinatorHandle>,
    worker: WorkerHandle,
}

fn write(path: &Path, secrets: &[&str]) {
    let _ = fs::remove_file(path);
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    writeln!(file.expect("created"), "{}", secrets.join("\n")).expect("written");
}

/// What a process with this secret alone knows.
fn knowing(folder: &Path, secret: &str) -> ClusterSecret {
    let config = ClusterConfig { secret_file: folder.join("known"), ..ClusterConfig::default() };
    write(&config.secret_file, &[secret]);
    ClusterSecret::configured(&config).expect("a secret")
}

impl Cluster {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::default();
        config.cluster.shards = 4;
        config.cluster.secret_file = folder.path().join("coordinator-secret");
        config.coordinator.listen = "127.0.0.1:0".into();
        config.coordinator.internal_listen = "127.0.0.1:0".into();
        config.coordinator.data_dir = folder.path().join("data");
        config.artifacts.url = format!("file://{}", folder.path().join("artifacts").display());
        write(&config.cluster.secret_file, &[OLD]);
        let coordinator = Coordinator::start(config.clone(), Arc::new(SystemClock)).await?;
        config.coordinator.listen = coordinator.public_address().to_string();
        config.coordinator.internal_listen = coordinator.internal_address().to_string();
        let worker = Self::worker_config(&config, folder.path(), "worker-1");
        write(&worker.cluster.secret_file, &[OLD]);
        let worker = Worker::start(worker).await?;
        let cluster = Self { folder, config, coordinator: Some(coordinator), worker };
        cluster.until_serving().await?;
        Ok(cluster)
    }

    fn worker_config(config: &Config, folder: &Path, name: &str) -> Config {
        let mut config = config.clone();
        config.cluster.secret_file = folder.join("worker-secret");
        config.worker.coordinator = format!("http://{}", config.coordinator.internal_listen);
        config.worker.listen = "127.0.0.1:0".into();
        config.worker.data_dir = folder.join(name);
        config
    }

    fn public(&self) -> String {
        format!("http://{}", self.config.coordinator.listen)
    }

    fn internal(&self) -> String {
        format!("http://{}", self.config.coordinator.internal_listen)
    }

    fn worker(&self) -> String {
        format!("http://{}", self.worker.address())
    }

    fn secret_files(&self) -> [PathBuf; 2] {
        ["coordinator-secret", "worker-secret"].map(|name| self.folder.path().join(name))
    }

    async fn until_serving(&self) -> anyhow::Result<DescribeClusterResponse> {
        let wait = async {
            loop {
                match describe(&self.public(), Vec::new()).await {
                    Ok(described) if serves(&described) => return described,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        Ok(tokio::time::timeout(LIMIT, wait).await?)
    }

    async fn stop_coordinator(&mut self) {
        let coordinator = self.coordinator.take().expect("running");
        assert_eq!(coordinator.shutdown(LIMIT).await, [""; 0]);
    }

    async fn start_coordinator(&mut self) -> anyhow::Result<()> {
        let starting = async {
            loop {
                let clock = Arc::new(SystemClock);
                match Coordinator::start(self.config.clone(), clock).await {
                    // The port may be in its last moments.
                    Err(error) if error.to_string().contains("cannot listen") => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    started => return started,
                }
            }
        };
        self.coordinator = Some(tokio::time::timeout(LIMIT, starting).await??);
        Ok(())
    }

    async fn stop(mut self) {
        assert_eq!(self.worker.shutdown(LIMIT).await, [""; 0]);
        let coordinator = self.coordinator.take().expect("running");
        assert_eq!(coordinator.shutdown(LIMIT).await, [""; 0]);
    }
}

fn serves(described: &DescribeClusterResponse) -> bool {
    let all = described.shards.iter().all(|shard| shard.state() == ShardState::Serving);
    all && !described.shards.is_empty()
}

/// What registrations change.
fn registered(described: &DescribeClusterResponse) -> Vec<(String, String, u64, Vec<u32>)> {
    let mut facts = Vec::new();
    for one in &described.workers {
        let (worker_id, address) = (one.worker_id.clone(), one.address.clone());
        facts.push((worker_id, address, one.generation, one.shards.clone()));
    }
    facts
}

/// Every RPC between the cluster's processes: its service and its path.
fn internal_rpcs() -> Vec<(String, String)> {
    let set = FileDescriptorSet::decode(mercer_proto::internal::DESCRIPTOR_SET).expect("encoded");
    let mut rpcs = Vec::new();
    for file in set.file.iter().filter(|file| file.package() == "mercer.internal.v1") {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                rpcs.push((service.name().to_owned(), path));
            }
        }
    }
    rpcs
}

/// Begins a call whose message never comes, so that what answers has not read it.
async fn call(url: &str, path: &str, secret: Option<&str>) -> Result<(), Status> {
    let mut request = Request::new(tokio_stream::pending::<()>());
    request.set_timeout(LIMIT);
    if let Some(secret) = secret {
        let value: MetadataValue<_> = secret.parse().expect("ASCII");
        request.metadata_mut().insert("mercer-secret", value);
    }
    let mut grpc = Grpc::new(connect(url).await.expect("somebody listens"));
    grpc.ready().await.expect("connected");
    let path = path.parse().expect("a path");
    let codec = ProstCodec::<(), ()>::default();
    let answer = tokio::time::timeout(LIMIT, grpc.client_streaming(request, path, codec)).await;
    answer.expect("it is answered before its message").map(|_| ())
}

async fn refused(url: &str, path: &str, secret: Option<&str>) {
    let status = call(url, path, secret).await.expect_err(path);
    let expected = if secret.is_some() { "SECRET_WRONG" } else { "SECRET_REQUIRED" };
    let told = (status.code(), reason(&status));
    assert_eq!(told, (Code::Unauthenticated, Some(expected.into())), "{path}: {status:?}");
    let said = format!("{status:?}");
    assert!(!said.contains(OLD) && !said.contains(WRONG), "{said}");
}

/// Whether a process accepts calls with this secret.
async fn accepts(folder: &Path, url: &str, secret: &str) -> bool {
    let channel = connect_peer(url, &knowing(folder, secret)).expect("a URL");
    let mut client = MembershipServiceClient::new(channel);
    let answer = client.register(RegisterRequest::default()).await;
    answer.expect_err("nothing is registered").code() != Code::Unauthenticated
}

async fn until_accepts(cluster: &Cluster, secret: &str, expected: bool) -> anyhow::Result<()> {
    let wait = async {
        for url in [cluster.internal(), cluster.worker()] {
            while accepts(cluster.folder.path(), &url, secret).await != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    Ok(tokio::time::timeout(LIMIT, wait).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_it_nothing_is_answered_but_health_checks() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let before = registered(&cluster.until_serving().await?);
    let rpcs = internal_rpcs();
    assert!(rpcs.len() >= 24, "the descriptors name {} RPCs", rpcs.len());
    let unknown = ("LogService".into(), "/mercer.internal.v1.LogService/Nothing".into());
    for (service, path) in rpcs.into_iter().chain([unknown]) {
        let url = match &*service {
            "LogService" | "MembershipService" => cluster.internal(),
            "ShardService" | "TrainingService" => cluster.worker(),
            _ => panic!("who serves {service}?"),
        };
        for secret in [None, Some(WRONG), Some("")] {
            refused(&url, &path, secret).await;
        }
    }
    assert_eq!(registered(&cluster.until_serving().await?), before);
    let health = async |url: String| {
        let mut health = HealthClient::new(connect(&url).await?);
        let answer = health.check(HealthCheckRequest::default()).await?;
        anyhow::Ok(answer.into_inner().status())
    };
    assert_eq!(health(cluster.worker()).await?, ServingStatus::Serving);
    assert_eq!(health(cluster.public()).await?, ServingStatus::Serving);
    assert_eq!(health(cluster.internal()).await?, ServingStatus::Serving);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_is_first_after_a_restart_is_refused() -> anyhow::Result<()> {
    let mut cluster = Cluster::start().await?;
    cluster.stop_coordinator().await;
    let request = RegisterRequest {
        worker_id: "worker-1".into(),
        address: "http://127.0.0.1:9".into(),
        instance: "stranger".into(),
        apply_version: mercer_common::event::APPLY_VERSION,
    };
    cluster.start_coordinator().await?;
    let mut client = MembershipServiceClient::new(connect(&cluster.internal()).await?);
    let refused = client.register(request).await.expect_err("refused");
    assert_eq!(reason(&refused).as_deref(), Some("SECRET_REQUIRED"), "{refused:?}");
    let described = cluster.until_serving().await?;
    assert_eq!(described.workers[0].address, cluster.worker());
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_replaced_while_everything_runs() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let before = registered(&cluster.until_serving().await?);
    until_accepts(&cluster, NEW, false).await?;
    for secrets in [&[OLD, NEW][..], &[NEW, OLD], &[NEW]] {
        for file in cluster.secret_files() {
            write(&file, secrets);
        }
        until_accepts(&cluster, NEW, true).await?;
        until_accepts(&cluster, OLD, secrets.contains(&OLD)).await?;
        assert_eq!(registered(&cluster.until_serving().await?), before, "{secrets:?}");
    }
    // What cannot be used changes nothing.
    for file in cluster.secret_files() {
        fs::write(&file, "nonsense\n")?;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    until_accepts(&cluster, NEW, true).await?;
    assert_eq!(registered(&cluster.until_serving().await?), before);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_with_the_id_waits_for_the_end_of_the_first() -> anyhow::Result<()> {
    let mut cluster = Cluster::start().await?;
    let before = registered(&cluster.until_serving().await?);
    let config = Cluster::worker_config(&cluster.config, cluster.folder.path(), "second");
    let second = Worker::start(config).await?;
    // It asks over and over; nothing of that may reach the first one.
    let early = tokio::time::timeout(Duration::from_secs(3), second.ready()).await;
    assert!(early.is_err(), "two processes have one id");
    assert_eq!(registered(&cluster.until_serving().await?), before);

    let first = std::mem::replace(&mut cluster.worker, second);
    assert_eq!(first.shutdown(LIMIT).await, [""; 0]);
    tokio::time::timeout(LIMIT, cluster.worker.ready()).await?;
    let after = registered(&cluster.until_serving().await?);
    assert_eq!(after[0].1, cluster.worker());
    assert!(after[0].2 > before[0].2, "generations grow: {after:?}");
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_in_no_backup_and_no_output() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let coordinator = cluster.coordinator.as_ref().expect("running");
    let channel = connect(&cluster.public()).await?;
    let mut service = mercer_proto::v1::cluster_service_client::ClusterServiceClient::new(channel);
    // In the folder that is backed up, too.
    let own = cluster.config.coordinator.data_dir.join("secret");
    fs::copy(&cluster.config.cluster.secret_file, &own)?;
    let message = CreateBackupRequest { name: Some("backup".into()) };
    let mut parts = service.create_backup(request(message)).await?.into_inner();
    while parts.message().await?.is_some() {}
    let backup = cluster.config.coordinator.backup_folder().join("backup");
    assert!(count_files(&backup, OLD.as_bytes())? > 3, "{}", backup.display());
    assert!(!format!("{coordinator:?}{:?}", cluster.worker).contains(OLD));

    let file = &cluster.config.cluster.secret_file;
    let output = Command::new(BINARY)
        .args(["config", "show"])
        .env("MERCER_CLUSTER_SECRET", WRONG)
        .env("MERCER_CLUSTER__SECRET_FILE", file)
        .output()?;
    let shown = String::from_utf8(output.stdout)?;
    assert!(output.status.success() && shown.contains(&*file.to_string_lossy()), "{shown}");
    assert!(!shown.contains(WRONG) && !shown.contains(OLD), "{shown}");
    cluster.stop().await;
    Ok(())
}

#[test]
fn a_worker_without_it_does_not_start() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(BINARY)
        .arg("worker")
        .env("MERCER_WORKER__DATA_DIR", folder.path().join("worker"))
        .env("MERCER_ARTIFACTS__URL", format!("file://{}", folder.path().display()))
        .output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in ["cluster.secret_file", "`secret`", "data_dir", "MERCER_CLUSTER_SECRET"] {
        assert!(said.contains(word), "{said}");
    }
    assert!(!folder.path().join("worker").exists(), "it touches nothing");
    Ok(())
}

/// Counts the files below a folder, none of which may contain `secret`.
fn count_files(folder: &Path, secret: &[u8]) -> anyhow::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files += count_files(&path, secret)?;
            continue;
        }
        let content = fs::read(&path)?;
        let is_there = content.windows(secret.len()).any(|window| window == secret);
        assert!(!is_there, "{}", path.display());
        files += 1;
    }
    Ok(files)
}
