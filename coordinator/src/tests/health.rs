//! What health checks say while log and workers come and go.

use std::time::Duration;

use mercer_common::rpc::connect;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::TestCluster;

/// Only a check that never comes round is stopped by it.
const HANGS: Duration = Duration::from_secs(60);
const STORING: [&str; 4] = ["Catalog", "Event", "Experiment", "Job"];
const ANSWERING: [&str; 4] = ["Forecast", "Inventory", "Pricing", "Recommend"];

async fn serves(channel: &Channel, service: &str) -> bool {
    let mut client = HealthClient::new(channel.clone());
    let answer = client.check(HealthCheckRequest { service: service.into() }).await;
    answer.expect("answered").into_inner().status() == ServingStatus::Serving
}

/// Waits until what stores and what answers say so; the process and its description always serve.
async fn until(channel: &Channel, stores: bool, answers: bool) {
    let wait = async {
        loop {
            let mut told = true;
            for (services, expected) in [(STORING, stores), (ANSWERING, answers)] {
                for service in services {
                    let name = format!("mercer.v1.{service}Service");
                    told &= serves(channel, &name).await == expected;
                }
            }
            for service in ["", "mercer.v1.ClusterService"] {
                assert!(serves(channel, service).await, "`{service}`");
            }
            if told {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(HANGS, wait).await;
    done.unwrap_or_else(|_| panic!("never: stores {stores}, answers {answers}"));
}

#[tokio::test]
async fn what_stores_follows_the_log_and_what_answers_the_workers() {
    let cluster = TestCluster::start(1).await;
    let handle = cluster.handle.as_ref().expect("running");
    let channel = connect(&format!("http://{}", handle.public_address())).expect("a URL");
    until(&channel, true, true).await;
    *cluster.log.stopped.lock() = Some("the disk is full".into());
    until(&channel, false, true).await;
    cluster.workers[0].script.lock().silent = true;
    until(&channel, false, false).await;
    *cluster.log.stopped.lock() = None;
    until(&channel, true, false).await;
}
