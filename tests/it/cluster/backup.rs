//! Backups that are made while a cluster takes in writes and trains: each comes back as a whole prefix
//! of what was acknowledged, and goes on.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mercer_common::{clock::SystemClock, config::Config, rpc::status::reason};
use mercer_coordinator::{Coordinator, CoordinatorHandle, restore, verify};
use mercer_proto::v1::{
    Backup, CreateBackupRequest, DescribeClusterRequest, DescribeClusterResponse, GetUserRequest,
    ShardState, UpsertUsersRequest, User, catalog_service_client::CatalogServiceClient,
    cluster_service_client::ClusterServiceClient, create_backup_response::Response as Part,
};
use mercer_tests::{
    answers::{connect, record, request, train},
    workload::Workload,
};
use mercer_worker::{Worker, WorkerHandle};
use tonic::{Code, Status, transport::Channel};

const WORKERS: u16 = 2;
const SHARDS: usize = 4;
const LIMIT: Duration = Duration::from_secs(60);

/// A coordinator and workers over one folder, as `mercer up` lays it out.
struct Cluster {
    config: Config,
    coordinator: Option<CoordinatorHandle>,
    workers: Vec<WorkerHandle>,
    channel: Channel,
}

impl Cluster {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut config = Config::default();
        config.cluster.workers = WORKERS;
        config.cluster.shards = SHARDS as u16;
        config.coordinator.listen = "127.0.0.1:0".into();
        config.coordinator.internal_listen = "127.0.0.1:0".into();
        config.coordinator.data_dir = folder.to_owned();
        // Of a restored folder, too.
        config.cluster.secret_file = folder.join("secret");
        config.artifacts.url = format!("file://{}", folder.join("artifacts").display());
        let coordinator = Coordinator::start(config.clone(), Arc::new(SystemClock)).await?;
        config.coordinator.listen = coordinator.public_address().to_string();
        config.coordinator.internal_listen = coordinator.internal_address().to_string();
        let channel = connect(&format!("http://{}", coordinator.public_address())).await?;
        let mut workers = Vec::new();
        for number in 1..=WORKERS {
            let mut config = config.clone();
            config.worker.id = format!("worker-{number}");
            config.worker.coordinator = format!("http://{}", coordinator.internal_address());
            config.worker.listen = "127.0.0.1:0".into();
            config.worker.data_dir = folder.join(&config.worker.id);
            // Small ones and often, so that backups meet them.
            config.worker.snapshot_seconds = 0.05;
            config.worker.snapshot_records = 20;
            workers.push(Worker::start(config).await?);
        }
        let cluster = Self { config, coordinator: Some(coordinator), workers, channel };
        cluster.until_serving().await?;
        Ok(cluster)
    }

    /// Replaces the coordinator by one over another folder, at the same addresses, while the workers
    /// go on.
    async fn replace_coordinator(&mut self, data_dir: &Path) -> anyhow::Result<()> {
        self.config.coordinator.data_dir = data_dir.to_owned();
        let stopped = self.coordinator.take().expect("running").shutdown(LIMIT).await;
        assert_eq!(stopped, [""; 0]);
        let starting = async {
            loop {
                let started = Coordinator::start(self.config.clone(), Arc::new(SystemClock)).await;
                match started {
                    // The port may be in its last moments.
                    Err(error) if error.to_string().contains("cannot listen") => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    started => return started,
                }
            }
        };
        self.coordinator = Some(tokio::time::timeout(LIMIT, starting).await??);
        self.until_serving().await
    }

    async fn stop(self) {
        for worker in self.workers {
            assert_eq!(worker.shutdown(LIMIT).await, [""; 0]);
        }
        let coordinator = self.coordinator.expect("running");
        assert_eq!(coordinator.shutdown(LIMIT).await, [""; 0]);
    }

    async fn describe(&self) -> Result<DescribeClusterResponse, Status> {
        let mut service = ClusterServiceClient::new(self.channel.clone());
        let described = service.describe_cluster(request(DescribeClusterRequest::default()));
        Ok(described.await?.into_inner())
    }

    async fn until_serving(&self) -> anyhow::Result<()> {
        let wait = async {
            loop {
                let described = self.describe().await;
                let serves = described.is_ok_and(|described| {
                    let mut shards = described.shards.iter();
                    let all = shards.all(|shard| shard.state() == ShardState::Serving);
                    all && described.shards.len() == SHARDS
                });
                if serves {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        Ok(tokio::time::timeout(LIMIT, wait).await?)
    }

    async fn back_up(&self) -> Result<Backup, Status> {
        back_up(&self.channel, None).await
    }

    async fn has_user(&self, number: usize, token: Option<&str>) -> Result<bool, Status> {
        let tokens = token.into_iter().map(str::to_owned).collect();
        let message = GetUserRequest { user_id: format!("user {number}"), tokens, rows: 0 };
        let mut catalog = CatalogServiceClient::new(self.channel.clone());
        match catalog.get_user(request(message)).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }
}

async fn back_up(channel: &Channel, name: Option<&str>) -> Result<Backup, Status> {
    let message = CreateBackupRequest { name: name.map(str::to_owned) };
    let mut service = ClusterServiceClient::new(channel.clone());
    let mut parts = service.create_backup(request(message)).await?.into_inner();
    while let Some(part) = parts.message().await? {
        if let Some(Part::Backup(backup)) = part.response {
            return Ok(backup);
        }
    }
    Err(Status::internal("the stream ended without a backup"))
}

/// Adds the user of that number, and returns the token.
async fn add_user(channel: &Channel, number: usize) -> Result<String, Status> {
    let user = User { user_id: format!("user {number}"), ..User::default() };
    let upsert = UpsertUsersRequest { users: vec![user], ..Default::default() };
    let mut catalog = CatalogServiceClient::new(channel.clone());
    Ok(catalog.upsert_users(request(upsert)).await?.into_inner().token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_of_a_busy_cluster_are_whole_prefixes_that_go_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(&folder.path().join("shop")).await?;
    let events = Workload { users: 50, items: 40, seed: 11 }.events(2_000);
    record(&cluster.channel, events).await?;
    train(&cluster.channel, &["p3"]).await?;

    // One user after the other, so that what is there must be the first ones.
    let channel = cluster.channel.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let (count, acknowledged) = tokio::sync::watch::channel(0_usize);
    let writing = tokio::spawn(async move {
        let mut tokens = Vec::new();
        while stopped.try_recv().is_err() {
            tokens.push(add_user(&channel, tokens.len()).await?);
            count.send_replace(tokens.len());
        }
        anyhow::Ok(tokens)
    });
    let training = {
        let channel = cluster.channel.clone();
        tokio::spawn(async move { train(&channel, &["item-cosine", "p3"]).await })
    };
    let mut made = Vec::new();
    for round in 0..4 {
        let before = *acknowledged.borrow();
        let backup = back_up(&cluster.channel, Some(&format!("round-{round}"))).await?;
        let after = *acknowledged.borrow();
        assert_eq!(backup.problems, [""; 0]);
        made.push((PathBuf::from(backup.folder), before, after));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    training.await??;
    let _ = stop.send(());
    let tokens = writing.await??;
    assert!(tokens.len() > 20, "{}", tokens.len());
    let last = cluster.back_up().await?;
    assert_eq!(last.version, "v2");
    let snapshots = Path::new(&last.folder).join("workers/worker-1/shards").read_dir()?.count();
    assert!(snapshots > 0);
    cluster.stop().await;

    for (number, (backup, before, after)) in made.into_iter().enumerate() {
        let (_, problems) = verify(&backup, &mut |_| {})?;
        assert_eq!(problems, [""; 0]);
        let data_dir = folder.path().join(format!("restored-{number}"));
        let restored = restore(&backup, &data_dir, &SystemClock, &mut |_| {}).await?;
        assert_eq!(restored.left_out, [""; 0]);
        let cluster = Cluster::start(&data_dir).await?;
        let mut there = 0;
        while there < tokens.len() && cluster.has_user(there, None).await? {
            there += 1;
        }
        // One more may have been stored whose acknowledgement was not seen yet.
        assert!((before..=after + 1).contains(&there), "{before} <= {there} <= {after}");
        for later in there..tokens.len() {
            assert!(!cluster.has_user(later, None).await?, "user {later} after {there}");
        }
        let described = cluster.describe().await?;
        assert!(!described.current_version.is_empty());
        assert!(described.versions.iter().all(|version| version.problems.is_empty()));
        // The history that went on elsewhere is not this one's.
        let status = cluster.has_user(0, tokens.last().map(String::as_str)).await;
        let status = status.expect_err("of another log");
        let told = (status.code(), reason(&status));
        assert_eq!(told, (Code::FailedPrecondition, Some("TOKEN_OF_ANOTHER_LOG".into())));
        // It goes on, also after another start.
        let token = add_user(&cluster.channel, there).await?;
        assert!(cluster.has_user(there, Some(&token)).await?);
        train(&cluster.channel, &["p3"]).await?;
        cluster.stop().await;
        let cluster = Cluster::start(&data_dir).await?;
        assert!(cluster.has_user(there, Some(&token)).await?);
        assert!(cluster.has_user(0, None).await? || there == 0);
        cluster.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backup_is_made_at_a_time_and_a_caller_that_goes_away_leaves_none() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path()).await?;
    let events = Workload { users: 50, items: 40, seed: 12 }.events(2_000);
    record(&cluster.channel, events).await?;
    let status = back_up(&cluster.channel, Some("../up")).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);

    let calls: Vec<_> = (0..8)
        .map(|number| {
            let channel = cluster.channel.clone();
            tokio::spawn(async move { back_up(&channel, Some(&format!("b-{number}"))).await })
        })
        .collect();
    let mut made = 0;
    for call in calls {
        match call.await? {
            Ok(_) => made += 1,
            Err(status) => assert_eq!(reason(&status), Some("BACKUP_BUSY".into()), "{status:?}"),
        }
    }
    assert!(made >= 1);

    let message = CreateBackupRequest { name: Some("abandoned".into()) };
    let mut service = ClusterServiceClient::new(cluster.channel.clone());
    drop(service.create_backup(request(message)).await?);
    // It is given up, or was complete by then; either way another one can be made.
    let again = async {
        while let Err(status) = back_up(&cluster.channel, Some("again")).await {
            assert_eq!(reason(&status), Some("BACKUP_BUSY".into()), "{status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, again).await?;
    for entry in folder.path().join("backups").read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(!name.ends_with(".unfinished"), "{name}");
    }
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_run_while_a_backup_is_restored_read_its_log() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&folder.path().join("shop")).await?;
    let events = Workload { users: 50, items: 40, seed: 13 }.events(2_000);
    record(&cluster.channel, events).await?;
    train(&cluster.channel, &["p3", "demand"]).await?;
    for round in 0..2 {
        let kept = add_user(&cluster.channel, 10 * round).await?;
        assert!(cluster.has_user(10 * round, Some(&kept)).await?);
        let backup = cluster.back_up().await?;
        let lost = add_user(&cluster.channel, 10 * round + 1).await?;
        assert!(cluster.has_user(10 * round + 1, Some(&lost)).await?);
        train(&cluster.channel, &["p3", "demand"]).await?;

        let data_dir = folder.path().join(format!("restored-{round}"));
        restore(Path::new(&backup.folder), &data_dir, &SystemClock, &mut |_| {}).await?;
        cluster.replace_coordinator(&data_dir).await?;
        assert!(cluster.has_user(10 * round, None).await?);
        assert!(!cluster.has_user(10 * round + 1, None).await?);
        let status = cluster.has_user(0, Some(&lost)).await.expect_err("of another log");
        assert_eq!(reason(&status), Some("TOKEN_OF_ANOTHER_LOG".into()));
        let token = add_user(&cluster.channel, 10 * round + 2).await?;
        assert!(cluster.has_user(10 * round + 2, Some(&token)).await?);
        // Its version is not taken for the one of the lost history that had files of the same names.
        train(&cluster.channel, &["p3", "demand"]).await?;
        let described = cluster.describe().await?;
        assert!(described.versions.iter().all(|version| version.problems.is_empty()));
    }
    cluster.stop().await;
    Ok(())
}
