//! How commands reach a cluster.

use std::{error::Error as _, time::Duration};

use anyhow::Result;
use mercer_proto::v1::{
    DescribeClusterRequest, DescribeClusterResponse, ShardDescription, ShardState,
    cluster_service_client::ClusterServiceClient,
};
use thiserror::Error;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint, Uri},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Endpoint of `mercer up` unless it is told otherwise.
const DEFAULT: &str = "http://127.0.0.1:7400";
/// Longest wait for the first word of whoever listens.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// What the transport says of an answer by HTTP that is none by gRPC.
const NO_STATUS: &str = "grpc-status header missing";

/// Where the cluster is, for commands that ask it something.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// Address of the coordinator's public API.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "MERCER_ENDPOINT",
        default_value = DEFAULT
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
    /// Endpoint as the user gave it.
    pub(crate) endpoint: String,
    /// Failure of the transport.
    #[source]
    pub(crate) source: tonic::transport::Error,
}

/// Something listens at the endpoint that does not speak gRPC.
#[derive(Debug, Error)]
#[error("what answers at {endpoint} is no Mercer")]
pub(crate) struct NoMercer {
    /// Endpoint as the user gave it.
    pub(crate) endpoint: String,
}

/// Something listens at the endpoint and says nothing.
#[derive(Debug, Error)]
#[error("who listens at {endpoint} said nothing within {waited:.0?}: it hangs, or is no Mercer")]
pub(crate) struct Silent {
    /// Endpoint as the user gave it.
    pub(crate) endpoint: String,
    waited: Duration,
}

/// The endpoint is not a URL that gRPC can use.
#[derive(Debug, Error)]
#[error("`{endpoint}` is not an endpoint: {problem}; write it like {DEFAULT}")]
pub(crate) struct InvalidEndpoint {
    /// Endpoint as the user gave it.
    pub(crate) endpoint: String,
    problem: &'static str,
}

impl ClientArgs {
    /// What a command that is suggested needs to reach the same cluster.
    pub(crate) fn suffix(&self) -> String {
        match self.endpoint.as_str() {
            DEFAULT => String::new(),
            endpoint => format!(" --endpoint {endpoint}"),
        }
    }

    /// Connects to the coordinator.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], [`Unreachable`], [`NoMercer`] or [`Silent`].
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

/// Connects to a coordinator, or to a worker.
///
/// # Errors
/// [`InvalidEndpoint`], [`Unreachable`], [`NoMercer`] or [`Silent`].
pub(crate) async fn connect(endpoint: &str) -> Result<Channel> {
    connect_within(endpoint, FIRST_WORD).await
}

async fn connect_within(endpoint: &str, first_word: Duration) -> Result<Channel> {
    let invalid = |problem| InvalidEndpoint { endpoint: endpoint.to_owned(), problem };
    let transport = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|_| invalid("it is no URL"))?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .initial_connection_window_size(8 << 20)
        .initial_stream_window_size(4 << 20);
    check(transport.uri()).map_err(invalid)?;
    let channel = transport
        .connect()
        .await
        .map_err(|source| Unreachable { endpoint: endpoint.to_owned(), source })?;
    let endpoint = endpoint.to_owned();
    match tokio::time::timeout(first_word, speaks(channel.clone())).await {
        Ok(true) => Ok(channel),
        Ok(false) => Err(NoMercer { endpoint }.into()),
        Err(_) => Err(Silent { endpoint, waited: first_word }.into()),
    }
}

/// Checks what gRPC needs of an address that is a URL.
fn check(uri: &Uri) -> Result<(), &'static str> {
    if uri.scheme_str() != Some("http") {
        return Err("it does not begin with http://");
    }
    let authority = uri.authority().ok_or("it names no host")?;
    // The parser takes any digits for a port, and the port of the web for what is none.
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return Err("a port is a number from 1 to 65535");
    }
    Ok(())
}

/// Whether whoever listens answers a call: any answer will do, a refusal too. A web server gives
/// none that gRPC can read.
async fn speaks(channel: Channel) -> bool {
    let mut health = HealthClient::new(channel);
    match health.check(HealthCheckRequest { service: String::new() }).await {
        Ok(_) => true,
        Err(status) => status.source().is_none() && !status.message().contains(NO_STATUS),
    }
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Listens, and answers what it is sent with `words`; the address.
    async fn talker(words: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut sent = [0; 1_024];
                let _ = stream.read(&mut sent).await;
                let _ = stream.write_all(words.as_bytes()).await;
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn who_speaks_something_else_is_no_mercer() {
        let web = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        for words in [web, "-ERR unknown command 'PRI'\r\n", ""] {
            let endpoint = talker(words).await;
            let error = connect(&endpoint).await.expect_err(words);
            assert!(error.is::<NoMercer>(), "{words:?}: {error:#}");
            assert_eq!(error.to_string(), format!("what answers at {endpoint} is no Mercer"));
        }
    }

    #[tokio::test]
    async fn who_says_nothing_may_hang() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let patience = Duration::from_millis(50);
        let error = connect_within(&endpoint, patience).await.expect_err("nobody speaks");
        assert!(error.is::<Silent>() && error.to_string().contains("within 50ms"), "{error:#}");
    }

    #[tokio::test]
    async fn addresses_that_cannot_be_are_named_before_anybody_is_asked() {
        for (endpoint, problem) in [
            ("http://127.0.0.1:99999", "a port is a number from 1 to 65535"),
            ("http://127.0.0.1:0", "a port is a number from 1 to 65535"),
            ("http://[::1]:123456", "a port is a number from 1 to 65535"),
            ("https://127.0.0.1:7400", "it does not begin with http://"),
            ("127.0.0.1:7400", "it does not begin with http://"),
            ("http://a b", "it is no URL"),
            ("shop", "it does not begin with http://"),
        ] {
            let error = connect(endpoint).await.expect_err(endpoint);
            assert!(error.is::<InvalidEndpoint>(), "{endpoint}: {error:#}");
            assert!(error.to_string().contains(problem), "{endpoint}: {error:#}");
        }
        assert!(check(&Uri::from_static("http://[::1]:7400")).is_ok());
        assert!(check(&Uri::from_static("http://localhost")).is_ok());
    }
}
