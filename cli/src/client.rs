//! How commands reach a cluster.

use std::time::Duration;

use anyhow::Result;
use mercer_proto::v1::{
    DescribeClusterRequest, DescribeClusterResponse, ShardDescription, ShardState,
    cluster_service_client::ClusterServiceClient,
};
use thiserror::Error;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};

/// Where the cluster is, for commands that ask it something.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// Address of the coordinator's public API.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "MERCER_ENDPOINT",
        default_value = "http://127.0.0.1:7400"
    )]
    pub(crate) endpoint: String,
    /// Seconds that a single call may take.
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 30.0)]
    pub(crate) deadline: f64,
}

/// No coordinator answers at the endpoint.
#[derive(Debug, Error)]
#[error("no coordinator answers at {endpoint}")]
pub(crate) struct Unreachable {
    /// As given.
    pub(crate) endpoint: String,
    /// What the transport says.
    #[source]
    pub(crate) source: tonic::transport::Error,
}

/// The endpoint is not a URL that gRPC can use.
#[derive(Debug, Error)]
#[error("`{endpoint}` is not an endpoint; write it like http://127.0.0.1:7400")]
pub(crate) struct InvalidEndpoint {
    /// As given.
    pub(crate) endpoint: String,
}

impl ClientArgs {
    /// Connects to the coordinator.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] or [`Unreachable`].
    pub(crate) async fn connect(&self) -> Result<Channel> {
        connect(&self.endpoint).await
    }

    /// A request that carries the deadline.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(Duration::from_secs_f64(self.deadline.clamp(0.001, 86_400.0)));
        request
    }
}

/// Connects to a coordinator.
///
/// # Errors
/// [`InvalidEndpoint`] or [`Unreachable`].
pub(crate) async fn connect(endpoint: &str) -> Result<Channel> {
    let invalid = || InvalidEndpoint { endpoint: endpoint.to_owned() };
    let transport = Endpoint::from_shared(endpoint.to_owned()).map_err(|_| invalid())?;
    if transport.uri().scheme_str() != Some("http") || transport.uri().authority().is_none() {
        return Err(invalid().into());
    }
    let channel = transport
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .initial_connection_window_size(8 << 20)
        .initial_stream_window_size(4 << 20)
        .connect()
        .await
        .map_err(|source| Unreachable { endpoint: endpoint.to_owned(), source })?;
    Ok(channel)
}

fn is_unavailable(shard: &ShardDescription) -> bool {
    shard.state() == ShardState::Unavailable
}

/// Describes the cluster after the effects of `token`, however long applying them takes as long
/// as it goes on; an empty token waits for nothing.
///
/// A worker that stays away leaves its shards unavailable in the answer.
///
/// # Errors
/// The status of the call, or when nothing was applied between two attempts.
pub(crate) async fn describe(channel: &Channel, token: &str) -> Result<DescribeClusterResponse> {
    let mut service = ClusterServiceClient::new(channel.clone());
    let tokens: Vec<String> =
        Some(token).filter(|token| !token.is_empty()).map(Into::into).into_iter().collect();
    let mut applied = None;
    loop {
        let request = |tokens: &[String]| {
            let mut request = Request::new(DescribeClusterRequest { tokens: tokens.to_vec() });
            request.set_timeout(Duration::from_secs(20));
            request
        };
        let answer = service.describe_cluster(request(&tokens)).await;
        // A worker that has not got there in time is late, or its shards have no answer.
        let is_late = match &answer {
            Ok(answer) => answer.get_ref().shards.iter().any(is_unavailable),
            Err(status) => status.code() == Code::DeadlineExceeded,
        };
        if tokens.is_empty() || !is_late {
            return Ok(answer?.into_inner());
        }
        let now = service.describe_cluster(request(&[])).await?.into_inner();
        let positions: Vec<u64> = now.shards.iter().map(|s| s.applied_sequence).collect();
        if applied.as_ref() == Some(&positions) {
            return Ok(answer?.into_inner());
        }
        applied = Some(positions);
    }
}
