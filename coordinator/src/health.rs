//! What health checks say. The coordinator as a whole serves from before its log is opened until it
//! stops: that it lives, whatever becomes of disk, log and workers. What stores serves while log and
//! metadata can be written, recommendations and decisions while shards are assigned and a worker is live.

use std::{sync::Arc, time::Duration};

use mercer_common::log::EventLog;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::cluster::membership::Membership;

const EVERY: Duration = Duration::from_millis(200);
/// Services that need workers.
const ANSWERING: [&str; 4] = [
    "mercer.v1.ForecastService",
    "mercer.v1.InventoryService",
    "mercer.v1.PricingService",
    "mercer.v1.RecommendService",
];
/// Name of the process as a whole.
const ALIVE: &str = "";
/// Services that need log and metadata.
const STORING: [&str; 4] = [
    "mercer.v1.CatalogService",
    "mercer.v1.EventService",
    "mercer.v1.ExperimentService",
    "mercer.v1.JobService",
];
/// Service that tells how things stand.
const TELLING: &str = "mercer.v1.ClusterService";

/// Says that the process lives and serves nothing yet.
pub(crate) async fn begin(reporter: &HealthReporter) {
    reporter.set_service_status(ALIVE, ServingStatus::Serving).await;
    for service in [TELLING].into_iter().chain(STORING).chain(ANSWERING) {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}

/// Services, and whether they were reported to serve.
struct Group {
    services: &'static [&'static str],
    reported: Option<bool>,
}

impl Group {
    const fn new(services: &'static [&'static str]) -> Self {
        Self { services, reported: None }
    }

    async fn report(&mut self, reporter: &HealthReporter, serves: bool) {
        if self.reported == Some(serves) {
            return;
        }
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in self.services {
            reporter.set_service_status(*service, status).await;
        }
        self.reported = Some(serves);
    }
}

/// Keeps the health service up to date until the coordinator stops.
pub(crate) async fn report(
    reporter: HealthReporter,
    membership: Arc<Membership>,
    log: Arc<dyn EventLog>,
    stopping: CancellationToken,
) {
    reporter.set_service_status(TELLING, ServingStatus::Serving).await;
    let (mut storing, mut answering) = (Group::new(&STORING), Group::new(&ANSWERING));
    loop {
        let stores = log.health().stopped.is_none() && membership.metadata_stopped().is_none();
        storing.report(&reporter, stores).await;
        let answers = membership.routes().is_some_and(|routes| !routes.live.is_empty());
        answering.report(&reporter, answers).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopping.cancelled() => break,
        }
    }
    for service in [ALIVE, TELLING].into_iter().chain(STORING).chain(ANSWERING) {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}
