//! The gRPC services: take a message and a deadline out of a request, call, answer.
//!
//! Handlers hold no logic: what they call knows nothing of gRPC requests, and errors become
//! status in one place.

mod batch;
mod catalog;
mod cluster;
mod event;
mod experiment;
mod forecast;
mod import;
mod ingest;
mod inventory;
mod job;
mod log;
mod membership;
mod pricing;
mod recommend;
mod recommend_stream;

use std::{sync::Arc, time::Duration};

use mercer_common::{
    limits,
    log::EventLog,
    rpc::{Deadline, status::Describe as _},
    shutdown::Tasks,
};
use mercer_proto::{
    internal::{
        log_service_server::LogServiceServer, membership_service_server::MembershipServiceServer,
    },
    v1::{
        catalog_service_server::CatalogServiceServer, cluster_service_server::ClusterServiceServer,
        event_service_server::EventServiceServer,
        experiment_service_server::ExperimentServiceServer,
        forecast_service_server::ForecastServiceServer, import_service_server::ImportServiceServer,
        inventory_service_server::InventoryServiceServer, job_service_server::JobServiceServer,
        pricing_service_server::PricingServiceServer,
        recommend_service_server::RecommendServiceServer,
    },
};
use tonic::{Request, Status, codec::CompressionEncoding, service::Routes};

use crate::{
    ask::{AskError, Decisions},
    backup::Backups,
    cluster::{identity::Identity, membership::Membership, versions::Versions},
    domain::{
        catalog::Catalog,
        experiment::{Experiments, ReportError, Reports},
        inventory::Policies,
        recommend::{RecommendError, Recommender},
    },
    imports::Imports,
    ingest::Ingest,
    jobs::{JobDefaults, JobSpace, JobStore},
    overview::Overview,
};
use batch::Batches;
use catalog::CatalogHandler;
use cluster::ClusterHandler;
use event::EventHandler;
use experiment::ExperimentHandler;
use forecast::ForecastHandler;
use import::ImportHandler;
use inventory::InventoryHandler;
use job::JobHandler;
use log::LogHandler;
use membership::MembershipHandler;
use pricing::PricingHandler;
use recommend::RecommendHandler;

/// Deadline of a call that came past the server's layers without one.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the handlers call.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) recommender: Arc<Recommender>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) experiments: Arc<Experiments>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) overview: Arc<Overview>,
    pub(crate) identity: Identity,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) versions: Arc<Versions>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) jobs: Arc<JobStore>,
    /// `None` where log and metadata are kept elsewhere.
    pub(crate) backups: Option<Arc<Backups>>,
    pub(crate) job_defaults: JobDefaults,
    pub(crate) job_space: Arc<JobSpace>,
    pub(crate) batch_streams: usize,
    pub(crate) imports: Arc<Imports>,
    pub(crate) tasks: Tasks,
}

/// Limits and compression of a public service.
macro_rules! public {
    ($server:ident, $handler:expr) => {
        $server::new($handler)
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Zstd)
    };
}

/// The public services.
pub(crate) fn public(parts: &Parts) -> Routes {
    let Parts { ingest, decisions, tasks, .. } = parts.clone();
    let batches = Batches::new(parts.batch_streams, tasks.clone());
    let events = EventHandler { ingest: Arc::clone(&ingest), tasks: tasks.clone() };
    let experiments = ExperimentHandler {
        ingest: Arc::clone(&ingest),
        experiments: Arc::clone(&parts.experiments),
        reports: Arc::clone(&parts.reports),
    };
    let imports = ImportHandler::new(Arc::clone(&parts.imports), tasks.clone());
    let catalog = CatalogHandler { ingest, catalog: Arc::clone(&parts.catalog) };
    let recommend = RecommendHandler {
        recommender: Arc::clone(&parts.recommender),
        batches: batches.clone(),
        tasks: tasks.clone(),
    };
    let forecast = ForecastHandler { decisions: Arc::clone(&decisions), batches: batches.clone() };
    let pricing = PricingHandler { decisions: Arc::clone(&decisions), batches: batches.clone() };
    let inventory = InventoryHandler { decisions, policies: Arc::clone(&parts.policies), batches };
    let cluster = ClusterHandler {
        overview: Arc::clone(&parts.overview),
        backups: parts.backups.clone(),
        tasks: tasks.clone(),
    };
    let jobs = JobHandler {
        jobs: Arc::clone(&parts.jobs),
        job_defaults: parts.job_defaults.clone(),
        job_space: Arc::clone(&parts.job_space),
        tasks,
    };
    let mut routes = Routes::builder();
    routes
        .add_service(public!(EventServiceServer, events))
        .add_service(public!(CatalogServiceServer, catalog))
        .add_service(public!(RecommendServiceServer, recommend))
        .add_service(public!(ExperimentServiceServer, experiments))
        .add_service(public!(ImportServiceServer, imports))
        .add_service(public!(ForecastServiceServer, forecast))
        .add_service(public!(PricingServiceServer, pricing))
        .add_service(public!(InventoryServiceServer, inventory))
        .add_service(public!(ClusterServiceServer, cluster))
        .add_service(public!(JobServiceServer, jobs));
    routes.routes()
}

/// The services for workers.
pub(crate) fn internal(parts: &Parts) -> Routes {
    let Parts { identity, log, versions, membership, jobs, tasks, .. } = parts.clone();
    let shards = identity.layout().shards();
    let log = LogHandler { log, shards, membership: Arc::clone(&membership), jobs, tasks };
    let mut routes = Routes::builder();
    routes
        .add_service(
            LogServiceServer::new(log).max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES),
        )
        .add_service(
            MembershipServiceServer::new(MembershipHandler { identity, versions, membership })
                .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES),
        );
    routes.routes()
}

/// Takes the message and the deadline out of a request whose caller still waits.
fn admit<T>(request: Request<T>) -> Result<(T, Deadline), Status> {
    let deadline = Deadline::of(&request, DEADLINE);
    deadline.check().map_err(|exceeded| exceeded.to_status())?;
    Ok((request.into_inner(), deadline))
}

/// Adds the service that describes the public API, in the version that tools ask for today and
/// in the one that many still do.
pub(crate) fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(mercer_proto::v1::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes
        .add_service(builder().build_v1().expect("the build compiled these descriptors"))
        .add_service(builder().build_v1alpha().expect("the build compiled these descriptors"))
}

impl From<AskError> for Status {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Worker(failure) => failure.into_status(),
            other => other.to_status(),
        }
    }
}

impl From<RecommendError> for Status {
    fn from(error: RecommendError) -> Self {
        match error {
            RecommendError::Ask(error) => error.into(),
            other => other.to_status(),
        }
    }
}

impl From<ReportError> for Status {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Ask(error) => error.into(),
            other => other.to_status(),
        }
    }
}
