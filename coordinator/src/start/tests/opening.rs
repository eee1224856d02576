//! What is answered before the log is open.

use std::process::Command;

use mercer_common::rpc::{
    connect, connect_peer,
    status::{datum, reason, retry_after},
};
use mercer_proto::{
    internal::{RegisterRequest, membership_service_client::MembershipServiceClient},
    v1::{DescribeClusterRequest, cluster_service_client::ClusterServiceClient},
};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::*;

async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("bound").to_string()
}

fn channel(address: impl std::fmt::Display) -> Channel {
    connect(&format!("http://{address}")).expect("a URL")
}

fn service(name: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: name.into() }
}

async fn describe(channel: &Channel) -> Result<(), Status> {
    let mut client = ClusterServiceClient::new(channel.clone());
    client.describe_cluster(DescribeClusterRequest::default()).await.map(|_| ())
}

#[tokio::test]
async fn health_is_answered_before_the_log_is_open_and_watched_through() {
    let folder = tempfile::tempdir().expect("a folder");
    // Whoever reads a pipe waits for somebody who writes.
    let format = folder.path().join("FORMAT");
    assert!(Command::new("mkfifo").arg(&format).status().expect("runs").success());
    let mut config = config(&folder);
    config.coordinator.listen = free_address().await;
    config.coordinator.internal_listen = free_address().await;
    let public = channel(&config.coordinator.listen);
    let secret = ClusterSecret::established(&config.cluster, folder.path()).expect("drawn");
    secret.keep().expect("kept");
    let internal = connect_peer(&format!("http://{}", config.coordinator.internal_listen), &secret);
    let internal = internal.expect("a URL");
    let starting = tokio::spawn(start(config));

    let mut health = HealthClient::new(public.clone());
    let alive = loop {
        match health.check(service("")).await {
            Ok(answer) => break answer.into_inner().status(),
            Err(error) => assert!(!starting.is_finished(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(alive, ServingStatus::Serving);
    for name in ["mercer.v1.EventService", "mercer.v1.RecommendService"] {
        let status = health.check(service(name)).await.expect("answered").into_inner().status();
        assert_eq!(status, ServingStatus::NotServing, "{name}");
    }
    let mut watch =
        health.watch(service("mercer.v1.EventService")).await.expect("watched").into_inner();
    let next = watch.message().await.expect("goes on").expect("a status");
    assert_eq!(next.status(), ServingStatus::NotServing);

    let registered = MembershipServiceClient::new(internal)
        .register(RegisterRequest { worker_id: "worker-1".into(), ..Default::default() })
        .await
        .map(|_| ());
    for refused in [describe(&public).await, registered] {
        let refused = refused.expect_err("there is no log");
        assert_eq!(
            (refused.code(), reason(&refused).as_deref()),
            (Code::Unavailable, Some("LOG_OPENING"))
        );
        assert!(refused.message().contains("is opening its log"), "{refused:?}");
        assert_eq!(retry_after(&refused), Some(Duration::from_secs(1)));
    }

    let writing = tokio::task::spawn_blocking(move || std::fs::write(&format, "mercer-format 1\n"));
    writing.await.expect("no panic").expect("written");
    let handle = starting.await.expect("no panic").expect("starts");
    // The connections are the same, and the one who watches hears of it.
    describe(&public).await.expect("answered");
    let next = watch.message().await.expect("goes on").expect("a status");
    assert_eq!(next.status(), ServingStatus::Serving);
    drop(watch);
    stop(handle).await;
}

#[tokio::test]
async fn a_conversion_says_how_far_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let servers =
        Servers::start(&config(&folder), ClusterSecret::drawn(), &tasks).await.expect("listens");
    let public = channel(servers.public_address);
    servers.opening.converts(3, 12);
    let refused = describe(&public).await.expect_err("there is no log");
    assert_eq!(reason(&refused).as_deref(), Some("LOG_OPENING"));
    assert!(refused.message().contains("segment 3 of 12"), "{refused:?}");
    assert_eq!(datum(&refused, "segments").as_deref(), Some("12"));
    assert_eq!(tasks.shut_down(Duration::from_secs(20)).await, [""; 0]);
}

#[tokio::test]
async fn the_addresses_of_a_start_that_was_refused_are_free_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("FORMAT"), "mercer-format 1000\n").expect("written");
    let mut config = config(&folder);
    config.coordinator.listen = free_address().await;
    refused(config.clone()).await;
    let again = TcpListener::bind(&config.coordinator.listen).await;
    again.expect("nobody listens there");
}
