//! What health checks say. The coordinator as a whole serves from before its log is opened: that it
//! lives. Its services serve from when the log is open, recommendations and decisions from when
//! shards are dealt and a worker is live.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::cluster::membership::Membership;

const EVERY: Duration = Duration::from_millis(200);
/// What needs workers.
const ANSWERING: [&str; 4] = [
    "mercer.v1.ForecastService",
    "mercer.v1.InventoryService",
    "mercer.v1.PricingService",
    "mercer.v1.RecommendService",
];
/// The process.
const ALIVE: &str = "";
const OTHERS: [&str; 5] = [
    "mercer.v1.CatalogService",
    "mercer.v1.ClusterService",
    "mercer.v1.EventService",
    "mercer.v1.ExperimentService",
    "mercer.v1.JobService",
];

/// Says that the process lives and serves nothing yet.
pub(crate) async fn begin(reporter: &HealthReporter) {
    reporter.set_service_status(ALIVE, ServingStatus::Serving).await;
    for service in OTHERS.into_iter().chain(ANSWERING) {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}

/// Keeps the health service up to date until the coordinator stops.
pub(crate) async fn report(
    reporter: HealthReporter,
    membership: Arc<Membership>,
    stopping: CancellationToken,
) {
    for service in OTHERS {
        reporter.set_service_status(service, ServingStatus::Serving).await;
    }
    let mut told = None;
    loop {
        let serves = membership.routes().is_some_and(|routes| !routes.live.is_empty());
        if told != Some(serves) {
            let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
            for service in ANSWERING {
                reporter.set_service_status(service, status).await;
            }
            told = Some(serves);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopping.cancelled() => break,
        }
    }
    for service in [ALIVE].into_iter().chain(OTHERS).chain(ANSWERING) {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}
