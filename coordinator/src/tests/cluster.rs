//! A coordinator whose log and metadata outlive it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mercer_common::{
    clock::SharedClock, config::Config, log::EventLog, metadata::Metadata, rpc::connect,
    secret::ClusterSecret, shutdown::Tasks,
};
use mercer_proto::v1::{
    DescribeClusterRequest, GetJobRequest, Job, JobState, StartJobRequest,
    catalog_service_client::CatalogServiceClient, cluster_service_client::ClusterServiceClient,
    event_service_client::EventServiceClient, forecast_service_client::ForecastServiceClient,
    inventory_service_client::InventoryServiceClient, job_service_client::JobServiceClient,
    pricing_service_client::PricingServiceClient, recommend_service_client::RecommendServiceClient,
};
use tempfile::TempDir;
use tonic::transport::Channel;

use super::{FakeWorker, SteppedClock, TestLog, TestMetadata};
use crate::{
    server::{ListenError, Servers},
    start::{CoordinatorHandle, StartError, start},
};

pub(crate) struct TestCluster {
    pub(crate) config: Config,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) log: Arc<TestLog>,
    pub(crate) metadata: Arc<TestMetadata>,
    pub(crate) handle: Option<CoordinatorHandle>,
    pub(crate) workers: Vec<FakeWorker>,
    pub(crate) channel: Channel,
    _folder: TempDir,
}

impl TestCluster {
    /// A coordinator for `workers` workers and four shards, and that many workers.
    pub(crate) async fn start(workers: u16) -> Self {
        Self::with(workers, |_| ()).await
    }

    pub(crate) async fn with(workers: u16, change: impl FnOnce(&mut Config)) -> Self {
        Self::over(TestLog::new(), Arc::default(), workers, change).await
    }

    /// A coordinator over what there is already.
    pub(crate) async fn over(
        log: Arc<TestLog>,
        metadata: Arc<TestMetadata>,
        workers: u16,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.recommend.default_algorithm = "p3".into();
        config.cluster.workers = workers.max(1);
        config.cluster.shards = 4;
        config.coordinator.listen = "127.0.0.1:0".into();
        config.coordinator.internal_listen = "127.0.0.1:0".into();
        config.coordinator.worker_timeout_seconds = 0.5;
        config.coordinator.data_dir = folder.path().join("data");
        std::fs::create_dir(&config.coordinator.data_dir).expect("created");
        config.artifacts.url = format!("file://{}", folder.path().display());
        change(&mut config);
        let clock = Arc::<SteppedClock>::default();
        let handle = launch(&config, &clock, &log, &metadata).await.expect("starts");
        log.appends.store(0, Ordering::SeqCst);
        let channel = connect(&format!("http://{}", handle.public_address())).expect("a URL");
        config.coordinator.listen = handle.public_address().to_string();
        config.coordinator.internal_listen = handle.internal_address().to_string();
        let mut cluster = Self {
            config,
            clock,
            log,
            metadata,
            handle: Some(handle),
            workers: Vec::new(),
            channel,
            _folder: folder,
        };
        for number in 1..=workers {
            cluster.add_worker(&format!("worker-{number}")).await;
        }
        if workers > 0 {
            cluster.until_live(usize::from(workers)).await;
        }
        cluster
    }

    pub(crate) async fn add_worker(&mut self, id: &str) {
        let coordinator = self.handle.as_ref().expect("running");
        self.workers.push(FakeWorker::start(id, coordinator).await);
    }

    /// The same with a worker of another release.
    pub(crate) async fn add_worker_of_release(&mut self, id: &str, apply_version: u32) {
        let coordinator = self.handle.as_ref().expect("running");
        self.workers.push(FakeWorker::of_release(id, coordinator, apply_version).await);
    }

    /// Waits until `live` workers hold shards and are live.
    pub(crate) async fn until_live(&self, live: usize) {
        loop {
            let described =
                self.cluster().describe_cluster(DescribeClusterRequest::default()).await;
            let workers = described.map(|d| d.into_inner().workers).unwrap_or_default();
            let ready = workers.iter().filter(|one| one.live && !one.shards.is_empty()).count();
            let registered =
                self.workers.iter().filter(|one| !one.script.lock().shards.is_empty()).count();
            if ready == live && registered >= live {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the coordinator and starts one over the same log and metadata, at the same address.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let handle = loop {
            // The port may be in its last moments.
            match launch(&self.config, &self.clock, &self.log, &self.metadata).await {
                Ok(handle) => break handle,
                Err(StartError::Listen(ListenError::Refused { .. })) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        self.handle = Some(handle);
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(handle) = self.handle.take() {
            assert_eq!(handle.shutdown(Duration::from_secs(20)).await, [""; 0]);
        }
    }

    pub(crate) fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel.clone())
    }

    pub(crate) fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone())
    }

    pub(crate) fn recommend(&self) -> RecommendServiceClient<Channel> {
        RecommendServiceClient::new(self.channel.clone())
    }

    pub(crate) fn forecasts(&self) -> ForecastServiceClient<Channel> {
        ForecastServiceClient::new(self.channel.clone())
    }

    pub(crate) fn prices(&self) -> PricingServiceClient<Channel> {
        PricingServiceClient::new(self.channel.clone())
    }

    pub(crate) fn inventory(&self) -> InventoryServiceClient<Channel> {
        InventoryServiceClient::new(self.channel.clone())
    }

    /// The job that trains `kinds`, when it has succeeded.
    pub(crate) async fn train(&self, kinds: &[&str]) -> Job {
        let kinds = kinds.iter().map(ToString::to_string).collect();
        let request = StartJobRequest { kinds, request_id: None };
        let mut job = self.jobs().start_job(request).await.expect("starts").into_inner();
        let request = GetJobRequest { job_id: job.job_id };
        let mut watch = self.jobs().watch_job(request).await.expect("exists").into_inner();
        job = Job::default();
        while let Some(next) = watch.message().await.expect("goes on") {
            job = next;
        }
        assert_eq!(job.state(), JobState::Succeeded, "{job:?}");
        job
    }

    /// The worker that holds `shard`.
    pub(crate) fn holder(&self, shard: u32) -> usize {
        let mut workers = self.workers.iter();
        workers.position(|worker| worker.script.lock().shards.contains(&shard)).expect("dealt")
    }

    pub(crate) fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel.clone())
    }

    pub(crate) fn cluster(&self) -> ClusterServiceClient<Channel> {
        ClusterServiceClient::new(self.channel.clone())
    }
}

/// Starts a coordinator over the given stores.
pub(crate) async fn launch(
    config: &Config,
    clock: &Arc<SteppedClock>,
    log: &Arc<TestLog>,
    metadata: &Arc<TestMetadata>,
) -> Result<CoordinatorHandle, StartError> {
    let tasks = Tasks::new();
    let secret = ClusterSecret::established(&config.cluster, &config.coordinator.data_dir)?;
    let servers = Servers::start(config, secret, &tasks).await?;
    let log: Arc<dyn EventLog> = Arc::<TestLog>::clone(log);
    let metadata: Arc<dyn Metadata> = Arc::<TestMetadata>::clone(metadata);
    let clock: SharedClock = Arc::<SteppedClock>::clone(clock);
    start(config.clone(), clock, servers, log, None, metadata, tasks).await
}
