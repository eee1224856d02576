//! What stops a coordinator from starting, and what it says then.

use std::sync::Arc;

use mercer_common::clock::SystemClock;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

mod folder;
mod opening;

fn config(folder: &TempDir) -> Config {
    let mut config = Config::default();
    config.coordinator.listen = "127.0.0.1:0".into();
    config.coordinator.internal_listen = "127.0.0.1:0".into();
    config.coordinator.data_dir = folder.path().to_owned();
    config.artifacts.url = format!("file://{}/artifacts", folder.path().display());
    config
}

async fn start(config: Config) -> Result<CoordinatorHandle, StartError> {
    Coordinator::start(config, Arc::new(SystemClock)).await
}

async fn refused(config: Config) -> String {
    start(config).await.expect_err("refused").to_string()
}

async fn stop(handle: CoordinatorHandle) {
    assert_eq!(handle.shutdown(Duration::from_secs(20)).await, [""; 0]);
}

#[tokio::test]
async fn a_bad_address_is_named_by_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut busy = config(&folder);
    busy.coordinator.internal_listen = taken.local_addr().expect("bound").to_string();
    let error = refused(busy.clone()).await;
    assert!(
        error.starts_with("coordinator.internal_listen: cannot listen on 127.0.0.1:"),
        "{error}"
    );

    let mut open = config(&folder);
    open.coordinator.listen = "0.0.0.0:0".into();
    let error = refused(open.clone()).await;
    assert!(error.starts_with("coordinator.listen: 0.0.0.0:"), "{error}");
    assert!(error.contains("insecure_plaintext"), "{error}");
    open.coordinator.insecure_plaintext = true;
    stop(start(open).await.expect("allowed")).await;
    // Nothing was opened by those that were refused, and the last one let go of everything.
    stop(start(config(&folder)).await.expect("starts")).await;
}

#[tokio::test]
async fn a_folder_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = start(config(&folder)).await.expect("starts");
    let error = refused(config(&folder)).await;
    assert!(error.contains(folder.path().to_str().expect("text")), "{error}");
    assert!(error.contains("in use"), "{error}");
    stop(first).await;
}

#[tokio::test]
async fn what_is_fixed_at_creation_is_named_when_contradicted() {
    let folder = tempfile::tempdir().expect("a folder");
    stop(start(config(&folder)).await.expect("creates")).await;
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&folder);
        change(&mut config);
        config
    };
    let cases = [
        (with(&|c| c.cluster.shards = 8), "cluster.shards is 8", "created with 16"),
        (with(&|c| c.cluster.currency = "EUR".into()), "cluster.currency is EUR", "with USD"),
        (
            with(&|c| c.cluster.time_zone = "Europe/Berlin".into()),
            "cluster.time_zone is Europe/Berlin",
            "with UTC",
        ),
    ];
    for (config, configured, stored) in cases {
        let error = refused(config).await;
        assert!(error.contains(configured) && error.contains(stored), "{error}");
    }
    // A log that is missing is not replaced by an empty one.
    let kept = folder.path().join("kept");
    std::fs::rename(folder.path().join("log"), &kept).expect("moved");
    let error = refused(config(&folder)).await;
    assert!(error.contains("there is no log"), "{error}");
    assert!(!folder.path().join("log").exists());
    // Nor by another one.
    let other = tempfile::tempdir().expect("a folder");
    stop(start(config(&other)).await.expect("creates")).await;
    std::fs::rename(other.path().join("log"), folder.path().join("log")).expect("moved");
    let error = refused(config(&folder)).await;
    assert!(error.contains("belongs to log"), "{error}");
    std::fs::rename(folder.path().join("log"), other.path().join("log")).expect("moved");
    std::fs::rename(&kept, folder.path().join("log")).expect("moved back");
    stop(start(config(&folder)).await.expect("starts")).await;
}

#[tokio::test]
async fn an_unknown_default_algorithm_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(&folder);
    config.recommend.default_algorithm = "slime".into();
    let error = refused(config).await;
    assert!(error.contains("recommend.default_algorithm") && error.contains("p3"), "{error}");
}

#[tokio::test]
async fn an_unknown_method_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(&folder);
    config.demand.methods.push("oracle".into());
    let error = refused(config).await;
    assert!(error.contains("demand.methods") && error.contains("`oracle`"), "{error}");
}

#[tokio::test]
async fn health_and_reflection_are_served_from_the_start() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let folder = tempfile::tempdir().expect("a folder");
    let handle = start(config(&folder)).await.expect("starts");
    let url = format!("http://{}", handle.public_address());
    let channel = mercer_common::rpc::connect(&url).expect("a URL");
    let mut health = HealthClient::new(channel.clone());
    for (service, expected) in [
        ("", ServingStatus::Serving),
        ("mercer.v1.EventService", ServingStatus::Serving),
        // No worker is there yet.
        ("mercer.v1.RecommendService", ServingStatus::NotServing),
    ] {
        let request = HealthCheckRequest { service: service.into() };
        let status = loop {
            match health.check(request.clone()).await {
                Ok(response) => break response.into_inner().status(),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        assert_eq!(status, expected, "{service}");
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .expect("reflects")
        .into_inner();
    let answer = answers.message().await.expect("open").expect("an answer");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["Event", "Catalog", "Recommend", "Job", "Cluster"] {
        let name = format!("mercer.v1.{service}Service");
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("internal")), "{names:?}");
    drop(answers);
    stop(handle).await;
}

#[tokio::test]
async fn registers_of_imports_that_cannot_be_used_are_named_by_their_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("imports"), "no folder").expect("written");
    let error = refused(config(&folder)).await;
    assert!(error.starts_with("coordinator.data_dir: "), "{error}");
}
