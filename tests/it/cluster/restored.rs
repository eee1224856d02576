//! A log that was restored from an earlier state, or replaced by a copy that went on by itself, under
//! workers that know its lost future: what is acknowledged afterwards is seen with its own token, and
//! nothing of the lost future is.

use std::{fs, path::Path, sync::Arc, time::Duration};

use mercer_common::{
    clock::SystemClock,
    config::Config,
    log::{EventLog, Founding, Sequence, memory::MemoryLog},
    metadata::memory::MemoryMetadata,
    rpc::status::reason,
};
use mercer_coordinator::{Coordinator, CoordinatorHandle};
use mercer_proto::v1::{
    DescribeClusterRequest, GetUserRequest, GetUserResponse, ShardState, UpsertUsersRequest, User,
    catalog_service_client::CatalogServiceClient, cluster_service_client::ClusterServiceClient,
};
use mercer_tests::answers::{connect, request};
use mercer_worker::{Worker, WorkerHandle};
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};

const WORKERS: u16 = 2;
const USERS: u32 = 50;
const LIMIT: Duration = Duration::from_secs(60);

/// A coordinator over a log that outlives it, and workers.
struct Cluster {
    folder: TempDir,
    config: Config,
    log: Arc<MemoryLog>,
    metadata: Arc<MemoryMetadata>,
    coordinator: Option<CoordinatorHandle>,
    workers: Vec<WorkerHandle>,
    channel: Channel,
}

impl Cluster {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::default();
        config.cluster.workers = WORKERS;
        config.cluster.shards = 4;
        config.coordinator.listen = "127.0.0.1:0".into();
        config.coordinator.internal_listen = "127.0.0.1:0".into();
        config.coordinator.data_dir = folder.path().to_owned();
        config.cluster.secret_file = folder.path().join("secret");
        config.artifacts.url = format!("file://{}", folder.path().join("artifacts").display());
        let log = Arc::new(MemoryLog::new(7).founded(Founding::new(4, "USD", "UTC")));
        let metadata = Arc::<MemoryMetadata>::default();
        let coordinator = Coordinator::serve(
            config.clone(),
            Arc::new(SystemClock),
            Arc::<MemoryLog>::clone(&log),
            Arc::<MemoryMetadata>::clone(&metadata),
        )
        .await?;
        config.coordinator.listen = coordinator.public_address().to_string();
        config.coordinator.internal_listen = coordinator.internal_address().to_string();
        let channel = connect(&format!("http://{}", coordinator.public_address())).await?;
        let coordinator = Some(coordinator);
        let mut cluster =
            Self { folder, config, log, metadata, coordinator, workers: Vec::new(), channel };
        cluster.start_workers().await?;
        Ok(cluster)
    }

    async fn start_workers(&mut self) -> anyhow::Result<()> {
        for number in 1..=WORKERS {
            let mut config = self.config.clone();
            config.worker.id = format!("worker-{number}");
            config.worker.coordinator = format!("http://{}", config.coordinator.internal_listen);
            config.worker.listen = "127.0.0.1:0".into();
            config.worker.data_dir = self.folder.path().join(&config.worker.id);
            self.workers.push(Worker::start(config).await?);
        }
        self.until_serving().await
    }

    async fn stop_workers(&mut self) {
        for worker in self.workers.drain(..) {
            assert!(worker.shutdown(LIMIT).await.is_empty());
        }
    }

    /// Restarts the coordinator over the log as it was when it ended at `through`, after which
    /// other things happened to it.
    async fn restore(&mut self, through: Sequence, others: u32) -> anyhow::Result<()> {
        let stopped = self.coordinator.take().expect("running").shutdown(LIMIT).await;
        assert!(stopped.is_empty(), "{stopped:?}");
        self.log.restore(through);
        let coordinator = loop {
            let coordinator = Coordinator::serve(
                self.config.clone(),
                Arc::new(SystemClock),
                Arc::<MemoryLog>::clone(&self.log),
                Arc::<MemoryMetadata>::clone(&self.metadata),
            );
            match coordinator.await {
                Ok(coordinator) => break coordinator,
                // The port may be in its last moments.
                Err(error) if error.to_string().contains("cannot listen") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.coordinator = Some(coordinator);
        self.users("other", others).await?;
        Ok(())
    }

    /// Whether all shards serve.
    async fn serves(&self) -> bool {
        let mut client = ClusterServiceClient::new(self.channel.clone());
        let described = client.describe_cluster(request(DescribeClusterRequest::default())).await;
        described.is_ok_and(|described| {
            let shards = described.into_inner().shards;
            shards.len() == 4 && shards.iter().all(|shard| shard.state() == ShardState::Serving)
        })
    }

    async fn until_serving(&self) -> anyhow::Result<()> {
        let wait = async {
            while !self.serves().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        Ok(tokio::time::timeout(LIMIT, wait).await?)
    }

    /// Adds users one by one, each with the token of its acknowledgement.
    async fn users(&self, name: &str, count: u32) -> anyhow::Result<Vec<(String, String)>> {
        let mut catalog = CatalogServiceClient::new(self.channel.clone());
        let mut acknowledged = Vec::new();
        for number in 0..count {
            let user_id = format!("{name} {number}");
            let user = User { user_id: user_id.clone(), ..User::default() };
            let upsert = UpsertUsersRequest { users: vec![user], ..Default::default() };
            let token = catalog.upsert_users(request(upsert)).await?.into_inner().token;
            acknowledged.push((user_id, token));
        }
        Ok(acknowledged)
    }

    async fn get(&self, user_id: &str, token: Option<&str>) -> Result<GetUserResponse, Status> {
        let tokens = token.into_iter().map(str::to_owned).collect();
        let message = GetUserRequest { user_id: user_id.to_owned(), tokens, rows: 0 };
        let mut catalog = CatalogServiceClient::new(self.channel.clone());
        Ok(catalog.get_user(request(message)).await?.into_inner())
    }

    /// Checks that each user is seen with the token of its acknowledgement, and without.
    async fn check_seen(&self, users: &[(String, String)]) {
        for (user_id, token) in users {
            self.get(user_id, Some(token)).await.expect("acknowledged in this history");
            let answer = self.get(user_id, None).await.expect("has been seen");
            self.get(user_id, Some(&answer.token)).await.expect("a token of this history");
        }
    }

    /// Checks that nothing is left of users whose history is lost, and that their tokens say so.
    async fn check_lost(&self, users: &[(String, String)]) {
        for (user_id, token) in users {
            let status = self.get(user_id, None).await.expect_err("lost");
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            let status = self.get(user_id, Some(token)).await.expect_err("lost");
            let told = (status.code(), reason(&status));
            assert_eq!(told, (Code::FailedPrecondition, Some("TOKEN_OF_LOST_HISTORY".into())));
        }
    }
}

fn set_aside(folder: &Path) -> usize {
    let mut count = 0;
    for worker in 1..=WORKERS {
        let shards = folder.join(format!("worker-{worker}/shards"));
        for entry in fs::read_dir(shards).expect("readable") {
            let name = entry.expect("readable").file_name();
            count += usize::from(name.to_string_lossy().ends_with(".set-aside"));
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_start_beside_a_restored_log_are_not_ahead_of_it() -> anyhow::Result<()> {
    let mut cluster = Cluster::start().await?;
    let kept = cluster.users("kept", USERS).await?;
    let backup = cluster.log.end();
    // Workers leave an older snapshot, and a newer one.
    cluster.check_seen(&kept).await;
    cluster.stop_workers().await;
    cluster.start_workers().await?;
    // The restored log is short of what the workers have; the next has grown past it.
    for (round, others) in [(1, 0), (2, 3 * USERS)] {
        let lost = cluster.users(&format!("lost {round}"), USERS).await?;
        cluster.check_seen(&lost).await;
        let ahead = cluster.log.end();
        cluster.stop_workers().await;
        cluster.restore(backup, others).await?;
        assert_eq!(cluster.log.end() > ahead, others > 0);
        cluster.start_workers().await?;
        assert!(set_aside(cluster.folder.path()) > 0);
        let new = cluster.users(&format!("new {round}"), USERS).await?;
        cluster.check_seen(&new).await;
        cluster.check_seen(&kept).await;
        cluster.check_lost(&lost).await;
    }
    cluster.stop_workers().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_run_while_the_log_is_restored_are_not_ahead_of_it() -> anyhow::Result<()> {
    let mut cluster = Cluster::start().await?;
    let kept = cluster.users("kept", USERS).await?;
    let backup = cluster.log.end();
    for (round, others) in [(1, 0), (2, 3 * USERS)] {
        let lost = cluster.users(&format!("lost {round}"), USERS).await?;
        cluster.check_seen(&lost).await;
        cluster.restore(backup, others).await?;
        // Whatever is answered meanwhile is not of the lost future.
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            for (user_id, _) in lost.iter().step_by(7) {
                let answer = cluster.get(user_id, None).await;
                let code = answer.expect_err("lost").code();
                assert!(matches!(code, Code::NotFound | Code::Unavailable), "{code:?}");
            }
        }
        cluster.until_serving().await?;
        let new = cluster.users(&format!("new {round}"), USERS).await?;
        cluster.check_seen(&new).await;
        cluster.check_seen(&kept).await;
        cluster.check_lost(&lost).await;
    }
    cluster.stop_workers().await;
    Ok(())
}
