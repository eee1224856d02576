//! A client of HTTP/2 that keeps to the protocol and to nothing else.

use anyhow::Context as _;
use bytes::Bytes;
use h2::{
    SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::Request;
use mercer_common::rpc::status::reason;
use tokio::task::{JoinHandle, JoinSet};
use tonic::Status;

use super::server::Server;

/// Body without a byte.
pub(crate) const SILENT: Bytes = Bytes::new();

pub(crate) struct Attacker {
    requests: SendRequest<Bytes>,
    endpoint: String,
    connection: JoinHandle<()>,
}

/// Calls that are begun and never ended.
pub(crate) struct Calls {
    running: JoinSet<Ended>,
    bodies: Vec<SendStream<Bytes>>,
}

/// End of a call.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// The reason in the status, empty where there is none.
    pub(crate) reason: String,
}

impl Attacker {
    pub(crate) async fn connect(server: &Server) -> anyhow::Result<Self> {
        Self::handshake(server, &h2::client::Builder::new()).await
    }

    /// Takes no byte of any answer.
    pub(crate) async fn connect_without_window(server: &Server) -> anyhow::Result<Self> {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(0);
        Self::handshake(server, &builder).await
    }

    async fn handshake(server: &Server, builder: &h2::client::Builder) -> anyhow::Result<Self> {
        let (requests, connection) = builder.handshake(server.socket().await?).await?;
        let connection = tokio::spawn(async move {
            // It ends when the server has enough of it, or the test.
            let _ = connection.await;
        });
        Ok(Self { requests, endpoint: server.endpoint().to_owned(), connection })
    }

    /// Begins so many calls and sends `body` for each as fast as it is taken; never ends them.
    pub(crate) async fn begin(
        &self,
        path: &str,
        count: usize,
        body: Bytes,
    ) -> anyhow::Result<Calls> {
        self.send(path, count, body, false).await
    }

    /// Asks so many times, and takes no answer.
    pub(crate) async fn ask(&self, path: &str, count: usize, body: Bytes) -> anyhow::Result<Calls> {
        self.send(path, count, body, true).await
    }

    async fn send(
        &self,
        path: &str,
        count: usize,
        body: Bytes,
        ends: bool,
    ) -> anyhow::Result<Calls> {
        let mut calls = Calls { running: JoinSet::new(), bodies: Vec::new() };
        for _ in 0..count {
            let request = Request::post(format!("{}{path}", self.endpoint))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("grpc-timeout", "99999999S")
                .body(())?;
            let mut requests = self.requests.clone().ready().await?;
            let (response, mut sender) = requests.send_request(request, false)?;
            if ends || !body.is_empty() {
                sender.send_data(body.clone(), ends)?;
            }
            calls.bodies.push(sender);
            calls.running.spawn(async move { ended(response).await.unwrap_or_default() });
        }
        Ok(calls)
    }

    /// Ends when the server has closed the connection.
    pub(crate) async fn closed(self) {
        let _ = self.connection.await;
    }

    /// Closes the connection.
    pub(crate) async fn leave(self) {
        self.connection.abort();
        let _ = self.connection.await;
    }
}

impl Calls {
    /// How many have ended by now, and how.
    pub(crate) async fn ended(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some(one) = self.running.try_join_next() {
            ended.extend(one.ok());
        }
        ended
    }

    /// How all of them ended.
    pub(crate) async fn all_ended(self) -> Vec<Ended> {
        let Self { running, bodies } = self;
        let ended = running.join_all().await;
        drop(bodies);
        ended
    }
}

/// How a call ends; the end of an answer is awaited without taking what comes before.
async fn ended(response: ResponseFuture) -> anyhow::Result<Ended> {
    let mut answer = response.await?;
    let trailers = match answer.headers().contains_key("grpc-status") {
        true => answer.headers().clone(),
        false => answer.body_mut().trailers().await?.context("a status")?,
    };
    let status = Status::from_header_map(&trailers).context("a status")?;
    Ok(Ended { reason: reason(&status).unwrap_or_default() })
}
